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
# No colour of the palette's.
OURS = (90, 200, 150)
_FUNCTIONS = """
def overlay():
    return next((one for one in window.findChildren(QtWidgets.QWidget, "paintbridge_overlay") if one.isVisible()), None)
def area_on_screen(widget, area):
    return [*on_screen(widget, area.topLeft()), area.width(), area.height()]
def picture_on_screen():
    shown = overlay()
    area = QtCore.QRectF(0, 0, document().width(), document().height())
    return area_on_screen(shown, shown._transform().mapRect(area).toAlignedRect())
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
    docker.ask("part('feather').setValue(60)")
    docker.generate("remove")
    docker.ask("document().setSelection(None); document().waitForDone()")
    wait_for(lambda: docker.ask("overlay() is not None"), "the result over the canvas")
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
    alpha = "image = docker._overlay._image.image\nimage.pixelColor(4, image.height() // 2).alpha()"
    assert 0 < docker.ask(alpha) < 255, "soft"
    path = output / "soft-edge.png"
    wait_for(lambda: differs(screen(docker, path, inside)) <= 2, "no frame around it", 30)


def differs(seen: np.ndarray) -> int:
    """The most that any pixel differs from the document's colour."""
    blue, green, red, _ = COLOUR
    return int(np.abs(seen - [red, green, blue]).max())


def test_kritas_palette_lies_on_the_picture(shown: KritaDocker, output: Path) -> None:
    """That of the right button, the picture still being seen around it."""
    docker = shown
    x, y, width, height = docker.ask("picture_on_screen()")
    docker.desktop.xdotool("mousemove", x + width // 2, y + height // 2, "click", 3)
    wait_for(lambda: docker.ask("palette() is not None"), "the palette")
    # Its ring; what is beside that is transparent.
    left, top, side, _ = docker.ask("area_on_screen(palette(), palette().rect())")
    # In the document's own colour ours could not be told.
    docker.ask(f"plain = docker._overlay._image\nimage = plain.image.copy()\nimage.fill(QtGui.QColor{OURS})")
    docker.ask("docker._overlay.show(type(plain)(plain.document, image, plain.area))")
    path = output / "palette.png"
    wait_for(lambda: ours(docker, path).any(), "the picture around the palette", 30)
    seen = ours(docker, path)
    rows, columns = np.mgrid[0:side, 0:side]
    disk = np.hypot(rows - side / 2, columns - side / 2) < side / 3
    assert seen[top : top + side, left : left + side][disk].mean() < 0.01
    docker.ask("palette().hide()")


def ours(docker: KritaDocker, path: Path) -> np.ndarray:
    """Where the screen is of the picture's colour."""
    seen = screen(docker, path, [0, 0, *docker.desktop.size])
    found: np.ndarray = np.abs(seen - OURS).max(axis=2) < 10
    return found


def test_another_canvas_gets_the_picture_too(shown: KritaDocker) -> None:
    """Krita replaces it, and deletes what lies on it, when another way to draw it is set."""
    docker = shown
    docker.ask("import sys\nsys.modules['paintbridge_krita.qt'].sip.delete(overlay())")
    wait_for(lambda: docker.ask("overlay() is not None"), "the picture to be there again", 30)
