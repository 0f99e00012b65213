"""A family unlike all others, and a guide that is no ControlNet, registered through public doors alone.

Latents of 64 channels at 16 pixels; a small Qwen3 for a text encoder, whose prompts are padded; flow matching, shifted
by the plane's tokens; no inpainting variant. The denoiser knows its answer: a plane of one colour, which the prompt
tells, or the guide's picture where a guide says so. So what is painted can be told from what should be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import interpolate
from transformers import Qwen3Config, Qwen3Model

from bridge.control_kinds import ControlKind, PictureReading
from bridge.diffusion import (
    Device,
    EncodedPrompts,
    GuideInput,
    MaskInput,
    ModelInputs,
    ModuleLoader,
    PromptEmbeds,
    WeightedLora,
    fit_latent_to_rgb,
    pooled_mask,
    register_architecture,
    register_guide,
)
from bridge.diffusion.schedules import FlowMatchingSchedule
from bridge.diffusion.schedules.flow_matching import LinearMu
from bridge.models import Checkpoint, ConditionUnsupported, Family
from bridge.models.card import read_card
from bridge.models.checkpoint import DenoiserShape
from bridge.models.control_kinds import register_control_kind
from bridge.models.families import Recognition, TextPart, register
from bridge.models.hashing import content_hash
from bridge.models.parts import Layout
from bridge.models.schedule import Prediction, ScheduleKind

__all__ = ["TOY", "TOY_OF_ANY_SIZE", "TOY_WITH_REFERENCE", "ToyGuide", "build_toy", "colour_of"]

CHANNELS, SCALE, WIDTH, PLACES = 64, 16, 16, 12
_MARK = "toy.colour"

TOY = Family(
    name="Toy",
    title="Toy",
    native_pixels=256 * 256,
    multiple=16,
    pixels_per_latent=SCALE,
    latent_channels=CHANNELS,
    default_steps=4,
    default_guidance=1.0,
    default_sampler="Euler",
    texts=(TextPart(encoder="language_model"),),
    schedule=ScheduleKind.FLOW_MATCHING,
    architecture="toy",
    denoiser="transformer",
)
TOY_WITH_REFERENCE = replace(TOY, name="ToyReference", title="Toy with a reference")
TOY_OF_ANY_SIZE = replace(TOY, name="ToyOfAnySize", title="Toy of any size", native_range=(32 * 32, 400 * 400))
_FAMILIES = {"blend": TOY, "reference": TOY_WITH_REFERENCE, "any size": TOY_OF_ANY_SIZE}


class _Autoencoder(nn.Module):
    """Sixteen blocks of 4 x 4 pixels to a latent, and 16 channels more; normalized by statistics of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full((CHANNELS,), 0.1))
        self.std = nn.Parameter(torch.full((CHANNELS,), 0.6))

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        blocks = nn.functional.pixel_unshuffle(nn.functional.avg_pool2d(pixels, 4), 4)
        latents = torch.cat([blocks, blocks[:, :16]], dim=1)
        return (latents - self.mean[:, None, None]) / self.std[:, None, None]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        blocks = latents * self.std[:, None, None] + self.mean[:, None, None]
        return interpolate(nn.functional.pixel_shuffle(blocks[:, :48], 4), scale_factor=4, mode="nearest")


class _Denoiser(nn.Module):
    """The velocity towards planes of a colour, (n, 3) in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = nn.Linear(WIDTH, 3)

    def forward(self, text: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        counted = mask[..., None].to(text)
        return torch.tanh(2 * self.colour((text * counted).sum(dim=1) / counted.sum(dim=1)))


def _language_model() -> Qwen3Model:
    return Qwen3Model(
        Qwen3Config(
            vocab_size=64, hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8, max_position_embeddings=PLACES,
        )
    )  # fmt: skip


_MODULES: dict[str, Callable[[], nn.Module]] = {
    "transformer": _Denoiser,
    "vae": _Autoencoder,
    "language_model": _language_model,
}


def build_toy(path: Path, *, variant: str = "blend", seed: int = 0) -> Path:
    """Writes a checkpoint of the family as one file; returns it."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    tensors = {
        f"{part}.{name}": tensor.clone()
        for part, make in _MODULES.items()
        for name, tensor in make().state_dict().items()
    }
    torch.random.set_rng_state(state)
    tensors[_MARK] = torch.tensor([float(list(_FAMILIES).index(variant))])
    save_file(tensors, path, metadata={"variant": variant})
    return path


def _inspect(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        family = _FAMILIES[file.metadata()["variant"]]
    return Checkpoint(
        id=path.stem,
        path=path,
        layout=Layout.FILE,
        family=family,
        inpaint=False,
        prediction=Prediction.FLOW,
        zero_terminal_snr=False,
        force_zeros_for_empty_prompt=False,
        card=read_card(path.with_suffix(".json"), name=path.stem, family=family),
        files=(path,),
        shape=DenoiserShape(0, 0),
    )


@dataclass(frozen=True)
class _ToyModel:
    checkpoint: Checkpoint
    device: Device
    modules: Mapping[str, nn.Module]
    latent_to_rgb: torch.Tensor
    loras: tuple[WeightedLora, ...] = ()
    latent_channels: int = CHANNELS
    pixels_per_latent: int = SCALE
    guidance_embeds: bool = False
    inner_blocks: tuple = ()
    effects: tuple[type, ...] = ()

    @property
    def mask_input(self) -> MaskInput:
        return MaskInput.REFERENCE if self.checkpoint.family == TOY_WITH_REFERENCE else MaskInput.BLEND

    def configured(self, checkpoint, loras, *, check):  # noqa: ARG002
        assert not loras
        return replace(self, checkpoint=checkpoint)

    def schedule(self, size, steps):
        return FlowMatchingSchedule(mu=LinearMu()).for_image(size[0] * size[1], steps)

    @torch.no_grad()
    def encode_prompts(self, positive, negative, *, guided=True):  # noqa: ARG002
        numbers = [[1, *(ord(letter) % 64 for letter in text)][:PLACES] for text in (positive, negative)]
        longest = max(map(len, numbers))
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in numbers])
        padded = torch.tensor([one + [0] * (longest - len(one)) for one in numbers])
        states = self.modules["language_model"](padded, attention_mask=mask).last_hidden_state
        one, other = (PromptEmbeds(states[[at]], mask=mask[[at]] > 0) for at in (0, 1))
        return EncodedPrompts(one, other)

    @torch.no_grad()
    def encode(self, rgb):
        pixels = torch.from_numpy(np.ascontiguousarray(rgb, np.float32)).permute(2, 0, 1)[None]
        return self.modules["vae"].encode(pixels * 2 - 1)

    @torch.no_grad()
    def decode(self, latents):
        pixels = self.modules["vae"].decode(latents)[0].permute(1, 2, 0) / 2 + 0.5
        return pixels.clamp(0, 1).contiguous().numpy()

    def encode_mask(self, mask):
        return pooled_mask(mask, SCALE)

    @torch.no_grad()
    def predict(self, inputs: ModelInputs) -> torch.Tensor:
        """Along a flow x = (1 - t) * clean + t * noise the velocity is (x - clean) / t."""
        height, width = inputs.latents.shape[2:]
        colour = self.modules["transformer"](inputs.prompt.embeds, inputs.prompt.mask)
        plane = colour[:, :, None, None].expand(-1, -1, height * SCALE, width * SCALE)
        clean = self.modules["vae"].encode(plane)
        if inputs.masked_image_latents is not None:
            clean = (clean + inputs.masked_image_latents) / 2
        for guide in inputs.conditioners:
            effect = guide.effect(inputs, {})
            assert isinstance(effect, _Pull)
            clean = clean + effect.weight * (effect.clean - clean)
        return (inputs.latents - clean) / inputs.timestep


def _load(checkpoint: Checkpoint, loader: ModuleLoader) -> _ToyModel:
    def read(part: str) -> nn.Module:
        module = _MODULES[part]()
        tensors = load_file(checkpoint.path)
        prefix = f"{part}."
        module.load_state_dict(
            {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
        )
        return module

    modules = {
        part: loader(
            lambda part=part: read(part),
            content=lambda part=part: (part, checkpoint.content_hash(check=loader.check)),
            dtype=torch.float32,
            denoiser=part == "transformer",
        )
        for part in _MODULES
    }
    latent_to_rgb = fit_latent_to_rgb(modules["vae"].decode, CHANNELS)
    return _ToyModel(checkpoint, loader.device, modules, latent_to_rgb, effects=(_Pull,))


@dataclass(frozen=True)
class _Pull:
    """Towards other clean latents (1, c, h, w), with a weight 0..1."""

    clean: torch.Tensor
    weight: torch.Tensor

    def weighted(self, strength: float, mask: torch.Tensor | None) -> "_Pull":
        where = 1.0 if mask is None else interpolate(mask, size=self.clean.shape[2:], mode="area")
        return replace(self, weight=self.weight * strength * where)


@dataclass(frozen=True)
class _PullingConditioner:
    network: _Autoencoder
    picture: torch.Tensor

    def crop(self, rows: slice, columns: slice) -> "_PullingConditioner":
        return replace(self, picture=self.picture[..., rows, columns])

    def apply(self, inputs: ModelInputs, added) -> _Pull:  # noqa: ARG002
        return _Pull(self.network.encode(self.picture * 2 - 1), torch.ones(1, 1, *inputs.latents.shape[2:]))


@dataclass(frozen=True)
class ToyGuide:
    """A guide on disk."""

    path: Path
    files: tuple[Path, ...] = field(default=())
    loader: str = "toy"

    @property
    def id(self) -> str:
        return self.path.stem

    def content(self, check: Callable[[], None]) -> str:
        return content_hash(self.path, (self.path,), check=check)

    def check_fits(self, checkpoint: Checkpoint) -> None:
        if checkpoint.family.architecture != "toy":
            raise ConditionUnsupported(f"{self.id} does not guide {checkpoint.id}.")


class _ToyGuideLoader:
    effect = _Pull

    def load(self, files: ToyGuide, dtype: torch.dtype) -> nn.Module:  # noqa: ARG002
        return _Autoencoder()

    def prepare(self, network: _Autoencoder, shown: GuideInput, model) -> _PullingConditioner:  # noqa: ARG002
        return _PullingConditioner(network, shown.picture)


def colour_of(model: _ToyModel, prompt: str) -> np.ndarray:
    """What the denoiser paints for a prompt, (3), 0..1."""
    embeds = model.encode_prompts(prompt, "").positive
    return model.modules["transformer"](embeds.embeds, embeds.mask)[0].detach().numpy() / 2 + 0.5


register(Recognition(TOY, lambda _: False, lambda shapes: _MARK in shapes, _inspect))
register_architecture("toy", _load)
register_guide("toy", _ToyGuideLoader())
register_control_kind(ControlKind("swatch", "swatch", (3, 4), PictureReading.LABEL_COLOURS, ("swatch",)))
