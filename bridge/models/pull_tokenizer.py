"""Fetch a text encoder's tokenizer, by the commit and hashes that the project knows it by."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from ..home import find_home
from .errors import ModelsError
from .hub import DownloadDamaged, Hub
from .receipt import Receipt, write_receipt
from .tokenizers import TOKENIZERS, TokenizerSource

__all__ = ["PullBusy", "pull_tokenizer", "tokenizer_of"]


class PullBusy(ModelsError):
    """Another process pulls the same."""

    code = "pull_busy"


def tokenizer_of(hub_id: str) -> str | None:
    """The kind of text encoder whose tokenizer comes from that repository; None: it is none of these."""
    return next((kind for kind, source in TOKENIZERS.items() if source.hub_id == hub_id), None)


def pull_tokenizer(kind: str, tell: Callable[[str, int, int], None]) -> Path:
    """Fetch it into the bridge's home; gives its folder there. One that is there already is left as it is.

    `tell` hears of the file that is fetched, of bytes that are there, and of bytes in all. Raises HubOffline,
    HubNotFound, HubGated, DownloadDamaged and DiskFull (`hub`), and PullBusy; OSError where nothing can be written.
    """
    folder, source = find_home().tokenizers / kind, TOKENIZERS[kind]
    if folder.is_dir():
        return folder
    partial = find_home().partial_pulls / f"tokenizer-{kind}@{source.commit}"
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(find_home().partial_pulls / f"tokenizer-{kind}.lock", blocking=False):
            if folder.is_dir():
                # Another process has just fetched it.
                return folder
            partial.mkdir(exist_ok=True)
            hashes = _fetched(source, partial, tell)
            write_receipt(partial, Receipt(source.hub_id, source.commit, source.commit, source.licence, hashes))
            folder.parent.mkdir(parents=True, exist_ok=True)
            os.rename(partial, folder)
    except Timeout:
        raise PullBusy(
            "{hub_id} is being pulled by another process.", hint="Wait for that one.", hub_id=source.hub_id
        ) from None
    return folder


def _fetched(source: TokenizerSource, partial: Path, tell: Callable[[str, int, int], None]) -> dict[str, str]:
    hub = Hub()
    listing = hub.listing(source.hub_id, source.commit)
    files = [file for file in listing.files if file.name in source.files]
    total, done = sum(file.size for file in files), 0
    hashes = {}
    for file in files:

        def count(more: int, name: str = file.name) -> None:
            nonlocal done
            done += more
            tell(name, done, total)

        hashes[file.name] = hub.fetch(listing, file, partial / file.name, count)
    if hashes != source.files:
        shutil.rmtree(partial)
        raise DownloadDamaged(
            "The tokenizer of {hub_id} is not the one that Paintbridge knows. It was deleted.",
            hint="Something between here and the hub changes files, or the mirror has others.",
            hub_id=source.hub_id,
        )
    return hashes
