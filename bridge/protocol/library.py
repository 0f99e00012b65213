"""The library, every result that the bridge keeps: its entries, and what is said of it. Runs on Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .fields import described
from .job import JobSettings
from .layer import Layer
from .parts import Document, Extent, Picture, Rect

__all__ = ["Browse", "Browsed", "Forget", "KeepDocument", "LibraryEntry", "Mark", "Noted", "UnfinishedJob"]

_ID = 64


@dataclass(frozen=True)
class UnfinishedJob:
    """A job that had not ended when the bridge did. Sent again, it gives what it would have given."""

    context: Rect = described("What the model was to see.")
    settings: JobSettings = described("Its settings, with the seed that it had.")


@dataclass(frozen=True)
class LibraryEntry:
    """One picture of a result, or a job that has not ended. It has either a `layer` or an `unfinished`."""

    id: str = described("Its name in the library. Later ones sort behind earlier ones.", min=1, max=_ID)
    made: float = described("When, in seconds since 1970-01-01 UTC.", min=0.0)
    client: str = described("Name and version of the client that asked for it.", max=128)
    canvas: Extent = described("Size of the canvas that it was made for.")
    document: Optional[Document] = described("The document that it was made for, if that was said.", None)
    layer: Optional[Layer] = described("The picture, its place and its recipe.", None)
    unfinished: Optional[UnfinishedJob] = described("The job that has not ended.", None)
    thumbnail: Optional[Picture] = described("A small picture of it, raw RGBA; `get` brings it too.", None)
    starred: bool = described("The artist wants to keep it: it does not expire.", False)
    applied: bool = described("It is in a document: it does not expire.", False)
    expired: bool = described("Its pixels are gone; the recipe and the thumbnail are left.", False)


@dataclass(frozen=True)
class Browse:
    """Ask for entries of the library, of all clients and documents, latest first; `browsed` answers."""

    request: int = described("Number that the answer repeats.", min=0)
    text: str = described("Words that the prompt or the document's name has, all of them, in any case.", "", max=1024)
    document: Optional[str] = described("Only those of this document, by its id.", None, max=256)
    starred: bool = described("Only those that are starred.", False)
    unfinished: bool = described("Only jobs that had not ended when the bridge did.", False)
    before: str = described("Only those earlier than this entry; empty: from the latest on.", "", max=_ID)
    limit: int = described("How many at most.", 50, min=1, max=256)


@dataclass(frozen=True)
class Mark:
    """Star an entry, or say that it was applied; `noted` answers."""

    request: int = described("Number that the answer repeats.", min=0)
    entry: str = described("Which one.", min=1, max=_ID)
    starred: Optional[bool] = described("Whether it is starred from now on; none: as before.", None)
    applied: Optional[bool] = described("Whether it is in a document; none: as before.", None)


@dataclass(frozen=True)
class Forget:
    """Take entries out of the library, starred ones too; `noted` answers."""

    request: int = described("Number that the answer repeats.", min=0)
    entries: tuple[str, ...] = described("Which ones. What is not there is forgotten already.", min=1, max=256)


@dataclass(frozen=True)
class KeepDocument:
    """Say whether results of a document are kept from now on; `noted` answers. What is kept already stays."""

    request: int = described("Number that the answer repeats.", min=0)
    document: str = described("Which document, by its id.", min=1, max=256)
    keep: bool = described("Whether.")


@dataclass(frozen=True)
class Browsed:
    """Answer to `browse`. There may be fewer entries than the limit though there are more."""

    request: int = described("Number of the request.", min=0)
    entries: tuple[LibraryEntry, ...] = described("Latest first.", max=256)
    more: bool = described("Whether there are earlier ones: ask again with `before`.", False)


@dataclass(frozen=True)
class Noted:
    """Answer to `mark`, `forget` and `keepdocument`: it is done."""

    request: int = described("Number of the request.", min=0)
