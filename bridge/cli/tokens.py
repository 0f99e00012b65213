"""``paintbridge token``: print the token, or make a new one."""

from __future__ import annotations

import argparse

from ..server.runtime import RuntimeFile
from ..server.settings import settings_home
from .exits import CliError, Exit

__all__ = ["run"]


def run(args: argparse.Namespace) -> Exit:
    """Print the token on standard output, alone.

    Raises:
        CliError: there is none yet, or the bridge's folder cannot be written.
    """
    runtime = RuntimeFile(settings_home())
    if args.rotate:
        try:
            print(runtime.rotate_token())
        except OSError as error:
            raise CliError(
                f"{runtime.path} cannot be written ({error.strerror}).", "Correct its permissions."
            ) from None
        return Exit.DONE
    token = runtime.read().get("token")
    if not isinstance(token, str) or not token:
        raise CliError(
            "There is no token yet: no bridge has been started on this machine.",
            "Start one with `paintbridge serve`.",
            exit_code=Exit.NO_BRIDGE,
            code="no_bridge",
        )
    print(token)
    return Exit.DONE
