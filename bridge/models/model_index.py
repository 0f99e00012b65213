"""The models of one kind in all locations, each by a unique name; scanned again as the folders change."""

import logging
import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from .errors import CheckpointUnreadable, ModelsError
from .locations import OWN, Location
from .names import written_name
from .registered import list_file, read_registered

__all__ = ["Candidate", "Entry", "ModelIndex", "candidates_in", "registered_candidates"]

_REMEMBERED_SECONDS = 1.0
_log = logging.getLogger(__name__)


class _Named(Protocol):
    """A frozen dataclass with an `id`."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Named)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One model in a location, or why it cannot be used.

    `name` is unique. `program` says whose it is; `registered` is the path by which `paintbridge models add` made it
    known, None otherwise.
    """

    name: str
    path: Path
    program: str
    registered: Path | None
    found: T | ModelsError


@dataclass(frozen=True)
class Candidate:
    """A path that may hold a model. `registered` is the path by which it was registered, if it was; `problem` is what
    is known already to be wrong with it.
    """

    location: Location
    name: str
    path: Path
    registered: Path | None = None
    problem: ModelsError | None = None


class ModelIndex(Generic[T]):
    """Models by name.

    Scans the folders at most once a second, and inspects only what has changed. Of several models with one name the
    first keeps it; the others get their program's name added. A file that can be reached by several paths is listed
    once.
    """

    def __init__(
        self,
        candidates: Callable[[], Iterable[Candidate]],
        inspect: Callable[[Path], T],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`candidates` scans for them, in the order in which names are given away; `inspect` tells what a path holds,
        and raises ModelsError for what cannot be used. `clock` gives seconds.
        """
        self._candidates = candidates
        self._inspect_path = inspect
        self._clock = clock
        self._known: dict[Path, tuple[object, T | ModelsError]] = {}
        self._scanned: tuple[float, tuple[Entry[T], ...]] | None = None
        self._lock = threading.Lock()

    def entries(self, *, fresh: bool = False) -> tuple[Entry[T], ...]:
        """All models, usable or not; as they were within the last second, or ``fresh``."""
        with self._lock:
            remembered = self._scanned is not None and 0 <= self._clock() - self._scanned[0] < _REMEMBERED_SECONDS
            if self._scanned is None or fresh or not remembered:
                return self._scan()
            return self._scanned[1]

    def _scan(self) -> tuple[Entry[T], ...]:
        entries: dict[str, Entry[T]] = {}
        seen: set[str] = set()
        for candidate in self._candidates():
            real = os.path.realpath(candidate.path)
            if real in seen:
                continue
            seen.add(real)
            program = candidate.location.program
            name = _free_name(written_name(candidate.name), program, entries)
            found = candidate.problem or self._inspect(candidate.path)
            if not isinstance(found, ModelsError):
                found = replace(found, id=name)  # type: ignore[type-var]
            entries[name] = Entry(name, candidate.path, program, candidate.registered, found)
        # From its end: a first scan of many large files may itself take more than a second.
        self._scanned = (self._clock(), tuple(entries.values()))
        return self._scanned[1]

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
            entry = self._inspect_path(path)
        except ModelsError as error:
            entry = error
        except OSError as error:
            return CheckpointUnreadable(
                "{path} cannot be read ({reason}).", hint="Check its permissions.", path=path, reason=error.strerror
            )
        except Exception:  # noqa: BLE001 (a file of somebody else's)
            # Whatever is strange about one file must not take all others out of the list.
            _log.exception("inspecting %s", path)
            entry = CheckpointUnreadable(
                "{name} cannot be inspected: something in it is not as it must be.",
                hint="Download or copy it again; the bridge's log says more.",
                name=path.name,
            )
        self._known[path] = (signature, entry)
        return entry


def candidates_in(
    location: Location, scan: Callable[[Location], Iterable[tuple[str, Path]]], registered: Path | None = None
) -> Iterator[Candidate]:
    """What `scan` finds in the location; a folder that is not there or cannot be read as a candidate with a problem."""
    folder = location.folder
    try:
        if folder.exists():
            for name, path in scan(location):
                yield Candidate(location, name, path, registered)
            return
        problem = CheckpointUnreadable(
            "There is nothing at {name}.", hint="Was it moved, or is its disk not connected?", name=folder
        )
    except (OSError, UnicodeError):
        problem = CheckpointUnreadable(
            "The folder {folder} cannot be read.", hint="Check its permissions.", folder=folder
        )
    yield Candidate(location, folder.name, folder, registered, problem)


def registered_candidates(
    scan: Callable[[Location], Iterable[tuple[str, Path]]], read: Callable[[], Iterable[Path]] = read_registered
) -> Iterator[Candidate]:
    """What `scan` finds where `paintbridge models add` said, as `read` tells; a list that cannot be read as a candidate
    with that problem.
    """
    try:
        registered = read()
    except ModelsError as error:
        path = list_file()
        yield Candidate(Location(OWN, path), path.name, path, None, error)
    else:
        for path in registered:
            yield from candidates_in(Location(OWN, path), scan, path)


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
