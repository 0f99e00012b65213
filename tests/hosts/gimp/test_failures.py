"""What goes wrong before a job or in its midst: said in words, with a hint; nothing is lost, and GIMP goes on."""

from __future__ import annotations

import json

import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from tiny_checkpoints import build_tiny_sd1
from whole_bridge import PATIENCE

from bridge.client import Bridge
from bridge.client.starting import install_commands

SLOW = {"checkpoint": "slow", "prompt": "a rock"}
LONG = {**SLOW, "steps": 200, "seed": 1}


@pytest.fixture
def image(gimp):
    """A plain image with a selection. Whatever fails, it must be as it was, and the only one."""
    made = gimp.call("blank", width=400, height=300, colour="rgb(0.3,0.5,0.7)")
    gimp.call("select", image=made, shape="ellipse", numbers=[150, 100, 90, 80])
    state, images = gimp.call("describe", image=made), gimp.call("images")
    yield made
    assert gimp.call("describe", image=made) == state
    assert gimp.call("images") == images, "no copy of it is left behind"
    gimp.call("close", image=made)


@pytest.fixture
def settings(folder):
    """What *Check Connection* saves: another address and token."""
    path = folder / "paintbridge.json"

    def write(address: str, token: str) -> None:
        path.write_text(json.dumps({"address": address, "token": token}))

    yield write
    path.unlink(missing_ok=True)


@pytest.fixture
def runtime(bridge):
    """The bridge's runtime file, to be changed for a while."""
    path = bridge.home / "runtime.json"
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)


def test_a_killed_plug_in_takes_its_job_along_within_a_step(gimp, bridge, image):
    """So does GIMP's Cancel end a plug-in."""
    with Bridge(bridge.address(), client="tests/hosts") as client:
        gimp.ask("run", name="fill", image=image, **LONG)
        behind = bridge.until_busy(client)
        ended = len(bridge.jobs())
        wait_for(gimp.plug_in, "the plug-in").kill()
        assert gimp.answer()["status"] != "success"
        assert behind.result(PATIENCE).layers, "others go on"
    job = bridge.jobs()[ended]
    assert job["code"] == "cancelled"
    assert int(job["overrun"]) <= 2, "of 200 steps: the one that ran, and one whose report was on its way"
    done = gimp.call("run", name="remove", image=image)
    assert done["status"] == "success", "GIMP is alive, and the next job is as good as any"
    gimp.call("remove_layer", layer=done["layers"][0])


def test_a_killed_plug_in_leaves_no_undo_group_open(gimp, bridge):
    """In one that is left open, all that is done later would be undone together."""
    shown = gimp.call("blank", width=400, height=300, show=True)
    with Bridge(bridge.address(), client="tests/hosts") as client:
        gimp.ask("run", name="fill", image=shown, **LONG)
        behind = bridge.until_busy(client)
        wait_for(gimp.plug_in, "the plug-in").kill()
        gimp.answer()
        behind.result(PATIENCE)
    states = [gimp.call("describe", image=shown)]
    for colour in ("red", "green"):
        gimp.call("add_layer", image=shown, x=0, y=0, width=40, height=30, colour=colour)
        states.append(gimp.call("describe", image=shown))
    gimp.show()
    gimp.keys("ctrl+z")
    wait_for(lambda: gimp.call("describe", image=shown) != states[2], "the undo")
    layers = gimp.call("describe", image=shown)["layers"]
    assert layers[-1]["id"] == states[0]["layers"][0]["id"]
    assert len(layers) == 2, "only what was done last is undone"
    gimp.call("close", image=shown)


def test_a_bridge_that_is_killed_in_mid_job(gimp, image, share, settings):
    other = HostBridge(share / "other")
    build_tiny_sd1(other.home / "models" / "slow", inpaint=True, size=256, steps=400)
    with other:
        address = other.address()
        settings(address.url, address.token)
        with Bridge(address, client="tests/hosts") as client:
            gimp.ask("run", name="fill", image=image, **LONG)
            other.until_busy(client)
            other.kill()
            result = gimp.answer()
    assert result["status"] == "execution-error"
    assert "The connection to the bridge broke" in result["error"]
    assert "Start the bridge again" in result["error"]


def test_a_wrong_token(gimp, bridge, image, settings):
    settings(bridge.address().url, "not the token")
    result = gimp.call("run", name="fill", image=image)
    assert result["status"] == "execution-error"
    assert "The bridge refused the token." in result["error"]
    assert "Check Connection" in result["error"]


def test_an_address_that_nobody_answers(gimp, image, settings):
    settings("http://127.0.0.1:9", "a token")
    result = gimp.call("run", name="fill", image=image)
    assert result["status"] == "execution-error"
    assert "127.0.0.1:9" in result["error"]


def test_no_bridge_is_installed(gimp, image, runtime):
    runtime.unlink()
    result = gimp.call("run", name="remove", image=image)
    assert result["status"] == "execution-error"
    assert "No bridge was found" in result["error"]
    assert "\n".join(f"    {line}" for line in install_commands("linux")) in result["error"]


def test_a_bridge_is_installed_but_does_not_run(gimp, image, runtime):
    found = json.loads(runtime.read_text())
    runtime.write_text(json.dumps({**found, "pid": None, "start_command": ["/bin/echo", "serve"]}))
    result = gimp.call("run", name="remove", image=image)
    assert result["status"] == "execution-error"
    assert "The bridge is not running." in result["error"]
    assert "/bin/echo serve" in result["error"]


def test_what_the_bridge_refuses_comes_in_its_words_with_its_hint(gimp, image):
    result = gimp.call("run", name="fill", image=image, prompt="a rock", checkpoint="none of ours")
    assert result["status"] == "execution-error"
    assert "No checkpoint named 'none of ours' is installed.\nInstalled: mini" in result["error"]
