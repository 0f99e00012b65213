"""Which textual inversions there are, by the names of their files. They are not used yet: the artist is told."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..home import EMBEDDINGS, find_home
from .locations import find_locations
from .scan import files_below

__all__ = ["EmbeddingNames"]

_ENDINGS = (".safetensors", ".pt", ".bin")
_REMEMBERED_SECONDS = 1.0


class EmbeddingNames:
    """Their names, in lower case. A folder that cannot be read has none."""

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the textual inversions are those in their `embeddings`."""
        self._folders = [Path(folder).expanduser() / EMBEDDINGS for folder in folders]
        self._clock = clock
        self._looked: tuple[float, frozenset[str]] | None = None

    def __call__(self) -> frozenset[str]:
        """All that there are, as they were within the last second."""
        if self._looked is None or not 0 <= self._clock() - self._looked[0] < _REMEMBERED_SECONDS:
            names = frozenset(path.stem.lower() for folder in self._locations() for path in _files_in(folder))
            self._looked = (self._clock(), names)
        return self._looked[1]

    def _locations(self) -> Iterator[Path]:
        yield find_home().embeddings
        yield from self._folders
        yield from (location.folder for location in find_locations(kind="embedding"))


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(files_below(folder, _ENDINGS)) if folder.is_dir() else []
    except OSError:
        return []
