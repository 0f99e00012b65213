"""What a model does: prompts, latents, predictions, samplers, the denoising loop. Imports torch, so only the worker
imports it.

`model` says what denoising and the painter know of a model; each of `architectures` is one. `conditioning` are its
guides, `model_cache` what is in memory.
"""

from .architectures import register_architecture
from .conditioning import GuideFiles, GuideInput, check_takes, guide_loader, register_guide
from .denoise import DenoiseInputs, denoise, steps_taken
from .device import Device, find_device
from .finite import ModelNotFinite
from .loading import ModuleLoader, Offload, Placement
from .lora import Adapters
from .model import (
    Conditioner,
    Effect,
    EncodedPrompts,
    LatentModel,
    MaskInput,
    ModelInputs,
    PromptEmbeds,
    Regional,
    TakesReferences,
    WeightedConditioner,
    WeightedLora,
    embeddings_of,
    pooled_mask,
    within,
)
from .model_cache import ModelCache, OnDemand, load
from .noise import seeded_noise
from .preview import PreviewMaker, fit_latent_to_rgb

__all__ = [
    "Adapters",
    "Conditioner",
    "DenoiseInputs",
    "Device",
    "Effect",
    "EncodedPrompts",
    "GuideFiles",
    "GuideInput",
    "LatentModel",
    "MaskInput",
    "ModelCache",
    "ModelInputs",
    "ModelNotFinite",
    "ModuleLoader",
    "Offload",
    "OnDemand",
    "Placement",
    "PreviewMaker",
    "PromptEmbeds",
    "Regional",
    "TakesReferences",
    "WeightedConditioner",
    "WeightedLora",
    "check_takes",
    "denoise",
    "embeddings_of",
    "find_device",
    "fit_latent_to_rgb",
    "guide_loader",
    "load",
    "pooled_mask",
    "register_architecture",
    "register_guide",
    "seeded_noise",
    "steps_taken",
    "within",
]
