"""Fetch a checkpoint from the Hugging Face hub: just what a diffusers folder needs, checked, whole or not at all.

Safetensors and small texts only; half precision where there is a choice. Imported by the command line when it is asked
to pull, and by the engine's process for that.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import Sentence
from ..home import find_home
from .config_keys import check_config, check_index, check_scheduler
from .diffusers_folder import sees_mask
from .errors import NO_ROOM, CheckpointUnreadable, CheckpointUnsupported, ModelsError
from .estimators import inspect_estimator
from .families import FolderConfigs, check_at_home, family_of_folder
from .hub import DiskFull, Hub, HubFile, HubNotFound, Listing
from .inspection import inspect
from .pull_estimator import files_of_marigold, files_of_network, is_marigold, is_network
from .pull_tokenizer import PullBusy, pull_tokenizer, tokenizer_of
from .receipt import Receipt, read_receipt, write_receipt
from .weight_files import HALF_FIRST, find_weights, shards_of

__all__ = ["PullBusy", "PullConflict", "Step", "pull"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# What a model_index.json says of a part that a folder does without.
_NO_PART = [None, None]
_SMALL = 16 << 20
_SPARE = 64 << 20
_TOP = ("model_index.json", "card.json", "README.md", "LICENSE", "LICENSE.md", "LICENSE.txt")
_SCHEDULER = "scheduler/scheduler_config.json"
# The parts that have weights, as far as families are painted with.
_DENOISERS = ("unet", "transformer")
_PARTS = (*_DENOISERS, "vae", "text_encoder", "text_encoder_2")


class PullConflict(ModelsError):
    """Something else lies where the checkpoint would go."""

    code = "pull_conflict"


class FolderUnwritable(ModelsError):
    """Nothing can be written where checkpoints are put."""

    code = "not_writable"


@dataclass(frozen=True)
class Step:
    """How far a pull is: the file that is fetched, bytes of all files together that are there, and that are wanted."""

    file: str
    done: int
    total: int


def pull(hub_id: str, *, revision: str | None = None, report: Callable[[Step], None] | None = None) -> Path:
    """Fetch the checkpoint `owner/name` into the bridge's models folder; gives its folder there. Of a repository whose
    tokenizer other checkpoints need (`tokenizers`) that alone is fetched.

    One that is there already, at the same commit, is left as it is. After any error, and after an interruption, the
    next call goes on where this one stopped; meanwhile nothing is listed.

    Raises HubOffline, HubNotFound, HubGated, DownloadDamaged and DiskFull (`hub`); PullConflict, PullBusy,
    FolderUnwritable;
    CheckpointUnsupported and CheckpointUnreadable for what Paintbridge could not paint with, if it can be told before
    the weights are fetched.
    """
    if not _HUB_ID.fullmatch(hub_id):
        raise HubNotFound(
            "{hub_id} is no name of a checkpoint on the hub.",
            hint="Names are owner/name, as in stable-diffusion-v1-5/stable-diffusion-inpainting.",
            hub_id=repr(hub_id),
        )
    tokenizer = tokenizer_of(hub_id)
    try:
        if tokenizer is not None:
            return pull_tokenizer(tokenizer, lambda *done: report(Step(*done)) if report is not None else None)
        return _pull(hub_id, revision, report)
    except OSError as error:
        if error.errno in NO_ROOM:
            hint = Sentence("Make room on the disk of {folder}, then pull again.", folder=find_home().models)
            raise DiskFull("The disk is full.", hint=hint) from error
        raise FolderUnwritable(
            "The folder {folder} cannot be written ({reason}).",
            hint="Correct its permissions, then pull again.",
            folder=find_home().models,
            reason=error.strerror,
        ) from error


def _pull(hub_id: str, revision: str | None, report: Callable[[Step], None] | None) -> Path:
    hub = Hub()
    listing = hub.listing(hub_id, revision)
    name = hub_id.partition("/")[2]
    for parent in (find_home().models, find_home().estimators):
        if (parent / name).exists() or (parent / name).is_symlink():
            return _there_already(parent / name, listing)
    partials = find_home().partial_pulls
    repository = hub_id.replace("/", "--")
    partial = partials / f"{repository}@{listing.commit}"
    partial.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(partials / f"{repository}.lock", blocking=False):
            receipt = _fetch_all(hub, listing, partial, revision or "main", report)
            folder = _checked(partial) / name
            write_receipt(partial, receipt)
            folder.parent.mkdir(parents=True, exist_ok=True)
            os.rename(partial, folder)
            for stale in partials.glob(f"{repository}@*"):
                shutil.rmtree(stale)
    except Timeout:
        raise PullBusy(
            "{hub_id} is being pulled by another process.", hint="Wait for that one.", hub_id=hub_id
        ) from None
    return folder


def _checked(partial: Path) -> Path:
    """Where what was fetched belongs, if it can be used."""
    if not (partial / "model_index.json").is_file() or is_marigold(_read_json(partial / "model_index.json")):
        inspect_estimator(partial)
        return find_home().estimators
    inspect(partial)
    return find_home().models


def _there_already(folder: Path, listing: Listing) -> Path:
    receipt = read_receipt(folder)
    if receipt is not None and (receipt.hub_id, receipt.commit) == (listing.hub_id, listing.commit):
        return folder
    if receipt is not None and receipt.hub_id == listing.hub_id:
        raise PullConflict(
            "Another revision of {hub_id} is installed.",
            hint="Take it away first, with `paintbridge models remove {name}`.",
            hub_id=listing.hub_id,
            name=folder.name,
        )
    raise PullConflict(
        "{folder} is there already, and did not come from {hub_id}.",
        hint="Move it or rename it, then pull.",
        folder=folder,
        hub_id=listing.hub_id,
    )


def _fetch_all(
    hub: Hub, listing: Listing, partial: Path, revision: str, report: Callable[[Step], None] | None
) -> Receipt:
    by_name = {file.name: file for file in listing.files}
    hashes: dict[str, str] = {}
    done = total = 0

    def fetch(name: str) -> None:
        file = by_name.get(name)
        if file is None:
            raise CheckpointUnsupported(
                "{hub_id} is not a checkpoint in a diffusers folder: it has no {name}.",
                hint="`paintbridge models list --recommended` names some that work.",
                hub_id=listing.hub_id,
                name=name,
            )

        def tell(count: int) -> None:
            nonlocal done
            done += count
            if report is not None and total:
                report(Step(file.name, done, total))

        target = partial / file.name
        if target.exists():
            # An earlier call fetched it. It is checked again, as the part that lacks nothing.
            os.replace(target, target.with_name(target.name + ".part"))
        hashes[file.name] = hub.fetch(listing, file, target, tell)

    def read(name: str) -> str:
        fetch(name)
        return (partial / name).read_text(encoding="utf-8", errors="replace")

    # Little first: what cannot be used is told before gigabytes have come.
    if is_network(by_name):
        fetch("config.json")
        names = files_of_network(listing.hub_id, by_name, _read_json(partial / "config.json"), read)
    else:
        fetch("model_index.json")
        index = _read_json(partial / "model_index.json")
        if is_marigold(index):
            names = files_of_marigold(by_name, read)
        else:
            names = _files_of_checkpoint(index, by_name, partial, read)
    wanted = [by_name[name] for name in names if name in by_name]
    _check_room(partial, wanted)
    total = sum(file.size for file in wanted)
    for file in wanted:
        if file.name not in hashes:
            fetch(file.name)
    return Receipt(listing.hub_id, revision, listing.commit, listing.licence, hashes)


def _files_of_checkpoint(
    index: dict[str, Any], by_name: dict[str, HubFile], partial: Path, read: Callable[[str], str]
) -> list[str]:
    check_at_home(index)
    parts = [part for part in _PARTS if index.get(part, _NO_PART) != _NO_PART]
    denoiser = next((part for part in _DENOISERS if part in parts), _DENOISERS[0])
    for name in (*(f"{part}/config.json" for part in dict.fromkeys((denoiser, "vae", *parts))), _SCHEDULER):
        read(name)
    _check_family(index, partial)
    return _wanted(by_name, parts, read)


def _check_family(index: dict[str, Any], partial: Path) -> None:
    """What its configs tell of it, before its weights are fetched; the rest is told when all of it is there."""
    configs = {part: _read_json(path) for part in _PARTS if (path := partial / part / "config.json").exists()}
    denoiser = next((configs[part] for part in _DENOISERS if part in configs), {})
    scheduler = _read_json(partial / _SCHEDULER)
    family = family_of_folder(FolderConfigs(index, denoiser, configs.get("text_encoder", {}), scheduler))
    check_index(index, family)
    check_scheduler(scheduler, family.schedule)
    sees_mask(denoiser.get("in_channels"), family)
    for part, config in configs.items():
        check_config(part, config, family.classes[part], family.config(part))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointUnreadable(
            "The hub's {name} is not JSON.", hint="Choose another checkpoint.", name=path.name
        ) from error
    if not isinstance(found, dict):
        raise CheckpointUnreadable(
            "The hub's {name} is not a JSON object.", hint="Choose another checkpoint.", name=path.name
        )
    return found


def _wanted(by_name: dict[str, HubFile], parts: list[str], read: Callable[[str], str]) -> list[str]:
    tokenizers = re.compile(r"tokenizer(_2)?/[\w.-]+\.(json|txt)")
    texts = {*_TOP, _SCHEDULER, *(f"{part}/config.json" for part in parts)}
    small = [name for name in by_name if name in texts or tokenizers.fullmatch(name)]
    weights = [name for part in parts for name in _weights(part, set(by_name), read)]
    return [*(name for name in small if by_name[name].size <= _SMALL), *weights]


def _weights(part: str, names: set[str], read: Callable[[str], str]) -> list[str]:
    """The safetensors files of a part, half precision before full. `read` fetches an index of shards and gives it."""
    own = {name.removeprefix(f"{part}/") for name in names if name.startswith(f"{part}/")}
    found = find_weights(own, HALF_FIRST)
    if found is not None:
        shards = shards_of(read(f"{part}/{found.name}"), f"{part}/{found.name}") if found.sharded else ()
        missing = [name for name in shards if name not in own]
        if missing:
            raise CheckpointUnreadable(
                "Its {part} is incomplete on the hub: {example} is not there.",
                hint="Choose another checkpoint.",
                part=part,
                example=missing[0],
            )
        return [f"{part}/{name}" for name in (found.name, *shards)]
    if any(name.endswith((".bin", ".ckpt")) for name in own):
        raise CheckpointUnreadable(
            "Its {part} is on the hub as a pickle only, which can run code when it is opened, so it is not fetched.",
            hint="Look for the same checkpoint as .safetensors.",
            part=part,
        )
    raise CheckpointUnsupported("Its {part} has no weights on the hub.", hint="Choose another checkpoint.", part=part)


def _check_room(partial: Path, wanted: list[HubFile]) -> None:
    fetched = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    needed = sum(file.size for file in wanted) - fetched + _SPARE
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise DiskFull(
            Sentence(
                "There is no room: {needed} GB are needed, {free} GB are free.",
                needed=f"{needed / 1000000000.0:.1f}",
                free=f"{free / 1000000000.0:.1f}",
            ),
            hint=Sentence("Make room on the disk of {folder}, then pull again.", folder=partial.parent.parent),
        )
