"""Few clicks and no traps: what was applied stays in the list, nothing is lost unasked, strips are expanded into, and
the keyboard is the canvas's again.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_desktop import wait_for
from krita_docker import KritaDocker
from PIL import Image

# Of the screen: an empty place beside the canvas's picture.
BESIDE = (300, 930)
_FUNCTIONS = """
def ticked():
    pictures = part("results")
    return [pictures.is_applied(item) for item in pictures.all()]
def chosen():
    return [part("results").row(item) for item in part("results").chosen()]
def overlay_shown():
    return any(one.isVisible() for one in window.findChildren(QtWidgets.QWidget, "paintbridge_overlay"))
def act(name):
    Krita.action("paintbridge_" + name).trigger()
None
"""


@pytest.fixture
def opened(docker: KritaDocker) -> Iterator[KritaDocker]:
    """The docker, with a small document that is selected in its middle. Few steps: how it looks does not count."""
    docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
    docker.ask(_FUNCTIONS)
    docker.ask("select(100, 60, 80, 80); part('steps').setValue(2)")
    yield docker
    docker.close_all()


def test_what_was_applied_stays_with_a_tick(opened: KritaDocker, share: Path) -> None:
    """Undone, it can be applied again. The document keeps its recipe, from which it can be made anew."""
    docker = opened
    docker.ask("part('prompt').setPlainText('a star'); part('batch').setValue(2)")
    docker.generate(pictures=2)
    docker.apply()
    wait_for(lambda: docker.ask("ticked()") == [True, False], "the tick")
    assert docker.ask("[chosen(), overlay_shown()]") == [[], False], "the next one is not laid over it"
    docker.edit("ctrl+z")
    wait_for(lambda: docker.ask("top()['count']") == 1, "the undo")
    docker.ask("part('results').choose(0)")
    docker.apply()
    path = share / "recipes.kra"
    docker.ask(f"document().exportImage({str(path)!r}, krita.InfoObject()); document().waitForDone()")
    layer = docker.ask("tops()[-1].uniqueId().toString().strip('{}')")
    with zipfile.ZipFile(path) as file:
        (name,) = (name for name in file.namelist() if layer in name)
        recipe = json.loads(file.read(name))
    assert recipe["settings"]["conditioning"]["prompt"] == "a star"
    docker.ask("closed()")
    docker.open(f"opened({str(path)!r})")
    docker.ask("document().setActiveNode(tops()[-1]); document().waitForDone()")
    docker.click("reuse")
    seed = str(recipe["settings"]["sampling"]["seed"])
    wait_for(lambda: docker.ask("part('seed').text()") == seed, "the layer's own values")
    assert docker.ask("part('prompt').toPlainText()") == "a star"
    docker.ask("document().setActiveNode(tops()[0]); document().waitForDone()")
    docker.click("reuse")
    assert "does not say how it was made" in docker.message()


def test_four_pictures_come_one_by_one(opened: KritaDocker) -> None:
    docker = opened
    docker.ask(
        "part('prompt').setPlainText('a star'); part('seed').setText('7')\nseen = []\n"
        "def look(_):\n    seen.append([part('results').count(), docker._jobs.under_way[0].number])"
    )
    docker.ask("part('progress').valueChanged.connect(look)\nNone")
    docker.generate("four", pictures=4)
    docker.ask("part('progress').valueChanged.disconnect(look)")
    assert [3, 4] in docker.ask("seen"), "three are there while the fourth is painted"
    seeds = docker.ask("[part('results').item(row).toolTip().split()[-1] for row in range(4)]")
    assert seeds == ["7", "8", "9", "10"]


def test_actions_for_hands_on_the_canvas(opened: KritaDocker) -> None:
    """They have no keys of their own, and can be given some."""
    docker = opened
    docker.ask("part('batch').setValue(3)")
    docker.generate(pictures=3)
    docker.ask("act('next')")
    assert docker.ask("chosen()") == [1]
    docker.ask("act('previous'); act('previous')")
    assert docker.ask("chosen()") == [2], "from the first one the last follows"
    wait_for(lambda: docker.ask("overlay_shown()"), "the picture")
    docker.ask("act('compare')")
    assert not docker.ask("overlay_shown()")
    docker.ask("act('compare')")
    assert docker.ask("overlay_shown()")
    docker.ask("act('discard')")
    assert docker.results() == 2
    # A pen: none is here, so the canvas's filter is told.
    docker.ask("one = window.findChildren(QtWidgets.QWidget, 'paintbridge_overlay')[0]")
    docker.ask("one.eventFilter(one.canvas, QtCore.QEvent(QtCore.QEvent.Type.TabletPress))")
    assert not docker.ask("overlay_shown()"), "whoever paints sees the document"
    docker.ask("act('next')")
    assert docker.ask("overlay_shown()")


def test_after_sending_the_keyboard_is_the_canvass(opened: KritaDocker) -> None:
    docker = opened
    docker.type("prompt", "a star")
    docker.desktop.xdotool("key", "ctrl+Return")
    focused = "window.findChild(QtWidgets.QWidget, 'paintbridge_overlay').canvas.hasFocus()"
    wait_for(lambda: docker.ask(focused), "the canvas to have the keyboard")
    wait_for(lambda: docker.results() == 1, "the picture")


def test_pictures_are_applied_at_once(opened: KritaDocker) -> None:
    """As the settings say; the active layer stays the active one."""
    docker = opened
    docker.ask("Krita.writeSetting('paintbridge', 'apply_at_once', 'true')")
    active = docker.ask("document().activeNode().name()")
    docker.click("generate")
    wait_for(lambda: docker.ask("ticked()") == [True], "the layer")
    assert docker.ask("[len(layers(document())), document().activeNode().name()]") == [2, active]
    docker.ask("Krita.writeSetting('paintbridge', 'apply_at_once', 'false')")


def test_nothing_that_waits_is_lost_unasked(opened: KritaDocker, output: Path) -> None:
    docker = opened
    docker.generate("remove")
    docker.ask("QtCore.QTimer.singleShot(0, window.close)")
    wait_for(lambda: docker.ask("question() is not None"), "the question before Krita ends")
    docker.desktop.screenshot(output / "leaving.png")
    assert "have not been applied: 1" in docker.ask("question().text()")
    docker.ask("answer('Cancel')")
    wait_for(lambda: docker.ask("question() is None and window.isVisible()"), "Krita to stay")
    # A document, in whose place another one is looked at then.
    docker.open("made(120, 100, 'RGBA', 'U8', SRGB)")
    assert docker.results() == 1
    words = docker.close_asked("next(one for one in open_ones() if one.width() == 300)")
    assert "of this document that have not been applied: 1" in words
    docker.ask("part('results').choose(0)")
    wait_for(lambda: "belongs to" in docker.words("place"), "whose it was")
    assert docker.results() == 1


def test_strips_beside_the_picture_are_expanded_into(opened: KritaDocker, share: Path) -> None:
    """As after the canvas has grown; and the canvas grows on demand. The ground behind a figure is no strip."""
    docker = opened
    said = "part('mode').itemText(0)"
    for name, mode in (("figure", "RGBA"), ("picture", "RGB")):
        image = Image.effect_mandelbrot((160, 120), (-2, -1.5, 1, 1.5), 100).convert(mode)
        if name == "figure":
            image.putalpha(
                Image.linear_gradient("L").resize((160, 120)).point(lambda value: 255 if value > 90 else 0).rotate(30)
            )
        image.save(share / f"{name}.png")
    docker.open(f"opened({str(share / 'figure.png')!r})")
    wait_for(lambda: docker.ask(said) == "Automatic: Generate", "the figure's ground not to be taken for strips")
    docker.open(f"opened({str(share / 'picture.png')!r})")
    docker.ask("document().resizeImage(-20, 0, 220, 120); document().waitForDone()")
    wait_for(lambda: docker.ask(said) == "Automatic: Expand", "the strips")
    before = docker.pixels("projection()", (120, 220, 4))
    docker.generate()
    docker.apply()
    after = docker.pixels("projection()", (120, 220, 4))
    assert (after[..., 3] == 255).all()
    assert (after == before)[:, 60:140].all(), "further in than the feather nothing changes"
    docker.ask("choose('mode', 'expand')\nQtCore.QTimer.singleShot(0, docker.generate)")
    wait_for(lambda: docker.ask("window.findChild(QtWidgets.QDialog, 'paintbridge_expand_dialog') is not None"), "it")
    docker.desktop.xdotool("key", "Return")
    wait_for(lambda: docker.results() == 1 or docker.words("message"), "the picture")
    assert docker.ask("[document().width(), document().height()]") == [330, 180]
    docker.apply()
    assert (docker.pixels("projection()", (180, 330, 4))[..., 3] == 255).all()


def test_at_first_it_is_a_tab_and_fits_a_small_screen(opened: KritaDocker, output: Path) -> None:
    """Beside Brush Presets, with the Layers in sight; what each picture needs is there without scrolling."""
    docker = opened
    docker.ask("part('options').setChecked(False); docker.hide(); window.setGeometry(0, 0, 1366, 768)")
    docker.ask("Krita.writeSetting('paintbridge', 'placed', 'false'); docker.show()")
    presets = "window.findChild(QtWidgets.QDockWidget, 'PresetDocker')"
    wait_for(lambda: docker.ask(f"{presets} in window.tabifiedDockWidgets(docker)"), "it to be a tab")
    lowest = "part('apply').mapTo(docker, part('apply').rect().bottomLeft()).y()"
    wait_for(lambda: docker.ask(f"0 < {lowest} < docker.height()"), "the button to be in sight", 60)
    assert docker.ask("window.findChild(QtWidgets.QDockWidget, 'KisLayerBox').isVisible()")
    docker.desktop.screenshot(output / "first-place.png")
    docker.ask("window.setGeometry(0, 0, *map(int, " + repr(list(docker.desktop.size)) + "))")
    docker.show()
