"""``paintbridge plugins list | install | uninstall``: the plug-ins, into the hosts of this machine and out again."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..plugins import TARGETS, Machine, Place, PluginError, Target
from ..plugins.placing import installed, put, remove
from .exits import CliError, Exit

__all__ = ["run"]


def run(args: argparse.Namespace) -> Exit:
    """Do what ``args.action`` says; with ``--json`` print one object.

    Raises:
        CliError: it cannot be done.
    """
    actions = {"list": _list, "install": _install, "uninstall": _uninstall}
    targets = [target for target in TARGETS if args.host in (None, target.name)]
    if args.path is not None and len(targets) != 1:
        names = ", ".join(target.name for target in TARGETS)
        raise CliError("--path is the folder of one host.", f"Name it too: {names}.", exit_code=Exit.USAGE)
    try:
        rows = [row for target in targets for row in actions[args.action](target, _places(target, args))]
    except PluginError as error:
        raise CliError(error.message, error.hint) from error
    if not rows and args.action != "list":
        titles = " or ".join(target.title for target in targets)
        hints = " ".join(target.path_hint for target in targets)
        raise CliError(f"No {titles} was found here.", f"Name its folder with --path. {hints}")
    words = "\n".join(row.pop("words") for row in rows) or "No host was found here."
    print(json.dumps({"plugins": rows}, indent=2) if args.json else words)
    return Exit.DONE


def _places(target: Target, args: argparse.Namespace) -> tuple[Place, ...]:
    if args.path is not None:
        return (target.at(args.path.expanduser().absolute()),)
    return target.places(Machine())


def _list(target: Target, places: tuple[Place, ...]) -> list[dict[str, Any]]:
    rows = []
    for place in places:
        found = installed(target.home, place.folder)
        state = f"installed, version {found}" if found else "not installed"
        rows.append(_row(target, place, f"{place.words}: {state} ({place.folder})", version=found))
    return rows


def _install(target: Target, places: tuple[Place, ...]) -> list[dict[str, Any]]:
    rows = []
    for place in places:
        put(target.bundle(), place.folder)
        target.enable(place)
        rows.append(
            _row(
                target,
                place,
                f"{place.words}: installed in {place.folder}. {target.after_install(place)}",
                version=installed(target.home, place.folder),
            )
        )
    return rows


def _uninstall(target: Target, places: tuple[Place, ...]) -> list[dict[str, Any]]:
    rows = []
    for place in places:
        was_there = remove(target.home, place.folder)
        target.disable(place)
        words = "uninstalled from" if was_there else "was not installed in"
        rows.append(_row(target, place, f"{place.words}: {words} {place.folder}.", removed=was_there))
    return rows


def _row(target: Target, place: Place, words: str, **more: Any) -> dict[str, Any]:
    return {"words": words, "host": target.name, "place": place.words, "folder": str(place.folder), **more}
