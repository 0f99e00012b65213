"""What both APIs do: lay a picture out, have jobs done, and make files of their layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...control_kinds import CONTROL_KINDS, PictureReading
from ...imaging.header import read_header
from ...imaging.orders import BaseImage, Encoded, Enlarge, Finish, Guide, Painted, Selecting, Stage
from ...imaging.process import Imaging
from ...protocol.messages import (
    Condition,
    Extent,
    JobKind,
    Layer,
    OnDisconnect,
    Person,
    Recipe,
    Rect,
    ResultFormat,
    Submit,
    job_settings,
)
from .in_process import Follow, InProcessClient, PaintedJob

__all__ = ["ApiJob", "Paintings"]

Describe = Callable[[Recipe], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Paintings:
    """Files of pictures, and what they were made with, one recipe each; ``people`` in a map of poses."""

    files: tuple[bytes, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    hints: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()

    def __add__(self, other: Paintings) -> Paintings:
        hints = dict.fromkeys((*self.hints, *other.hints))
        return Paintings(
            self.files + other.files, self.recipes + other.recipes, tuple(hints), self.people + other.people
        )


@dataclass
class ApiJob:
    """One request's pictures: laid out once, however many jobs are done on them. ``hints`` are for whoever asked."""

    client: InProcessClient
    imaging: Imaging
    most_pixels: int
    base: BaseImage | None = None
    canvas: Extent = field(default_factory=lambda: Extent(1, 1))
    hints: tuple[str, ...] = ()
    _template: dict[str, Any] = field(default_factory=dict)
    _pictures: dict[str, bytes] = field(default_factory=dict)

    def look(self, data: bytes) -> Encoded:
        """Judge a picture before it is unpacked. Raises as :func:`.read_header`."""
        return read_header(data, most_pixels=self.most_pixels)

    def blank(self, width: int, height: int) -> None:
        """There is no picture: the canvas is of this size."""
        self.canvas = Extent(width, height)
        self._template = {"canvas": self.canvas, "context": Rect(0, 0, width, height)}

    async def lay_out(self, base: BaseImage, selecting: Selecting | None) -> None:
        """Lay out a picture, and what of it is selected.

        Raises:
            BridgeError: as :meth:`.Imaging.stage`.
        """
        self.base = base
        staged = await self.imaging.stage(Stage(base, selecting))
        self.canvas = staged.canvas
        self._hint(staged.hints)
        self._template = {
            "canvas": staged.canvas,
            "context": staged.context,
            "picture": staged.picture,
            "selection": staged.selection,
        }
        self._pictures = {staged.picture.hash: staged.pixels}
        if staged.selection is not None:
            self._pictures[staged.selection.hash] = staged.coverage

    async def guide(self, picture: Encoded, kind: str, fit: str, **fields: Any) -> Condition:
        """Lay out a picture that guides the job, once the canvas is there; ``fields`` are the condition's other ones.

        Raises:
            BridgeError: as :meth:`.Imaging.guide`.
        """
        flat = CONTROL_KINDS[kind].reading is PictureReading.LABEL_COLOURS
        guided = await self.imaging.guide(Guide(picture, self.canvas, self._template["context"], fit, flat))
        self._pictures[guided.picture.hash] = guided.pixels
        self._hint(guided.hints)
        return Condition(kind, guided.picture, **fields)

    async def enlarge(self, order: Enlarge) -> bytes:
        """Bring a picture to another size by a filter. Raises BridgeError as :meth:`.Imaging.enlarge`."""
        return await self.imaging.enlarge(order)

    async def paint(
        self,
        job: str,
        follow: Follow,
        describe: Describe,
        *,
        file_kind: str = "png",
        size: Extent | None = None,
        fit: str = "stretch",
        previews: bool = True,
        **settings: Any,
    ) -> Paintings:
        """Have a job done. ``describe`` gives the texts of a file, by keyword.

        Args:
            file_kind: png, jpeg or webp.
            size, fit: of the files, as in :class:`.Finish`.
            settings: the job's, by their fields' names.

        Raises:
            BridgeError, JobStopped: as :meth:`.InProcessClient.paint`, and :meth:`.Imaging.finish`.
        """
        submit = Submit(
            job=job,
            settings=job_settings(settings),
            result=ResultFormat(previews=previews),
            on_disconnect=OnDisconnect.CANCEL,
            **self._template,
        )
        done = await self.client.paint(submit, self._pictures, follow)
        painted = tuple(_painted(layer, done, tuple(describe(layer.recipe))) for layer in done.layers)
        # An upscale's layer is on no canvas that the base could be, and a map is no picture to lay over another.
        base = None if submit.settings.kind in (JobKind.UPSCALE, JobKind.ESTIMATE) else self.base
        files = await self.imaging.finish(Finish(base, painted, file_kind, size, fit))
        self._hint(done.hints)
        people = tuple(person for layer in done.layers for person in layer.people)
        return Paintings(files, tuple(layer.recipe for layer in done.layers), self.hints, people)

    def _hint(self, hints: tuple[str, ...]) -> None:
        self.hints = tuple(dict.fromkeys((*self.hints, *hints)))


def _painted(layer: Layer, done: PaintedJob, texts: tuple[tuple[str, str], ...]) -> Painted:
    picture = layer.picture
    pixels = bytes(done.pictures[picture.hash])
    settings = layer.recipe.settings
    mapped = settings.kind == JobKind.ESTIMATE
    ink = mapped and CONTROL_KINDS[settings.estimation.control_kind].reading is PictureReading.DRAWN_LINES
    return Painted(layer.x, layer.y, picture.width, picture.height, pixels, texts, ink)
