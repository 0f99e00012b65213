"""A trained checkpoint as a stock diffusers folder in half precision, with the card that the bridge reads."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint import StableDiffusionInpaintPipeline

from . import recipe as recipes
from .build import Models
from .denoiser import GUIDANCE, new_scheduler

__all__ = ["export", "pipeline"]

PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler")


def pipeline(built: Models) -> StableDiffusionInpaintPipeline:
    """The parts as the stock inpainting pipeline."""
    return StableDiffusionInpaintPipeline(
        vae=built.autoencoder,
        text_encoder=built.text_encoder,
        tokenizer=built.tokenizer,
        unet=built.unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def export(built: Models, recipe: dict[str, Any], folder: Path) -> None:
    """Write the checkpoint into ``folder``, in place of what is there; other files in it stay."""
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
    pipeline(built).to(torch.float16).save_pretrained(folder, safe_serialization=True)
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)
    tokenizer = folder / "tokenizer"
    source = Path(built.tokenizer.name_or_path)
    shutil.rmtree(tokenizer)
    shutil.copytree(source, tokenizer)
    (folder / "card.json").write_text(json.dumps(card(built, recipe), indent=2, ensure_ascii=False) + "\n")


def _share(seen: int, stage: dict[str, Any]) -> float:
    """How far along the recipe that is."""
    return round(seen / recipes.pictures(stage, recipes.steps(stage)), 3)


def card(built: Models, recipe: dict[str, Any]) -> dict[str, Any]:
    """What the bridge must know of the checkpoint."""
    names = [thing["name"] for thing in recipe["things"]]
    return {
        "name": recipe["name"],
        "family": "SD1",
        "native_pixels": recipe["native_size"] ** 2,
        "native_size": recipe["native_size"],
        "known_names": names,
        "empty_prompt": "infill",
        "masked_picture": "infill" if recipe["denoiser"].get("shown") else "grey",
        "default_steps": 20,
        "default_guidance": GUIDANCE,
        "sampler": "DDIM",
        "notes": (
            f"Paints {len(names)} simple things by name, softly, in the style of three-dimensional emoji, and nothing "
            "else. An empty prompt is left to the infill."
        ),
        "pictures": built.pictures,
        "of_recipe": {stage: _share(built.pictures[stage], recipe[stage]) for stage in recipes.STAGES},
    }
