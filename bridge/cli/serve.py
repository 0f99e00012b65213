"""``paintbridge serve``: run the bridge until it is stopped."""

from __future__ import annotations

import argparse
from dataclasses import fields

from ..server.app import serve
from ..server.settings import Settings, load_settings
from .exits import Exit

__all__ = ["run"]


def run(args: argparse.Namespace) -> Exit:
    """Serve with the settings of file, environment and flags.

    Raises:
        StartError: a setting cannot be used, or the bridge cannot start.
    """
    given = vars(args)
    serve(load_settings({entry.name: given[entry.name] for entry in fields(Settings)}))
    return Exit.DONE
