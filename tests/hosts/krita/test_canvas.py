"""What lies on the canvas: our picture, blended as a layer would be, and above it what Krita lays there itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from host_desktop import wait_for
from krita_docker import KritaDocker
from PIL import Image

WIDTH, HEIGHT = 600, 400
# Bright, so that whatever darkens it is seen; blue, green, red, alpha.
COLOUR = (40, 160, 200, 255)
AREA = (200, 120, 200, 160)
_FUNCTIONS = """
def film():
    return next((one for one in window.findChildren(QtWidgets.QWidget, "paintbridge_overlay") if one.isVisible()), None)
def on_screen(widget, area):
    # On Wayland no window knows where it is. The first one fills the screen.
    origin = widget.mapTo(widget.window(), QtCore.QPoint(0, 0))
    return [area.x() + origin.x(), area.y() + origin.y(), area.width(), area.height()]
def picture_on_screen():
    shown = film()
    area = QtCore.QRectF(0, 0, document().width(), document().height())
    return on_screen(shown, shown._placing().mapRect(area).toAlignedRect())
def palette():
    return next((one for one in window.findChildren(QtWidgets.QWidget)
                 if one.metaObject().className() == "KisPopupPalette" and one.isVisible()), None)
None
"""


@pytest.fixture
def shown(docker: KritaDocker) -> Iterator[KritaDocker]:
    """The docker, with a document of one colour, an area of which has grown together as itself, over a soft edge."""
    docker.open(f"made({WIDTH}, {HEIGHT}, 'RGBA', 'U8', SRGB)")
    docker.ask(_FUNCTIONS)
    docker.ask(f"fill({base64.b64encode(bytes(COLOUR) * (WIDTH * HEIGHT)).decode()!r})")
    docker.ask(f"select(*{AREA}, 40)")
    docker.ask("choose('mode', 'remove'); part('feather').setValue(60)")
    docker.generate()
    docker.ask("document().setSelection(None); document().waitForDone()")
    wait_for(lambda: docker.ask("film() is not None"), "the result over the canvas")
    yield docker
    docker.ask("part('feather').setValue(part('feather').minimum())")
    docker.close_all()


def screen(docker: KritaDocker, path: Path, area: list[int]) -> np.ndarray:
    """An area of the screen."""
    x, y, width, height = area
    seen = Image.open(docker.desktop.screenshot(path)).convert("RGB").crop((x, y, x + width, y + height))
    return np.array(seen).astype(int)


def test_a_soft_edge_has_no_frame(shown: KritaDocker, output: Path) -> None:
    """A layer of the same colour as what is below it is not seen, however soft its edge is."""
    docker = shown
    x, y, width, height = docker.ask("picture_on_screen()")
    # Without the border, where the canvas itself is resampled.
    inside = [x + 4, y + 4, width - 8, height - 8]
    docker.desktop.xdotool("mousemove", 10, 10)
    layer = docker.ask("list(docker._overlay._sight.image.pixelColor(4, docker._overlay._sight.image.height() // 2).getRgb())")
    assert 0 < layer[3] < 255, "soft"
    path = output / "soft-edge.png"
    wait_for(lambda: differs(screen(docker, path, inside)) <= 2, "no frame around it", 30)


def differs(seen: np.ndarray) -> int:
    """The most that any pixel differs from the document's colour."""
    blue, green, red, _ = COLOUR
    return int(np.abs(seen - [red, green, blue]).max())
