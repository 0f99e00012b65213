"""What lies in several places, each thing by a name of its own, looked at anew as the folders change."""

import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from .errors import CheckpointUnreadable, ModelsError
from .names import written_name
from .places import OWN, Place
from .registered import list_file, read_registered

__all__ = ["Entry", "Lying", "Shelf", "lying_in", "lying_registered"]

_REMEMBERED_SECONDS = 1.0


class _Named(Protocol):
    """A frozen dataclass with an `id`."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Named)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One thing that lies in a place, or why it cannot be painted with.

    `name` is unique. `program` says whose it is; `registered` is the path by which `paintbridge models add` made it
    known, None otherwise.
    """

    name: str
    path: Path
    program: str
    registered: Path | None
    found: T | ModelsError


@dataclass(frozen=True)
class Lying:
    """What could be one: by which path it was registered, if it was, and the trouble with it that is known already."""

    place: Place
    name: str
    path: Path
    registered: Path | None = None
    problem: ModelsError | None = None


class Shelf(Generic[T]):
    """Things by name.

    Looks into the folders at most once a second, and only into what has changed. Of several of one name the first keeps
    it, the others are told apart by their program. What can be reached in several ways is listed once.
    """

    def __init__(
        self,
        lying: Callable[[], Iterable[Lying]],
        inspect: Callable[[Path], T],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lying` tells what there is, in the order in which names are given away; `inspect` tells what a path is, and
        raises ModelsError for what cannot be used. `clock` gives seconds.
        """
        self._lying = lying
        self._judge = inspect
        self._clock = clock
        self._known: dict[Path, tuple[object, T | ModelsError]] = {}
        self._looked: tuple[float, tuple[Entry[T], ...]] | None = None
        self._lock = threading.Lock()

    def entries(self, *, fresh: bool = False) -> tuple[Entry[T], ...]:
        """All that there is, usable or not; as it was within the last second, or ``fresh``."""
        with self._lock:
            remembered = self._looked is not None and 0 <= self._clock() - self._looked[0] < _REMEMBERED_SECONDS
            if self._looked is None or fresh or not remembered:
                return self._look()
            return self._looked[1]

    def _look(self) -> tuple[Entry[T], ...]:
        entries: dict[str, Entry[T]] = {}
        seen: set[str] = set()
        for lying in self._lying():
            real = os.path.realpath(lying.path)
            if real in seen:
                continue
            seen.add(real)
            program = lying.place.program
            name = _free_name(written_name(lying.name), program, entries)
            found = lying.problem or self._inspect(lying.path)
            if not isinstance(found, ModelsError):
                found = replace(found, id=name)  # type: ignore[type-var]
            entries[name] = Entry(name, lying.path, program, lying.registered, found)
        # From its end: a first look at many large files may itself take more than a second.
        self._looked = (self._clock(), tuple(entries.values()))
        return self._looked[1]

    def _inspect(self, path: Path) -> T | ModelsError:
        entry: T | ModelsError
        if not _is_utf8(path):
            # The libraries that read weights take no other names, and a message could not hold it.
            return CheckpointUnreadable(
                "The name of {path} is not UTF-8.", hint="Rename the file, or its folder.", path=path
            )
        try:
            signature = _signature(path)
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            entry = self._judge(path)
        except ModelsError as error:
            entry = error
        except OSError as error:
            return CheckpointUnreadable(
                "{path} cannot be read ({reason}).", hint="Check its permissions.", path=path, reason=error.strerror
            )
        self._known[path] = (signature, entry)
        return entry


def lying_in(
    place: Place, candidates: Callable[[Place], Iterable[tuple[str, Path]]], registered: Path | None = None
) -> Iterator[Lying]:
    """The place's `candidates`. A folder that was named and is not there is trouble itself, as is an unreadable one."""
    folder = place.folder
    try:
        if folder.exists():
            for name, path in candidates(place):
                yield Lying(place, name, path, registered)
            return
        problem = CheckpointUnreadable(
            "There is nothing at {name}.", hint="Was it moved, or is its disk not connected?", name=folder
        )
    except (OSError, UnicodeError):
        problem = CheckpointUnreadable(
            "The folder {folder} cannot be read.", hint="Check its permissions.", folder=folder
        )
    yield Lying(place, folder.name, folder, registered, problem)


def lying_registered(
    candidates: Callable[[Place], Iterable[tuple[str, Path]]], read: Callable[[], Iterable[Path]] = read_registered
) -> Iterator[Lying]:
    """What `paintbridge models add` named, as `read` tells; a list that cannot be read is trouble itself."""
    try:
        registered = read()
    except ModelsError as error:
        path = list_file()
        yield Lying(Place(OWN, path), path.name, path, None, error)
    else:
        for path in registered:
            yield from lying_in(Place(OWN, path), candidates, path)


def _free_name(name: str, program: str, taken: Container[str]) -> str:
    """`name`, or what tells it apart: `name (ComfyUI)`, `name (ComfyUI 2)`; `name (2)` for Paintbridge's own."""
    tried, number = name, 1
    while tried in taken:
        number += 1
        if program == OWN:
            tried = f"{name} ({number})"
        else:
            tried = f"{name} ({program})" if number == 2 else f"{name} ({program} {number - 1})"
    return tried


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _signature(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes with the files. Raises OSError for what cannot be read."""
    if path.is_dir():
        os.scandir(path).close()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = ((str(file), file.stat()) for file in files if file.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
