"""What is searched: a table of all entries in SQLite, made from the entries' files, and made anew when damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..protocol.messages import Browse, LibraryEntry

__all__ = ["FileColumn", "Index", "Row"]

FileColumn = Literal["picture", "thumbnail"]

# Another number when the table is another: the index is then made anew.
_VERSION = 1
_TABLE = """
CREATE TABLE entries (
    id TEXT PRIMARY KEY, stamp INTEGER NOT NULL, made REAL NOT NULL, words TEXT NOT NULL, document TEXT NOT NULL,
    starred INTEGER NOT NULL, safe INTEGER NOT NULL, held INTEGER NOT NULL, unfinished INTEGER NOT NULL,
    picture TEXT NOT NULL, picture_bytes INTEGER NOT NULL, size INTEGER NOT NULL,
    thumbnail TEXT NOT NULL, thumbnail_bytes INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX by_picture ON entries (picture);
CREATE INDEX by_thumbnail ON entries (thumbnail);
"""


@dataclass(frozen=True)
class Row:
    """What the index knows of an entry besides itself: its file's time, its text, its picture's bytes on the disk."""

    entry: LibraryEntry
    stamp: int
    body: str
    size: int


class Index:
    """One connection, for one thread at a time. Methods raise sqlite3.DatabaseError for a damaged file."""

    def __init__(self, path: Path) -> None:
        """Open the index; one that is damaged, or another version's, is begun anew, empty."""
        self._path = path
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            self.discard()
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        # Made here, since SQLite would let others read it.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        try:
            # What a crash loses or breaks is read from the files again.
            db.execute("PRAGMA journal_mode = MEMORY")
            db.execute("PRAGMA synchronous = OFF")
            if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("damaged")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(f"BEGIN; {_TABLE} PRAGMA user_version = {_VERSION}; COMMIT")
            elif version != _VERSION:
                raise sqlite3.DatabaseError("another version's")
        except BaseException:
            db.close()
            raise
        return db

    def discard(self) -> None:
        """Remove the index's file; the entries are in theirs."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self._db.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all that is put within it at once."""
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def stamps(self) -> dict[str, int]:
        """The time of each entry's file when it was read."""
        return dict(self._db.execute("SELECT id, stamp FROM entries"))

    def put(self, row: Row) -> None:
        """Add an entry, or put it in its earlier self's place."""
        entry = row.entry
        picture = entry.layer.picture if entry.layer and not entry.expired else None
        values = (
            entry.id,
            row.stamp,
            entry.made,
            _words(entry),
            entry.document.id if entry.document else "",
            entry.starred,
            entry.starred or entry.applied,
            picture is not None,
            entry.unfinished is not None,
            picture.hash if picture else "",
            picture.byte_count if picture else 0,
            row.size,
            entry.thumbnail.hash if entry.thumbnail else "",
            entry.thumbnail.byte_count if entry.thumbnail else 0,
            row.body,
        )
        self._db.execute(f"REPLACE INTO entries VALUES ({', '.join('?' * len(values))})", values)

    def drop(self, entry_id: str) -> None:
        self._db.execute("DELETE FROM entries WHERE id = ?", (entry_id,))

    def body(self, entry_id: str) -> str | None:
        """An entry's text, or None."""
        found = self._db.execute("SELECT body FROM entries WHERE id = ?", (entry_id,)).fetchone()
        return None if found is None else str(found[0])

    def browse(self, asked: Browse, hidden: Collection[str]) -> Iterator[str]:
        """The texts of the entries that are asked for, latest first, without a limit; not those that are ``hidden``."""
        where, values = ["1"], list[object]()

        def only(condition: str, *given: object) -> None:
            where.append(condition)
            values.extend(given)

        for word in asked.text.casefold().split():
            only("instr(words, ?)", word)
        if asked.document is not None:
            only("document = ?", asked.document)
        if asked.starred:
            only("starred")
        if asked.unfinished:
            only("unfinished")
        if asked.before:
            only("id < ?", asked.before)
        if hidden:
            only(f"id NOT IN ({', '.join('?' * len(hidden))})", *hidden)
        query = f"SELECT body FROM entries WHERE {' AND '.join(where)} ORDER BY id DESC"
        for (body,) in self._db.execute(query, values):
            yield body

    def byte_count(self, column: FileColumn, name: str) -> int | None:
        """How many bytes a picture has by its hash, unpacked; None: no entry names it."""
        query = f"SELECT {column}_bytes FROM entries WHERE {column} = ? LIMIT 1"
        found = self._db.execute(query, (name,)).fetchone() if name else None
        return None if found is None else int(found[0])

    def hashes(self, column: FileColumn) -> set[str]:
        """The hashes of all files of a kind that entries name."""
        return {name for (name,) in self._db.execute(f"SELECT DISTINCT {column} FROM entries")}

    def held_bytes(self) -> int:
        """Bytes that kept pictures take on the disk."""
        query = "SELECT total(size) FROM (SELECT max(size) AS size FROM entries WHERE held GROUP BY picture)"
        return int(self._db.execute(query).fetchone()[0])

    def expiring(self, *, made_before: float | None) -> list[str]:
        """The entries with pictures that are neither starred nor applied, earliest first; only earlier ones than that,
        if it is said.
        """
        query = "SELECT id FROM entries WHERE held AND NOT safe AND made < ? ORDER BY id"
        return [name for (name,) in self._db.execute(query, (_limit(made_before),))]

    def over(self, *, recipes_before: float, jobs_before: float) -> list[str]:
        """The entries without pictures that are over, and the jobs that nobody has sent again."""
        query = (
            "SELECT id FROM entries WHERE NOT held AND NOT safe AND "
            "((NOT unfinished AND made < ?) OR (unfinished AND made < ?))"
        )
        return [name for (name,) in self._db.execute(query, (recipes_before, jobs_before))]


def _limit(made_before: float | None) -> float:
    return float("inf") if made_before is None else made_before


def _words(entry: LibraryEntry) -> str:
    texts = [entry.document.name] if entry.document else []
    if entry.layer is not None:
        recipe = entry.layer.recipe
        texts += [recipe.settings.conditioning.prompt, recipe.chosen_prompt]
    elif entry.unfinished is not None:
        texts.append(entry.unfinished.settings.conditioning.prompt)
    return "\n".join(texts).casefold()
