"""Ye et al. 2023, "IP-Adapter": a reference that a UNet's cross-attentions look at beside the text.

Which of them do says what of the reference is painted (Wang et al. 2024, "InstantStyle").
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from ...models import CheckpointUnreadable, ConditionUnsupported, ControlNet
from ...models.ip_adapter import encoder_width
from ...models.tensor_file import read_header
from ..model import Effect, LatentModel, ModelInputs
from ..tensor_reading import read_tensors
from .guide_input import GuideInput

__all__ = ["AttendedImage", "IPAdapter", "IPAdapterConditioner", "IPAdapterLoader", "attending", "layers_of_role"]

# CLIP's.
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_LAYERS = {"style": "up_blocks.0.attentions.1.", "layout": "down_blocks.2.attentions.1."}


class IPAdapter(nn.Module):
    """`encoder` makes states of a picture, `projection` tokens of these; `keys` and `values` are one for each
    cross-attention of a UNet, in the order of its modules. `pooled`: the projection takes the encoder's
    projected state.
    """

    def __init__(self, encoder: Any, projection: nn.Module, keys: nn.ModuleList, values: nn.ModuleList, pooled: bool):
        super().__init__()
        self.encoder, self.projection, self.keys, self.values, self.pooled = encoder, projection, keys, values, pooled

    @torch.no_grad()
    def tokens(self, picture: torch.Tensor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of a picture (1, 3, h, w), 0..1, of any size, and those of none: (1, tokens, width) each."""
        dtype = next(self.keys.parameters()).dtype
        pixels = _seen(picture, self.encoder.config.image_size).to(device, dtype)
        if self.pooled:
            state = self.encoder(pixels).image_embeds
            states, nothing = state, torch.zeros_like(state)
        else:
            states, nothing = (
                self.encoder(one, output_hidden_states=True).hidden_states[-2]
                for one in (pixels, torch.zeros_like(pixels))
            )
        return self.projection(states), self.projection(nothing)


@dataclass(frozen=True)
class AttendedImage:
    """Tokens of a reference for `conditional` and, (1, tokens, width), for `unconditional` predictions.

    `layers` are the numbers of the cross-attentions that look at them.
    """

    net: IPAdapter
    conditional: torch.Tensor
    unconditional: torch.Tensor
    layers: frozenset[int]
    strength: float = 1.0
    mask: torch.Tensor | None = None

    def weighted(self, strength: float, mask: torch.Tensor | None) -> "AttendedImage":
        """As `Effect.weighted`."""
        return replace(self, strength=self.strength * strength, mask=mask)

    def added(self, layer: int, query: torch.Tensor, heads: int, without: int, size: tuple[int, int]) -> torch.Tensor:
        """What it adds to that cross-attention of `query` (n, places, width), before the last projection.

        The first `without` of the batch are unconditional; `size` is that of the latents.
        """
        rows = [self.unconditional.expand(without, -1, -1), self.conditional.expand(len(query) - without, -1, -1)]
        tokens = torch.cat(rows).to(query)
        keys, values = self.net.keys[layer](tokens), self.net.values[layer](tokens)
        split = [one.unflatten(2, (heads, -1)).transpose(1, 2) for one in (query, keys, values)]
        found = self.strength * scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
        if self.mask is None:
            return found
        grid = _grid(query.shape[1], size)
        return found * interpolate(self.mask.to(found), size=grid, mode="area").flatten()[:, None]


@dataclass(frozen=True)
class IPAdapterConditioner:
    """A reference that is the same for every part of a plane."""

    image: AttendedImage

    def crop(self, rows: slice, columns: slice) -> "IPAdapterConditioner":  # noqa: ARG002
        """As `Conditioner.crop`."""
        return self

    def apply(self, inputs: ModelInputs, added: Mapping[str, torch.Tensor]) -> AttendedImage:  # noqa: ARG002
        """As `Conditioner.apply`."""
        return self.image


class IPAdapterLoader:
    """Loads IP-Adapters and their image encoders (`GuideLoader`)."""

    effect: type[Effect] = AttendedImage

    def load(self, files: ControlNet, dtype: torch.dtype) -> IPAdapter:
        """Raises CheckpointUnreadable where its weights do not fit each other, ConditionUnsupported without encoder."""
        tensors = read_tensors(files.path).widened(dtype)
        encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(
            files.image_encoder().path, local_files_only=True, use_safetensors=True, dtype=dtype
        )
        projection_tensors, layers = {}, defaultdict[str, dict[int, torch.Tensor]](dict)
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part == "image_proj":
                projection_tensors[rest] = tensor
            else:
                number, _, role = rest.partition(".")
                layers[role][int(number)] = tensor
        try:
            # The one table of these projections' names that there is; it uses nothing of the UNet.
            convert: Any = UNet2DConditionModel._convert_ip_adapter_image_proj_to_diffusers
            projection: nn.Module = convert(None, projection_tensors, low_cpu_mem_usage=False)
            keys, values = (_projections(layers[f"to_{one}_ip.weight"]) for one in ("k", "v"))
        except (RuntimeError, KeyError, ValueError) as error:
            raise CheckpointUnreadable(
                "{id} cannot be loaded: its tensors do not fit each other.",
                hint="Download or copy it again.",
                id=files.id,
            ) from error
        pooled = encoder_width(read_header(files.path).shapes)[0] == "projection_dim"
        return IPAdapter(encoder, projection.to(dtype), keys, values, pooled)

    def prepare(self, network: Any, shown: GuideInput, model: LatentModel) -> IPAdapterConditioner:
        """As `GuideLoader.prepare`. Raises ConditionUnsupported for a UNet of other layers than it was made for."""
        names = [name for name, _ in _cross_attentions(model.modules["unet"])]
        layers = layers_of_role(names, shown.role)
        if len(names) != len(network.keys) or not layers:
            raise ConditionUnsupported(
                "The IP-Adapter was made for a model of other layers than those of {id}.",
                hint="Choose another one, or another checkpoint.",
                id=model.checkpoint.id,
            )
        tokens, nothing = network.tokens(shown.picture, model.device.torch_device)
        return IPAdapterConditioner(AttendedImage(network, tokens, nothing, layers))


def layers_of_role(names: Sequence[str], role: str) -> frozenset[int]:
    """The numbers of the cross-attentions, of these names, that look at a reference of which that is painted."""
    return frozenset(number for number, name in enumerate(names) if name.startswith(_LAYERS.get(role, "")))


@contextmanager
def attending(unet: nn.Module, images: Sequence[AttendedImage], inputs: ModelInputs) -> Iterator[None]:
    """Meanwhile the UNet's cross-attentions look at these images too, but for those that count nowhere."""
    images = [one for one in images if one.mask is None or bool((one.mask > 0).any())]
    height, width = inputs.latents.shape[-2:]
    with ExitStack() as stack:
        for number, (_, attention) in enumerate(_cross_attentions(unet) if images else ()):
            looking = [one for one in images if number in one.layers]
            for handle in _hooked(attention, number, looking, inputs.unconditional, (height, width)):
                stack.callback(handle.remove)
        yield


def _hooked(
    attention: Any, number: int, images: Sequence[AttendedImage], without: int, size: tuple[int, int]
) -> Iterator[Any]:
    queries: list[torch.Tensor] = []

    def keep(_: nn.Module, __: Any, query: torch.Tensor) -> None:
        queries[:] = [query]

    def add(_: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        query = queries.pop()
        return (sum((one.added(number, query, attention.heads, without, size) for one in images), args[0]), *args[1:])

    if images:
        yield attention.to_q.register_forward_hook(keep)
        yield attention.to_out[0].register_forward_pre_hook(add)


def _cross_attentions(unet: nn.Module) -> list[tuple[str, Any]]:
    """In the order in which IP-Adapters' files number them."""
    return [(name, module) for name, module in unet.named_modules() if name.endswith(".attn2")]


def _projections(weights: Mapping[int, torch.Tensor]) -> nn.ModuleList:
    made = nn.ModuleList()
    for number in sorted(weights):
        linear = nn.Linear(weights[number].shape[1], weights[number].shape[0], bias=False, device="meta")
        linear.load_state_dict({"weight": weights[number]}, assign=True)
        made.append(linear)
    return made


def _grid(places: int, size: tuple[int, int]) -> tuple[int, int]:
    """The size of the latents, halved until so many places are left."""
    height, width = size
    while height * width > places:
        height, width = -(-height // 2), -(-width // 2)
    return height, width


def _seen(picture: torch.Tensor, side: int) -> torch.Tensor:
    """The middle square of a picture (1, 3, h, w), 0..1, as CLIP reads it: (1, 3, side, side)."""
    scale = side / min(picture.shape[-2:])
    size = [max(side, round(edge * scale)) for edge in picture.shape[-2:]]
    if size != list(picture.shape[-2:]):
        picture = interpolate(picture, size, mode="bicubic", antialias=True).clamp(0, 1)
    top, left = ((edge - side) // 2 for edge in size)
    mean, std = (torch.tensor(one)[:, None, None] for one in (_MEAN, _STD))
    return (picture[..., top : top + side, left : left + side] - mean) / std
