"""Which checkpoints there are: mini, the artist's own, and those that other programs on this machine keep."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..home import CONTROLNETS, EMBEDDINGS, ESTIMATORS, LORAS, TEXT_ENCODERS, TOKENIZERS, VAES, find_home
from .checkpoint import Checkpoint
from .checkpoint_settings import read_settings, settings_file, with_settings
from .completion import Lent, completed, lent_by
from .component_index import ComponentIndex
from .errors import CheckpointUnknown, ComponentNoCheckpoint, LoraNoCheckpoint, ModelsError
from .inspection import inspect
from .locations import INVOKEAI, OWN, Location, find_locations
from .model_index import Candidate, Entry, ModelIndex, candidates_in, registered_candidates
from .names import find_name
from .scan import checkpoint_candidates

__all__ = ["MINI", "Registry", "choose_checkpoint"]

T = TypeVar("T")

# What lies beside checkpoints and is none.
_OF_PARTS = (LORAS, CONTROLNETS, ESTIMATORS, VAES, EMBEDDINGS, TEXT_ENCODERS, TOKENIZERS, "clip")

MINI = Path(__file__).resolve().parent.parent / "mini"
"""The checkpoint that ships with the project."""


class Registry:
    """The installed checkpoints by name.

    The order is: mini, the folders given, the bridge's own models folder, what `paintbridge models add` named, other
    programs' folders.
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
        self._index = ModelIndex(lambda: _candidates(self._folders), inspect, clock=clock)
        self._components = ComponentIndex(self._folders, clock=clock)

    def entries(self, *, fresh: bool = False) -> tuple[Entry[Checkpoint], ...]:
        """All checkpoints, mini first, usable or not; as they were within the last second, or ``fresh``."""
        entries = [
            entry
            for entry in self._index.entries(fresh=fresh)
            if not (_is_mixed(entry) and isinstance(entry.found, (LoraNoCheckpoint, ComponentNoCheckpoint)))
        ]
        return self._completed(_with_settings(entries), fresh=fresh)

    def list(self) -> list[Checkpoint]:
        """All checkpoints that can be painted with."""
        return [entry.found for entry in self.entries() if isinstance(entry.found, Checkpoint)]

    def problems(self) -> dict[str, ModelsError]:
        """What cannot be painted with, by name, and why."""
        return {entry.name: entry.found for entry in self.entries() if isinstance(entry.found, ModelsError)}

    def get(self, checkpoint_id: str | None = None) -> Checkpoint:
        """The checkpoint of that id, as `find_name` finds it; None is the default (the settings' choice, then mini,
        then the first).

        Raises CheckpointUnknown, or the error that says why the checkpoint of that name cannot be used.
        """
        try:
            return self._choose(self.entries(), checkpoint_id)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last scan is a second old.
            return self._choose(self.entries(fresh=True), checkpoint_id)

    def default_name(self, entries: Iterable[Entry[Checkpoint]]) -> str | None:
        """The name that None stands for among these entries; whether there is such a checkpoint is not said."""
        if self._default is not None:
            return self._default
        found = {entry.name: entry.found for entry in entries}
        usable = (name for name, entry in found.items() if isinstance(entry, Checkpoint))
        return MINI.name if MINI.name in found else next(usable, None)

    def _completed(self, entries: tuple[Entry[Checkpoint], ...], *, fresh: bool) -> tuple[Entry[Checkpoint], ...]:
        """With the parts that some lack; those whose parts are nowhere become unusable, and say so."""
        checkpoints = [entry.found for entry in entries if isinstance(entry.found, Checkpoint)]
        if not any(checkpoint.wants for checkpoint in checkpoints):
            return entries
        lent = lent_by(checkpoints, self._components.components(fresh=fresh))
        return tuple(_completed(entry, lent) for entry in entries)

    def _choose(self, entries: tuple[Entry[Checkpoint], ...], checkpoint_id: str | None) -> Checkpoint:
        wanted = checkpoint_id or self.default_name(entries)
        return choose_checkpoint({entry.name: entry.found for entry in entries}, wanted)


def choose_checkpoint(found: Mapping[str, T | Exception], wanted: str | None) -> T:
    """The one of that name, as `find_name` finds it, among checkpoints and what is wrong with the others, by name.

    Raises CheckpointUnknown, also for None; or what is wrong with that checkpoint.
    """
    usable = [name for name, checkpoint in found.items() if not isinstance(checkpoint, Exception)]
    if wanted is None:
        raise CheckpointUnknown(
            "No checkpoint is installed, so nothing can be painted.",
            hint="`paintbridge models list --recommended` names some, and `paintbridge models pull` fetches them.",
        )
    name = find_name(wanted, found)
    if name is None:
        names = ", ".join(usable) or "none"
        raise CheckpointUnknown(
            "No checkpoint named {wanted} is installed.", hint="Installed: {names}.", wanted=repr(wanted), names=names
        )
    checkpoint = found[name]
    if isinstance(checkpoint, Exception):
        raise checkpoint
    return checkpoint


def _with_settings(entries: Iterable[Entry[Checkpoint]]) -> tuple[Entry[Checkpoint], ...]:
    """With what the artist says of checkpoints. What is said of one that is not there becomes an unusable entry."""
    told: list[Entry[Checkpoint]] = []
    try:
        tables = read_settings()
    except ModelsError as error:
        # Painting without what it says would be painting something else.
        return tuple(replace(entry, found=error) for entry in entries)
    for entry in entries:
        if isinstance(entry.found, Checkpoint) and entry.name in tables:
            try:
                entry = replace(entry, found=with_settings(entry.found, tables))
            except ModelsError as error:
                entry = replace(entry, found=error)
        told.append(entry)
    names = {entry.name for entry in told}
    for name in (name for name in tables if name not in names):
        unknown = CheckpointUnknown(
            '{file} has a table ["{name}"], but there is no such checkpoint.',
            hint="Write the name as `paintbridge models list` does.",
            file=settings_file().name,
            name=name,
        )
        told.append(Entry(f"{name} ({settings_file().name})", settings_file(), OWN, None, unknown))
    return tuple(told)


def _is_mixed(entry: Entry[Checkpoint]) -> bool:
    """Whether it lies in a folder of models of all kinds: one that was added as a whole, or InvokeAI's."""
    return entry.registered not in (None, entry.path) or entry.program == INVOKEAI


def _completed(entry: Entry[Checkpoint], lent: Lent) -> Entry[Checkpoint]:
    if not isinstance(entry.found, Checkpoint) or not entry.found.wants:
        return entry
    try:
        return replace(entry, found=completed(entry.found, lent, program=entry.program))
    except ModelsError as error:
        return replace(entry, found=error)


def _candidates(folders: Iterable[Path]) -> Iterator[Candidate]:
    """Everything that could be a checkpoint."""
    own = find_home().models
    for folder in (MINI, *folders, own):
        if folder.exists() or folder not in (MINI, own):
            yield from candidates_in(Location(OWN, folder, without=_OF_PARTS), checkpoint_candidates)
    yield from registered_candidates(checkpoint_candidates)
    for location in find_locations():
        yield from candidates_in(location, checkpoint_candidates)
