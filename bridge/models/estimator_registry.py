"""Which estimators there are: the artist's own, those that were pulled, and those of other programs."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..home import ESTIMATORS, find_home
from .errors import ModelsError
from .estimators import Estimator, choose_estimators, inspect_estimator
from .locations import OWN, Location, find_locations
from .model_index import Candidate, Entry, ModelIndex, candidates_in
from .scan import estimator_candidates

__all__ = ["EstimatorRegistry"]


class EstimatorRegistry:
    """The estimators by name.

    The order is: the folders given, the bridge's own, other programs' folders. Of several for one task the first is
    taken, if none is named.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the estimators are those in their `estimators`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / ESTIMATORS for folder in folders]
        self._index = ModelIndex(lambda: _candidates(self._folders), inspect_estimator, clock=clock)

    def entries(self, *, fresh: bool = False) -> tuple[Entry[Estimator], ...]:
        """All estimators, usable or not; as they were within the last second, or ``fresh``."""
        return tuple(filter(_is_listed, self._index.entries(fresh=fresh)))

    def choose(self, kind: str, name: str | None = None) -> tuple[Estimator, ...]:
        """The estimators for maps of a kind, as `choose_estimators`."""
        try:
            return self._choose(self.entries(), kind, name)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last scan is a second old.
            return self._choose(self.entries(fresh=True), kind, name)

    def _choose(self, entries: Iterable[Entry[Estimator]], kind: str, name: str | None) -> tuple[Estimator, ...]:
        found = {entry.name: entry.found for entry in entries}
        return choose_estimators(found, kind, name, folder=str(find_home().estimators))


def _is_listed(entry: Entry[Estimator]) -> bool:
    """Other programs keep much else where estimators lie, which is not told of as estimators that cannot be used."""
    return entry.program == OWN or isinstance(entry.found, Estimator)


def _candidates(folders: Iterable[Path]) -> Iterator[Candidate]:
    for folder in (*folders, find_home().estimators):
        if folder.exists():
            yield from candidates_in(Location(OWN, folder), estimator_candidates)
    for location in find_locations(kind="estimator"):
        yield from candidates_in(location, estimator_candidates)
