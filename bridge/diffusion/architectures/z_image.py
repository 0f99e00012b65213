"""Z-Image: one stream of a picture's and a language model's tokens, and FLUX.1's autoencoder.

Z-Image Team 2025, "Z-Image: An Efficient Image Generation Foundation Model with Single-Stream Diffusion Transformer"
(arXiv 2511.22699). Tokens are squares of 2 x 2 latents.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import convert_z_image_transformer_checkpoint_to_diffusers
from torch import nn

from ...models import Checkpoint, Family
from ..autoencoder import decode_latents
from ..conditioning.block_residuals import BlockResiduals, summed_block_residuals
from ..conversion import Tensors, convert_original
from ..finite import ModelStep, check_finite
from ..loading import ModuleLoader
from ..lora import Adapters
from ..model import Effect, EncodedPrompts, MaskInput, ModelInputs
from ..preview import fit_latent_to_rgb
from ..schedules import FlowMatchingSchedule, ModelTime
from ..text_encoders.language_model import LanguageModel, encode_prompts
from ..weights import weights_of
from .transformer import TransformerModel

__all__ = ["ZImageModel", "convert", "load", "original_names", "part_classes"]

_LATENTS_PER_TOKEN = 2
_convert_transformer: Any = convert_z_image_transformer_checkpoint_to_diffusers


@dataclass(frozen=True, kw_only=True)
class ZImageModel(TransformerModel):
    """A loaded checkpoint of Z-Image (`bridge.diffusion.LatentModel`)."""

    language_model: LanguageModel

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """As `LatentModel.modules`."""
        return {"text_encoder": self.language_model.module, "transformer": self.transformer, "vae": self.vae}

    @property
    def mask_input(self) -> MaskInput:
        """By blending alone, and by a guide where there is one."""
        return MaskInput.BLEND

    @property
    def effects(self) -> tuple[type[Effect], ...]:
        """What its ControlNets add."""
        return (BlockResiduals,)

    def schedule(self, size: tuple[int, int], steps: int) -> FlowMatchingSchedule:
        """As its variant is shifted: by a constant, so far."""
        shift = self.checkpoint.variant.shift if self.checkpoint.variant else 1.0
        tokens = size[0] * size[1] // _LATENTS_PER_TOKEN**2
        return FlowMatchingSchedule.shifted_by(shift, tokens, steps, model_time=ModelTime.SIGNAL)

    def encode_prompts(self, positive: str, negative: str, *, guided: bool = True) -> EncodedPrompts:
        """As `LatentModel.encode_prompts`."""
        return encode_prompts(self.language_model, positive, negative, self, guided=guided)

    @torch.no_grad()
    def predict(self, inputs: ModelInputs) -> torch.Tensor:
        """As `LatentModel.predict`. The transformer itself predicts the velocity towards the clean latents."""
        latents = inputs.latents
        predicted = self.transformer(
            list(latents[:, :, None].unbind()),
            torch.full((len(latents),), float(inputs.timestep), device=latents.device),
            inputs.prompt.unpadded(),
            controlnet_block_samples=summed_block_residuals([one.effect(inputs, {}) for one in inputs.conditioners]),
            return_dict=False,
        )[0]
        return -torch.stack(predicted)[:, :, 0]


def part_classes(family: Family) -> dict[str, Any]:  # noqa: ARG001
    """The classes of the parts that have weights, by their names in a diffusers folder."""
    return {
        "text_encoder": transformers.Qwen3Model,
        "vae": diffusers.AutoencoderKL,
        "transformer": diffusers.ZImageTransformer2DModel,
    }


def original_names(transformer: Any) -> dict[str, tuple[str, ...]]:
    """The paths of the transformer's linear layers by their original names: of several, whose outputs one after the
    other are the original's.
    """
    names: dict[str, tuple[str, ...]] = {
        original: (path,)
        for original, path in (
            ("x_embedder", "all_x_embedder.2-1"),
            ("final_layer.linear", "all_final_layer.2-1.linear"),
            ("final_layer.adaLN_modulation.1", "all_final_layer.2-1.adaLN_modulation.1"),
        )
    }
    for blocks in ("layers", "noise_refiner", "context_refiner"):
        for number in range(len(getattr(transformer, blocks))):
            attention = f"{blocks}.{number}.attention"
            names[f"{attention}.qkv"] = tuple(f"{attention}.to_{one}" for one in "qkv")
            names[f"{attention}.out"] = (f"{attention}.to_out.0",)
    return names


def convert(part: str, tensors: Tensors, module: nn.Module) -> Tensors:
    """The part's tensors under the names that its module has; those that it does not know are left out."""
    if part == "transformer":
        converted: Tensors = _convert_transformer(dict(tensors))
        return converted
    if part == "vae":
        return convert_original(part, tensors, module)
    return {name.removeprefix("model."): one for name, one in tensors.items()}


def load(checkpoint: Checkpoint, loader: ModuleLoader) -> ZImageModel:
    """The checkpoint's parts, each by `loader`.

    Raises CheckpointUnreadable where a part's weights do not fit its config, and ModelNotFinite where the VAE decodes
    to no numbers.
    """
    weights = weights_of(checkpoint, convert)
    tokenizer = weights.tokenizer(checkpoint.family.texts[0], transformers.Qwen2TokenizerFast)
    modules = weights.modules(part_classes(checkpoint.family), loader)
    vae, device = modules["vae"], loader.device.torch_device
    model = ZImageModel(
        checkpoint=checkpoint,
        device=loader.device,
        language_model=LanguageModel(
            tokenizer, modules["text_encoder"], device, layers=(-2,), thinking=True, padded=False
        ),
        transformer=modules["transformer"],
        vae=vae,
        latent_to_rgb=fit_latent_to_rgb(
            lambda latents: decode_latents(vae, latents.to(device)), int(vae.config.latent_channels)
        ),
        adapters=Adapters(
            {"transformer": modules["transformer"]},
            loader.device,
            title=checkpoint.id,
            originals=original_names(modules["transformer"]),
        ),
    )
    # Before minutes are spent on latents that it could not decode.
    check_finite(model.latent_to_rgb, ModelStep.VAE, model)
    return model
