"""A checkpoint's parts in memory: loaded one by one, shared between jobs, let go when others are wanted."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import diffusers
import torch
import transformers

from ..models import Checkpoint, CheckpointUnsupported, ControlNet
from ..models.hashing import content_hash
from .architecture import part_kinds
from .device import Device, find_device, make_deterministic
from .finite import ModelStep, check_finite
from .lora import Adapters, WornLora
from .placement import OUTSIDE, place
from .preview import fit_latent_to_rgb
from .weights import load_controlnet, weights_of

__all__ = ["ComponentCache", "Components", "OnDemand", "load"]

diffusers.utils.logging.disable_progress_bar()
diffusers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

# Bytes, as torch aligns what it allocates on a CPU.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Components:
    """A loaded checkpoint, its parts by their names in a diffusers folder; None where its family does without.

    `latent_to_rgb` is the linear map that previews are made with, (channels + 1, 3). `adapters` are the LoRAs that the
    parts may wear, `worn` those that they wear until the cache is asked for them again.
    """

    checkpoint: Checkpoint
    device: Device
    tokenizer: Any
    text_encoder: Any
    unet: Any
    vae: Any
    scheduler_config: dict[str, Any]
    latent_to_rgb: torch.Tensor
    adapters: Adapters
    tokenizer_2: Any = None
    text_encoder_2: Any = None
    worn: tuple[WornLora, ...] = ()

    @property
    def vae_scale(self) -> int:
        """Pixels per latent along an edge."""
        return self.checkpoint.family.vae_scale

    @property
    def latent_channels(self) -> int:
        """Channels of a latent plane."""
        return int(self.vae.config.latent_channels)


def load(
    checkpoint: Checkpoint,
    device: Device,
    *,
    check: Callable[[], None],
    loaded: Callable[[int], None] = lambda _: None,
    outside: Sequence[str] = (),
) -> Components:
    """Loads a checkpoint part by part, from safetensors and local files only.

    The parts named in `outside` come to the device layer by layer, when they are used. `check` is called before each
    part, and may raise to end the loading; `loaded` hears after each how many are there. Raises CheckpointUnreadable
    when a part's weights do not fit its config, and ModelNotFinite when its VAE decodes to no numbers.
    """
    make_deterministic(device)
    check()
    weights = weights_of(checkpoint)
    parts: dict[str, Any] = {text.tokenizer: weights.tokenizer(text) for text in checkpoint.family.texts}
    scheduler_config = weights.scheduler_config()
    for count, (part, kind) in enumerate(part_kinds(checkpoint.family).items(), start=1):
        check()
        dtype = torch.float32 if part == "vae" else device.torch_dtype
        weighted = weights.part(part, kind, dtype).eval().requires_grad_(False)
        _check_layers(checkpoint, weighted.config)
        parts[part] = place(_settled(weighted), device, outside=part in outside)
        loaded(count)
    check()
    components = Components(
        checkpoint=checkpoint,
        device=device,
        scheduler_config=scheduler_config,
        latent_to_rgb=fit_latent_to_rgb(parts["vae"]),
        adapters=Adapters(
            {name: parts[name] for name in ("unet", *(text.encoder for text in checkpoint.family.texts))},
            device,
            title=checkpoint.id,
        ),
        **parts,
    )
    # Before minutes are spent on latents that it could not decode.
    check_finite(components.latent_to_rgb, ModelStep.VAE, components)
    return components


def _check_layers(checkpoint: Checkpoint, config: Any) -> None:
    """Raises CheckpointUnsupported where a text encoder has no layer that its clip skip could mean."""
    layers = getattr(config, "num_hidden_layers", None)
    if layers is not None and checkpoint.layers_skipped >= layers - 1:
        raise CheckpointUnsupported(
            f"{checkpoint.id} has clip_skip {checkpoint.clip_skip}, but a text encoder of {layers} layers.",
            hint="Set a lower clip_skip in checkpoints.toml (docs/checkpoints.md).",
        )


def _settled(part: Any) -> Any:
    """The part with its weights where torch would have put them itself.

    Weights that still lie in a file's mapped memory begin anywhere, and the last bits of a matrix product on a CPU
    depend on that: the same weights from a folder and from a single file must paint the same picture.
    """
    for weight in (*part.parameters(), *part.buffers()):
        if weight.device.type == "cpu" and weight.data_ptr() % _ALIGNMENT:
            weight.data = weight.data.clone()
    return part


class ComponentCache:
    """The checkpoints in memory, by content: the one used last stays, up to `capacity` of them."""

    def __init__(self, device: Device | None = None, *, capacity: int = 1) -> None:
        self.device = device or find_device()
        self._capacity = capacity
        self._held: OrderedDict[str, Components] = OrderedDict()
        self._controlnets: dict[str, Any] = {}
        # How far up `OUTSIDE` those are that did not fit.
        self._outside: dict[str, int] = {}
        # Those whose numbers half precision does not hold.
        self._precise: set[str] = set()

    def get(
        self,
        checkpoint: Checkpoint,
        *,
        check: Callable[[], None],
        loaded: Callable[[int], None] = lambda _: None,
        worn: tuple[WornLora, ...] = (),
    ) -> Components:
        """The checkpoint's components, loaded unless they are held, wearing just these LoRAs.

        The components not used for longest leave first. Raises as `load` and `Adapters.load`.
        """
        components = self._get(checkpoint, check=check, loaded=loaded)
        components.adapters.wear(worn, check=check)
        return replace(components, worn=tuple(one for one in worn if one.strength))

    def on_demand(self, checkpoint: Checkpoint, worn: tuple[WornLora, ...] = ()) -> "OnDemand":
        """The checkpoint, wearing these LoRAs, for a job that may or may not need it in memory."""
        return OnDemand(checkpoint, self, worn)

    def free(self) -> None:
        """Lets go of every checkpoint and ControlNet."""
        self._held.clear()
        self._controlnets.clear()
        self._outside.clear()
        self._precise.clear()
        self._release()

    def device_of(self, checkpoint: Checkpoint) -> Device:
        """The device, with the precision that the checkpoint is used in."""
        return self._device_of(checkpoint.content_hash())

    def full_precision(self, checkpoint: Checkpoint) -> bool:
        """From now on uses in float32 a checkpoint whose numbers half precision does not hold; False where it is."""
        key = checkpoint.content_hash()
        if self._device_of(key).dtype == "float32":
            return False
        self._precise.add(key)
        self._held.pop(key, None)
        self._controlnets.clear()
        self._release()
        return True

    def offload(self, checkpoint: Checkpoint) -> bool:
        """Lets go of a checkpoint that does not fit; from now on more of it waits outside the device.

        False where the device has no memory of its own, or where no more can wait outside. Then, and after another
        checkpoint was used, it is loaded whole again.
        """
        if not self.device.has_memory:
            return False
        key = checkpoint.content_hash()
        step = self._outside.pop(key, 0) + 1
        self._held.pop(key, None)
        self._controlnets.clear()
        self._release()
        if step == len(OUTSIDE):
            return False
        self._outside[key] = step
        return True

    def _get(self, checkpoint: Checkpoint, *, check: Callable[[], None], loaded: Callable[[int], None]) -> Components:
        key = checkpoint.content_hash(check=check)
        if key in self._held:
            self._held.move_to_end(key)
            # The same weights may lie in two places, with a card of its own in each.
            return replace(self._held[key], checkpoint=checkpoint)
        while len(self._held) >= self._capacity:
            left, _ = self._held.popitem(last=False)
            self._outside.pop(left, None)
            # They hardly fit the next one.
            self._controlnets.clear()
        self._release()
        outside = OUTSIDE[self._outside.get(key, 0)]
        self._held[key] = load(checkpoint, self._device_of(key), check=check, loaded=loaded, outside=outside)
        return self._held[key]

    def _device_of(self, key: str) -> Device:
        return replace(self.device, dtype="float32") if key in self._precise else self.device

    def controlnets(
        self, nets: Sequence[ControlNet], dtype: torch.dtype | None = None, *, check: Callable[[], None]
    ) -> tuple[Any, ...]:
        """The ControlNets in memory, in that precision or the device's, loaded unless they are held; those that are not
        among these are let go first.
        """
        keys = self._only(nets, check=check)
        # Where the UNets had to leave the device there is no room for these either.
        outside = "unet" in OUTSIDE[max(self._outside.values(), default=0)]
        for key, net in zip(keys, nets, strict=True):
            if key not in self._controlnets:
                check()
                loaded = load_controlnet(net, dtype or self.device.torch_dtype).eval().requires_grad_(False)
                self._controlnets[key] = place(loaded, self.device, outside=outside)
        check()
        return tuple(self._controlnets[key] for key in keys)

    def spare(self, nets: Sequence[ControlNet] = ()) -> None:
        """Lets go of all ControlNets but these."""
        self._only(nets, check=lambda: None)

    def _only(self, nets: Sequence[ControlNet], *, check: Callable[[], None]) -> list[str]:
        """The ControlNets' keys. All others are let go."""
        keys = [content_hash(net.path, net.files, check=check) for net in nets]
        others = [key for key in self._controlnets if key not in keys]
        for key in others:
            del self._controlnets[key]
        if others:
            self._release()
        return keys

    def _release(self) -> None:
        if self.device.kind in ("cuda", "rocm"):
            torch.cuda.empty_cache()
        elif self.device.kind == "xpu":
            torch.xpu.empty_cache()
        elif self.device.kind == "mps":
            torch.mps.empty_cache()


@dataclass(frozen=True)
class OnDemand:
    """A checkpoint that is loaded when a job comes to need its weights; its card can be read before."""

    checkpoint: Checkpoint
    cache: ComponentCache
    worn: tuple[WornLora, ...] = ()

    def load(self, check: Callable[[], None], loaded: Callable[[int], None] = lambda _: None) -> Components:
        """The components, from the cache or from disk; `loaded` hears how many parts came from there."""
        return self.cache.get(self.checkpoint, check=check, loaded=loaded, worn=self.worn)

    def controlnets(self, nets: Sequence[ControlNet], check: Callable[[], None]) -> tuple[Any, ...]:
        """The ControlNets of a job, from the cache or from disk; others are let go."""
        return self.cache.controlnets(nets, self.cache.device_of(self.checkpoint).torch_dtype, check=check)

    def spare(self, nets: Sequence[ControlNet]) -> None:
        """Lets go of all ControlNets but these."""
        self.cache.spare(nets)

    def offload(self) -> bool:
        """As `ComponentCache.offload`."""
        return self.cache.offload(self.checkpoint)

    def full_precision(self) -> bool:
        """As `ComponentCache.full_precision`."""
        return self.cache.full_precision(self.checkpoint)
