"""The dialog as an artist uses it: keys and clicks only, with screenshots to be looked at."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gimp_host import GimpHost
from host_desktop import wait_for
from small_screenshots import small
from whole_bridge import PATIENCE

from bridge.client import Bridge

SKY = [1050, 120, 300, 300]
# Of the image window: where GIMP shows progress, and at its right end a button beside it, while there is any.
STATUS, BUTTON = ((slice(868, 900), slice(*columns)) for columns in ((370, 1160), (1050, 1160)))
CANCEL = (1122, 882)
# The dialog, and of it the prompt, and what lies below that, over which *Reset* opens.
DIALOG, PROMPT, VALUES = ((slice(*rows), slice(0, 440)) for rows in ((0, 500), (100, 195), (195, 480)))
# What is typed as a prompt, inside its frame.
TEXT = (slice(170, 232), slice(14, 430))
# Where the artist is offered to start the bridge: in the dialog, and, for a command without one, in a box.
OFFERS = (("fill", "Generative Fill"), ("remove", "Paintbridge"))
START = (363, 42)


@pytest.fixture(scope="module")
def image(gimp, photo):
    """The photograph with the sky selected, in a window."""
    shown = gimp.call("load", path=photo, show=True)
    gimp.call("select", image=shown, shape="ellipse", numbers=SKY)
    gimp.show()
    yield shown
    if gimp.call("is_open", image=shown):
        gimp.call("close", image=shown)


def layers(gimp: GimpHost, image: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gimp.call("describe", image=image)["layers"]
    return found


def wait_for_layers(gimp: GimpHost, image: int, count: int) -> list[dict[str, Any]]:
    wait_for(lambda: len(layers(gimp, image)) == count, f"{count} layers")
    wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
    return layers(gimp, image)


def differ(one: np.ndarray, other: np.ndarray, area: tuple[slice, slice]) -> bool:
    """Whether two screens differ in an area, by more than a cursor that blinks."""
    return bool((np.abs(one - other)[area].max(axis=2) > 60).sum() > 150)


def wait_for_change(gimp: GimpHost, before: np.ndarray, area: tuple[slice, slice], what: str) -> np.ndarray:
    """Wait until the screen has changed in an area. Returns how it looks then."""
    now = before

    def changed() -> bool:
        nonlocal now
        now = gimp.screen()
        return differ(before, now, area)

    wait_for(changed, what)
    return now


def wait_for_rest(gimp: GimpHost, area: tuple[slice, slice]) -> np.ndarray:
    """Wait until nothing changes in an area any more. Returns how the screen looks then."""
    now = gimp.screen()

    def rests() -> bool:
        nonlocal now
        before, now = now, gimp.screen()
        return not differ(before, now, area)

    wait_for(rests, "the screen to stand still")
    return now


def test_typed_prompt_button_progress_layer(gimp, bridge, image, output):
    idle, connections = wait_for_rest(gimp, STATUS), bridge.connections()
    gimp.open_menu()
    gimp.desktop.screenshot(output / "menu.png")
    gimp.keys("Down", "Down", "Down", "Return")
    gimp.dialog("Generative Fill")
    gimp.type("a red balloon")
    wait_for(lambda: bridge.connections() > connections, "the bridge to be found")
    wait_for_rest(gimp, DIALOG)
    small(gimp.desktop.screenshot(output / "dialog.png"), output / "gimp-dialog.jpg")
    gimp.keys("ctrl+Return")
    busy = wait_for_change(gimp, idle, BUTTON, "progress to be shown")
    gimp.desktop.screenshot(output / "progress.png")
    top, _ = wait_for_layers(gimp, image, 2)
    assert top["name"] == "a red balloon"
    assert gimp.call("recipe", layer=top["id"])["settings"]["conditioning"]["prompt"] == "a red balloon"
    wait_for_change(gimp, busy, BUTTON, "progress to be done")
    small(gimp.desktop.screenshot(output / "filled.png"), output / "gimp-filled.jpg")


def test_repeat_last_works_with_the_stored_values(gimp, image):
    gimp.show()
    gimp.keys("ctrl+f")
    top, earlier, _ = wait_for_layers(gimp, image, 3)
    recipes = [gimp.call("recipe", layer=layer["id"]) for layer in (top, earlier)]
    assert [recipe["settings"]["conditioning"]["prompt"] for recipe in recipes] == ["a red balloon"] * 2
    assert recipes[0]["settings"]["sampling"]["seed"] != recipes[1]["settings"]["sampling"]["seed"]


def test_the_dialog_remembers_and_resets(gimp, bridge, image, output):
    gimp.show()
    gimp.keys("shift+ctrl+f")
    gimp.dialog("Generative Fill")
    gimp.desktop.screenshot(output / "remembered.png")
    gimp.keys("ctrl+Return")
    assert wait_for_layers(gimp, image, 4)[0]["name"].startswith("a red balloon")
    gimp.show()
    connections = bridge.connections()
    gimp.keys("shift+ctrl+f")
    gimp.dialog("Generative Fill")
    wait_for(lambda: bridge.connections() > connections, "the bridge to be found")
    filled_in = wait_for_rest(gimp, DIALOG)
    gimp.keys("alt+r")
    offered = wait_for_change(gimp, filled_in, VALUES, "what to reset to")
    gimp.desktop.screenshot(output / "reset.png")
    gimp.keys("Down", "Return")
    wait_for_change(gimp, offered, PROMPT, "the prompt to be emptied")
    gimp.desktop.screenshot(output / "after-reset.png")
    gimp.keys("ctrl+Return")
    assert wait_for_layers(gimp, image, 5)[0]["name"] == "Generative Fill", "an empty prompt"


def test_a_prompt_cannot_be_typed_to_remove(gimp, bridge, image, output):
    before = len(layers(gimp, image))
    gimp.show()
    connections = bridge.connections()
    gimp.keys("shift+ctrl+f")
    gimp.dialog("Generative Fill")
    gimp.type("a red balloon")
    wait_for(lambda: bridge.connections() > connections, "the bridge to be found")
    assert wait_for_rest(gimp, DIALOG)[TEXT].max() > 200, "light words on a dark ground"
    gimp.keys("Tab", "Down", "Down")
    wait_for(lambda: gimp.screen()[TEXT].max() < 180, "the prompt to be greyed")
    gimp.desktop.screenshot(output / "remove-in-the-dialog.png")
    gimp.keys("ctrl+Return")
    top = wait_for_layers(gimp, image, before + 1)[0]
    assert top["name"] == "Remove"
    recipe = gimp.call("recipe", layer=top["id"])
    assert (recipe["settings"]["mode"], recipe["settings"]["conditioning"]["prompt"]) == ("remove", "")
    gimp.call("remove_layer", layer=top["id"])
    # The dialog does not stay there.
    gimp.show()
    gimp.keys("shift+ctrl+f")
    gimp.dialog("Generative Fill")
    gimp.keys("ctrl+Return")
    again = wait_for_layers(gimp, image, before + 1)[0]
    recipe = gimp.call("recipe", layer=again["id"])
    assert (recipe["settings"]["mode"], recipe["settings"]["conditioning"]["prompt"]) == ("fill", "a red balloon")
    gimp.call("remove_layer", layer=again["id"])


def test_remove_is_one_click_without_a_dialog(gimp, image):
    gimp.choose("remove")
    assert wait_for_layers(gimp, image, 6)[0]["name"] == "Remove"


def test_the_button_cancel_ends_the_job_at_the_bridge(gimp, bridge, image, output):
    before = gimp.call("describe", image=image)
    start_job(gimp, "slow")
    with Bridge(bridge.address(), client="tests/hosts") as client:
        behind = bridge.until_busy(client)
        ended = len(bridge.jobs())
        gimp.desktop.screenshot(output / "cancel.png")
        gimp.click(*CANCEL)
        wait_for(lambda: gimp.plug_in() is None, "GIMP to end the plug-in")
        behind.result(PATIENCE)
    assert bridge.jobs()[ended]["code"] == "cancelled"
    assert gimp.call("describe", image=image) == before


def test_a_layer_that_goes_during_its_job(gimp, bridge, image):
    """What was painted is kept: on top of what is left."""
    others = layers(gimp, image)
    active = gimp.call("add_layer", image=image, x=1000, y=50, width=500, height=500, colour="rgb(0.8,0.8,0.9)")
    assert gimp.call("describe", image=image)["selected"] == [active]
    start_job(gimp, "steady")
    with Bridge(bridge.address(), client="tests/hosts") as client:
        behind = bridge.until_busy(client)
        gimp.call("remove_layer", layer=active)
        behind.result(PATIENCE)
    wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
    top, *below = layers(gimp, image)
    assert top["name"].endswith("a rock")
    assert below == others


def test_an_image_that_is_closed_during_its_job(gimp, bridge, image):
    start_job(gimp, "slow")
    with Bridge(bridge.address(), client="tests/hosts") as client:
        behind = bridge.until_busy(client)
        ended = len(bridge.jobs())
        gimp.call("close", image=image)
        wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
        behind.result(PATIENCE)
    assert bridge.jobs()[ended]["code"] == "cancelled"
    wait_for(lambda: "The image was closed meanwhile" in gimp.log.read_text(), "the message")
    assert not gimp.call("is_open", image=image)


@pytest.mark.parametrize(
    ("what", "words"), [("layer", "no longer in the image"), ("image", "The image was closed meanwhile")]
)
def test_what_goes_while_the_dialog_is_open(gimp, what, words):
    shown = gimp.call("blank", width=400, height=300, show=True)
    (only,) = layers(gimp, shown)
    said = gimp.log.read_text().count(words)
    gimp.choose("fill")
    gimp.dialog("Generative Fill")
    if what == "layer":
        gimp.call("remove_layer", layer=only["id"])
    else:
        gimp.call("close", image=shown)
    gimp.dialog("Generative Fill")
    gimp.keys("ctrl+Return")
    wait_for(lambda: gimp.log.read_text().count(words) > said, "the message")
    wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
    if what == "layer":
        assert not layers(gimp, shown)
        gimp.call("close", image=shown)


def start_job(gimp: GimpHost, checkpoint: str) -> None:
    """Generative Fill with a checkpoint, typed freely."""
    gimp.choose("fill")
    gimp.dialog("Generative Fill")
    gimp.type("a rock")
    gimp.keys("Tab", "Tab", "Tab", "ctrl+a")
    gimp.type(checkpoint)
    gimp.keys("ctrl+Return")


def test_no_bridge_runs_and_the_dialog_starts_one(gimp, bridge, photo, output):
    shown = gimp.call("load", path=photo, show=True)
    gimp.call("select", image=shown, shape="ellipse", numbers=SKY)
    runtime = bridge.home / "runtime.json"
    kept = runtime.read_text()
    try:
        for count, (name, title) in enumerate(OFFERS, start=2):
            asked, start = gimp.share / f"asked-{name}", gimp.share / f"start-{name}.sh"
            # As the bridge when it has started: the file is there all at once.
            (gimp.share / name).write_text(kept)
            start.write_text(f"#!/bin/sh\nmv {gimp.share / name} {runtime}\ntouch {asked}\nexec sleep 600\n")
            start.chmod(0o755)
            replace(runtime, json.dumps({**json.loads(kept), "pid": None, "start_command": [str(start), "serve"]}))
            connections = bridge.connections()
            gimp.choose(name)
            gimp.dialog(title)
            press = partial(gimp.click, *START) if name == "fill" else partial(gimp.keys, "Return")
            gimp.desktop.screenshot(output / f"no-bridge-{name}.png")
            wait_for(lambda press=press, asked=asked: press() or asked.exists(), "the bridge to be started")
            wait_for(lambda before=connections: bridge.connections() > before, "the plug-in to connect")
            if name == "fill":
                gimp.keys("ctrl+Return")
            wait_for_layers(gimp, shown, count)
    finally:
        replace(runtime, kept)
    gimp.call("close", image=shown)


def replace(path: Path, words: str) -> None:
    """Put another file in its place: nobody who reads it sees half of one."""
    new = path.with_suffix(".new")
    new.write_text(words)
    new.replace(path)


def test_check_connection_shows_what_is_connected_and_remembers_what_is_entered(gimp, bridge, photo, folder, output):
    """Another address, and the token for it, in a file that nobody else can read."""
    saved = folder / "paintbridge.json"
    address = bridge.address()
    shown, connections = gimp.call("load", path=photo, show=True), bridge.connections()
    try:
        gimp.choose("check")
        gimp.dialog("Check Connection")
        wait_for(lambda: bridge.connections() > connections, "the bridge to be found")
        gimp.desktop.screenshot(output / "check.png")
        gimp.type(address.url)
        gimp.keys("Tab")
        gimp.type(address.token)
        gimp.keys("Return")
        wait_for(lambda: bridge.connections() > connections + 1, "the entered address to be tried")
        gimp.desktop.screenshot(output / "checked.png")
        gimp.keys("Escape")
        wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
        assert json.loads(saved.read_text()) == {"address": address.url, "token": address.token}
        assert saved.stat().st_mode & 0o777 == 0o600
    finally:
        saved.unlink(missing_ok=True)
        gimp.call("close", image=shown)


def test_help_opens_the_manual(gimp, photo):
    """In whatever browser the desktop has: here one that writes down what it is asked for."""
    shown = gimp.call("load", path=photo, show=True)
    gimp.choose("fill")
    gimp.dialog("Generative Fill")
    gimp.keys("alt+h")
    asked = gimp.share / "browsed"
    address = wait_for(lambda: asked.exists() and asked.read_text(), "the browser")
    assert address.strip().endswith("/plug-ins/paintbridge/help/en/manual.html#fill")
    gimp.dialog("Generative Fill")
    gimp.keys("Escape")
    wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
    gimp.call("close", image=shown)
