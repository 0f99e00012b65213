"""The answer to `txt2img` and `img2img`, with `info`, in that server's shape: a text that holds JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

from ..api_job import Paintings
from .infotext import Planned, infotext
from .orders import ImageOrder, Order
from .runs import Run

__all__ = ["answer"]


def answer(
    order: Order,
    parameters: dict[str, Any],
    done: Paintings,
    run: Run,
    ignored: tuple[str, ...],
    planned: Planned,
    version: str,
) -> dict[str, Any]:
    """The answer. ``planned`` is what was to be made: all that there is to say where nothing was."""
    images = [base64.b64encode(file).decode() for file in done.files] if order.send_images else []
    info = _info(order, done, run, planned, version)
    info["paintbridge"] = {"ignored": list(ignored), "notes": list(done.hints)}
    return {"images": images, "parameters": _repeated(parameters), "info": json.dumps(info)}


def _info(order: Order, done: Paintings, run: Run, planned: Planned, version: str) -> dict[str, Any]:
    seeds = [recipe.settings.sampling.seed for recipe in done.recipes]
    texts = [infotext(order, recipe, version) for recipe in done.recipes]
    if not seeds:
        # As there: what an interrupted request was to make is told all the same, and its text.
        seeds = [(order.seed + index) % (1 << 64) for index in range(order.n_iter * order.batch_size)]
        texts = [infotext(order, planned, version)]
    made_by = done.recipes[0] if done.recipes else planned
    return {
        "prompt": order.prompt,
        "all_prompts": [order.prompt] * len(seeds),
        "negative_prompt": order.negative_prompt,
        "all_negative_prompts": [order.negative_prompt] * len(seeds),
        "seed": order.seed,
        "all_seeds": seeds,
        "subseed": -1,
        "all_subseeds": [-1] * len(seeds),
        "subseed_strength": 0,
        "width": order.width,
        "height": order.height,
        "sampler_name": order.sampler,
        "cfg_scale": order.cfg_scale,
        "steps": order.steps,
        "batch_size": order.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": made_by.settings.checkpoint,
        "sd_model_hash": made_by.checkpoint_hash[:10],
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": order.strength if isinstance(order, ImageOrder) or order.hires is not None else 0,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": texts,
        "styles": [],
        "job_timestamp": run.since.strftime("%Y%m%d%H%M%S"),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": f"Paintbridge {version}",
    }


def _repeated(parameters: dict[str, Any]) -> dict[str, Any]:
    """A request's fields, without its pictures unless it asks for them."""
    if parameters.get("include_init_images") is True:
        return parameters
    pictures = ("init_images", "mask", "latent_mask", "alwayson_scripts")
    return {name: None if name in pictures else value for name, value in parameters.items()}
