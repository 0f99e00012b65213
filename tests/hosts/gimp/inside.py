"""Runs inside GIMP, in the process of its Python-Fu interpreter: what the tests ask for, call by call, over a socket.

A function takes and returns what JSON holds. Images and layers go by their ids, pixels into files as GIMP keeps them.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from gi.repository import Gegl, Gimp, Gio

__all__ = ["serve"]


def serve(path: str) -> None:
    """Answer calls until the test lets go."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    connection, _ = listener.accept()
    stream = connection.makefile("rw", encoding="utf-8")
    for line in stream:
        asked = json.loads(line)
        try:
            answer = {"value": globals()[asked["call"]](**asked["arguments"])}
        except Exception:  # noqa: BLE001 - the test shows it
            answer = {"error": traceback.format_exc()}
        stream.write(json.dumps(answer) + "\n")
        stream.flush()


# ------------------------------------------------------------ images

_displays: dict[int, Gimp.Display] = {}


def load(path: str, *, show: bool = False) -> int:
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
    # A script gets an image without a history.
    image.undo_enable()
    if show:
        _show(image)
    return int(image.get_id())


def blank(width: int, height: int, *, colour: str = "white", alpha: bool = True, show: bool = False) -> int:
    """An image of one layer in one colour."""
    image = Gimp.Image.new(width, height, Gimp.ImageBaseType.RGB)
    add_layer(image.get_id(), 0, 0, width, height, colour=colour, alpha=alpha)
    if show:
        _show(image)
    return int(image.get_id())


def add_layer(
    image: int, x: int, y: int, width: int, height: int, *, colour: str, alpha: bool = True, parent: int | None = None
) -> int:
    """A layer on top, or on top in a group."""
    target = _image(image)
    grey = target.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = getattr(Gimp.ImageType, f"{'GRAY' if grey else 'RGB'}{'A' if alpha else ''}_IMAGE")
    layer = Gimp.Layer.new(target, "layer", width, height, kind, 100, Gimp.LayerMode.NORMAL)
    fill = layer.get_buffer()
    fill.set_color(Gegl.Rectangle.new(0, 0, width, height), Gegl.Color.new(colour))
    fill.flush()
    layer.set_offsets(x, y)
    target.insert_layer(layer, _item(parent), 0)
    return int(layer.get_id())


def add_group(image: int) -> int:
    group = Gimp.GroupLayer.new(_image(image), "group")
    _image(image).insert_layer(group, None, 0)
    return int(group.get_id())


def add_mask(layer: int) -> int:
    """A layer mask that shows everything."""
    mask = _item(layer).create_mask(Gimp.AddMaskType.WHITE)
    _item(layer).add_mask(mask)
    return int(mask.get_id())


def look(layer: int, *, visible: bool = True, opacity: float = 100.0, mask: str = "") -> None:
    """How a layer is seen: hidden, transparent, or by a mask that is ``black``, or white in the ``selection``."""
    item = _item(layer)
    item.set_visible(visible)
    item.set_opacity(opacity)
    if mask:
        item.add_mask(item.create_mask(getattr(Gimp.AddMaskType, mask.upper())))


def grow(image: int, *, width: int, height: int, x: int, y: int) -> None:
    """As *Image > Canvas Size* does, the layers too."""
    target = _image(image)
    target.resize(width, height, x, y)
    for layer in target.get_layers():
        layer.resize_to_image_size()


def clear_outside(image: int) -> None:
    """Make transparent what is not selected."""
    Gimp.Selection.invert(_image(image))
    _image(image).get_layers()[0].edit_clear()


def convert(image: int, *, precision: str = "", grey: bool = False, indexed: bool = False, profile: str = "") -> None:
    """Make it another kind of image, as *Image > Mode*, *Encoding* and *Color Management* do."""
    target = _image(image)
    if grey:
        target.convert_grayscale()
    if precision:
        target.convert_precision(getattr(Gimp.Precision, precision))
    if profile:
        target.set_color_profile_from_file(Gio.File.new_for_path(profile))
    if indexed:
        palette = Gimp.ConvertPaletteType.GENERATE
        target.convert_indexed(Gimp.ConvertDitherType.NONE, palette, 16, False, False, "")


def crop(image: int, *, area: list[int]) -> None:
    x, y, width, height = area
    _image(image).crop(width, height, x, y)


def remove_layer(layer: int) -> None:
    _item(layer).get_image().remove_layer(_item(layer))


def close(image: int) -> None:
    """As when the artist closes it: an image goes with its last window."""
    display = _displays.pop(image, None)
    if display is None:
        _image(image).delete()
    else:
        display.delete()


def is_open(image: int) -> bool:
    return bool(Gimp.Image.id_is_valid(image))


# ------------------------------------------------------------ selections


def select(image: int, shape: str, numbers: list[float] = (), *, feather: float = 0, invert: bool = False) -> None:
    """``rectangle`` and ``ellipse`` are x, y, width, height; ``lasso`` is a list of points; ``all``, ``none``."""
    target = _image(image)
    if shape in ("all", "none"):
        getattr(Gimp.Selection, shape)(target)
    elif shape == "lasso":
        target.select_polygon(Gimp.ChannelOps.REPLACE, numbers)
    else:
        getattr(target, f"select_{shape}")(Gimp.ChannelOps.REPLACE, *numbers)
    if feather:
        Gimp.Selection.feather(target, feather)
    if invert:
        Gimp.Selection.invert(target)


def select_partly(image: int, *, area: list[int], value: int) -> None:
    """A rectangle whose coverage is the same number, of 255, everywhere."""
    target = _image(image)
    width, height = target.get_width(), target.get_height()
    channel = Gimp.Channel.new(target, "partly", width, height, 100, Gegl.Color.new("black"))
    target.insert_channel(channel, None, 0)
    buffer = channel.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, width, height), "Y' u8", bytes(width * height))
    buffer.set(Gegl.Rectangle.new(*area), "Y' u8", bytes([value]) * (area[2] * area[3]))
    buffer.flush()
    channel.update(0, 0, width, height)
    target.select_item(Gimp.ChannelOps.REPLACE, channel)
    target.remove_channel(channel)
    target.set_selected_layers(target.get_layers()[:1])


# ------------------------------------------------------------ the plug-in


def run(name: str, image: int | None, *, on: list[int] | None = None, **arguments: Any) -> dict[str, Any]:
    """Call a procedure as a script does. ``on``: ids of the drawables; none: what is selected in the image."""
    procedure = Gimp.get_pdb().lookup_procedure(f"plug-in-paintbridge-{name}")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    if image is not None:
        config.set_property("image", _image(image))
        drawables = [_item(item) for item in on] if on is not None else _image(image).get_selected_drawables()
        config.set_core_object_array("drawables", drawables)
    for key, value in arguments.items():
        config.set_property(key.replace("_", "-"), value)
    started = time.perf_counter()
    values = procedure.run(config)
    seconds = time.perf_counter() - started
    done = {"status": values.index(0).value_nick, "error": Gimp.get_pdb().get_last_error(), "seconds": seconds}
    if values.index(0) == Gimp.PDBStatusType.SUCCESS and image is not None:
        config.set_property("drawables", values.index(1))
        done["layers"] = [layer.get_id() for layer in config.get_core_object_array("drawables")]
    elif values.length() > 1:
        done["report"] = values.index(1)
    return done


def listed(name: str) -> dict[str, Any]:
    """A procedure's arguments with their types."""
    procedure = Gimp.get_pdb().lookup_procedure(f"plug-in-paintbridge-{name}")
    return {spec.name: spec.value_type.name for spec in procedure.get_arguments()}


def there_and_back(layer: int, x: int, y: int, width: int, height: int, *, alone: bool = False) -> str:
    """What the plug-in reads of an area, of the composite or of a layer alone, and writes into a layer: a new one on
    top. Returns the depth in which it would travel.
    """
    folder = str(Path(Gimp.directory()) / "plug-ins" / "paintbridge")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from paintbridge_gimp import layers, pixels
    from paintbridge_gimp._vendor.bridge.protocol.messages import Extent, Rect

    image, area = _item(layer).get_image(), Rect(x, y, width, height)
    canvas = Extent(image.get_width(), image.get_height())
    depth = pixels.wire_depth(image)
    if alone:
        data = pixels.read_layer(_item(layer), (0, 0), area, depth)
    else:
        data = pixels.read_visible(image, canvas, (0, 0), area, depth)
    made = layers.empty_layer(image, "back", width, height)
    pixels.write_layer(made, memoryview(data), depth)
    made.set_offsets(x, y)
    image.insert_layer(made, None, 0)
    return str(depth)


def merge_seconds(image: int) -> float:
    """How long GIMP itself takes to merge what is visible."""
    started = time.perf_counter()
    merged = Gimp.Layer.new_from_visible(_image(image), _image(image), "merged")
    seconds = time.perf_counter() - started
    merged.delete()
    return seconds


# ------------------------------------------------------------ what there is


def describe(image: int) -> dict[str, Any]:
    """All that an artist could tell two states of an image apart by, but for the pixels."""
    target = _image(image)
    return {
        "size": [target.get_width(), target.get_height()],
        "precision": target.get_precision().value_nick,
        "selection": list(Gimp.Selection.bounds(target)[1:]),
        "selected": [layer.get_id() for layer in target.get_selected_layers()],
        "layers": [_described(layer) for layer in target.get_layers()],
    }


def recipe(layer: int) -> dict[str, Any]:
    """What the layer's parasite says."""
    parasite = _item(layer).get_parasite("paintbridge-recipe")
    return {"persistent": bool(parasite.is_persistent()), **json.loads(bytes(parasite.get_data()).decode())}


def dump_visible(image: int, path: str, *, form: str | None = None) -> None:
    """The merged pixels, as GIMP keeps them or as a babl format."""
    merged = Gimp.Layer.new_from_visible(_image(image), _image(image), "merged")
    _dump(merged, path, form)
    merged.delete()


def dump(layer: int, path: str, *, form: str | None = None) -> None:
    _dump(_item(layer), path, form)


def dump_selection(image: int, path: str) -> None:
    _dump(_image(image).get_selection(), path, None)


def save(image: int, path: str) -> None:
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, _image(image), Gio.File.new_for_path(path), None)


def missing(names: list[str]) -> list[str]:
    """Of dotted names below gi.repository, those that are not there."""
    return [name for name in names if not _is_there(*name.split("."))]


def messages_to_the_log() -> None:
    """What GIMP would show in message boxes goes to its standard error, where a test can read it."""
    Gimp.message_set_handler(Gimp.MessageHandlerType.CONSOLE)


def images() -> list[int]:
    return [image.get_id() for image in Gimp.get_images()]


def _is_there(module: str, *path: str) -> bool:
    found: Any = importlib.import_module(f"gi.repository.{module}")
    for name in path:
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


def _show(image: Gimp.Image) -> None:
    _displays[image.get_id()] = Gimp.Display.new(image)


def _described(layer: Gimp.Layer) -> dict[str, Any]:
    _, x, y = layer.get_offsets()
    return {
        "id": layer.get_id(),
        "name": layer.get_name(),
        "at": [x, y, layer.get_width(), layer.get_height()],
        "kind": layer.type().value_nick,
        "visible": layer.get_visible(),
        "mask": layer.get_mask() is not None,
        "layers": [_described(child) for child in layer.get_children()] if layer.is_group() else [],
    }


def _dump(drawable: Gimp.Drawable, path: str, form: str | None) -> None:
    area = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    Path(path).write_bytes(bytes(drawable.get_buffer().get(area, 1.0, form, Gegl.AbyssPolicy.NONE)))


def _image(image: int) -> Gimp.Image:
    found = Gimp.Image.get_by_id(image)
    assert found is not None, f"there is no image {image}"
    return found


def _item(item: int | None) -> Gimp.Item | None:
    return None if item is None else Gimp.Item.get_by_id(item)
