"""Which ControlNets there are: the artist's own, and those that other programs on this machine keep."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..home import CONTROLNETS, find_home
from .checkpoint import Checkpoint
from .controlnet import CONDITIONS, ControlNet, check_fits, inspect_controlnet
from .errors import ConditionUnsupported, ModelsError, NotAControlNet
from .names import find_name
from .places import OWN, Place, find_places
from .scan import controlnet_candidates
from .shelf import Entry, Lying, Shelf, lying_in

__all__ = ["ControlNetRegistry"]

# Where to get one, by family and kind of condition: a repository of the Hugging Face hub.
_WORTH_FETCHING = {
    ("SD1", "scribble"): "lllyasviel/control_v11p_sd15_scribble",
    ("SD1", "label_map"): "lllyasviel/control_v11p_sd15_seg",
    ("SDXL", "scribble"): "xinsir/controlnet-scribble-sdxl-1.0",
}


# Their folders hold other things beside ControlNets, not worth a word.
_MIXED = ("InvokeAI", "Hugging Face cache")


class ControlNetRegistry:
    """The ControlNets by name.

    The order is: the folders given, the bridge's own, other programs' folders. Of several for one kind of condition the
    first is taken, if none is named.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the ControlNets are those in their `controlnet`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / CONTROLNETS for folder in folders]
        self._shelf = Shelf(lambda: _lying(self._folders), inspect_controlnet, clock=clock)

    def entries(self, *, fresh: bool = False) -> tuple[Entry[ControlNet], ...]:
        """All that there is, whether it can be used or not; as it was within the last second, or ``fresh``."""
        return tuple(filter(_worth_a_word, self._shelf.entries(fresh=fresh)))

    def kinds(self, checkpoint: Checkpoint) -> tuple[str, ...]:
        """The kinds of condition that the checkpoint takes."""
        nets = (entry.found for entry in self.entries() if isinstance(entry.found, ControlNet))
        return tuple(sorted({net.condition for net in nets if net.condition is not None and net.fits(checkpoint)}))

    def choose(self, kind: str, checkpoint: Checkpoint, name: str | None = None) -> ControlNet:
        """The ControlNet for a kind of condition on a checkpoint; the one of that name, if it is given.

        Raises ConditionUnsupported, which says what is lacking; or the error that says why that one cannot be used.
        """
        try:
            return _choose(self.entries(), kind, checkpoint, name)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last look is a second old.
            return _choose(self.entries(fresh=True), kind, checkpoint, name)


def _choose(entries: tuple[Entry[ControlNet], ...], kind: str, checkpoint: Checkpoint, name: str | None) -> ControlNet:
    nets = [entry.found for entry in entries if isinstance(entry.found, ControlNet)]
    if name is not None:
        wanted = find_name(name, (entry.name for entry in entries))
        found = next((entry.found for entry in entries if entry.name == wanted), None)
        if found is None:
            names = ", ".join(net.id for net in nets if net.fits(checkpoint)) or "none"
            raise ConditionUnsupported(
                "There is no ControlNet named {name}.",
                hint="For {id} there are: {names}.",
                name=repr(name),
                id=checkpoint.id,
                names=names,
            )
        if isinstance(found, ModelsError):
            raise found
        check_fits(found, checkpoint)
        return found
    if kind not in CONDITIONS.values():
        raise ConditionUnsupported(
            "Paintbridge cannot be guided by a {kind} yet.",
            hint="Leave the condition out.",
            kind=kind.replace("_", " "),
        )
    meant = [net for net in nets if net.condition == kind]
    fitting = [net for net in meant if net.fits(checkpoint)]
    if fitting:
        return fitting[0]
    worth = _WORTH_FETCHING.get((checkpoint.family.name, kind))
    fetch = f", such as {worth} from the Hugging Face hub," if worth else ""
    there = f" There is {meant[0].id}, but for {meant[0].family.title}." if meant else ""
    raise ConditionUnsupported(
        "{id} cannot be guided by a {kind}: no ControlNet for that and for {title} is here.{there}",
        hint="Put one{fetch} into {folder}, its name as it is, or leave the condition out.",
        id=checkpoint.id,
        kind=kind.replace("_", " "),
        title=checkpoint.family.title,
        there=there,
        fetch=fetch,
        folder=find_home().controlnets,
    )


def _worth_a_word(entry: Entry[ControlNet]) -> bool:
    return not (entry.program in _MIXED and isinstance(entry.found, NotAControlNet))


def _lying(folders: Iterable[Path]) -> Iterator[Lying]:
    for folder in (*folders, find_home().controlnets):
        if folder.exists():
            yield from lying_in(Place(OWN, folder), controlnet_candidates)
    for place in find_places(kind="controlnet"):
        yield from lying_in(place, controlnet_candidates)
