"""Errors as a host shows them: one sentence that says what happened, and one that says what to do."""

from __future__ import annotations

import sys
import traceback
from typing import Callable

from ..errors import PaintbridgeError, Sentence
from .errors import BridgeNotFound
from .starting import can_start, install_commands

__all__ = ["how_to_start", "lines_for"]


def lines_for(error: Exception, translate: Callable[[str], str]) -> list[str]:
    """One line each, never none. What nobody foresaw is the plug-in's own fault, and goes to its log as a whole.
    ``translate`` gives a template in the artist's language.
    """
    if not isinstance(error, PaintbridgeError):
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        what = f"{type(error).__name__}: {error}"
        fault = Sentence("Something went wrong inside the Paintbridge plug-in ({error}).", error=what)
        return [fault.translated(translate)]
    return [words.translated(translate) for words in (error.message, error.hint) if words]


def how_to_start(error: BridgeNotFound, translate: Callable[[str], str]) -> str:
    """What to type where no bridge runs: the command that starts it, or those that make one, on this system."""
    if can_start(error.start_command):
        return error.hint.translated(translate)
    commands = "\n".join(f"    {line}" for line in install_commands())
    return Sentence(
        "This plug-in is a part of Paintbridge. Unpack all of it, and type in its folder:\n{commands}",
        commands=commands,
    ).translated(translate)
