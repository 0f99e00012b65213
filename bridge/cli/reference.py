"""The generated parts of ``docs/cli.md``: exit codes, what becomes of a file's metadata, and each command's arguments.

``python -m bridge.cli.reference`` writes them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from .arguments import build_parser
from .exits import Exit
from .metadata.parts import Part

__all__ = ["PAGE", "render"]

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "cli.md"


def render(page: str) -> str:
    """The page, with its generated blocks made anew."""
    blocks = (("exit codes", _exit_codes()), ("metadata", _metadata()), ("commands", _command_lines()))
    for name, lines in blocks:
        before, _, rest = page.partition(f"<!-- {name} -->")
        after = rest.partition("<!-- end -->")[2]
        page = "\n".join([f"{before}<!-- {name} -->", *lines, f"<!-- end -->{after}"])
    return page


def _exit_codes() -> list[str]:
    return ["", "| code | meaning |", "| --- | --- |", *(f"| {code.value} | {code.meaning} |" for code in Exit), ""]


def _metadata() -> list[str]:
    rows = [f"| {part.title} | {part.formats} | {part.fate.value} | {part.reason} |" for part in Part]
    return ["", "| what | in | in the output | why |", "| --- | --- | --- | --- |", *rows, ""]


def _command_lines() -> list[str]:
    lines = [""]
    for name, command in _commands(build_parser(), ""):
        lines += [f"### paintbridge {name}", "", command.description or "", ""]
        # What must be said first, as in a usage line.
        actions = sorted(command._actions, key=lambda action: bool(action.option_strings))
        if name == "serve":
            lines += ["Its flags are the settings, see [settings.md](settings.md), and:", ""]
            actions = [action for action in actions if action.nargs == 0]
        rows = [_row(action) for action in actions if not isinstance(action, argparse._HelpAction)]
        lines += ["| argument | meaning |", "| --- | --- |", *rows, ""]
    return lines


def _commands(parser: argparse.ArgumentParser, before: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command that has arguments of its own, such as `fill` and `models list`."""
    found = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in found.choices.items():
        if any(isinstance(action, argparse._SubParsersAction) for action in command._actions):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _row(action: argparse.Action) -> str:
    choices = ", ".join(f"`{choice}`" for choice in action.choices) if action.choices else ""
    if action.option_strings:
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        name = ", ".join(f"`{flag}{value}`".replace("|", "\\|") for flag in action.option_strings)
    else:
        name = f"`{action.metavar or action.dest}`"
    words = (action.help or "") + (f"; one of {choices}" if choices else "")
    return f"| {name} | {words}{'; required' if action.option_strings and action.required else ''} |"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
