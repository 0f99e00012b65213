"""Which ControlNets there are: the artist's own, and those that other programs on this machine keep."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ..control_kinds import REFERENCE
from ..home import CONTROLNETS, find_home
from .checkpoint import Checkpoint
from .control_kinds import control_kind
from .controlnet import ControlNet, check_fits, fits, inspect_controlnet
from .errors import ConditionUnsupported, ModelsError, NotAControlNet
from .facts import ControlNetFacts, DenoiserFacts, FillingFacts
from .locations import MODEL_PATCHES, OWN, Location, find_locations
from .model_index import Candidate, Entry, ModelIndex, candidates_in
from .names import find_name
from .scan import controlnet_candidates

__all__ = ["WITHOUT", "ControlNetRegistry", "choose_controlnet", "choose_inpainting", "condition_kinds"]

WITHOUT = "off"
"""What is said in place of an inpainting ControlNet's name where none is wanted."""

T = TypeVar("T", bound=ControlNetFacts)

# Where to get one, by family and kind of condition: a repository of the Hugging Face hub.
_RECOMMENDED = {
    ("SD1", "scribble"): "lllyasviel/control_v11p_sd15_scribble",
    ("SD1", "label_map"): "lllyasviel/control_v11p_sd15_seg",
    ("SDXL", "scribble"): "xinsir/controlnet-scribble-sdxl-1.0",
}

# Their folders hold other files too, which are not listed as unusable ControlNets.
_MIXED = ("InvokeAI", "Hugging Face cache")


class ControlNetRegistry:
    """The ControlNets by name.

    The order is: the folders given, the bridge's own, other programs' folders. Of several for one kind of condition the
    first is taken, if none is named.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the ControlNets are those in their `controlnet`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / CONTROLNETS for folder in folders]
        self._index = ModelIndex(lambda: _candidates(self._folders), inspect_controlnet, clock=clock)

    def entries(self, *, fresh: bool = False) -> tuple[Entry[ControlNet], ...]:
        """All ControlNets, usable or not; as they were within the last second, or ``fresh``."""
        return tuple(filter(_is_listed, self._index.entries(fresh=fresh)))

    def choose(
        self, kind: str, checkpoint: Checkpoint, name: str | None = None, *, role: str | None = None
    ) -> ControlNet | None:
        """As `choose_controlnet`.

        Raises ConditionUnsupported, which says what is lacking; or the error that says why that one cannot be used.
        """
        try:
            return self._choose(self.entries(), kind, checkpoint, name, role)
        except ModelsError:
            # What has just been put there, or mended, need not wait until the last scan is a second old.
            return self._choose(self.entries(fresh=True), kind, checkpoint, name, role)

    def choose_inpainting(self, checkpoint: Checkpoint, name: str | None = None) -> ControlNet | None:
        """The ControlNet that guides fills with a checkpoint, as the function of that name."""
        return choose_inpainting({entry.name: entry.found for entry in self.entries()}, checkpoint, name)

    def _choose(
        self,
        entries: Iterable[Entry[ControlNet]],
        kind: str,
        checkpoint: Checkpoint,
        name: str | None,
        role: str | None,
    ) -> ControlNet | None:
        found = {entry.name: entry.found for entry in entries}
        return choose_controlnet(found, kind, checkpoint, name, folder=str(find_home().controlnets), role=role)


def condition_kinds(nets: Iterable[ControlNetFacts], checkpoint: DenoiserFacts) -> tuple[str, ...]:
    """The kinds of condition that the checkpoint takes with these ControlNets, in alphabetical order."""
    found = {kind for net in nets if fits(net, checkpoint) for kind in net.conditions}
    return tuple(sorted(found.union(checkpoint.family.own_kinds)))


def choose_controlnet(
    found: Mapping[str, T | Exception],
    kind: str,
    checkpoint: DenoiserFacts,
    name: str | None,
    *,
    folder: str,
    role: str | None = None,
) -> T | None:
    """The ControlNet for a kind of condition on a checkpoint, or the one of that name, among ControlNets and what is
    wrong with the others, by name; None: the checkpoint takes that kind itself. `folder` is where ControlNets are put;
    `role` is what of a reference is painted, None: its subject.

    Raises ConditionUnsupported, or what is wrong with the one of that name.
    """
    title = control_kind(kind).title
    nets = [net for net in found.values() if not isinstance(net, Exception)]
    if kind == REFERENCE and (role or "subject") not in checkpoint.family.reference_roles:
        raise ConditionUnsupported(
            "{id} cannot paint just the {role} of a reference: nothing for {title} can.",
            hint="Take its subject, and say in the prompt what of it is meant.",
            id=checkpoint.id,
            role=role,
            title=checkpoint.family.title,
        )
    if name is not None:
        named = _named(found, checkpoint, name)
        if (kind == REFERENCE) != (REFERENCE in named.conditions):
            raise ConditionUnsupported(
                "{id} does not take a {kind}.", hint="Choose another one, or name none.", id=named.id, kind=title
            )
        return named
    if kind in checkpoint.family.own_kinds:
        return None
    # One that knows nothing else knows it best.
    meant = sorted((net for net in nets if kind in net.conditions), key=lambda net: len(net.conditions) > 1)
    fitting = [net for net in meant if fits(net, checkpoint)]
    if fitting:
        return fitting[0]
    worth = _RECOMMENDED.get((checkpoint.family.name, kind))
    fetch = f", such as {worth} from the Hugging Face hub," if worth else ""
    there = f" There is {meant[0].id}, but for {meant[0].family.title}." if meant else ""
    raise ConditionUnsupported(
        "{id} cannot be guided by a {kind}: no {what} for that and for {title} is here.{there}",
        hint="Put one{fetch} into {folder}, its name as it is, or leave the condition out.",
        id=checkpoint.id,
        kind=title,
        what="IP-Adapter" if kind == REFERENCE else "ControlNet",
        title=checkpoint.family.title,
        there=there,
        fetch=fetch,
        folder=folder,
    )


def choose_inpainting(found: Mapping[str, T | Exception], checkpoint: FillingFacts, name: str | None) -> T | None:
    """The ControlNet that guides fills with a checkpoint, or the one of that name; None: it does without, as it must
    where `name` is `WITHOUT`, and where none is named for one that takes the masked picture itself.

    Raises ConditionUnsupported, or what is wrong with the one of that name.
    """
    if name == WITHOUT:
        return None
    if name is not None:
        named = _named(found, checkpoint, name)
        if not named.inpainting:
            raise ConditionUnsupported(
                "{id} is no ControlNet for inpainting.",
                hint="Choose one that is, or leave it out.",
                id=named.id,
            )
        return named
    if checkpoint.inpaint:
        return None
    nets = (net for net in found.values() if not isinstance(net, Exception))
    return next((net for net in nets if net.inpainting and fits(net, checkpoint)), None)


def _named(found: Mapping[str, T | Exception], checkpoint: DenoiserFacts, name: str) -> T:
    known = find_name(name, found)
    if known is None:
        nets = (net for net in found.values() if not isinstance(net, Exception))
        raise ConditionUnsupported(
            "There is no ControlNet named {name}.",
            hint="For {id} there are: {names}.",
            name=repr(name),
            id=checkpoint.id,
            names=", ".join(net.id for net in nets if fits(net, checkpoint)) or "none",
        )
    named = found[known]
    if isinstance(named, Exception):
        raise named
    check_fits(named, checkpoint)
    return named


def _is_listed(entry: Entry[ControlNet]) -> bool:
    mixed = entry.program in _MIXED or MODEL_PATCHES in entry.path.parts
    return not (mixed and isinstance(entry.found, NotAControlNet))


def _candidates(folders: Iterable[Path]) -> Iterator[Candidate]:
    for folder in (*folders, find_home().controlnets):
        if folder.exists():
            yield from candidates_in(Location(OWN, folder), controlnet_candidates)
    for location in find_locations(kind="controlnet"):
        yield from candidates_in(location, controlnet_candidates)
