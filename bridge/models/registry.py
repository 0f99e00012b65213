"""Which checkpoints there are: mini, the artist's own, and those that other programs on this machine keep."""

import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .checkpoint import Checkpoint, inspect
from .errors import CheckpointUnknown, CheckpointUnreadable, ModelsError
from .places import OWN, Place, find_places, models_folder
from .registered import list_file, read_registered
from .scan import candidates

__all__ = ["MINI", "Entry", "Registry"]

MINI = Path(__file__).resolve().parent.parent / "mini"
"""The checkpoint that ships with the project."""

_REMEMBERED_SECONDS = 1.0


@dataclass(frozen=True)
class Entry:
    """One thing that lies in a place: a checkpoint, or why it cannot be painted with.

    `name` is unique. `program` says whose it is; `registered` is the path by which `paintbridge models add` made it
    known, None otherwise.
    """

    name: str
    path: Path
    program: str
    registered: Path | None
    found: Checkpoint | ModelsError


class Registry:
    """The installed checkpoints by name.

    Looks into the folders at most once a second, and only into what has changed. The order is: mini, the folders
    given, the bridge's own models folder, what `paintbridge models add` named, other programs' folders. Of several of
    one name the first keeps it, the others are told apart by their program.
    """

    def __init__(
        self,
        folders: Iterable[Path] = (),
        *,
        default: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folders` each hold checkpoints, or are one; `default` names the one that is used when none is asked for.
        `clock` gives seconds.
        """
        self._folders = [Path(folder).expanduser() for folder in folders]
        self._default = default
        self._clock = clock
        self._known: dict[Path, tuple[object, Checkpoint | ModelsError]] = {}
        self._looked: tuple[float, tuple[Entry, ...]] | None = None
        self._lock = threading.Lock()

    def entries(self, *, fresh: bool = False) -> tuple[Entry, ...]:
        """All that there is, mini first, whether it can be painted with or not; as it was within the last second, or
        ``fresh``.
        """
        with self._lock:
            remembered = self._looked is not None and 0 <= self._clock() - self._looked[0] < _REMEMBERED_SECONDS
            if self._looked is None or fresh or not remembered:
                return self._look()
            return self._looked[1]

    def list(self) -> list[Checkpoint]:
        """All checkpoints that can be painted with."""
        return [entry.found for entry in self.entries() if isinstance(entry.found, Checkpoint)]

    def problems(self) -> dict[str, ModelsError]:
        """What cannot be painted with, by name, and why."""
        return {entry.name: entry.found for entry in self.entries() if isinstance(entry.found, ModelsError)}

    def get(self, checkpoint_id: str | None = None) -> Checkpoint:
        """The checkpoint of that id; None is the default (the settings' choice, then mini, then the first).

        Raises CheckpointUnknown, or the error that says why the checkpoint of that name cannot be used.
        """
        try:
            return self._choose(self.entries(), checkpoint_id)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last look is a second old.
            return self._choose(self.entries(fresh=True), checkpoint_id)

    def _choose(self, entries: tuple[Entry, ...], checkpoint_id: str | None) -> Checkpoint:
        found = {entry.name: entry.found for entry in entries}
        usable = [name for name, entry in found.items() if isinstance(entry, Checkpoint)]
        wanted = checkpoint_id or self._default
        if wanted is None:
            wanted = MINI.name if MINI.name in found else next(iter(usable), None)
        if wanted is None:
            raise CheckpointUnknown(
                "No checkpoint is installed, so nothing can be painted.",
                hint="`paintbridge models list --recommended` names some, and `paintbridge models pull` fetches them.",
            )
        if wanted not in found:
            names = ", ".join(usable) or "none"
            raise CheckpointUnknown(f"No checkpoint named {wanted!r} is installed.", hint=f"Installed: {names}.")
        entry = found[wanted]
        if isinstance(entry, ModelsError):
            raise entry
        return entry

    def _look(self) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        seen: set[str] = set()
        for place, registered, path_name, path, problem in _lying(self._folders):
            real = os.path.realpath(path)
            if real in seen:
                continue
            seen.add(real)
            name = _free_name(path_name, place.program, entries)
            found = problem or self._inspect(path)
            if isinstance(found, Checkpoint):
                found = replace(found, id=name)
            entries[name] = Entry(name, path, place.program, registered, found)
        # From its end: a first look at many large files may itself take more than a second.
        self._looked = (self._clock(), tuple(entries.values()))
        return self._looked[1]

    def _inspect(self, path: Path) -> Checkpoint | ModelsError:
        entry: Checkpoint | ModelsError
        try:
            signature = _signature(path)
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            entry = inspect(path)
        except ModelsError as error:
            entry = error
        except OSError as error:
            return CheckpointUnreadable(f"{path} cannot be read ({error.strerror}).", hint="Check its permissions.")
        self._known[path] = (signature, entry)
        return entry


_Lying = tuple[Place, Path | None, str, Path, ModelsError | None]


def _lying(folders: Iterable[Path]) -> Iterator[_Lying]:
    """Place, how it was registered, name, path and trouble of everything that could be a checkpoint."""
    own = models_folder()
    for folder in (MINI, *folders, own):
        if folder.exists() or folder not in (MINI, own):
            yield from _lying_in(Place(OWN, folder, "flat"), None)
    try:
        registered = read_registered()
    except ModelsError as error:
        path = list_file()
        yield Place(OWN, path, "flat"), None, path.name, path, error
    else:
        for path in registered:
            yield from _lying_in(Place(OWN, path, "deep"), path)
    for place in find_places():
        yield from _lying_in(place, None)


def _lying_in(place: Place, registered: Path | None) -> Iterator[_Lying]:
    """A folder that was named and is not there is trouble itself, and so is one that cannot be read."""
    folder = place.folder
    try:
        if folder.exists():
            for name, path in candidates(place):
                yield place, registered, name, path, None
            return
        problem = CheckpointUnreadable(
            f"There is nothing at {folder}.", hint="Was it moved, or is its disk not connected?"
        )
    except (OSError, UnicodeError):
        problem = CheckpointUnreadable(f"The folder {folder} cannot be read.", hint="Check its permissions.")
    yield place, registered, folder.name, folder, problem


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


def _signature(path: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = ((str(file), file.stat()) for file in files if file.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
