"""``paintbridge models list | info | add | remove | pull``: which checkpoints there are, and how they come and go."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..models import RECOMMENDED, Checkpoint, Entry, ModelsError, Registry, inspect
from ..models.places import OWN, Place, models_folder
from ..models.receipt import delete_fetched, read_receipt
from ..models.registered import list_file, read_registered, write_registered
from ..models.scan import candidates
from ..server.settings import load_settings, settings_home
from . import describe
from .exits import CliError, Exit

__all__ = ["registry", "run"]

_FAILED = ("hub_offline", "download_damaged", "disk_full")


def registry() -> Registry:
    """The checkpoints that a bridge started here would offer.

    Raises:
        StartError: a setting cannot be used.
    """
    settings = load_settings()
    return Registry((settings_home() / "models", *settings.models_folders), default=settings.default_checkpoint)


def run(args: argparse.Namespace) -> Exit:
    """Do what ``args.action`` says; with ``--json`` print one object.

    Raises:
        CliError: it cannot be done.
    """
    actions = {"list": _list, "info": _info, "add": _add, "remove": _remove, "pull": _pull}
    try:
        done = actions[args.action](args)
    except ModelsError as error:
        exit_code = Exit.FAILED if error.code in _FAILED else Exit.REFUSED
        raise CliError(error.message, error.hint, exit_code=exit_code, code=error.code) from error
    print(json.dumps(done.pop("json"), indent=2) if args.json else done["words"])
    return Exit.DONE


def _said(words: str, **as_json: Any) -> dict[str, Any]:
    return {"words": words, "json": as_json}


def _list(args: argparse.Namespace) -> dict[str, Any]:
    if args.recommended:
        return _said(describe.recommended_words(), recommended=[asdict(entry) for entry in RECOMMENDED])
    found = registry()
    try:
        default = found.get().id
    except ModelsError:
        default = ""
    checkpoints, problems, lines = [], {}, []
    for entry in found.entries():
        if isinstance(entry.found, Checkpoint):
            checkpoints.append(describe.row(entry, entry.found, default))
            lines.append(describe.row_words(checkpoints[-1]))
        else:
            problems[entry.name] = describe.problem(entry, entry.found)
    lines += [describe.problem_words(name, problem) for name, problem in problems.items()]
    if not checkpoints:
        lines.append(
            "There is no checkpoint to paint with. `paintbridge models list --recommended` names some, and "
            "`paintbridge models pull` fetches them."
        )
    return _said("\n".join(lines), checkpoints=checkpoints, problems=problems)


def _info(args: argparse.Namespace) -> dict[str, Any]:
    found = registry()
    checkpoint = found.get(args.name)
    details = describe.details(_entry(found, checkpoint.id), checkpoint)
    return _said(describe.details_words(details), **details)


def _add(args: argparse.Namespace) -> dict[str, Any]:
    path = args.path.expanduser().absolute()
    if not path.exists():
        raise CliError(f"There is nothing at {path}.", "Check the spelling, and that its disk is connected.")
    known = [entry for entry in registry().entries() if entry.path.exists() and entry.path.samefile(path)]
    if known and isinstance(known[0].found, Checkpoint):
        name = known[0].name
        return _said(f"{name} is known already, from {known[0].program}.", names=[name], added=False)
    if path.is_dir() and not (path / "model_index.json").is_file():
        lying = [found for _, found in candidates(Place(OWN, path, "deep"))]
        if not lying:
            raise CliError(
                f"There is no checkpoint in {path}.", "Name a diffusers folder, or a folder that holds some."
            )
        if len(lying) == 1:
            inspect(lying[0])
    else:
        inspect(path)
    registered = read_registered()
    if path not in registered:
        _write_registered((*registered, path))
    names = [entry.name for entry in registry().entries() if entry.registered == path]
    return _said(f"Added, to be used where it lies: {', '.join(names)}.", names=names, added=True)


def _remove(args: argparse.Namespace) -> dict[str, Any]:
    entry = _named(registry(), args.name)
    registered = read_registered()
    if entry.registered is not None:
        others = [other.name for other in registry().entries() if other.registered == entry.registered]
        if len(others) > 1 and args.name == entry.name:
            raise CliError(
                f"{entry.name} lies in {entry.registered}, which was added as a whole, with {len(others) - 1} others.",
                f"To take them all away: paintbridge models remove {entry.registered}",
            )
        _write_registered(path for path in registered if path != entry.registered)
        which = ", ".join(others) or str(entry.registered)
        words = f"{which}: no longer listed. Nothing was deleted from {entry.registered}."
        return _said(words, names=others, deleted=False)
    receipt = read_receipt(entry.path) if entry.path.parent == models_folder() else None
    if receipt is None or entry.path.is_symlink():
        owner = "It is yours" if entry.program == OWN else f"It belongs to {entry.program}"
        raise CliError(
            f"Paintbridge did not fetch {entry.name}, so it does not delete it.", f"{owner} and lies at {entry.path}."
        )
    if not args.yes:
        _ask(f"Delete {entry.name} ({describe.size_words(describe.size_on_disk(entry))}) from {entry.path.parent}?")
    try:
        gone = delete_fetched(entry.path, receipt)
    except OSError as error:
        raise CliError(f"{entry.path} cannot be deleted ({error.strerror}).", "Correct its permissions.") from None
    rest = "" if gone else f" {entry.path} stays, for there are files in it that Paintbridge did not fetch."
    return _said(f"{entry.name} was deleted.{rest}", names=[entry.name], deleted=True)


def _pull(args: argparse.Namespace) -> dict[str, Any]:
    from .pulling import pull_with_bar

    path = pull_with_bar(args.hub_id, args.revision)
    found = registry()
    name = next(entry.name for entry in found.entries() if entry.path.samefile(path))
    return _said(f"{name} is installed, at {path}.", name=name, path=str(path))


def _entry(found: Registry, name: str) -> Entry:
    return next(entry for entry in found.entries() if entry.name == name)


def _named(found: Registry, name: str) -> Entry:
    """The entry of that name, or one that was added by that path."""
    path = Path(name).expanduser().absolute()
    for entry in found.entries():
        if name == entry.name or path == entry.registered:
            return entry
    if path in read_registered():
        # It was added and holds nothing now.
        return Entry(path.name, path, OWN, path, ModelsError("It is empty."))
    names = ", ".join(entry.name for entry in found.entries()) or "none"
    raise CliError(f"No checkpoint is named {name!r}.", f"There are: {names}.", code="checkpoint_unknown")


def _write_registered(paths: Any) -> None:
    try:
        write_registered(paths)
    except OSError as error:
        raise CliError(f"{list_file()} cannot be written ({error.strerror}).", "Correct its permissions.") from None


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise CliError(question, "Say --yes to do so without being asked.", code="not_confirmed")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CliError("Nothing was deleted.", code="not_confirmed")
