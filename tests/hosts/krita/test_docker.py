"""The docker's own ways: what is shown before it is applied, choosing among pictures, keys."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from host_desktop import wait_for
from krita_docker import KritaDocker
from PIL import Image

AREA = (1080, 140, 260, 250)
SHOWN = "bool([one for one in window.findChildren(QtWidgets.QWidget, 'paintbridge_overlay') if one.isVisible()])"
# Of the screen: where nothing but the canvas is, whatever the docker says.
CANVAS = (80, 100, 1240, 940)


@pytest.fixture
def opened(docker: KritaDocker, photo: str) -> Iterator[KritaDocker]:
    """The docker, with some sky of the photograph selected."""
    docker.open(f"opened({photo!r})")
    docker.ask(f"select(*{AREA})")
    yield docker
    docker.close_all()


def canvas(docker: KritaDocker, path: Path) -> np.ndarray:
    """What the canvas looks like."""
    return np.array(Image.open(docker.desktop.screenshot(path)).convert("RGB").crop(CANVAS)).astype(int)


def test_a_preview_is_seen_and_is_nowhere_in_the_document(opened: KritaDocker, share: Path, output: Path) -> None:
    docker = opened
    before = docker.pixels("projection()", (1080, 1920, 4))
    undo = "[Krita.action('edit_undo').isEnabled(), Krita.action('edit_undo').text(), document().modified()]"
    told = docker.ask(undo)
    docker.ask("choose('checkpoint', 'slow')")
    docker.type("prompt", "a red balloon")
    plain = canvas(docker, output / "before-preview.png")
    ants = wait_for(
        lambda: changed(plain, canvas(docker, output / "ants.png"), thick=False), "the selection's ants to walk"
    )
    docker.desktop.xdotool("key", "ctrl+Return")
    wait_for(lambda: docker.ask(SHOWN), "a preview")
    seen = wait_for(lambda: changed(plain, canvas(docker, output / "preview.png")), "it to be seen")
    assert np.abs(np.subtract(seen, ants)).max() <= 12, "where the selection is, to a dash of its line"
    assert docker.ask(undo) == told
    assert docker.ask("top()['count']") == 1
    kept = share / "during.kra"
    docker.ask(f"document().exportImage({str(kept)!r}, krita.InfoObject()); document().waitForDone()")
    with zipfile.ZipFile(kept) as file:
        assert file.read("maindoc.xml").count(b'nodetype="paintlayer"') == 1
        merged = np.array(Image.open(file.open("mergedimage.png")).convert("RGBA"))
    assert np.array_equal(merged, before[..., [2, 1, 0, 3]])
    docker.click("cancel")
    wait_for(lambda: not docker.ask(SHOWN), "the preview to be gone")
    assert changed(plain, canvas(docker, output / "after-preview.png")) is None


def changed(before: np.ndarray, after: np.ndarray, *, thick: bool = True) -> tuple[int, int, int, int] | None:
    """The bounds of what differs; of what is thicker than the line of ants around a selection, or of that too."""
    different = np.abs(before - after).max(axis=2) > 60
    if thick:
        around = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
        different = np.logical_and.reduce([np.roll(different, shift, (0, 1)) for shift in around])
    if not different.any():
        return None
    rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


@pytest.mark.parametrize("view", ["pass", "turn(30, True, 0.9)"])
def test_a_result_is_seen_as_it_will_be_applied(opened: KritaDocker, output: Path, view: str) -> None:
    """Zoomed, rotated and mirrored too. Hold the button to see before."""
    docker = opened
    docker.type("prompt", "a red balloon")
    docker.ask("part('steps').setValue(3)")
    docker.generate()
    docker.ask(f"document().setSelection(None)\n{view}")
    wait_for(lambda: docker.ask(SHOWN), "the result over the canvas")
    shown = at_rest(docker, output / "first.png")
    docker.press("compare")
    wait_for(lambda: not docker.ask(SHOWN), "the result to be lifted")
    until(docker, output / "compared.png", lambda plain: differ(plain, shown), "what was there before")
    docker.release()
    wait_for(lambda: docker.ask(SHOWN), "the result to be back")
    until(docker, output / "shown.png", lambda back: not differ(back, shown), "it again")
    docker.apply()
    assert not docker.ask(SHOWN)

    def alike(applied: np.ndarray) -> bool:
        difference = np.abs(shown - applied)
        # Two ways of resampling.
        return bool(np.percentile(difference, 99.9) <= 24 and difference.mean() < 0.5)

    until(docker, output / "applied-as-shown.png", alike, "the layer to look as the result did")
    docker.ask("turn(0, False, 1.0)")


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """By more than how something was resampled."""
    return bool((np.abs(one - other).max(axis=2) > 60).sum() > 5000)


def until(docker: KritaDocker, path: Path, condition: Callable[[np.ndarray], bool], what: str) -> None:
    """Wait for what the canvas looks like: Krita paints it when it comes to it."""
    wait_for(lambda: condition(canvas(docker, path)), what, 60)


def at_rest(docker: KritaDocker, path: Path) -> np.ndarray:
    """What the canvas looks like when Krita has painted it: twice the same."""
    docker.ask("document().waitForDone()")
    seen = [canvas(docker, path)]

    def rests() -> bool:
        seen.append(canvas(docker, path))
        return np.array_equal(*seen[-2:])

    wait_for(rests, "Krita to paint", 60)
    return seen[-1]
