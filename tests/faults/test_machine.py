"""What the machine does to a bridge: sleep, another time, a full disk, the end."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from cuttable_wire import cuttable
from faulty_bridge import SILENT_SECONDS
from small_hub import SmallHub, serve_hub
from whole_bridge import PATIENCE, BridgeProcess, Scene, Watch

from bridge.engine.local import EngineSettings
from bridge.models import RECOMMENDED
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Progress, Queued
from bridge.server.service import GRACE_SECONDS

SCENE = Scene.of(96, 80, (30, 20, 30, 30))
EXIT_SECONDS = 5.0
"""What an init system or an impatient artist waits at least before it kills."""


def test_a_bridge_that_slept_blames_nobody(faulty: BridgeProcess) -> None:
    with faulty.connect() as bridge:
        watch = Watch()
        job = SCENE.submit(bridge, on_event=watch, prompt="a tree", steps=400)
        watch.wait_for_step(2)
        worker = faulty.worker()
        family = [psutil.Process(faulty.process.pid), worker]
        for process in family:
            process.send_signal(signal.SIGSTOP)
        # Longer than a worker may be silent.
        time.sleep(SILENT_SECONDS + 1)
        for process in reversed(family):
            process.send_signal(signal.SIGCONT)
        assert job.result(PATIENCE).layers
        assert faulty.worker() == worker
        numbers = [event.event for event in watch.events if hasattr(event, "event")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("jump", [signal.SIGUSR1, signal.SIGUSR2], ids=["a day ahead", "two days back"])
def test_a_clock_that_jumps_ends_no_job_and_no_session(faulty: BridgeProcess, jump: signal.Signals) -> None:
    with cuttable(faulty) as wire, faulty.connect(wire.address) as bridge:
        watch = Watch()
        job = SCENE.submit(bridge, on_event=watch, prompt="a tree", steps=60)
        watch.wait_for_step(2)
        faulty.process.send_signal(jump)
        wire.cut()
        assert job.result(PATIENCE).layers
        assert wire.cuts >= 1
        left = [event.seconds_left for event in watch.events if isinstance(event, Progress)]
        assert all(seconds is None or 0 <= seconds < 3600 for seconds in left)
        numbers = [event.event for event in watch.events if hasattr(event, "event")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_disk_that_is_full_is_told_to_who_trains_and_who_fetches_and_others_paint(
    serve: partial, models: Path
) -> None:
    """No file of the bridge's may become as large as a training's state, or a checkpoint's weights."""
    name = RECOMMENDED[0].hub_id
    with (
        serve_hub(SmallHub(name, models / "sound")) as hub,
        serve(FAULTY_FILE_BYTES=str(128 << 10), HF_ENDPOINT=hub.url) as process,
        process.connect() as bridge,
    ):
        with pytest.raises(BridgeError) as refused:
            bridge.pull(name).result(PATIENCE)
        assert refused.value.code == "disk_full"
        pictures = [np.full((64, 64, 3), value, np.uint8) for value in (20, 120)]
        with pytest.raises(BridgeError) as refused:
            bridge.train_lora(pictures, "ink", steps=2, rank=16, timeout=PATIENCE)
        assert refused.value.code == "disk_full"
        assert SCENE.submit(bridge, prompt="a tree").result(PATIENCE).layers
        left = [path for path in (process.home / "models").glob("loras/*") if path.is_file()]
        assert left == []


def test_a_bridge_that_must_end_in_mid_job_tells_everybody_and_ends_soon(serve: partial) -> None:
    """The job does not even hear of its cancel, as in a step that takes minutes."""
    assert GRACE_SECONDS + EngineSettings().close_seconds < EXIT_SECONDS
    with serve() as process:
        with process.connect() as bridge, process.connect() as other:
            watch, waits = Watch(), Watch()
            running = SCENE.submit(bridge, prompt="hang denoise", on_event=watch)
            watch.wait(lambda event: isinstance(event, Progress) and event.stage == "denoise")
            waiting = SCENE.submit(other, prompt="a tree", on_event=waits)
            waits.wait(lambda event: isinstance(event, Queued))
            family = psutil.Process(process.process.pid).children(recursive=True)
            process.process.send_signal(signal.SIGTERM)
            for job in (running, waiting):
                with pytest.raises(BridgeError) as ended:
                    job.result(PATIENCE)
                assert ended.value.code == "shutting_down"
            assert process.process.wait(PATIENCE) == 0
        assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
