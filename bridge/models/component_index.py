"""The text encoders and VAEs that lie by themselves in all locations, for checkpoints that lack theirs."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..home import TEXT_ENCODERS, VAES, find_home
from .components import Component, Components, inspect_components
from .locations import OWN, Location, find_locations
from .model_index import Candidate, ModelIndex, candidates_in
from .scan import component_candidates

__all__ = ["ComponentIndex"]


class ComponentIndex:
    """Components by the program that they belong to. What is something else, or broken, is left out."""

    def __init__(self, folders: Iterable[Path], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the folders `text_encoders` and `vae` in them are looked into."""
        roots = [Path(folder) for folder in folders]
        self._index = ModelIndex(lambda: _candidates(roots), inspect_components, clock=clock)

    def components(self, *, fresh: bool = False) -> list[tuple[str, Component]]:
        """Program and component, Paintbridge's own first."""
        return [
            (entry.program, one)
            for entry in self._index.entries(fresh=fresh)
            if isinstance(entry.found, Components)
            for one in entry.found.found
        ]


def _candidates(folders: Iterable[Path]) -> Iterator[Candidate]:
    for root in (find_home().models, *folders):
        for name in (TEXT_ENCODERS, "clip", VAES):
            if (root / name).is_dir():
                yield from candidates_in(Location(OWN, root / name), component_candidates)
    for location in find_locations(kind="component"):
        yield from candidates_in(location, component_candidates)
