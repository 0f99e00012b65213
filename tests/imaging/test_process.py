"""The child process: asked, lost, and gone with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from child_processes import running_children
from encoded_pictures import encode, photograph, pixels_of

from bridge.imaging.header import read_header
from bridge.imaging.orders import BaseImage, Stage, Thumbnail
from bridge.imaging.process import Imaging
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Extent

PHOTO = photograph(40, 30)


def order(data: bytes) -> Stage:
    return Stage(BaseImage(read_header(data, most_pixels=1 << 28)))


def _spawned() -> list[psutil.Process]:
    return running_children("spawn_main")


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """What has been spawned since the test began: other tests' bridges may be running."""
    before = set(_spawned())
    return lambda: [child for child in _spawned() if child not in before]


async def test_it_is_begun_when_it_is_asked_and_ends_when_it_is_closed(children):
    imaging = Imaging()
    assert not children()
    staged = await imaging.stage(order(encode(PHOTO)))
    assert staged.canvas == Extent(40, 30)
    assert (pixels_of(await imaging.thumbnail(Thumbnail(40, 30, PHOTO.tobytes()))) == PHOTO).all()
    (child,) = children()
    await imaging.close()
    assert not child.is_running()


async def test_errors_come_back_in_their_words():
    imaging = Imaging()
    try:
        with pytest.raises(BridgeError) as refused:
            await imaging.stage(order(encode(PHOTO)[:-200]))
        assert (refused.value.code, refused.value.closes) == ("picture_unreadable", False)
        assert "damaged" in refused.value.message
        assert "PNG" in refused.value.hint
    finally:
        await imaging.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL to send")
async def test_one_that_is_killed_is_replaced(children):
    imaging = Imaging()
    try:
        await imaging.stage(order(encode(PHOTO)))
        (child,) = children()
        child.send_signal(signal.SIGKILL)
        child.wait()
        with pytest.raises(BridgeError, match="stopped unexpectedly"):
            await imaging.stage(order(encode(PHOTO)))
        assert (await imaging.stage(order(encode(PHOTO)))).canvas == Extent(40, 30)
    finally:
        await imaging.close()


_PARENT = """
import asyncio, os, sys
from bridge.imaging.orders import Thumbnail
from bridge.imaging.process import Imaging

async def main():
    await Imaging().thumbnail(Thumbnail(1, 1, bytes(3)))
    print("asked", flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL to send")
def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "asked\n"
        (child,) = [
            child for child in psutil.Process(parent.pid).children() if "spawn_main" in " ".join(child.cmdline())
        ]
        parent.kill()
        child.wait(30)
