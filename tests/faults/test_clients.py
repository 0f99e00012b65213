"""Clients that go, or stand still, at any stage of their job: it ends or goes on as they asked, others are well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image
from whole_bridge import PATIENCE, BridgeProcess, Scene, Watch

from bridge.protocol.messages import Progress

SCENE = Scene.of(96, 80, (30, 20, 30, 30))
STAGES = ("load", "infill", "encode", "denoise", "decode", "compose")


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_whose_client_goes_at_any_stage_stops(faulty: BridgeProcess, stage: str) -> None:
    with faulty.connect() as other:
        bridge, watch = faulty.connect(), Watch()
        SCENE.submit(bridge, prompt=f"pause {stage}", on_event=watch, on_disconnect="cancel")
        watch.wait(lambda event: isinstance(event, Progress) and event.stage == stage)
        waiting = SCENE.submit(other, prompt="a tree")
        bridge.close()
        # It waits behind a job that would never end by itself.
        assert waiting.result(PATIENCE).layers
    log = (faulty.home / "bridge.log").read_text()
    assert "code=cancelled" in log.splitlines()[-2]


def test_a_client_that_stands_still_finds_its_result(faulty: BridgeProcess, tmp_path) -> None:
    """As a laptop's editor does that sleeps: the job goes on, and its events wait."""
    picture = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 96, 3), np.uint8)).save(picture)
    command = ["fill", str(picture), "--rect", "30,20,30,30", "--prompt", "a tree", "--steps", "400", "--json"]
    environment = {**os.environ, "PAINTBRIDGE_HOME": str(faulty.home)}
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", *command, "-o", str(tmp_path / "out.png")],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        told = (faulty.home / "bridge.log").read_text().count(" connected ")
        deadline = time.monotonic() + PATIENCE
        with faulty.connect() as other:
            while (faulty.home / "bridge.log").read_text().count(" connected ") < told + 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            client.send_signal(signal.SIGSTOP)
            # Jobs come one after the other: when this one is done, that of the other client is, too.
            assert SCENE.submit(other, prompt="a bird").result(PATIENCE).layers
        assert psutil.Process(client.pid).status() == psutil.STATUS_STOPPED
        client.send_signal(signal.SIGCONT)
        out, _ = client.communicate(timeout=PATIENCE)
    assert client.returncode == 0, out
    assert (tmp_path / "out.png").exists()
