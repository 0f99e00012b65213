"""Results become layers: above the active one, in one step of the undo history, with their recipes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from gi.repository import Gimp

from bridge.client import ResultLayer

from .job_target import JobTarget
from .pixels import write_layer
from .placement import Place

__all__ = ["RECIPE_PARASITE", "add_layers", "empty_layer", "layer_name"]

RECIPE_PARASITE = "paintbridge-recipe"

_LONGEST_NAME = 60


def add_layers(
    target: JobTarget, place: Place, results: Sequence[ResultLayer], *, name: str, as_mask: bool
) -> list[Gimp.Layer]:
    """Add them at a place; the first is on top, and the only visible one.

    Args:
        as_mask: the layers are opaque, and what they cover is a layer mask.
    """
    image = target.image
    layers = [_layer(image, result, name) for result in results]
    image.undo_group_start()
    try:
        if target.margins:
            image.resize(target.canvas.width, target.canvas.height, *target.origin)
        if target.scale > 1:
            image.scale(target.canvas.width * target.scale, target.canvas.height * target.scale)
        # Each is put where the one below it lay.
        for layer in reversed(layers):
            image.insert_layer(layer, place.parent, place.position)
            layer.set_visible(layer is layers[0])
            if as_mask:
                layer.add_mask(layer.create_mask(Gimp.AddMaskType.ALPHA_TRANSFER))
        image.set_selected_layers(layers[:1])
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return layers


def layer_name(prompt: str, otherwise: str) -> str:
    """A layer is named by its prompt, in one line."""
    words = " ".join(prompt.split()) or otherwise
    return words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1].rstrip() + "…"


def empty_layer(image: Gimp.Image, name: str, width: int, height: int) -> Gimp.Layer:
    """A transparent layer that fits the image, not in it yet."""
    grey = image.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = Gimp.ImageType.GRAYA_IMAGE if grey else Gimp.ImageType.RGBA_IMAGE
    return Gimp.Layer.new(image, name, width, height, kind, 100, image.get_default_new_layer_mode())


def _layer(image: Gimp.Image, result: ResultLayer, name: str) -> Gimp.Layer:
    picture = result.picture
    layer = empty_layer(image, name, picture.width, picture.height)
    write_layer(layer, result.data, picture.depth)
    layer.set_offsets(result.x, result.y)
    recipe = json.dumps(asdict(result.recipe), ensure_ascii=False).encode()
    layer.attach_parasite(Gimp.Parasite.new(RECIPE_PARASITE, Gimp.PARASITE_PERSISTENT, recipe))
    return layer
