"""The plug-in, installed by our own command, in the real Krita, on a machine where no bridge runs; and all of it in
another language.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from host_room import HostRoom, Release, chosen_release
from host_wayland import chosen_desktop
from krita_docker import KritaDocker
from krita_host import KritaHost
from small_hub import SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1

from bridge.client.starting import install_commands
from bridge.models import RECOMMENDED

CHECKPOINT = RECOMMENDED[0].hub_id
UNET = "unet/diffusion_pytorch_model.safetensors"
HELD = 100_000
# What Debian has.
KRITA = {Release.TRIXIE: "5.2.", Release.SID: "5.3.", Release.EXPERIMENTAL: "6.0."}


@pytest.fixture
def docker(host_room: HostRoom) -> Iterator[KritaDocker]:
    with (
        tempfile.TemporaryDirectory(prefix="paintbridge-host-") as share,
        chosen_desktop(host_room, Path(share)) as desktop,
    ):
        host = KritaHost(desktop)
        host.install()
        (desktop.home / ".config" / "klanguageoverridesrc").write_text("[Language]\nkrita=zh_CN\n")
        host.start()
        docker = KritaDocker(host)
        docker.show(connected=False)
        yield docker


def test_from_nothing_to_a_checkpoint(
    docker: KritaDocker, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if docker.desktop.room.root is not None:
        assert docker.ask("Krita.version()").startswith(KRITA[chosen_release()])
    home = docker.desktop.home / ".paintbridge"

    # Nothing is there: the commands for this system, to copy.
    wait_for(lambda: docker.ask("part('disconnected').isVisible()"), "the docker to say that there is no bridge")
    assert docker.words("disconnected").startswith("没有找到桥接程序"), docker.words("disconnected")
    assert all(line in docker.words("disconnected") for line in install_commands("linux"))
    assert not docker.ask("part('start').isVisible()")
    docker.desktop.screenshot(output / "no-bridge.png")
    docker.click("copy")
    wait_for(lambda: docker.ask("QtWidgets.QApplication.clipboard().text()") == "\n".join(install_commands()), "a copy")

    # One is installed, and does not run: a button starts it.
    asked, start = docker.desktop.share / "asked", docker.desktop.share / "start.sh"
    start.write_text(f"#!/bin/sh\ntouch {asked}\nsleep 600\n")
    start.chmod(0o755)
    home.mkdir()
    stopped = {"url": "http://127.0.0.1:1", "token": "t", "pid": None, "start_command": [str(start), "serve"]}
    (home / "runtime.json").write_text(json.dumps(stopped))
    wait_for(lambda: docker.ask("part('start').isVisible()"), "the offer to start it")
    docker.desktop.screenshot(output / "stopped-bridge.png")
    docker.click("start")
    wait_for(asked.exists, "the bridge to be started")
    assert docker.words("state") == "正在启动桥接程序..."

    checkpoint = build_tiny_sd1(tmp_path / "tiny", inpaint=True)
    with serve_hub(SmallHub(CHECKPOINT, checkpoint)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.held = {UNET: HELD}
        with HostBridge(home):
            wait_for(lambda: docker.words("state") == "已连接到桥接程序。", "the connection")
            assert not docker.ask("part('disconnected').isVisible()")
            look_at_the_demo(docker)
            fetch(docker, hub, output)

    # It has ended: the button is there again, long before its session is given up.
    asked.unlink()
    (home / "runtime.json").write_text(json.dumps(stopped))
    wait_for(lambda: docker.ask("part('start').isVisible()"), "the offer to start it")
    assert docker.words("state") == "连接中断；正在恢复。"
    docker.click("start")
    wait_for(asked.exists, "the bridge to be started again")


def look_at_the_demo(docker: KritaDocker) -> None:
    """Mini says what it is and what it knows; what is picked is the prompt."""
    docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
    wait_for(lambda: docker.ask("part('demo_model').isVisible()"), "the demo model to be named")
    docker.click("known")
    wait_for(lambda: docker.ask("part('known').menu().isVisible()"), "what it knows")
    docker.desktop.xdotool("key", "Down", "Return")
    wait_for(lambda: docker.ask("part('prompt').toPlainText()"), "the prompt")
    assert docker.ask("part('prompt').toPlainText() == part('known').menu().actions()[0].text()")


def fetch(docker: KritaDocker, hub: SmallHub, output: Path) -> None:
    """A recommended checkpoint, with its progress."""
    button, bar = f"pull_{CHECKPOINT}", f"pulling_{CHECKPOINT}"
    docker.click("others")
    wait_for(lambda: docker.ask(f"part({button!r}) is not None and part({button!r}).isVisible()"), "the list")
    docker.click(button)
    wait_for(lambda: docker.ask(f"part({bar!r}).isVisible() and part({bar!r}).value()"), "some of it to have come")
    assert docker.words(button) == "停止"
    docker.desktop.screenshot(output / "fetching.png")
    hub.gate.set()
    wait_for(lambda: docker.words(button) == "已下载", "all of it to have come")
    assert not docker.enabled(button)
    docker.desktop.screenshot(output / "fetched.png")
    name = CHECKPOINT.partition("/")[2]
    wait_for(lambda: docker.ask(f"part('checkpoint').findData({name!r}) > 0"), "it to be offered")
