"""What a job works on: image, layer, canvas size and selection; and reading the pixels of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from gi.repository import Gimp

from bridge.client import Pixels, Refused
from bridge.protocol.messages import Extent, Rect

from .pixels import coverage_depth, read_coverage, read_layer, read_visible, wire_depth
from .placement import Place, highest, path_to, place_above
from .strips import picture_within
from .translation import _

__all__ = ["JobTarget", "Margins", "check_open", "layers_of", "selection_bounds"]


@dataclass(frozen=True)
class Margins:
    """How far the canvas is to grow, in pixels."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.top, self.right, self.bottom))


@dataclass(frozen=True)
class JobTarget:
    """``canvas`` is the size with the margins, and its pixels are what the bridge counts in; results go above the
    highest of ``layers``, those that are chosen; ``bounds`` are those of what is selected, None: all of the canvas;
    ``kept`` is the part of the canvas that the picture goes on beyond; ``scale`` is how many times the image is to be
    enlarged.
    """

    image: Gimp.Image
    layers: tuple[Gimp.Layer, ...]
    canvas: Extent
    margins: Margins
    scale: int
    bounds: Optional[Rect]
    selected: bool
    kept: Optional[Rect]
    depth: str

    @classmethod
    def of(
        cls,
        image: Gimp.Image,
        drawables: Sequence[Gimp.Drawable],
        *,
        whole_layer: bool,
        into_strips: bool,
        margins: Margins,
        scale: int,
    ) -> JobTarget:
        """Look at an image.

        Args:
            whole_layer: without a selection the layer counts as selected; otherwise the canvas.
            into_strips: without a selection transparent strips beside the picture do, if there are any.

        Raises:
            Refused: the image is indexed, or has a floating selection; or what is active is no layer, or gone by
                now.
        """
        if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
            raise Refused(
                _("Paintbridge cannot paint in an indexed image: it would need colours that are not in the palette."),
                _("Convert it with Image > Mode > RGB, then try again."),
            )
        if image.get_floating_sel() is not None:
            raise Refused(
                _("The image has a floating selection, and no layer can be added before it is anchored."),
                _("Anchor it with Layer > Anchor Floating Selection, then try again."),
            )
        layers = layers_of(drawables)
        width, height = image.get_width(), image.get_height()
        canvas = Extent(width + margins.left + margins.right, height + margins.top + margins.bottom)
        selected = not margins and not Gimp.Selection.is_empty(image)
        kept = Rect(margins.left, margins.top, width, height) if margins else None
        if kept is None and into_strips and not selected:
            kept = picture_within(image)
        bounds: Optional[Rect] = None
        if kept is not None:
            bounds = _frame_bounds(canvas, kept)
        elif selected:
            bounds = selection_bounds(image)
        elif whole_layer and layers:
            bounds = _layer_bounds(highest(layers), canvas)
        return cls(image, layers, canvas, margins, scale, bounds, selected, kept, wire_depth(image))

    @property
    def origin(self) -> tuple[int, int]:
        """Where the image lies on the canvas."""
        return self.margins.left, self.margins.top

    def place(self) -> Place:
        """Where the results go. The image has not grown yet."""
        seen = self.bounds or Rect(0, 0, self.canvas.width, self.canvas.height)
        left, top = self.origin
        return place_above(self.image, self.layers, Rect(seen.x - left, seen.y - top, seen.width, seen.height))

    def picture(self, area: Rect, source: str) -> Pixels:
        """The pixels of an area of the canvas, of a source as the argument has it.

        Raises:
            Refused: of a layer, but there is none.
        """
        if source != "visible" and not self.layers:
            raise Refused(_("No layer is active."), _("Select the layer to look at, then try again."))
        if source == "layer":
            data = read_layer(highest(self.layers), self.origin, area, self.depth)
        else:
            path = path_to(highest(self.layers)) if source == "below" else None
            data = read_visible(self.image, self.canvas, self.origin, area, self.depth, path)
        return Pixels(data, area.width, area.height, 4, self.depth)

    def coverage(self, area: Rect) -> Optional[Pixels]:
        """How far each pixel of an area is selected; None: all are."""
        if self.selected:
            depth = coverage_depth(self.depth)
            return Pixels(read_coverage(self.image, area, depth), area.width, area.height, 1, depth)
        if self.kept is not None:
            return Pixels(_box(area, self.kept, inside=0, outside=255), area.width, area.height, 1)
        if self.bounds is not None:
            return Pixels(_box(area, self.bounds, inside=255, outside=0), area.width, area.height, 1)
        return None


def check_open(image: Gimp.Image) -> None:
    """Raises Refused when the image has been closed meanwhile."""
    if not image.is_valid():
        raise Refused(
            _("The image was closed meanwhile, so there is no place for the layer."),
            _("Open the image again, then repeat the filter."),
        )


def layers_of(drawables: Sequence[Gimp.Drawable]) -> tuple[Gimp.Layer, ...]:
    """The layers that are chosen, by themselves or by their masks.

    Raises:
        Refused: one is gone by now, or is no layer.
    """
    layers = []
    for drawable in drawables:
        if not drawable.is_valid():
            raise Refused(
                _("The layer that was active is no longer in the image."), _("Select a layer, then repeat the filter.")
            )
        layer = Gimp.Layer.from_mask(drawable) if isinstance(drawable, Gimp.LayerMask) else drawable
        if not isinstance(layer, Gimp.Layer):
            raise Refused(_("What is active is a channel, not a layer."), _("Select a layer, then try again."))
        layers.append(layer)
    return tuple(layers)


def selection_bounds(image: Gimp.Image) -> Rect:
    """Of what is selected."""
    _success, _some, left, top, right, bottom = Gimp.Selection.bounds(image)
    return Rect(left, top, right - left, bottom - top)


def _layer_bounds(layer: Gimp.Layer, canvas: Extent) -> Optional[Rect]:
    """None where the layer covers the canvas. A layer that lies off it is left to the bridge to refuse."""
    _success, x, y = layer.get_offsets()
    width, height = layer.get_width(), layer.get_height()
    if x <= 0 and y <= 0 and x + width >= canvas.width and y + height >= canvas.height:
        return None
    return Rect(x, y, width, height)


def _frame_bounds(canvas: Extent, kept: Rect) -> Rect:
    """Of what lies beyond a part of the canvas: one strip, or, as soon as there are two, all that they span."""
    right, bottom = kept.x + kept.width, kept.y + kept.height
    strips = [
        Rect(0, 0, kept.x, canvas.height),
        Rect(right, 0, canvas.width - right, canvas.height),
        Rect(0, 0, canvas.width, kept.y),
        Rect(0, bottom, canvas.width, canvas.height - bottom),
    ]
    strips = [strip for strip in strips if strip.width and strip.height]
    return strips[0] if len(strips) == 1 else Rect(0, 0, canvas.width, canvas.height)


def _box(area: Rect, box: Rect, *, inside: int, outside: int) -> bytes:
    """Coverage over an area, row by row: one value inside a box, another one outside."""
    left = min(max(box.x - area.x, 0), area.width)
    right = min(max(box.x + box.width - area.x, left), area.width)
    through = bytes([outside]) * left + bytes([inside]) * (right - left) + bytes([outside]) * (area.width - right)
    beside = bytes([outside]) * area.width
    rows = range(area.y, area.y + area.height)
    return b"".join(through if box.y <= row < box.y + box.height else beside for row in rows)
