"""The models and guides in memory: shared between jobs by content, evicted by use and size, offloaded where too large.

A budget in bytes bounds what is held. It is no limit for one job: what a job uses is in memory whatever its size.
"""

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import nn

from ..models import Checkpoint, Embedding
from ..models.memory import WHOLE, MemoryNeeds, memory_needs, place_on
from .architectures import load_architecture
from .conditioning import GuideFiles, guide_loader
from .device import Device, find_device, make_deterministic
from .loading import ModuleLoader, Offload, Placement
from .model import LatentModel, TakesEmbeddings, WeightedLora

__all__ = ["ModelCache", "OnDemand", "load"]

# Of the device's own memory, and of the machine's: the rest is for what is computed, and for other programs.
_SHARE_OF_OWN, _SHARE_OF_MACHINE = 0.5, 0.25
# Of a machine's memory, what one job may take.
_MOST_OF_MACHINE = 0.8


def load(
    checkpoint: Checkpoint,
    device: Device,
    *,
    check: Callable[[], None],
    loaded: Callable[[int], None] = lambda _: None,
    placement: Placement = WHOLE,
) -> LatentModel:
    """A checkpoint that nobody else uses, as `ModelCache.get` loads it."""
    make_deterministic(device)
    return load_architecture(checkpoint, ModuleLoader(device, check=check, loaded=loaded, placement=placement))


@dataclass
class _Entry:
    """A model or a guide, and what its modules are called in the cache."""

    value: Any
    modules: set[Hashable] = field(default_factory=set)


@dataclass(frozen=True)
class _GuideKey:
    content: str
    dtype: torch.dtype
    offloaded: bool


@dataclass(frozen=True)
class _NetworkKey:
    content: str


class NetworkFiles(Protocol):
    """A network on disk."""

    @property
    def files(self) -> Sequence[Path]:
        """What loading reads."""

    def content(self, check: Callable[[], None]) -> str:
        """A hash over its files; `check` may raise to end the reading."""


class ModelCache:
    """Everything with weights that is in memory, by content. Modules that two models have in common are there once."""

    def __init__(self, device: Device | None = None, *, budget: int | None = None) -> None:
        """`budget` is in bytes; None: half of the device's own memory, or a quarter of the machine's."""
        self.device = device or find_device()
        share = _SHARE_OF_OWN if self.device.has_memory else _SHARE_OF_MACHINE
        self._budget = int(self.device.memory_bytes * share) if budget is None else budget
        # Those not used for longest first.
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._modules: dict[Hashable, nn.Module] = {}
        self._current: Hashable = None
        # Where those are that were loaded last, or are to be when they are next.
        self._placements: dict[Hashable, Placement] = {}
        # Those whose numbers half precision does not hold.
        self._precise: set[str] = set()

    @property
    def size(self) -> int:
        """Bytes held, LoRAs among them."""
        return sum(_bytes_of(module) for module in self._modules.values())

    def get(
        self,
        checkpoint: Checkpoint,
        *,
        check: Callable[[], None],
        loaded: Callable[[int], None] = lambda _: None,
        loras: tuple[WeightedLora, ...] = (),
        embeddings: tuple[Embedding, ...] = (),
    ) -> LatentModel:
        """The checkpoint's model, loaded unless it is held, with just these LoRAs set, and textual inversions of its
        family.

        `check` is called before each part, and may raise to end the loading; `loaded` is told after each how many are
        there. Raises as the architecture's `load`, and as `Adapters.load`.
        """
        key = checkpoint.content_hash(check=check)
        self._current = key

        def make(entry: _Entry) -> Any:
            make_deterministic(self.device)
            return load_architecture(
                checkpoint,
                ModuleLoader(
                    self.device_of(checkpoint),
                    check=check,
                    loaded=loaded,
                    placement=self.placement(checkpoint),
                    share=partial(self._shared, entry),
                ),
            )

        model: LatentModel = self._get(key, checkpoint.files, make)
        # The same weights may lie in two places, with a card of its own in each.
        configured = model.configured(checkpoint, loras, check=check)
        if loras:
            self._evict({key})
        if embeddings:
            return cast(TakesEmbeddings, configured).with_embeddings(embeddings, check=check)
        return configured

    def guides(
        self, guides: Sequence[GuideFiles], dtype: torch.dtype | None = None, *, check: Callable[[], None]
    ) -> tuple[Any, ...]:
        """The guides' networks, in that precision or the device's, loaded unless they are held."""
        dtype = dtype or self.device.torch_dtype
        # Where the denoiser had to leave the device there is no room for these either.
        offload = max((one.offload for one in self._placements.values()), default=Offload.NOTHING)
        keys = [_GuideKey(guide.content(check), dtype, offload is Offload.ALL) for guide in guides]
        found = tuple(
            self._get(key, guide.files, partial(self._load_guide, guide, dtype, offload, check), keep=keys)
            for key, guide in zip(keys, guides, strict=True)
        )
        check()
        return found

    def networks(
        self, files: Sequence[NetworkFiles], read: Callable[[Any], nn.Module], *, check: Callable[[], None]
    ) -> tuple[Any, ...]:
        """Networks beside the models, in float32, which `read` gives of their files, on the CPU, unless they are held.

        `check` is called before each, and may raise to end the loading.
        """
        make_deterministic(self.device)
        keys = [_NetworkKey(one.content(check)) for one in files]
        found = tuple(
            self._get(key, one.files, partial(self._load_network, one, read, check), keep=keys)
            for key, one in zip(keys, files, strict=True)
        )
        check()
        return found

    def on_demand(
        self,
        checkpoint: Checkpoint,
        loras: tuple[WeightedLora, ...] = (),
        embeddings: tuple[Embedding, ...] = (),
    ) -> "OnDemand":
        """The checkpoint, with these LoRAs and textual inversions, for a job that may or may not need it in memory."""
        return OnDemand(checkpoint, self, loras, embeddings)

    def free(self) -> None:
        """Lets go of everything, and forgets what was offloaded."""
        self._entries.clear()
        self._modules.clear()
        self._current = None
        self._placements.clear()
        self._precise.clear()
        self._release()

    def evict_unused(self, guides: Sequence[GuideFiles] = (), *, check: Callable[[], None] = lambda: None) -> None:
        """Lets go of all but the model that was asked for last, and these guides."""
        contents = {guide.content(check) for guide in guides}
        for key in [key for key in self._entries if key != self._current]:
            if not (isinstance(key, _GuideKey) and key.content in contents):
                self._evict_entry(key)
        self._release()

    def device_of(self, checkpoint: Checkpoint) -> Device:
        """The device, with the precision that the checkpoint is used in.

        Half where the device computes in half, in that which the family's numbers fit into. Where a machine without a
        device of its own has no room for a checkpoint in float32, bfloat16, if that is its family's.
        """
        if checkpoint.content_hash() in self._precise:
            return replace(self.device, dtype="float32")
        half = checkpoint.family.half_precision
        if self.device.kind == "cpu" and half == "bfloat16" and self.device.dtype == "float32":
            needs = memory_needs(checkpoint, width=4)
            if needs is not None and not self._machine_holds(needs):
                return replace(self.device, dtype=half)
        return self.device.in_half(half)

    def placement(self, checkpoint: Checkpoint) -> Placement:
        """What of a checkpoint is on the device: what was found to be needed, or what its files tell before."""
        key = checkpoint.content_hash()
        if key not in self._placements:
            needs = self._needs(checkpoint)
            if needs is None:
                self._placements[key] = WHOLE
            elif self.device.has_memory:
                self._placements[key] = place_on(needs, self.device.memory_bytes)
            else:
                # Widening in each step takes longer, so only where there is no room for wide weights.
                packed = needs.is_packable and not self._machine_holds(needs)
                self._placements[key] = Placement(packed=packed, planned=packed)
        return self._placements[key]

    def full_precision(self, checkpoint: Checkpoint) -> bool:
        """From now on uses in float32 a checkpoint whose numbers half precision does not hold; False where it is."""
        key = checkpoint.content_hash()
        if self.device_of(checkpoint).dtype == "float32":
            return False
        self._precise.add(key)
        self._drop_with_guides(key)
        return True

    def offload(self, checkpoint: Checkpoint) -> bool:
        """Lets go of a checkpoint that does not fit; from now on more of it waits outside the device.

        False where the device has no memory of its own, or where no more can wait outside. Then, and after it was
        evicted for another checkpoint, it is placed by its files again.
        """
        if not self.device.has_memory:
            return False
        key = checkpoint.content_hash()
        placement = self.placement(checkpoint)
        self._drop_with_guides(key)
        if placement.offload is Offload.ALL:
            return False
        needs = self._needs(checkpoint)
        packed = needs is not None and needs.is_packable
        offload = Offload(placement.offload + 1)
        self._placements[key] = replace(placement, offload=offload, packed=packed, planned=False)
        return True

    def _machine_holds(self, needs: MemoryNeeds) -> bool:
        """Whether the main memory has room for all weights as they are computed with."""
        return needs.on_device(Offload.NOTHING) <= _MOST_OF_MACHINE * self.device.memory_bytes

    def _needs(self, checkpoint: Checkpoint) -> MemoryNeeds | None:
        return memory_needs(checkpoint, width=self.device_of(checkpoint).torch_dtype.itemsize)

    def _get(
        self,
        key: Hashable,
        files: Iterable[Path],
        make: Callable[[_Entry], Any],
        keep: Sequence[Hashable] = (),
    ) -> Any:
        if key not in self._entries:
            kept = {key, self._current, *keep}
            self._evict(kept, expected=sum(file.stat().st_size for file in files if file.suffix == ".safetensors"))
            entry = self._entries[key] = _Entry(None)
            try:
                entry.value = make(entry)
            except BaseException:
                self._drop(key)
                raise
            self._evict(kept)
        self._entries.move_to_end(key)
        return self._entries[key].value

    def _load_network(
        self, files: NetworkFiles, read: Callable[[Any], nn.Module], check: Callable[[], None], entry: _Entry
    ) -> Any:
        loader = ModuleLoader(self.device, check=check, share=partial(self._shared, entry))
        return loader(partial(read, files), content=lambda: files.content(check), dtype=torch.float32)

    def _load_guide(
        self, guide: GuideFiles, dtype: torch.dtype, offload: Offload, check: Callable[[], None], entry: _Entry
    ) -> Any:
        placement = Placement(offload)
        loader = ModuleLoader(self.device, check=check, placement=placement, share=partial(self._shared, entry))
        read = partial(guide_loader(guide).load, guide, dtype)
        return loader(read, content=lambda: guide.content(check), dtype=dtype, denoiser=True)

    def _shared(self, entry: _Entry, content: Hashable, read: Callable[[], nn.Module]) -> nn.Module:
        if content not in self._modules:
            self._modules[content] = read()
        entry.modules.add(content)
        return self._modules[content]

    def _evict(self, keep: set[Hashable], *, expected: int = 0) -> None:
        """Lets go of what was not used for longest, until `expected` bytes more fit the budget."""
        dropped = False
        for key in [key for key in self._entries if key not in keep]:
            if self.size + expected <= self._budget:
                break
            self._evict_entry(key)
            dropped = True
        if dropped:
            self._release()

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key)
        used: set[Hashable] = set().union(*(other.modules for other in self._entries.values()))
        for content in entry.modules - used:
            del self._modules[content]

    def _evict_entry(self, key: Hashable) -> None:
        self._drop(key)
        self._placements.pop(key, None)

    def _drop_with_guides(self, key: str) -> None:
        for one in [one for one in self._entries if one == key or isinstance(one, _GuideKey)]:
            self._drop(one)
        self._placements.pop(key, None)
        self._release()

    def _release(self) -> None:
        # Modules refer to themselves by their hooks.
        gc.collect()
        self.device.empty_cache()


@dataclass(frozen=True)
class OnDemand:
    """A checkpoint that is loaded when a job comes to need its weights; its card can be read before."""

    checkpoint: Checkpoint
    cache: ModelCache
    loras: tuple[WeightedLora, ...] = ()
    embeddings: tuple[Embedding, ...] = ()

    def load(self, check: Callable[[], None], loaded: Callable[[int], None] = lambda _: None) -> LatentModel:
        """The model, from the cache or from disk; `loaded` is told how many parts came from there."""
        return self.cache.get(self.checkpoint, check=check, loaded=loaded, loras=self.loras, embeddings=self.embeddings)

    def guides(self, guides: Sequence[GuideFiles], check: Callable[[], None]) -> tuple[Any, ...]:
        """The networks of a job's guides, from the cache or from disk."""
        return self.cache.guides(guides, self.cache.device_of(self.checkpoint).torch_dtype, check=check)

    def evict_unused(self, guides: Sequence[GuideFiles]) -> None:
        """As `ModelCache.evict_unused`."""
        self.cache.evict_unused(guides)

    def offload(self) -> bool:
        """As `ModelCache.offload`."""
        return self.cache.offload(self.checkpoint)

    @property
    def placement(self) -> Placement:
        """As `ModelCache.placement`."""
        return self.cache.placement(self.checkpoint)

    def full_precision(self) -> bool:
        """As `ModelCache.full_precision`."""
        return self.cache.full_precision(self.checkpoint)


def _bytes_of(module: nn.Module) -> int:
    return sum(weight.nbytes for weight in (*module.parameters(), *module.buffers()))
