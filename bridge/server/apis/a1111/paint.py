"""`txt2img` and `img2img`: a request's jobs, one after the other, and the answer with their pictures.

How its masked modes come to the bridge's: `inpainting_fill` 0 (fill) is a fill from blurred surroundings, 1 (original)
a refine, 2 (latent noise) a fill that starts from noise alone, 3 (latent nothing) one that starts from plain grey.
`mask_blur` is the feather, so that nothing further than that from the mask changes.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....imaging.orders import BaseImage, Selecting, Thumbnail
from ....imaging.process import Imaging
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo, Condition, Extent, JobSettings, Recipe, Sampling
from ...service import Service
from ..api_job import ApiJob, Paintings
from ..in_process import InProcessClient, JobStopped
from .answering import answer
from .controlnet import guide
from .detect import DetectOrder, estimate, openpose_json
from .extras import ExtraOrder, upscale
from .hires import Hires, scale_for
from .infotext import Planned, infotext
from .loras import without_unknown
from .options import Options
from .orders import ImageOrder, Order
from .runs import Run, Runs

__all__ = ["Painter"]

_FITS = ("stretch", "crop", "pad", "stretch")
# Kind, mode, and whether it starts from noise alone, by `inpainting_fill`.
_MASKED = (("fill", "fill", False), ("refine", "auto", False), ("fill", "add", True), ("fill", "add", False))


class Painter:
    """Does this API's jobs. Belongs to one event loop."""

    def __init__(self, service: Service, client: InProcessClient, imaging: Imaging) -> None:
        self.options = Options()
        self.runs = Runs(client.stop)
        self.service = service
        self.client = client
        self.imaging = imaging

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
        ignored += tuple(f"options.{name}" for name in self.options.missed if name not in order.overrides)
        rounds = order.n_iter * (1 if order.hires is None else 1 + order.batch_size)
        name = "img2img" if isinstance(order, ImageOrder) else "txt2img"
        with self.runs.run(name, rounds, order.steps) as run:
            jobs = _Jobs(self, order, run, checkpoint, file_kind)
            done = await jobs.paint()
        for recipe in done.recipes:
            self.options.learn(recipe.settings.checkpoint or "", recipe.checkpoint_hash)
        content = await asyncio.to_thread(
            answer, order, parameters, done, run, ignored, self._planned(order, checkpoint, checkpoints), self.version
        )
        return content, ignored

    async def upscale(self, orders: Sequence[ExtraOrder]) -> tuple[list[str], tuple[str, ...]]:
        """Enlarge pictures, all but those that were left when they were interrupted. Returns them in Base64, and hints.

        Raises:
            BridgeError: it was refused, or failed.
        """
        checkpoint, _, _ = self.options.override({}, await self.checkpoints())
        api_jobs = [(self.api_job(), order) for order in orders]
        pictures = [api_job.look(order.picture) for api_job, order in api_jobs]
        images: list[str] = []
        hints: dict[str, None] = {}
        with self.runs.run("extras", len(orders), 0) as run:
            for number, ((api_job, order), picture) in enumerate(zip(api_jobs, pictures, strict=True)):
                if run.interrupted:
                    break
                run.begin(self.client.name(), number)
                try:
                    file = await upscale(api_job, order, picture, run, checkpoint)
                except JobStopped:
                    continue
                images.append((await asyncio.to_thread(base64.b64encode, file)).decode())
                hints.update(dict.fromkeys(api_job.hints))
        return images, tuple(hints)

    async def detect(self, order: DetectOrder) -> tuple[list[str], list[dict[str, Any]], tuple[str, ...]]:
        """Make maps of pictures, all but those that were left when they were interrupted. Returns them in Base64, the
        poses of each, and hints.

        Raises:
            BridgeError: it was refused, or failed.
        """
        if order.settings is None:
            return [base64.b64encode(picture).decode() for picture in order.pictures], [], ()
        images, poses, hints = [], [], dict[str, None]()
        with self.runs.run("detect", len(order.pictures), 0) as run:
            for number, picture in enumerate(order.pictures):
                if run.interrupted:
                    break
                run.begin(self.client.name(), number)
                api_job = self.api_job()
                try:
                    done = await estimate(api_job, picture, run, order.settings)
                except JobStopped:
                    continue
                images.append((await asyncio.to_thread(base64.b64encode, done.files[0])).decode())
                poses.append(openpose_json(done.people, api_job.canvas))
                hints.update(dict.fromkeys(api_job.hints))
        return images, poses if order.settings["control_kind"] == "pose" else [], tuple(hints)

    async def progress(self, *, with_image: bool) -> dict[str, Any]:
        """The answer to `progress`."""
        state = self.runs.state()
        run = self.runs.current
        if with_image and run is not None and run.preview is not None:
            preview = run.preview
            png = await self.imaging.thumbnail(Thumbnail(preview.width, preview.height, preview.data))
            state["current_image"] = base64.b64encode(png).decode()
        return state

    async def checkpoints(self) -> Sequence[CheckpointInfo]:
        """Those that are here."""
        return (await self.service.models.current()).message.checkpoints

    def api_job(self) -> ApiJob:
        """For one request's pictures."""
        return ApiJob(self.client, self.imaging, self.service.settings.picture_pixels)

    @property
    def version(self) -> str:
        """The bridge's."""
        return self.service.version

    def _planned(self, order: Order, checkpoint: str | None, checkpoints: Sequence[CheckpointInfo]) -> Planned:
        name = checkpoint or (checkpoints[0].name if checkpoints else "")
        sampling = Sampling(seed=order.seed, guidance=order.cfg_scale, sampler=order.sampler)
        return Planned(JobSettings(checkpoint=name, sampling=sampling), self.options.sha256(name))


@dataclass
class _Jobs:
    """One request's jobs."""

    painter: Painter
    order: Order
    run: Run
    checkpoint: str | None
    file_kind: str

    async def paint(self) -> Paintings:
        """All of its pictures, but for those that were stopped.

        Raises:
            BridgeError: it was refused, or failed.
        """
        order = self.order
        prompt, negative, notes = await without_unknown(
            self.painter.service, order.prompt, order.negative_prompt, self.checkpoint
        )
        api_job = self.painter.api_job()
        second = await self._second_checkpoint(api_job, order.hires) if order.hires is not None else None
        job = {**await _lay_out(api_job, order), "prompt": prompt, "negative_prompt": negative}
        job |= {"checkpoint": self.checkpoint, "conditions": await self._conditions(api_job)}
        done = Paintings(hints=notes)
        # The picture between the passes must lose nothing.
        file_kind = self.file_kind if order.hires is None else "png"
        for number in range(order.n_iter):
            seed = (order.seed + number * order.batch_size) % (1 << 64)
            passed = number if order.hires is None else number * (1 + order.batch_size)
            first = await self._job(api_job, passed, file_kind, {**job, "seed": seed})
            done += first if order.hires is None else Paintings(hints=first.hints)
            for index, (file, recipe) in enumerate(zip(first.files, first.recipes, strict=True), passed + 1):
                if order.hires is not None:
                    again = {**job, "seed": recipe.settings.sampling.seed, "checkpoint": second}
                    done += await self._second(order.hires, file, index, again)
        return done

    async def _second_checkpoint(self, api_job: ApiJob, hires: Hires) -> str | None:
        """Which one paints the second pass. What would fail there does so before the first.

        Raises:
            BridgeError: ``checkpoint_unknown``, ``picture_too_large``.
        """
        order, painter = self.order, self.painter
        scale = scale_for(Extent(order.width, order.height), hires.target) or 1
        width, height = order.width * scale, order.height * scale
        if max(width * height, hires.target.width * hires.target.height) > api_job.most_pixels:
            raise BridgeError(
                "picture_too_large", "A picture of {width} x {height} pixels is too large.", width=width, height=height
            )
        if not hires.checkpoint:
            return self.checkpoint
        values = {"sd_model_checkpoint": hires.checkpoint}
        return painter.options.override(values, await painter.checkpoints())[0]

    async def _second(self, hires: Hires, file: bytes, number: int, job: dict[str, Any]) -> Paintings:
        """A picture of the first pass, enlarged and painted over."""
        order, painter = self.order, self.painter
        if self.run.interrupted:
            return Paintings()
        wanted, unwanted = hires.prompt or order.prompt, hires.negative_prompt or order.negative_prompt
        prompt, negative, notes = await without_unknown(painter.service, wanted, unwanted, job["checkpoint"])
        api_job = painter.api_job()
        picture = api_job.look(file)
        scale = scale_for(Extent(picture.width, picture.height), hires.target)
        base = BaseImage(picture, hires.target, "crop") if scale == 1 else BaseImage(picture)
        await api_job.lay_out(base, None)
        second = {
            **job,
            **({"kind": "refine"} if scale == 1 else {"kind": "upscale", "scale": scale}),
            "prompt": prompt,
            "negative_prompt": negative,
            "batch": 1,
            "steps": hires.steps or order.steps,
            "sampler": hires.sampler or order.sampler,
            "strength": order.strength,
            "conditions": await self._conditions(api_job),
        }
        done = await self._job(api_job, number, self.file_kind, second, size=hires.target, fit="crop")
        return Paintings(hints=notes) + done

    async def _conditions(self, api_job: ApiJob) -> tuple[Condition, ...]:
        order = self.order
        if not order.units:
            return ()
        repainted = order.picture if isinstance(order, ImageOrder) else None

        async def make_map(picture: bytes, settings: dict[str, Any]) -> bytes:
            self.run.begin(self.painter.client.name(), self.run.round)
            return (await estimate(self.painter.api_job(), picture, self.run, settings)).files[0]

        kinds = await self.painter.service.controlnets()
        try:
            return await guide(api_job, order.units, kinds, repainted, make_map)
        except JobStopped:
            # Without the map that was stopped another picture would be painted than was asked for.
            self.run.interrupted = True
            return ()

    async def _job(self, api_job: ApiJob, number: int, file_kind: str, job: dict[str, Any], **finish: Any) -> Paintings:
        if self.run.interrupted:
            return Paintings()
        self.run.begin(self.painter.client.name(), number)

        def describe(recipe: Recipe) -> list[tuple[str, str]]:
            return [("parameters", infotext(self.order, recipe, self.painter.version))]

        try:
            return await api_job.paint(self.run.job, self.run.follow, describe, file_kind=file_kind, **finish, **job)
        except JobStopped:
            # By `skip` or `interrupt`; what is done already is the answer.
            return Paintings()


async def _lay_out(api_job: ApiJob, order: Order) -> dict[str, Any]:
    """Lay the request's picture out; the job's fields."""
    job: dict[str, Any] = {
        "batch": order.batch_size,
        "steps": order.steps,
        "guidance": order.cfg_scale,
        "sampler": order.sampler,
    }
    size = Extent(order.width, order.height)
    if not isinstance(order, ImageOrder):
        api_job.blank(size.width, size.height)
        return {**job, "kind": "generate"}
    if size.width * size.height > api_job.most_pixels:
        raise BridgeError(
            "picture_too_large",
            "A picture of {width} x {height} pixels is too large.",
            width=size.width,
            height=size.height,
        )
    picture = api_job.look(order.picture)
    base = BaseImage(picture, size, _FITS[order.resize_mode])
    if order.mask is None:
        await api_job.lay_out(base, None)
        return {**job, "kind": "refine", "strength": order.strength}
    if order.full_res:
        # Only what is masked is painted, at a density of its own, and laid into the picture as it is.
        base = BaseImage(picture)
    selecting = Selecting(
        api_job.look(order.mask),
        "luminance",
        invert=order.invert,
        close=order.full_res,
        room=math.ceil(order.mask_blur) + order.full_res_padding,
        shape=size,
    )
    await api_job.lay_out(base, selecting)
    kind, mode, afresh = _MASKED[order.fill]
    strength = 1.0 if afresh else order.strength
    return {**job, "kind": kind, "mode": mode, "strength": strength, "grow": 0.0, "feather": order.mask_blur}
