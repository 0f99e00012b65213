"""Which LoRAs there are: the artist's own, and those that other programs on this machine keep."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..errors import Sentence
from ..home import LORAS, find_home
from .checkpoint import Checkpoint
from .errors import LoraUnknown, ModelsError, NotALora
from .locations import OWN, Location, find_locations
from .lora import Lora, check_fits, inspect_lora
from .model_index import Candidate, Entry, ModelIndex, candidates_in, registered_candidates
from .names import about_names, find_name, same_name
from .registered import read_registered
from .scan import lora_candidates

__all__ = ["LoraRegistry", "choose_lora"]

T = TypeVar("T")

# Their folders, and those that were added as a whole, hold other files too, which are not listed as unusable LoRAs.
_MIXED = ("InvokeAI", "Hugging Face cache")


class LoraRegistry:
    """The LoRAs by name.

    The order is: the folders given, the bridge's own, what `paintbridge models add` named, other programs' folders.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the LoRAs are those in their `loras`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / LORAS for folder in folders]
        self._index = ModelIndex(lambda: _candidates(self._folders), inspect_lora, clock=clock)

    def entries(self, *, fresh: bool = False) -> tuple[Entry[Lora], ...]:
        """All LoRAs, usable or not; as they were within the last second, or ``fresh``."""
        return tuple(filter(_is_listed, self._index.entries(fresh=fresh)))

    def list(self) -> list[Lora]:
        """All that can be used; as they were within the last second."""
        return [entry.found for entry in self._index.entries() if isinstance(entry.found, Lora)]

    def find(self, name: str) -> Lora:
        """The LoRA of that name, as `find_name` finds it.

        Raises LoraUnknown with the names that are close, or the error that says why that LoRA cannot be used.
        """
        try:
            return self._choose(self._index.entries(), name)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last scan is a second old.
            return self._choose(self._index.entries(fresh=True), name)

    def fitting(self, names: Iterable[str], checkpoint: Checkpoint) -> dict[str, Lora]:
        """The LoRAs of these names, by them. Raises as `find`, and LoraUnsupported for one of another family."""
        found = {name: self.find(name) for name in names}
        for lora in found.values():
            check_fits(lora, checkpoint)
        return found

    def _choose(self, entries: Iterable[Entry[Lora]], name: str) -> Lora:
        return choose_lora({entry.name: entry.found for entry in entries}, name, folder=str(find_home().loras))


def choose_lora(found: Mapping[str, T | Exception], name: str, *, folder: str) -> T:
    """The one of that name, as `find_name` finds it, among LoRAs and what is wrong with the others, by name. `folder`
    is where LoRAs are put.

    Raises LoraUnknown with the names that are close, or what is wrong with that LoRA.
    """
    known = find_name(name, found)
    if known is None:
        usable = {same_name(known): known for known, lora in found.items() if not isinstance(lora, Exception)}
        close = get_close_matches(same_name(name), usable, n=3)
        hint = about_names(list(usable.values()), [usable[one] for one in close])
        if not usable:
            hint = Sentence(
                "There are none yet. Put LoRA files into {folder}, or name one with `paintbridge models add`.",
                folder=folder,
            )
        raise LoraUnknown("There is no LoRA named {name}.", hint=hint, name=repr(name))
    lora = found[known]
    if isinstance(lora, Exception):
        raise lora
    return lora


def _is_listed(entry: Entry[Lora]) -> bool:
    mixed = entry.program in _MIXED or entry.registered not in (None, entry.path)
    return not (mixed and isinstance(entry.found, NotALora))


def _candidates(folders: Iterable[Path]) -> Iterator[Candidate]:
    for folder in (*folders, find_home().loras):
        if folder.exists():
            yield from candidates_in(Location(OWN, folder), lora_candidates)
    yield from registered_candidates(lora_candidates, partial(read_registered, "lora"))
    for location in find_locations(kind="lora"):
        yield from candidates_in(location, lora_candidates)
