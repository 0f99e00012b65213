"""Which LoRAs there are: the artist's own, and those that other programs on this machine keep."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from ..errors import Sentence
from ..home import LORAS, find_home
from .checkpoint import Checkpoint
from .errors import LoraUnknown, ModelsError, NotALora
from .lora import Lora, check_fits, inspect_lora
from .names import about_names, find_name, same_name
from .places import OWN, Place, find_places
from .registered import read_registered
from .scan import lora_candidates
from .shelf import Entry, Lying, Shelf, lying_in, lying_registered

__all__ = ["LoraRegistry"]

# Their folders, and those that were added as a whole, hold other things beside LoRAs, not worth a word.
_MIXED = ("InvokeAI", "Hugging Face cache")


class LoraRegistry:
    """The LoRAs by name.

    The order is: the folders given, the bridge's own, what `paintbridge models add` named, other programs' folders.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the LoRAs are those in their `loras`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / LORAS for folder in folders]
        self._shelf = Shelf(lambda: _lying(self._folders), inspect_lora, clock=clock)

    def entries(self) -> tuple[Entry[Lora], ...]:
        """All that there is, whether it can be used or not; as it was within the last second."""
        return tuple(filter(_worth_a_word, self._shelf.entries()))

    def list(self, *, fresh: bool = False) -> list[Lora]:
        """All that can be used; as it was within the last second, or ``fresh``."""
        return [entry.found for entry in self._shelf.entries(fresh=fresh) if isinstance(entry.found, Lora)]

    def find(self, name: str) -> Lora:
        """The LoRA of that name, as `find_name` finds it.

        Raises LoraUnknown with the names that are close, or the error that says why that LoRA cannot be used.
        """
        try:
            return _choose(self._shelf.entries(), name)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last look is a second old.
            return _choose(self._shelf.entries(fresh=True), name)

    def fitting(self, names: Iterable[str], checkpoint: Checkpoint) -> dict[str, Lora]:
        """The LoRAs of these names, by them. Raises as `find`, and LoraUnsupported for one of another family."""
        found = {name: self.find(name) for name in names}
        for lora in found.values():
            check_fits(lora, checkpoint)
        return found


def _choose(entries: Sequence[Entry[Lora]], name: str) -> Lora:
    found = {entry.name: entry.found for entry in entries}
    known = find_name(name, found)
    if known is None:
        usable = {same_name(known): known for known, lora in found.items() if isinstance(lora, Lora)}
        close = get_close_matches(same_name(name), usable, n=3)
        hint = about_names(list(usable.values()), [usable[one] for one in close])
        if not usable:
            hint = Sentence(
                "There are none yet. Put LoRA files into {folder}, or name one with `paintbridge models add`.",
                folder=find_home().loras,
            )
        raise LoraUnknown("There is no LoRA named {name}.", hint=hint, name=repr(name))
    entry = found[known]
    if isinstance(entry, ModelsError):
        raise entry
    return entry


def _worth_a_word(entry: Entry[Lora]) -> bool:
    mixed = entry.program in _MIXED or entry.registered not in (None, entry.path)
    return not (mixed and isinstance(entry.found, NotALora))


def _lying(folders: Iterable[Path]) -> Iterator[Lying]:
    for folder in (*folders, find_home().loras):
        if folder.exists():
            yield from lying_in(Place(OWN, folder), lora_candidates)
    yield from lying_registered(lora_candidates, partial(read_registered, "lora"))
    for place in find_places(kind="lora"):
        yield from lying_in(place, lora_candidates)
