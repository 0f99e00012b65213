"""The docker in a running Krita, used as an artist does: with clicks and keys; and what Krita's documents hold."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from host_desktop import wait_for
from krita_host import KritaHost

__all__ = ["KritaDocker"]

_FUNCTIONS = """
import base64, zlib
SRGB = "sRGB-elle-V2-srgbtrc.icc"
docker = next(docker for docker in Krita.dockers() if docker.objectName() == "paintbridge")
def part(name):
    return docker.findChild(QtWidgets.QWidget, "paintbridge_" + name)
def on_screen(widget, point):
    # On Wayland no window knows where it is: all are in the corner.
    wayland = QtGui.QGuiApplication.platformName() == "wayland"
    place = widget.mapTo(widget.window(), point) if wayland else widget.mapToGlobal(point)
    return [place.x(), place.y()]
def centre(name):
    widget = part(name)
    within = widget.parent()
    while within is not None:
        if isinstance(within, QtWidgets.QScrollArea):
            within.ensureWidgetVisible(widget)
        within = within.parent()
    return on_screen(widget, widget.rect().center())
def bright(name):
    image = part(name).icon().pixmap(32, 32).toImage()
    shown = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    seen = [colour.lightness() for colour in shown if colour.alpha() > 200]
    return sum(seen) / len(seen)
def choose(name, value):
    box = part(name)
    box.setCurrentIndex(box.findData(value))
def opened(path):
    document = Krita.openDocument(path)
    Krita.activeWindow().addView(document)
def made(width, height, model, depth, profile):
    document = Krita.createDocument(width, height, "made", model, depth, profile, 72.0)
    Krita.activeWindow().addView(document)
def let_layers_list_update():
    # Krita's list of layers takes up their changes within 100 ms, and crashes where their document is gone by then.
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(150, loop.quit)
    (getattr(loop, "exec", None) or loop.exec_)()
def close_one(document):
    document.waitForDone()
    let_layers_list_update()
    document.setModified(False)
    document.close()
def open_ones():
    # Not those in which colours are converted meanwhile, which nobody sees.
    return [view.document() for view in Krita.views()]
def question():
    return next((one for one in QtWidgets.QApplication.topLevelWidgets()
                 if one.objectName() == "paintbridge_leaving" and one.isVisible()), None)
def answer(name):
    button = getattr(QtWidgets.QMessageBox.StandardButton, name)
    question().button(button).click()
def discard_all():
    part("results").selectAll()
    docker.discard()
def closed():
    # First: Krita asks about pictures that have not been applied.
    discard_all()
    for document in open_ones():
        close_one(document)
    part("dismiss").click()
    part("batch").setValue(1)
    part("seed").clear()
    part("prompt").clear()
    part("negative_prompt").clear()
    part("strength").setValue(100)
    part("steps").setValue(0)
    choose("mode", "auto")
    choose("checkpoint", None)
def select(x, y, width, height, feather=0):
    selection = krita.Selection()
    selection.select(x, y, width, height, 255)
    if feather:
        selection.feather(feather)
    document().setSelection(selection)
    document().waitForDone()
def document():
    return Krita.activeDocument()
def fill(data):
    document().rootNode().childNodes()[0].setPixelData(
        QtCore.QByteArray(base64.b64decode(data)), 0, 0, document().width(), document().height())
    document().refreshProjection()
    document().waitForDone()
def selected():
    return packed(document().selection().pixelData(0, 0, document().width(), document().height()))
def seen_at(x, y):
    document().waitForDone()
    return list(document().projection(x, y, 1, 1).pixelColor(0, 0).getRgb())
def packed(data):
    return base64.b64encode(zlib.compress(bytes(data), 1)).decode()
def projection():
    document().waitForDone()
    return packed(document().pixelData(0, 0, document().width(), document().height()))
def turn(degrees, mirrored, zoom):
    canvas = Krita.activeWindow().activeView().canvas()
    canvas.setRotation(degrees)
    canvas.setMirror(mirrored)
    canvas.setZoomLevel(zoom)
def layers(of):
    return [node for node in of.rootNode().childNodes() if node.type() == "paintlayer"]
def tops():
    return [node for node in document().rootNode().childNodes() if node.type() != "selectionmask"]
def top():
    nodes = layers(document())
    box = nodes[-1].bounds()
    return {"name": nodes[-1].name(), "at": [box.x(), box.y(), box.width(), box.height()], "count": len(nodes),
            "space": [nodes[-1].colorModel(), nodes[-1].colorDepth(), nodes[-1].colorProfile()],
            "active": document().activeNode() == nodes[-1]}
def counted():
    return sum(len(layers(of)) for of in open_ones())
def pixels(index, x, y, width, height):
    return packed(layers(document())[index].pixelData(x, y, width, height))
"""


class KritaDocker:
    """``ask`` runs code on Krita's thread, with the functions above at hand."""

    def __init__(self, host: KritaHost) -> None:
        self.host = host
        self.desktop = host.desktop
        self.ask = host.ask

    def show(self, *, connected: bool = True) -> None:
        """Bring the docker to the front, and wait for its connection, if there is to be one."""
        self.ask(_FUNCTIONS)
        self.ask(
            "window.removeDockWidget(docker)\n"
            "window.addDockWidget(QtCore.Qt.DockWidgetArea.RightDockWidgetArea, docker)\n"
            "docker.setFloating(False)\n"
            "docker.show()\n"
            "docker.raise_()\n"
            "part('options').setChecked(True)"
        )
        if connected:
            wait_for(lambda: self.words("state") == "Connected to the bridge.", "the connection")

    def click(self, name: str) -> None:
        """Press the left button on a part of the docker, in its middle."""
        self.desktop.xdotool("mousemove", *self._place(name), "click", 1)

    def press(self, name: str) -> None:
        """Press the left button on a part, and hold it."""
        self.desktop.xdotool("mousemove", *self._place(name), "mousedown", 1)

    def release(self) -> None:
        """Let it go."""
        self.desktop.xdotool("mouseup", 1)

    def type(self, name: str, text: str) -> None:
        """Type into a part, in place of what is there."""
        self.click(name)
        wait_for(lambda: self.ask(f"part({name!r}).hasFocus()"), f"the focus in {name}")
        self.desktop.xdotool("key", "ctrl+a")
        self.desktop.xdotool("type", text)

    def lasso(self, points: Sequence[tuple[float, float]]) -> None:
        """Select by hand, in place of what is selected, around places of the screen."""
        self.ask(
            "document().setSelection(None); document().waitForDone(); Krita.action('KisToolSelectOutline').trigger()"
        )
        (x, y), *others = [(round(x), round(y)) for x, y in points]
        moves = [word for point in others for word in ("mousemove", *point)]
        self.desktop.xdotool("mousemove", x, y, "mousedown", 1, *moves, "mouseup", 1)
        wait_for(lambda: self.ask("bool(document().selection())"), "the selection")
        self.ask("document().waitForDone(); Krita.action('KritaShape/KisToolBrush').trigger()")

    def edit(self, *keys: object) -> None:
        """Undo or redo by keys. Krita lets them go unheard while it still computes."""
        self.ask("document().waitForDone()")
        self.desktop.xdotool("key", *keys)

    def words(self, name: str) -> str:
        """What a label says."""
        words: str = self.ask(f"part({name!r}).text()")
        return words

    def message(self) -> str:
        """Wait for words in the docker."""
        found: str = wait_for(lambda: self.words("message"), "a message")
        return found

    def enabled(self, name: str) -> bool:
        return bool(self.ask(f"part({name!r}).isEnabled()"))

    def results(self) -> int:
        """How many pictures have not been applied."""
        return int(self.ask("docker._results.waiting()"))

    def open(self, code: str) -> None:
        """Run code that opens a document, and wait until it is the active one."""
        before = self.ask("len(open_ones())")
        self.ask(code)
        wait_for(lambda: self.ask("len(open_ones())") == before + 1 and self.ask("bool(document())"), "a document")
        self.ask("document().waitForDone()")
        # As high as an artist makes it who works with it. Without a document Krita hides its dockers.
        self.ask(
            "window.resizeDocks([docker, window.findChild(QtWidgets.QDockWidget, 'PresetDocker')], [560, 60],"
            " QtCore.Qt.Orientation.Vertical)"
        )

    def close_all(self) -> None:
        """Close all documents, and leave the docker as it was."""
        self.ask("closed()")

    def close_asked(self, code: str) -> str:
        """Close the document that code gives, of which pictures wait. Returns the question, which is agreed to."""
        before = self.ask("len(open_ones())")
        # Held here: a timer forgets what nobody holds.
        self.ask(f"leaving = {code}\nleaving.waitForDone(); let_layers_list_update(); leaving.setModified(False)")
        self.ask("QtCore.QTimer.singleShot(0, leaving.close)")
        wait_for(lambda: self.ask("question() is not None"), "the question before a document is closed")
        words = str(self.ask("question().text()"))
        self.ask("answer('Close')")
        wait_for(lambda: self.ask("len(open_ones())") == before - 1, "it to be closed")
        return words

    def pixels(self, code: str, shape: tuple[int, ...], dtype: Any = np.uint8) -> np.ndarray:
        """What code has packed."""
        return np.frombuffer(zlib.decompress(base64.b64decode(self.ask(code))), dtype).reshape(shape)

    def generate(self, button: str = "generate", *, pictures: int = 1) -> None:
        """Press a button, and wait for pictures."""
        wanted = self.results() + pictures
        self.click(button)
        wait_for(lambda: self.results() >= wanted or self.words("message"), "a picture")
        assert self.results() == wanted, self.words("message")

    def apply(self) -> None:
        """Press the button, and wait for the layer, in whichever document."""
        before = self.ask("counted()")
        self.click("apply")
        wait_for(lambda: self.ask("counted()") == before + 1 or self.words("message"), "the layer")
        assert self.ask("counted()") == before + 1, self.words("message")

    def _place(self, name: str) -> list[int]:
        """Where a part is on the screen, when Qt has laid everything out: the same place twice."""
        seen: list[list[int]] = [[]]

        def rests() -> bool:
            seen.append(self.ask(f"centre({name!r})"))
            return seen[-1] == seen[-2]

        wait_for(rests, f"{name} to stay where it is")
        return seen[-1]
