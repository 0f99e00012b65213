"""The other commands, their options, and how scripts call them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from gimp_reference import layer_pixels
from host_desktop import Desktop, wait_for
from host_reference import reference
from PIL import Image

from bridge.protocol.messages import PROTOCOL_VERSION

LAKE = Path(__file__).parents[2] / "photos" / "lake-sherburne.jpg"
SIZE = (1080, 1920, 4)
QUARTER = {"left": 25, "right": 25, "top": 25, "bottom": 25}


def test_expand_by_a_quarter_on_each_side_without_a_seam(gimp, share, output):
    path = share / LAKE.name
    path.write_bytes(LAKE.read_bytes())
    image = gimp.call("load", path=str(path))
    before = gimp.pixels("dump_visible", SIZE, image=image, form="R'G'B'A u8")
    result = gimp.call("run", name="expand", image=image, **QUARTER)
    assert result["status"] == "success", result
    state = gimp.call("describe", image=image)
    assert state["size"] == [2880, 1620]
    top, background = state["layers"]
    assert background["at"] == [480, 270, 1920, 1080]
    assert top["at"] == [0, 0, 2880, 1620]
    after = gimp.pixels("dump_visible", (1620, 2880, 4), image=image, form="R'G'B'A u8")
    Image.fromarray(after[..., :3]).save(output / "expand.png")
    assert (after[..., 3] == 255).all(), "all of the canvas is covered"
    reach = 70
    inner = after[270 + reach : 1350 - reach, 480 + reach : 2400 - reach]
    assert np.array_equal(inner, before[reach:-reach, reach:-reach]), "further in than the feather nothing changes"
    assert max(seams(after[..., :3].astype(float))) < 1
    gimp.call("close", image=image)


def test_the_measure_of_seams_sees_one():
    lake = np.array(Image.open(LAKE).convert("RGB")).astype(float)
    assert max(seams(np.pad(lake, ((270, 270), (480, 480), (0, 0)), constant_values=128))) > 1.3
    # A broad one, too: what is new is lighter, and fades in.
    fading = np.clip((np.abs(np.arange(2880) - 1440) - 930) / 60, 0, 1)[None, :, None] * 60
    assert max(seams(np.pad(lake, ((270, 270), (480, 480), (0, 0)), mode="reflect") + fading)) > 1.3


def seams(picture: np.ndarray) -> list[float]:
    """For each side of the old border: how much the picture changes across it, from 48 pixels within to 48 beyond, as
    a share of how much it changes over as many pixels within the old picture.
    """
    shares = []
    for turned, (x, y, width, height) in (
        (picture, (480, 270, 1920, 1080)),
        (picture[:, ::-1], (480, 270, 1920, 1080)),
        (picture.transpose(1, 0, 2), (270, 480, 1080, 1920)),
        (picture.transpose(1, 0, 2)[:, ::-1], (270, 480, 1080, 1920)),
    ):
        rows = cv2.blur(turned[y : y + height], (9, 9))
        across = np.abs(rows[:, x - 48] - rows[:, x + 48]).mean()
        within = [np.abs(rows[:, x + at] - rows[:, x + at + 96]).mean() for at in range(64, width // 3, 16)]
        shares.append(float(across / np.max(within)))
    print("changes across the old border, as a share of the largest beside it:", [round(share, 2) for share in shares])
    return shares


def test_expanding_by_nothing_is_refused(gimp):
    image = gimp.call("blank", width=64, height=64)
    result = gimp.call("run", name="expand", image=image, left=0, right=0, top=0, bottom=0)
    assert "does not grow" in result["error"]
    gimp.call("close", image=image)


def test_expanding_to_one_side_in_pixels(gimp):
    image = gimp.call("blank", width=200, height=120, colour="rgb(0.2,0.6,0.4)")
    result = gimp.call("run", name="expand", image=image, left=0, right=40, top=0, bottom=0, unit="pixels")
    assert result["status"] == "success", result
    state = gimp.call("describe", image=image)
    assert state["size"] == [240, 120]
    x, y, width, height = state["layers"][0]["at"]
    assert (x + width, y, height) == (240, 0, 120)
    assert x >= 200 - 20
    after = gimp.pixels("dump_visible", (120, 240, 4), image=image, form="R'G'B'A u8")
    assert np.abs(after.astype(int) - after[0, 0]).max() <= 1, "one colour goes on as itself"
    gimp.call("close", image=image)


def test_several_pictures_are_layers_of_which_the_first_shows(gimp):
    image = gimp.call("blank", width=200, height=150, colour="rgb(0.6,0.7,0.9)")
    gimp.call("select", image=image, shape="ellipse", numbers=[60, 40, 70, 60])
    result = gimp.call("run", name="fill", image=image, prompt="an orange", seed=5, batch=3, steps=4)
    assert result["status"] == "success", result
    layers = gimp.call("describe", image=image)["layers"][:3]
    assert [layer["id"] for layer in layers] == result["layers"]
    assert [layer["visible"] for layer in layers] == [True, False, False]
    assert [gimp.call("recipe", layer=layer["id"])["settings"]["sampling"]["seed"] for layer in layers] == [5, 6, 7]
    first, second, _ = (layer_pixels(gimp, layer) for layer in layers)
    assert (first != second).any()
    gimp.call("close", image=image)


def test_a_layer_mask_in_place_of_transparency(gimp):
    image = gimp.call("blank", width=200, height=150, colour="rgb(0.6,0.7,0.9)")
    gimp.call("select", image=image, shape="ellipse", numbers=[60, 40, 70, 60])
    visible = []
    for layer_mask in (False, True):
        result = gimp.call("run", name="fill", image=image, prompt="an orange", seed=5, steps=4, layer_mask=layer_mask)
        layer = gimp.call("describe", image=image)["layers"][0]
        assert layer["mask"] == layer_mask
        visible.append(gimp.pixels("dump_visible", (150, 200, 4), image=image, form="R'G'B'A u8").astype(int))
        if layer_mask:
            assert (layer_pixels(gimp, layer)[..., 3] == 255).all()
        gimp.call("remove_layer", layer=result["layers"][0])
    assert np.abs(visible[0] - visible[1]).max() <= 1
    gimp.call("close", image=image)


def test_refine_keeps_the_forms(gimp, photo):
    image = gimp.call("load", path=photo)
    gimp.call("crop", image=image, area=[560, 180, 300, 240])
    before = gimp.pixels("dump_visible", (240, 300, 4), image=image, form="R'G'B'A u8").astype(float)
    changes = {}
    for strength in (0.1, 0.9):
        result = gimp.call("run", name="refine", image=image, prompt="a bird", strength=strength, seed=2, steps=6)
        assert result["status"] == "success", result
        after = gimp.pixels("dump_visible", (240, 300, 4), image=image, form="R'G'B'A u8").astype(float)
        changes[strength] = np.abs(after - before).mean()
        gimp.call("remove_layer", layer=result["layers"][0])
    assert 0 < changes[0.1] < changes[0.9]
    gimp.call("close", image=image)


def test_generate_paints_the_canvas_or_the_selection(gimp):
    image = gimp.call("blank", width=160, height=128)
    result = gimp.call("run", name="generate", image=image, prompt="a sunflower", seed=1, steps=4)
    assert result["status"] == "success", result
    layer = gimp.call("describe", image=image)["layers"][0]
    assert layer["at"] == [0, 0, 160, 128]
    assert layer["name"] == "a sunflower"
    gimp.call("select", image=image, shape="rectangle", numbers=[20, 30, 64, 64])
    gimp.call("run", name="generate", image=image, prompt="a sunflower", seed=1, steps=4)
    assert gimp.call("describe", image=image)["layers"][0]["at"] == [20, 30, 64, 64]
    gimp.call("close", image=image)


def test_upscale_enlarges_the_image_and_paints_its_detail_in_one_step(gimp, bridge, photo):
    image = gimp.call("load", path=photo, show=True)
    gimp.call("crop", image=image, area=[560, 180, 150, 120])
    before = gimp.pixels("dump_visible", (120, 150, 4), image=image, form="R'G'B'A u8")
    state = gimp.call("describe", image=image)
    asked = {"checkpoint": "tiny", "prompt": "feathers", "seed": 3, "steps": 4}
    result = gimp.call("run", name="upscale", image=image, scale="2", **asked)
    assert result["status"] == "success", result
    changed = gimp.call("describe", image=image)
    assert changed["size"] == [300, 240]
    top, background = changed["layers"]
    assert top["at"] == background["at"] == [0, 0, 300, 240]
    wanted = reference(bridge, before, None, kind="upscale", scale=2, **asked).layers[0]
    assert np.array_equal(layer_pixels(gimp, top), np.frombuffer(wanted.data, np.uint8).reshape(240, 300, 4))
    gimp.show()
    gimp.keys("ctrl+z")
    wait_for(lambda: gimp.call("describe", image=image) == state, "the undo")
    gimp.call("select", image=image, shape="rectangle", numbers=[20, 30, 40, 50])
    gimp.call("run", name="upscale", image=image, scale="4", **asked)
    state = gimp.call("describe", image=image)
    assert state["size"] == [600, 480]
    assert state["layers"][0]["at"] == [80, 120, 160, 200], "what is selected, four times as large"
    gimp.call("close", image=image)


def test_check_connection_says_what_is_connected(gimp, bridge):
    report = gimp.call("run", name="check", image=None)["report"]
    for words in (
        bridge.address().url,
        f"Protocol: version {PROTOCOL_VERSION}",
        "Checkpoint: mini (SD1), and 3 others",
        "cpu",
        "Memory: ",
    ):
        assert words in report


def test_every_argument_is_typed(gimp):
    arguments = gimp.call("listed", name="fill")
    assert arguments["prompt"] == "gchararray"
    assert arguments["strength"] == "gdouble"
    assert arguments["seed"] == "gint"
    assert arguments["strict"] == "gboolean"
    assert {"grow", "feather", "context", "source", "mode", "sampler", "checkpoint"} <= set(arguments)
    assert not {"address", "token"} & set(arguments)


def test_strict_stays_inside_the_selection(gimp):
    image = gimp.call("blank", width=200, height=150, colour="rgb(0.6,0.7,0.9)")
    gimp.call("select", image=image, shape="rectangle", numbers=[60, 40, 70, 60])
    for strict in (True, False):
        result = gimp.call("run", name="remove", image=image, strict=strict)
        x, y, width, height = gimp.call("describe", image=image)["layers"][0]["at"]
        assert (x >= 60 and y >= 40 and x + width <= 130 and y + height <= 100) == strict
        gimp.call("remove_layer", layer=result["layers"][0])
    gimp.call("close", image=image)


def test_a_batch_of_the_console(desktop, folder, bridge, photo, output):
    """As in docs/gimp.md: Python-Fu and Script-Fu, without any display."""
    written = desktop.share / "batch.png"
    python = f"""
from gi.repository import Gimp, Gio
image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path({photo!r}))
image.select_ellipse(Gimp.ChannelOps.REPLACE, 640, 240, 300, 240)
fill = Gimp.get_pdb().lookup_procedure("plug-in-paintbridge-remove")
config = fill.create_config()
config.set_property("image", image)
config.set_core_object_array("drawables", image.get_selected_drawables())
result = fill.run(config)
print("layers:", [layer.get_name() for layer in image.get_layers()])
Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path({str(written)!r}), None)
"""
    scheme = f"""
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "{photo}")))
       (drawables (car (gimp-image-get-selected-drawables image))))
  (gimp-image-select-ellipse image CHANNEL-OP-REPLACE 640 240 300 240)
  (let ((layers (car (plug-in-paintbridge-remove #:run-mode RUN-NONINTERACTIVE
                                                 #:image image #:drawables drawables))))
    (gimp-message (string-append "layer: " (car (gimp-item-get-name (vector-ref layers 0)))))))
"""
    script = desktop.share / "batch.py"
    script.write_text(python)
    done = console(desktop, "python-fu-eval", f"exec(open({str(script)!r}).read())")
    assert "layers: ['Remove', 'Background']" in done
    Image.open(written).save(output / "remove.png")
    assert "layer: Remove" in console(desktop, "plug-in-script-fu-eval", scheme)


def console(desktop: Desktop, interpreter: str, batch: str, **environment: str) -> str:
    """Run a batch without any display, and return all that is said."""
    command = 'gimp-console --no-interface --batch-interpreter="$0" --batch "$1" --quit 2>&1'
    return desktop.run(["sh", "-c", command, interpreter, batch], environment={"DISPLAY": "", **environment})


def test_the_artists_language(desktop, folder, bridge):
    """Debian's chroot has no Chinese locale; a copy of its only one under that name is enough for gettext."""
    locales = desktop.share / "locales"
    desktop.run(["sh", "-c", 'mkdir "$0" && cp -r /usr/lib/locale/C.utf8 "$0/zh_CN.UTF-8"', str(locales)])
    script = desktop.share / "check.py"
    script.write_text(
        "from gi.repository import Gimp\n"
        "check = Gimp.get_pdb().lookup_procedure('plug-in-paintbridge-check')\n"
        "print(check.get_menu_label(), check.run(check.create_config()).index(1))\n"
    )
    chinese = {"LANG": "zh_CN.UTF-8", "LOCPATH": str(locales)}
    done = console(desktop, "python-fu-eval", f"exec(open({str(script)!r}).read())", **chinese)
    assert "检查连接(_C) 桥接程序：版本" in done
    elsewhere = {"PAINTBRIDGE_URL": "http://192.0.2.1:8765", "PAINTBRIDGE_TOKEN": "t"}
    done = console(desktop, "python-fu-eval", f"exec(open({str(script)!r}).read())", **chinese, **elsewhere)
    assert "192.0.2.1 的桥接程序在另一台机器上" in done, "also what has something filled in"
