"""What a model does: latents, prompts, samplers, the denoising loop. Imports torch, so only the worker imports it."""

from .architecture import predict
from .components import ComponentCache, Components, OnDemand, load
from .control import Control, acts
from .denoise import Walk, denoise, steps_taken
from .device import Device, find_device
from .finite import ModelNotFinite
from .latents import decode, encode, seeded_noise
from .lora import Adapters, WornLora
from .preview import PreviewMaker
from .prompt import Conditioning, encode_prompt

__all__ = [
    "Adapters",
    "ComponentCache",
    "Components",
    "Conditioning",
    "Control",
    "Device",
    "ModelNotFinite",
    "OnDemand",
    "PreviewMaker",
    "Walk",
    "WornLora",
    "acts",
    "decode",
    "denoise",
    "encode",
    "encode_prompt",
    "find_device",
    "load",
    "predict",
    "seeded_noise",
    "steps_taken",
]
