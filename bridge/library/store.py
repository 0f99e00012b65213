"""The library: entries as files, which are the truth, and an index of them.

In its folder lie ``entries`` (one JSON file each), ``pictures`` and ``thumbnails`` (packed, by the hash of what is in
them), ``documents.json`` (whose results are not kept) and ``index.sqlite3``. A picture is written before its entry, so
that an entry always has its picture; what no entry names is removed when the library is opened.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..protocol.errors import BridgeError
from ..protocol.messages import Browse, Browsed, Document, Extent, Layer, LibraryEntry, Mark, Picture, UnfinishedJob
from ..protocol.pixels import Buffer
from ..protocol.wire import FRAME_BYTES, decode_entry
from .files import BEGUN, make_private_folder, read_picture, remove, write_picture, write_private
from .index import FileColumn, Index, Row

__all__ = ["Library", "Origin"]

T = TypeVar("T")


@dataclass(frozen=True)
class Origin:
    """Who asked for a job, and what for."""

    client: str
    canvas: Extent
    document: Document | None


class Library:
    """For one thread at a time; its methods wait for the disk.

    Args:
        folder: where it lies; made when it is not there.
        most_bytes: of pictures on the disk. The earliest that are neither starred nor applied expire.
        most_seconds: how long pictures last that are neither starred nor applied, and jobs that have not ended.
        thumbnail_seconds: how long recipes and thumbnails of expired pictures last.
        clock: seconds since 1970.

    Raises:
        OSError: the folder cannot be made, read or written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int,
        most_seconds: float,
        thumbnail_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._thumbnail_seconds = thumbnail_seconds
        self._clock = clock
        self._last_id = 0
        # Jobs of this bridge, which are offered when they can no longer end.
        self._live: set[str] = set()
        for part in (folder, self._entries, self._pictures, self._thumbnails):
            make_private_folder(part)
        self._unkept = self._read_unkept()
        self._index = Index(folder / "index.sqlite3")
        self._indexed(self._read_files)
        self._expire()

    def close(self) -> None:
        self._index.close()

    # ------------------------------------------------------------ what is put in

    def begin(self, origin: Origin, job: UnfinishedJob) -> str | None:
        """Keep a job until its :meth:`end`; its entry's id, or None: its document is not kept.

        Raises:
            OSError: it is not kept.
        """
        if not self._keeps(origin):
            return None
        entry = self._entry(origin, unfinished=job)
        # Hidden first, for another client may be looking.
        self._live.add(entry.id)
        self._write(entry, 0)
        return entry.id

    def end(self, job_id: str) -> None:
        """The job has ended, in whichever way."""
        self._live.discard(job_id)
        self._remove(job_id)

    def keep(
        self,
        origin: Origin,
        layers: Sequence[Layer],
        pictures: Mapping[str, Buffer],
        thumbnails: Mapping[str, tuple[Picture, bytes]],
    ) -> tuple[str, ...]:
        """Keep a result: all of its layers, or none. ``pictures`` and ``thumbnails`` are by the
        pictures' hashes.

        Returns:
            The id of each layer's entry; empty: its document is not kept.

        Raises:
            OSError: nothing of it is kept, for instance because the disk is full.
        """
        if not self._keeps(origin):
            return ()
        written: list[str] = []
        try:
            for layer in layers:
                name = layer.picture.hash
                size = write_picture(self._pictures / name, pictures[name])
                small = None
                if name in thumbnails:
                    small, data = thumbnails[name]
                    write_picture(self._thumbnails / small.hash, data)
                entry = replace(self._entry(origin, layer=layer), thumbnail=small)
                written.append(entry.id)
                self._write(entry, size)
        except OSError:
            for entry_id in written:
                remove(self._entry_file(entry_id))
            self._indexed(self._read_files)
            raise
        self._expire()
        return tuple(written)

    # ------------------------------------------------------------ what is asked for

    def browse(self, asked: Browse) -> Browsed:
        """The entries that are asked for, as many as one message holds."""

        def look() -> Browsed:
            found: list[LibraryEntry] = []
            room = FRAME_BYTES // 2
            for body in self._index.browse(asked, self._live):
                room -= len(body.encode())
                if len(found) == asked.limit or (found and room < 0):
                    return Browsed(asked.request, tuple(found), more=True)
                found.append(decode_entry(json.loads(body)))
            return Browsed(asked.request, tuple(found))

        return self._indexed(look)

    def read(self, picture_hash: str) -> bytes | None:
        """The bytes of an entry's picture or thumbnail, or None."""
        for column, folder in self._files:
            byte_count = self._byte_count(column, picture_hash)
            # A name that an entry has: nobody else's becomes a path.
            if byte_count is not None:
                return read_picture(folder / picture_hash, byte_count)
        return None

    def mark(self, asked: Mark) -> None:
        """Star an entry, or note that it is applied.

        Raises:
            BridgeError: ``entry_unknown``.
            OSError: it is as it was.
        """
        entry = self._find(asked.entry)
        if entry is None:
            raise BridgeError("entry_unknown")
        changed = replace(
            entry,
            starred=entry.starred if asked.starred is None else asked.starred,
            applied=entry.applied if asked.applied is None else asked.applied,
        )
        self._write(changed, self._size_of(changed))
        self._expire()

    def forget(self, entries: Iterable[str]) -> None:
        """Take entries out, and the pictures that no other one has. Jobs that have not ended here stay."""
        for entry_id in set(entries) - self._live:
            self._remove(entry_id)

    def keep_document(self, document: str, keep: bool) -> None:
        """Say whether results of a document are kept from now on."""
        unkept = self._unkept - {document} if keep else self._unkept | {document}
        write_private(self._folder / "documents.json", json.dumps({"unkept": sorted(unkept)}).encode())
        self._unkept = unkept

    # ------------------------------------------------------------ inside

    @property
    def _entries(self) -> Path:
        return self._folder / "entries"

    @property
    def _pictures(self) -> Path:
        return self._folder / "pictures"

    @property
    def _thumbnails(self) -> Path:
        return self._folder / "thumbnails"

    @property
    def _files(self) -> tuple[tuple[FileColumn, Path], ...]:
        return ("picture", self._pictures), ("thumbnail", self._thumbnails)

    def _entry_file(self, entry_id: str) -> Path:
        return self._entries / f"{entry_id}.json"

    def _byte_count(self, column: FileColumn, name: str) -> int | None:
        return self._indexed(lambda: self._index.byte_count(column, name))

    def _keeps(self, origin: Origin) -> bool:
        return origin.document is None or origin.document.id not in self._unkept

    def _entry(
        self, origin: Origin, *, layer: Layer | None = None, unfinished: UnfinishedJob | None = None
    ) -> LibraryEntry:
        now = self._clock()
        # In the order of their making, also within a batch.
        self._last_id = max(self._last_id + 1, int(now * 1e6))
        name = f"{self._last_id:016x}{secrets.token_hex(4)}"
        return LibraryEntry(name, now, origin.client, origin.canvas, origin.document, layer, unfinished)

    def _find(self, entry_id: str) -> LibraryEntry | None:
        body = self._indexed(lambda: self._index.body(entry_id))
        return None if body is None else decode_entry(json.loads(body))

    def _write(self, entry: LibraryEntry, size: int) -> None:
        body = json.dumps(asdict(entry), ensure_ascii=False)
        path = self._entry_file(entry.id)
        write_private(path, body.encode())
        row = Row(entry, path.stat().st_mtime_ns, body, size)
        self._indexed(lambda: self._index.put(row))

    def _remove(self, entry_id: str) -> None:
        """Remove an entry, then what it alone has named."""
        entry = self._find(entry_id)
        if entry is None:
            return
        remove(self._entry_file(entry_id))
        self._indexed(lambda: self._index.drop(entry_id))
        self._release(entry)

    def _release(self, entry: LibraryEntry) -> None:
        """Remove the files that an entry named, if no other one does."""
        if entry.layer is not None and self._byte_count("picture", entry.layer.picture.hash) is None:
            remove(self._pictures / entry.layer.picture.hash)
        if entry.thumbnail is not None and self._byte_count("thumbnail", entry.thumbnail.hash) is None:
            remove(self._thumbnails / entry.thumbnail.hash)

    def _expire(self) -> None:
        """Let go of pictures that are too old, or too many, and then of what is left of them."""
        now = self._clock()
        for entry_id in self._indexed(lambda: self._index.expiring(made_before=now - self._most_seconds)):
            self._drop_pixels(entry_id)
        if self._indexed(self._index_bytes) > self._most_bytes:
            for entry_id in self._indexed(lambda: self._index.expiring(made_before=None)):
                self._drop_pixels(entry_id)
                if self._indexed(self._index_bytes) <= self._most_bytes:
                    break
        over = self._indexed(
            lambda: self._index.over(recipes_before=now - self._thumbnail_seconds, jobs_before=now - self._most_seconds)
        )
        for entry_id in set(over) - self._live:
            self._remove(entry_id)

    def _drop_pixels(self, entry_id: str) -> None:
        entry = self._find(entry_id)
        if entry is not None:
            # The entry first: one that had no picture would be broken.
            self._write(replace(entry, expired=True), 0)
            self._release(replace(entry, thumbnail=None))

    def _index_bytes(self) -> int:
        return self._index.held_bytes()

    def _size_of(self, entry: LibraryEntry) -> int:
        if entry.layer is None or entry.expired:
            return 0
        return (self._pictures / entry.layer.picture.hash).stat().st_size

    # ------------------------------------------------------------ index and files

    def _indexed(self, work: Callable[[], T]) -> T:
        """Do what needs the index; if that is damaged, make it anew from the files first."""
        try:
            return work()
        except sqlite3.DatabaseError:
            self._index.discard()
        try:
            self._index = Index(self._folder / "index.sqlite3")
            self._read_files()
            return work()
        except sqlite3.Error as error:
            raise OSError(errno.EIO, "the index cannot be written") from error

    def _read_files(self) -> None:
        """Make the index what the files say, and remove what nobody names."""
        known = self._index.stamps()
        with self._index.together(), os.scandir(self._entries) as files:
            for file in files:
                entry_id = file.name.removesuffix(".json")
                stamp = file.stat().st_mtime_ns
                if file.name.startswith(BEGUN):
                    os.unlink(file.path)
                elif known.pop(entry_id, None) != stamp:
                    self._read_entry(Path(file.path), stamp)
            for gone in known:
                self._index.drop(gone)
        self._remove_unnamed()

    def _read_entry(self, path: Path, stamp: int) -> None:
        """Put an entry's file into the index; one that is damaged, or has lost its picture, is taken as it is left."""
        try:
            body = path.read_text(encoding="utf-8")
            entry = decode_entry(json.loads(body))
        except (ValueError, BridgeError):
            return
        if entry.id != path.stem:
            return
        try:
            size = self._size_of(entry)
        except FileNotFoundError:
            entry, size = replace(entry, expired=True), 0
            body = json.dumps(asdict(entry), ensure_ascii=False)
        self._index.put(Row(entry, stamp, body, size))

    def _remove_unnamed(self) -> None:
        for column, folder in self._files:
            named = self._index.hashes(column)
            for name in os.listdir(folder):
                if name not in named:
                    remove(folder / name)

    def _read_unkept(self) -> set[str]:
        try:
            said = json.loads((self._folder / "documents.json").read_text(encoding="utf-8"))
            return {name for name in said["unkept"] if isinstance(name, str)}
        except FileNotFoundError:
            return set()
        except (ValueError, KeyError, TypeError):
            # Written whole, so somebody else has changed it. What was private must not begin to be kept unseen.
            raise OSError(errno.EIO, "documents.json cannot be read") from None
