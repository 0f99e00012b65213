"""``paintbridge models list | info | add | remove | pull``: checkpoints and LoRAs, and how they come and go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import text_only
from ..home import find_home
from ..models import (
    RECOMMENDED,
    Checkpoint,
    CheckpointUnknown,
    ControlNet,
    ControlNetRegistry,
    Embedding,
    EmbeddingRegistry,
    Entry,
    Estimator,
    Lora,
    LoraRegistry,
    ModelsError,
    Registry,
    inspect,
    inspect_lora,
)
from ..models.errors import LoraUnreadable, LoraUnsupported, NotALora
from ..models.locations import OWN, Location
from ..models.names import find_name, is_pickle
from ..models.receipt import delete_fetched, read_receipt
from ..models.registered import KINDS, list_file, read_registered, write_registered
from ..models.scan import checkpoint_candidates, lora_candidates
from ..server.settings import load_settings
from . import describe
from .controlnets import controlnet_row, controlnet_row_words
from .embeddings import embedding_details, embedding_details_words, embedding_row, embedding_row_words
from .estimators import estimator_registry, estimator_row, estimator_row_words
from .exits import CliError, Exit, unwritable
from .filenames import existing
from .fill_methods import fill_method_words
from .loras import lora_details, lora_details_words, lora_row, lora_row_words

__all__ = ["registry", "run"]

_FAILED = ("hub_offline", "download_damaged", "disk_full")


def registry() -> Registry:
    """The checkpoints that a bridge started here would offer.

    Raises:
        StartError: a setting cannot be used.
    """
    settings = load_settings()
    return Registry((find_home().models, *settings.models_folders), default=settings.default_checkpoint)


def embedding_registry() -> EmbeddingRegistry:
    """The textual inversions that a bridge started here would have.

    Raises:
        StartError: a setting cannot be used.
    """
    return EmbeddingRegistry((find_home().models, *load_settings().models_folders))


def lora_registry() -> LoraRegistry:
    """The LoRAs that a bridge started here would offer.

    Raises:
        StartError: a setting cannot be used.
    """
    return LoraRegistry((find_home().models, *load_settings().models_folders))


def controlnet_registry() -> ControlNetRegistry:
    """The ControlNets that a bridge started here would use.

    Raises:
        StartError: a setting cannot be used.
    """
    return ControlNetRegistry((find_home().models, *load_settings().models_folders))


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
    print(json.dumps(done.pop("json"), indent=2) if args.json else text_only(done["words"]))
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
    problems: dict[str, dict[str, Any]] = {}
    checkpoints, lines = [], []
    for entry in found.entries():
        if isinstance(entry.found, Checkpoint):
            checkpoints.append(describe.row(entry, entry.found, default))
            lines.append(describe.row_words(checkpoints[-1]))
        else:
            _add_problem(problems, entry, entry.found)
    loras = []
    for lora in lora_registry().entries():
        if isinstance(lora.found, Lora):
            loras.append(lora_row(lora, lora.found))
            lines.append(lora_row_words(loras[-1]))
        else:
            _add_problem(problems, lora, lora.found)
    controlnets = []
    for net in controlnet_registry().entries():
        if isinstance(net.found, ControlNet):
            controlnets.append(controlnet_row(net, net.found))
            lines.append(controlnet_row_words(controlnets[-1]))
        else:
            _add_problem(problems, net, net.found)
    embeddings = []
    for embedding in embedding_registry().entries():
        if isinstance(embedding.found, Embedding):
            embeddings.append(embedding_row(embedding, embedding.found))
            lines.append(embedding_row_words(embeddings[-1]))
        else:
            _add_problem(problems, embedding, embedding.found)
    estimators = []
    for one in estimator_registry().entries():
        if isinstance(one.found, Estimator):
            estimators.append(estimator_row(one, one.found))
            lines.append(estimator_row_words(estimators[-1]))
        else:
            _add_problem(problems, one, one.found)
    lines += [describe.problem_words(name, problem) for name, problem in problems.items()]
    if not checkpoints:
        lines.append(
            "There is no checkpoint to paint with. `paintbridge models list --recommended` names some, and "
            "`paintbridge models pull` fetches them."
        )
    words = "\n".join(lines)
    return _said(
        words,
        checkpoints=checkpoints,
        loras=loras,
        controlnets=controlnets,
        embeddings=embeddings,
        estimators=estimators,
        problems=problems,
    )


def _add_problem(problems: dict[str, dict[str, Any]], entry: Entry[Any], error: ModelsError) -> None:
    """What cannot be used, once, though it may be looked for as several kinds; others of its name beside it."""
    name, number = entry.name, 1
    while name in problems and problems[name]["path"] != str(entry.path):
        number += 1
        name = f"{entry.name} ({number})"
    problems.setdefault(name, describe.problem(entry, error))


def _info(args: argparse.Namespace) -> dict[str, Any]:
    found = registry()
    try:
        checkpoint = found.get(args.name)
    except CheckpointUnknown:
        loras = lora_registry()
        entries = {entry.name: entry for entry in loras.entries()}
        name = find_name(args.name, entries)
        if name is None:
            return _info_of_embedding(args.name)
        said = lora_details(entries[name], loras.find(name))
        return _said(lora_details_words(said), **said)
    nets = {entry.name: entry.found for entry in controlnet_registry().entries()}
    fills_by = fill_method_words(checkpoint, found.list(), nets)
    details = {**describe.details(_entry(found, checkpoint.id), checkpoint), "fills_by": fills_by}
    return _said(describe.details_words(details), **details)


def _info_of_embedding(asked: str) -> dict[str, Any]:
    """Raises CheckpointUnknown where there is none of that name either."""
    entries = {entry.name: entry for entry in embedding_registry().entries()}
    name = find_name(asked, entries)
    if name is None:
        raise CheckpointUnknown(
            "There is no checkpoint, LoRA or textual inversion named {name}.",
            hint="`paintbridge models list` shows all that there are.",
            name=repr(asked),
        )
    found = entries[name].found
    if not isinstance(found, Embedding):
        raise found
    said = embedding_details(entries[name], found)
    return _said(embedding_details_words(said), **said)


def _add(args: argparse.Namespace) -> dict[str, Any]:
    path = existing(args.path.expanduser().absolute())
    if not path.exists():
        raise CliError(f"There is nothing at {path}.", "Check the spelling, and that its disk is connected.")
    for entry in _all_entries():
        if isinstance(entry.found, (Checkpoint, Lora)) and entry.path.exists() and entry.path.samefile(path):
            return _said(f"{entry.name} is known already, from {entry.program}.", names=[entry.name], added=False)
    for kind in _kinds_at(path):
        registered = read_registered(kind)
        if path not in registered:
            _write_registered((*registered, path), kind)
    names = [entry.name for entry in _registered_as(path)]
    return _said(f"Added, to be used where it lies: {', '.join(names)}.", names=names, added=True)


def _kinds_at(path: Path) -> tuple[str, ...]:
    """What a path holds: "checkpoint", "lora", or both. Raises ModelsError for what is one thing and cannot be used."""
    if path.is_dir() and not (path / "model_index.json").is_file():
        location = Location(OWN, path)
        loras = [found for _, found in lora_candidates(location) if _is_lora(found)]
        found_files = [found for _, found in checkpoint_candidates(location) if found not in loras]
        usable = [found for found in found_files if not is_pickle(found.name)]
        if not found_files and not loras:
            raise CliError(
                f"There is no checkpoint and no LoRA in {path}.",
                "Name a diffusers folder, a .safetensors file, or a folder that holds some.",
            )
        if not loras and (len(found_files) == 1 or not usable):
            inspect(found_files[0])
        return (*(["checkpoint"] if usable else []), *(["lora"] if loras else []))
    if path.is_file() and _is_lora(path):
        inspect_lora(path)
        return ("lora",)
    inspect(path)
    return ("checkpoint",)


def _is_lora(path: Path) -> bool:
    """Whether it is a LoRA, if only one that cannot be used."""
    try:
        inspect_lora(path)
    except (NotALora, LoraUnreadable):
        return False
    except LoraUnsupported:
        return True
    return True


def _all_entries() -> tuple[Entry[Any], ...]:
    checkpoints: tuple[Entry[Any], ...] = registry().entries()
    return checkpoints + lora_registry().entries() + estimator_registry().entries()


def _registered_as(path: Path) -> list[Entry[Any]]:
    # What cannot be used may be listed as both kinds.
    return list({entry.path: entry for entry in _all_entries() if entry.registered == path}.values())


def _remove(args: argparse.Namespace) -> dict[str, Any]:
    entry = _named(args.name)
    if entry.registered is not None:
        others = [other.name for other in _registered_as(entry.registered)]
        if len(others) > 1 and Path(args.name).expanduser().absolute() != entry.registered:
            raise CliError(
                f"{entry.name} lies in {entry.registered}, which was added as a whole, with {len(others) - 1} others.",
                f"To take them all away: paintbridge models remove {entry.registered}",
            )
        for kind in KINDS:
            registered = read_registered(kind)
            if entry.registered in registered:
                _write_registered((path for path in registered if path != entry.registered), kind)
        which = ", ".join(others) or str(entry.registered)
        words = f"{which}: no longer listed. Nothing was deleted from {entry.registered}."
        return _said(words, names=others, deleted=False)
    receipt = read_receipt(entry.path) if entry.path.parent in (find_home().models, find_home().estimators) else None
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
    from .progress import pull_with_bar

    path = pull_with_bar(args.hub_id, args.revision)
    found = registry()
    name = next((entry.name for entry in found.entries() if entry.path.samefile(path)), None)
    estimators = estimator_registry().entries()
    name = name or next((entry.name for entry in estimators if entry.path.samefile(path)), None)
    if name is None:
        return _said(f"The tokenizer is installed, at {path}.", name=path.name, path=str(path))
    return _said(f"{name} is installed, at {path}.", name=name, path=str(path))


def _entry(found: Registry, name: str) -> Entry[Checkpoint]:
    return next(entry for entry in found.entries() if entry.name == name)


def _named(name: str) -> Entry[Any]:
    """The entry of that name, or one that was added by that path."""
    path = existing(Path(name).expanduser().absolute())
    entries = _all_entries()
    known = find_name(name, (entry.name for entry in entries))
    for entry in entries:
        if known == entry.name or path == entry.registered:
            return entry
    if any(path in read_registered(kind) for kind in KINDS):
        # It was added and holds nothing now.
        return Entry(path.name, path, OWN, path, ModelsError("It is empty."))
    names = ", ".join(entry.name for entry in entries) or "none"
    raise CliError(f"No checkpoint or LoRA is named {name!r}.", f"There are: {names}.", code="checkpoint_unknown")


def _write_registered(paths: Iterable[Path], kind: str) -> None:
    try:
        write_registered(paths, kind)
    except OSError as error:
        raise unwritable(list_file(), error) from None


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise CliError(question, "Say --yes to do so without being asked.", code="not_confirmed")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CliError("Nothing was deleted.", code="not_confirmed")
