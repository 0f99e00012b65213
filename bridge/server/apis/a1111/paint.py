"""`txt2img` and `img2img`: a request's jobs, one after the other, and the answer with their pictures.

How its masked modes come to the bridge's: `inpainting_fill` 0 (fill) is a fill from blurred surroundings, 1 (original)
a refine, 2 (latent noise) a fill that starts from noise alone, 3 (latent nothing) one that starts from plain grey.
`mask_blur` is the feather, so that nothing further than that from the mask changes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Sequence
from typing import Any

from ....imaging.orders import Ground, Selecting, Thumbnail
from ....imaging.process import Imaging
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo, Extent, Recipe
from ...service import Service
from ..painting import Easel, Paintings
from ..visitor import JobStopped, Visitor
from .controlnet import guide
from .extras import ExtraOrder, upscale
from .infotext import infotext
from .options import Options
from .orders import ImageOrder, Order
from .runs import Run, Runs

__all__ = ["Painter"]

_FITS = ("stretch", "crop", "pad", "stretch")
# Kind, mode, and whether it starts from noise alone, by `inpainting_fill`.
_MASKED = (("fill", "fill", False), ("refine", "auto", False), ("fill", "add", True), ("fill", "add", False))


class Painter:
    """Does this API's jobs. Belongs to one event loop."""

    def __init__(self, service: Service, visitor: Visitor, imaging: Imaging) -> None:
        self.options = Options()
        self.runs = Runs(visitor.stop)
        self._service = service
        self._visitor = visitor
        self._imaging = imaging

    async def paint(self, order: Order, parameters: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Do a request. Returns the answer, and the names of fields that had no effect.

        Args:
            parameters: the request's own fields, which the answer repeats without pictures.

        Raises:
            BridgeError: it was refused, or failed.
        """
        checkpoints = await self.checkpoints()
        checkpoint, file_kind, unheeded = self.options.override(order.overrides, checkpoints)
        if not order.restore_afterwards:
            self.options.change(order.overrides, checkpoints)
        ignored = (*order.ignored, *(f"override_settings.{name}" for name in unheeded))
        easel = self._easel()
        with self.runs.run("img2img" if isinstance(order, ImageOrder) else "txt2img", order.n_iter, order.steps) as run:
            job = {**await _lay_out(easel, order), "checkpoint": checkpoint}
            if order.units:
                repainted = order.picture if isinstance(order, ImageOrder) else None
                job["conditions"] = await guide(easel, order.units, await self._service.controlnets(), repainted)
            done = await self._rounds(easel, order, run, job, file_kind)
        for recipe in done.recipes:
            self.options.learn(recipe.checkpoint, recipe.checkpoint_hash)
        return await asyncio.to_thread(self._answer, order, parameters, done, run, ignored), ignored

    async def upscale(self, order: ExtraOrder) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Enlarge a picture. Returns and raises as :meth:`paint`."""
        checkpoint, _, _ = self.options.override({}, await self.checkpoints())
        with self.runs.run("extras", 1, 0) as run:
            return await upscale(self._easel(), order, run, self._visitor.name(), checkpoint), order.ignored

    async def progress(self, *, with_image: bool) -> dict[str, Any]:
        """The answer to `progress`."""
        state = self.runs.state()
        run = self.runs.current
        if with_image and run is not None and run.preview is not None:
            preview = run.preview
            png = await self._imaging.thumbnail(Thumbnail(preview.width, preview.height, preview.data))
            state["current_image"] = base64.b64encode(png).decode()
        return state

    async def checkpoints(self) -> Sequence[CheckpointInfo]:
        """Those that are here."""
        return (await self._service.stock.look()).checkpoints

    # ------------------------------------------------------------ inside

    def _easel(self) -> Easel:
        return Easel(self._visitor, self._imaging, self._service.settings.picture_pixels)

    async def _rounds(self, easel: Easel, order: Order, run: Run, job: dict[str, Any], file_kind: str) -> Paintings:
        done = Paintings()
        for number in range(order.n_iter):
            if run.interrupted:
                break
            run.begin(self._visitor.name(), number)
            try:
                done += await easel.paint(
                    run.job,
                    run.follow,
                    lambda recipe: [("parameters", infotext(order, recipe, self._service.version))],
                    file_kind=file_kind,
                    seed=(order.seed + number * order.batch_size) % (1 << 64),
                    **job,
                )
            except JobStopped:
                # By `skip` or `interrupt`; what is done already is the answer.
                continue
        return done

    def _answer(
        self, order: Order, parameters: dict[str, Any], done: Paintings, run: Run, ignored: tuple[str, ...]
    ) -> dict[str, Any]:
        images = [base64.b64encode(file).decode() for file in done.files] if order.send_images else []
        return {
            "images": images,
            "parameters": _repeated(parameters),
            "info": json.dumps(self._info(order, done, run, ignored)),
        }

    def _info(self, order: Order, done: Paintings, run: Run, ignored: tuple[str, ...]) -> dict[str, Any]:
        seeds = [recipe.seed for recipe in done.recipes]
        made_by: Recipe | None = done.recipes[0] if done.recipes else None
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
            "sd_model_name": made_by.checkpoint if made_by else None,
            "sd_model_hash": made_by.checkpoint_hash[:10] if made_by else None,
            "sd_vae_name": None,
            "sd_vae_hash": None,
            "seed_resize_from_w": -1,
            "seed_resize_from_h": -1,
            "denoising_strength": order.strength if isinstance(order, ImageOrder) else None,
            "extra_generation_params": {},
            "index_of_first_image": 0,
            "infotexts": [infotext(order, recipe, self._service.version) for recipe in done.recipes],
            "styles": [],
            "job_timestamp": run.since.strftime("%Y%m%d%H%M%S"),
            "clip_skip": 1,
            "is_using_inpainting_conditioning": False,
            "version": f"Paintbridge {self._service.version}",
            "paintbridge": {"ignored": list(ignored), "notes": list(done.hints)},
        }


async def _lay_out(easel: Easel, order: Order) -> dict[str, Any]:
    """Lay the request's picture out; the job's fields."""
    job: dict[str, Any] = {
        "prompt": order.prompt,
        "negative_prompt": order.negative_prompt,
        "batch": order.batch_size,
        "steps": order.steps,
        "guidance": order.cfg_scale,
        "sampler": order.sampler,
    }
    size = Extent(order.width, order.height)
    if not isinstance(order, ImageOrder):
        easel.blank(size.width, size.height)
        return {**job, "kind": "generate"}
    if size.width * size.height > easel.most_pixels:
        raise BridgeError("picture_too_large", f"A picture of {size.width} x {size.height} pixels is too large.")
    picture = easel.look(order.picture)
    ground = Ground(picture, size, _FITS[order.resize_mode])
    if order.mask is None:
        await easel.lay_out(ground, None)
        return {**job, "kind": "refine", "strength": order.strength}
    if order.full_res:
        # Only what is masked is painted, at a density of its own, and laid into the picture as it is.
        ground = Ground(picture)
    selecting = Selecting(
        easel.look(order.mask),
        "luminance",
        invert=order.invert,
        close=order.full_res,
        room=math.ceil(order.mask_blur) + order.full_res_padding,
        shape=size,
    )
    await easel.lay_out(ground, selecting)
    kind, mode, afresh = _MASKED[order.fill]
    strength = 1.0 if afresh else order.strength
    return {**job, "kind": kind, "mode": mode, "strength": strength, "grow": 0.0, "feather": order.mask_blur}


def _repeated(parameters: dict[str, Any]) -> dict[str, Any]:
    """A request's fields, without its pictures unless it asks for them."""
    if parameters.get("include_init_images") is True:
        return parameters
    pictures = ("init_images", "mask", "latent_mask", "alwayson_scripts")
    return {name: None if name in pictures else value for name, value in parameters.items()}
