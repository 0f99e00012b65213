"""The dialog as an artist uses it: keys and clicks only, with screenshots to be looked at."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
from gimp_host import FOLDER, GimpHost
from host_desktop import wait_for
from PIL import Image

from bridge.client import Bridge

SKY = [1050, 120, 300, 300]
# Of the image window: where GIMP shows progress, and the button beside it.
STATUS = (370, 868, 1090, 900)
CANCEL = (1122, 882)
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


def status(gimp: GimpHost) -> np.ndarray:
    """What the image window's status bar looks like."""
    shot = gimp.desktop.screenshot(gimp.share / "status.png")
    return np.array(Image.open(shot).convert("RGB").crop(STATUS)).astype(int)


def small(path: Any, target: Any) -> None:
    """A screenshot for the documentation."""
    Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT).save(target, optimize=True)


def test_typed_prompt_button_progress_layer(gimp, bridge, image, output):
    idle, connections = status(gimp), bridge.connections()
    gimp.open_menu()
    gimp.desktop.screenshot(output / "menu.png")
    gimp.keys("Down", "Down", "Down", "Return")
    gimp.dialog("Generative Fill")
    gimp.type("a red balloon")
    wait_for(lambda: bridge.connections() > connections, "the bridge to be found")
    small(gimp.desktop.screenshot(output / "dialog.png"), output / "gimp-dialog.png")
    gimp.keys("ctrl+Return")
    wait_for(lambda: (np.abs(status(gimp) - idle).max(axis=2) > 60).sum() > 600, "progress to be shown")
    gimp.desktop.screenshot(output / "progress.png")
    top, _ = wait_for_layers(gimp, image, 2)
    assert top["name"] == "a red balloon"
    assert gimp.call("recipe", layer=top["id"])["prompt"] == "a red balloon"
    small(gimp.desktop.screenshot(output / "filled.png"), output / "gimp-filled.png")


def test_repeat_last_works_with_the_stored_values(gimp, image):
    gimp.show()
    gimp.keys("ctrl+f")
    top, earlier, _ = wait_for_layers(gimp, image, 3)
    recipes = [gimp.call("recipe", layer=layer["id"]) for layer in (top, earlier)]
    assert [recipe["prompt"] for recipe in recipes] == ["a red balloon"] * 2
    assert recipes[0]["seed"] != recipes[1]["seed"]


def test_the_dialog_remembers_and_resets(gimp, image, output):
    gimp.show()
    gimp.keys("shift+ctrl+f")
    gimp.dialog("Generative Fill")
    gimp.desktop.screenshot(output / "remembered.png")
    gimp.keys("ctrl+Return")
    assert wait_for_layers(gimp, image, 4)[0]["name"].startswith("a red balloon")
    gimp.show()
    gimp.keys("shift+ctrl+f")
    gimp.dialog("Generative Fill")
    gimp.keys("alt+r")
    gimp.desktop.screenshot(output / "reset.png")
    gimp.keys("Down", "Return")
    gimp.desktop.screenshot(output / "after-reset.png")
    gimp.keys("ctrl+Return")
    assert wait_for_layers(gimp, image, 5)[0]["name"] == "Generative Fill", "an empty prompt"


def test_remove_is_one_click_without_a_dialog(gimp, image):
    gimp.choose("remove")
    assert wait_for_layers(gimp, image, 6)[0]["name"] == "Remove"


def test_the_button_cancel_ends_the_job_at_the_bridge(gimp, bridge, image, output):
    before = gimp.call("describe", image=image)
    start_slow_job(gimp)
    with Bridge(bridge.address(), client="tests/hosts") as client:
        behind = bridge.until_busy(client)
        ended = len(bridge.jobs())
        gimp.desktop.screenshot(output / "cancel.png")
        gimp.click(*CANCEL)
        wait_for(lambda: gimp.plug_in() is None, "GIMP to end the plug-in")
        behind.result(60)
    assert bridge.jobs()[ended]["code"] == "cancelled"
    assert gimp.call("describe", image=image) == before


def test_an_image_that_is_closed_during_its_job(gimp, bridge, image):
    start_slow_job(gimp)
    with Bridge(bridge.address(), client="tests/hosts") as client:
        behind = bridge.until_busy(client)
        ended = len(bridge.jobs())
        gimp.call("close", image=image)
        wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
        behind.result(60)
    assert bridge.jobs()[ended]["code"] == "cancelled"
    wait_for(lambda: "The image was closed while its layer was being painted" in gimp.log.read_text(), "the message")
    assert not gimp.call("is_open", image=image)


def start_slow_job(gimp: GimpHost) -> None:
    """Generative Fill with the slow checkpoint, typed freely."""
    gimp.choose("fill")
    gimp.dialog("Generative Fill")
    gimp.type("a rock")
    gimp.keys("Tab", "Tab", "Tab", "ctrl+a")
    gimp.type("slow")
    gimp.keys("ctrl+Return")


def test_no_bridge_runs_and_the_dialog_starts_one(gimp, bridge, photo, output):
    shown = gimp.call("load", path=photo, show=True)
    gimp.call("select", image=shown, shape="ellipse", numbers=SKY)
    runtime, asked = bridge.home / "runtime.json", gimp.share / "asked"
    kept = runtime.read_bytes()
    start = gimp.share / "start.sh"
    start.write_text(f"#!/bin/sh\ntouch {asked}\nsleep 600\n")
    start.chmod(0o755)
    stopped = json.dumps({**json.loads(kept), "pid": None, "start_command": [str(start), "serve"]})
    try:
        for count, (name, title) in enumerate(OFFERS, start=2):
            runtime.write_text(stopped)
            gimp.choose(name)
            gimp.dialog(title)
            press = partial(gimp.click, *START) if name == "fill" else partial(gimp.keys, "Return")
            gimp.desktop.screenshot(output / f"no-bridge-{name}.png")
            wait_for(lambda press=press: press() or asked.exists(), "the bridge to be started")
            asked.unlink()
            connections = bridge.connections()
            # What the bridge does when it has started.
            runtime.write_bytes(kept)
            wait_for(lambda count=connections: bridge.connections() > count, "the plug-in to connect")
            if name == "fill":
                gimp.keys("ctrl+Return")
            wait_for_layers(gimp, shown, count)
    finally:
        runtime.write_bytes(kept)
    gimp.call("close", image=shown)


def test_check_connection_shows_what_is_connected_and_remembers_what_is_entered(gimp, bridge, photo, share, output):
    """Another address, and the token for it, in a file that nobody else can read."""
    saved = share / "home" / FOLDER / "paintbridge.json"
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
    wait_for(asked.exists, "the browser")
    assert asked.read_text().strip().endswith("/plug-ins/paintbridge/help/en/manual.html#fill")
    gimp.dialog("Generative Fill")
    gimp.keys("Escape")
    wait_for(lambda: gimp.plug_in() is None, "the plug-in to end")
    gimp.call("close", image=shown)
