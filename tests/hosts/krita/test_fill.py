"""An artist fills an area of a photograph, through the docker alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from host_reference import reference
from krita_docker import KritaDocker
from small_screenshots import small

PROMPT = "a red balloon"
SIZE = (1080, 1920)
AREA = (1080, 140, 260, 250)
# Of the screen, around some sky.
LASSO = [(1000 + 110 * math.cos(turn / 10 * math.pi), 320 + 100 * math.sin(turn / 10 * math.pi)) for turn in range(21)]
OVERLAY = "any(overlay.isVisible() for overlay in window.findChildren(QtWidgets.QWidget, 'paintbridge_overlay'))"


@pytest.fixture
def opened(docker: KritaDocker, photo: str) -> Iterator[KritaDocker]:
    """The docker, with some sky of the photograph selected."""
    docker.open(f"opened({photo!r})")
    docker.ask(f"select(*{AREA}, 20)")
    yield docker
    docker.close_all()


def test_prompt_button_progress_layer_undo(opened: KritaDocker, bridge: HostBridge, output: Path) -> None:
    docker = opened
    docker.lasso(LASSO)
    before = docker.pixels("projection()", (*SIZE, 4))
    selection = docker.pixels("selected()", SIZE)
    assert set(np.unique(selection)) > {0, 255}, "soft"
    wanted = reference(bridge, before[..., [2, 1, 0, 3]], selection, kind="fill", prompt=PROMPT, seed=3)
    docker.type("prompt", PROMPT)
    docker.type("seed", "3")
    docker.ask(f"def look(_):\n    seen.append([part('progress').text(), {OVERLAY}])\nseen = []")
    docker.ask("part('progress').valueChanged.connect(look)\nNone")
    docker.generate()
    seen = docker.ask("seen")
    assert any(text.startswith("Painting") and "s left" in text for text, _ in seen), seen
    assert any(previewed for _, previewed in seen), "a preview over the canvas"
    docker.ask("part('progress').valueChanged.disconnect(look)")
    assert np.array_equal(docker.pixels("projection()", (*SIZE, 4)), before), "nothing has changed yet"
    small(docker.desktop.screenshot(output / "painted.png"), output / "krita-docker.jpg")
    docker.apply()
    layer = docker.ask("top()")
    small(docker.desktop.screenshot(output / "applied.png"), output / "krita-applied.jpg")

    (made,) = wanted.layers
    size = (made.picture.height, made.picture.width)
    assert layer["name"] == PROMPT
    assert layer["active"], "the next brush stroke goes onto it"
    painted = docker.pixels(f"pixels(-1, {made.x}, {made.y}, {size[1]}, {size[0]})", (*size, 4))[..., [2, 1, 0, 3]]
    assert np.array_equal(painted, np.frombuffer(made.data, np.uint8).reshape(*size, 4))
    x, y, width, height = layer["at"]
    assert made.x <= x < x + width <= made.x + size[1], "and nothing beside it"
    assert made.y <= y < y + height <= made.y + size[0]

    after = docker.pixels("projection()", (*SIZE, 4))
    changed = (before != after).any(axis=2)
    covered = np.zeros(SIZE, bool)
    covered[made.y : made.y + size[0], made.x : made.x + size[1]] = painted[..., 3] > 0
    assert not (changed & ~covered).any()
    assert changed[selection == 255].mean() > 0.9, "inside it is another picture"

    docker.edit("ctrl+z")
    wait_for(lambda: docker.ask("top()['count']") == 1, "the undo")
    assert np.array_equal(docker.pixels("projection()", (*SIZE, 4)), before)
    docker.edit("ctrl+shift+z")
    wait_for(lambda: docker.ask("top()['count']") == 2, "the redo")
    assert np.array_equal(docker.pixels("projection()", (*SIZE, 4)), after)


def test_again_has_another_seed_and_discard_takes_one_away(opened: KritaDocker) -> None:
    docker = opened
    docker.type("seed", "3")
    docker.generate()
    docker.generate("again")
    seeds = docker.ask("[part('results').item(row).toolTip().split()[-1] for row in range(2)]")
    assert seeds[0] == "3"
    assert seeds[1] != "3"
    docker.click("discard")
    wait_for(lambda: docker.results() == 1, "the discarding")
    docker.apply()
    assert docker.results() == 0
    assert not docker.enabled("apply")


def test_cancel_ends_the_job_at_the_bridge(opened: KritaDocker, bridge: HostBridge) -> None:
    docker = opened
    docker.ask("choose('checkpoint', 'slow')")
    ended = len(bridge.jobs())
    docker.click("generate")
    wait_for(lambda: docker.words("progress").startswith("Painting"), "the slow checkpoint to paint")
    docker.click("cancel")
    wait_for(lambda: not docker.enabled("cancel"), "the docker to be free again")
    (job,) = wait_for(lambda: bridge.jobs()[ended:], "the job's end at the bridge")
    assert job["code"] == "cancelled"
    assert docker.words("message") == ""
    docker.ask("choose('checkpoint', None)")
    docker.generate()
    assert docker.results() == 1


def test_two_documents_each_have_their_own(opened: KritaDocker) -> None:
    docker = opened
    docker.generate()
    docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
    docker.apply()
    assert docker.ask("top()['count']") == 1, "the one that is looked at stays as it is"


def test_a_document_of_another_size_now(opened: KritaDocker) -> None:
    docker = opened
    docker.generate()
    docker.ask("document().resizeImage(0, 0, 1930, 1080)")
    docker.click("apply")
    assert "another size" in docker.message()
    assert docker.results() == 1, "the picture is kept"


def test_a_document_that_was_closed(opened: KritaDocker) -> None:
    """While another one is looked at: Krita hides its dockers with the last."""
    docker = opened
    docker.generate()
    docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
    docker.close_asked("next(one for one in Krita.documents() if one.width() == 1920)")
    docker.click("apply")
    assert "was closed" in docker.message()
    assert docker.results() == 1, "the picture is kept"
    assert docker.ask("counted()") == 1, "and not put elsewhere"


@pytest.mark.parametrize("area", [(-900, -900, 50, 50), (0, 0, 0, 0)])
def test_nothing_on_the_canvas_is_selected(opened: KritaDocker, area: tuple[int, ...]) -> None:
    docker = opened
    docker.ask(f"select(*{area})")
    docker.click("generate")
    message, hint = docker.message().split("\n")
    assert "selection" in message.lower()
    assert hint
    wait_for(lambda: docker.enabled("generate"), "the docker to be free again")
    assert docker.results() == 0
    docker.click("dismiss")
    wait_for(lambda: not docker.ask("part('message').isVisible()"), "the message to be put away")
