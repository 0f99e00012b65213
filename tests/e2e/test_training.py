"""A LoRA of a style is trained over the wire by the real server and worker, on a client's pictures, for all prompts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import numpy as np
import pytest
from tiny_checkpoints import build_tiny_sd1
from whole_bridge import PATIENCE, BridgeProcess, serving

from bridge.client import AsyncBridge, Bridge, JobCancelled, LoraJob, Pixels
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Checkpoints, Progress, Queued
from bridge.training.state import tensors_of


def picture(index: int, height: int = 64, width: int = 72) -> np.ndarray:
    """Diagonal stripes, half of them transparent."""
    y, x = np.mgrid[0:height, 0:width]
    stripes = (np.sin((x + y) / 3 + index) > 0)[..., None]
    return np.where(stripes, (30, 60, 210, 255), (230, 200, 30, 128)).astype(np.uint8)


PICTURES = [picture(index) for index in range(4)] + [picture(4, 90, 60)]
LONG = 100_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge of its own, for it comes to have more LoRAs."""
    home = tmp_path_factory.mktemp("studio")
    build_tiny_sd1(home / "models" / "tiny", inpaint=True)
    with serving(home, "--default-checkpoint", "tiny") as process:
        yield process


@pytest.fixture
def bridge(studio: BridgeProcess) -> Iterator[Bridge]:
    with studio.connect() as connected:
        yield connected


def learnt_steps(job: LoraJob, least: int) -> list[int]:
    """The steps that the job tells of, until it has told of so many."""
    steps: list[int] = []
    for event in job.events():
        if isinstance(event, Progress) and event.stage == "learn":
            steps.append(event.step)
            if len(steps) >= least:
                break
    return steps


def test_a_style_is_learnt_and_painted_with(studio: BridgeProcess) -> None:
    told: list[Checkpoints] = []
    with Bridge(studio.address(), on_checkpoints=told.append) as bridge:
        plain = np.asarray(bridge.generate((64, 64), prompt="a flower", seed=3, steps=4, timeout=PATIENCE).layers[0])
        deep = np.ascontiguousarray(picture(5).astype(np.uint16) * 257)
        images = [*PICTURES, Pixels(deep.data, 72, 64, 4, depth="u16")]
        job = bridge.start_training(images, "my stripes", caption="a flower", steps=60, learning_rate=3e-3, batch=2)
        waiting = bridge.start("generate", (64, 64), prompt="a flower", seed=3, steps=4)
        events = list(job.events())
        lora = job.lora(PATIENCE)
        # Its place in the list is told before its end.
        assert [info.name for info in told[-1].loras] == ["my stripes"]
        assert told[-1].loras[0].trigger_words == ("a flower",)

        names = [type(event).__name__ for event in events]
        assert names[:2] == ["Queued", "Started"]
        assert names[-1] == "Trained"
        progress = [event for event in events if isinstance(event, Progress)]
        assert [event.step for event in progress if event.stage == "learn"] == list(range(1, 61))
        assert progress[-2].seconds_left is not None
        assert (lora.job, lora.name) == (job.id, "my stripes")
        assert 0 < lora.loss < lora.loss_before
        assert set(lora.timings) == {"load", "learn"}
        assert lora.hints == ()

        # What waited is painted as ever, and the checkpoint has kept nothing of what was trained.
        kinds = [event for event in waiting.events() if isinstance(event, Queued)]
        assert kinds[0].position == 1
        assert np.array_equal(np.asarray(waiting.result(PATIENCE).layers[0]), plain)
        asked = "a flower <lora:my stripes:1>"
        styled = bridge.generate((64, 64), prompt=asked, seed=3, steps=4, timeout=PATIENCE).layers[0]
        assert [use.name for use in styled.recipe.loras] == ["my stripes"]
        assert not np.array_equal(np.asarray(styled), plain)


def test_a_training_is_cancelled_at_its_next_step_and_goes_on_when_sent_again(
    studio: BridgeProcess, bridge: Bridge
) -> None:
    begun = bridge.start_training(PICTURES, "long", steps=LONG)
    learnt_steps(begun, 3)
    begun.cancel()
    with pytest.raises(JobCancelled):
        begun.lora(PATIENCE)
    states = studio.home / "training" / "asked"
    [state] = states.iterdir()
    reached = int(tensors_of(state)[1]["step"])
    assert 3 <= reached < LONG
    assert not (studio.home / "models" / "loras" / "long.safetensors").exists()

    again = bridge.start_training(PICTURES, "long", steps=LONG)
    assert learnt_steps(again, 1) == [reached + 1]
    again.cancel()
    with pytest.raises(JobCancelled):
        again.lora(PATIENCE)

    # Another one does not take it away, but the oldest: all of them would fill the disk.
    for age in range(1, 6):
        (states / f"{age}.safetensors").touch()
        os.utime(states / f"{age}.safetensors", (1000 - age, 1000 - age))
    other = bridge.start_training(PICTURES, "other", steps=LONG, seed=1)
    assert learnt_steps(other, 1) == [1]
    other.cancel()
    with pytest.raises(JobCancelled):
        other.lora(PATIENCE)
    names = {path.name for path in states.iterdir()}
    assert names > {state.name, "1.safetensors", "2.safetensors"}
    assert len(names) == 4


def test_waiting_ends_the_job(bridge: Bridge) -> None:
    with pytest.raises(TimeoutError):
        # No machine takes so many steps meanwhile.
        bridge.train_lora(PICTURES, "never", steps=LONG, timeout=1.0)
    # The job was cancelled: what comes next has its turn.
    bridge.generate((64, 64), prompt="a flower", steps=2, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"name": "a/b"}, "lora_name", "can't be named"),
        ({"checkpoint": "none"}, "checkpoint_unknown", "none"),
        ({"images": [PICTURES[0], np.zeros((64, 64, 4), np.uint8)]}, "picture_unreadable", "Picture 2"),
        ({"images": [picture(0, 9, 9)]}, "picture_unreadable", "too few"),
    ],
)
def test_what_cannot_be_learnt_is_told(bridge: Bridge, fields: dict, code: str, words: str) -> None:
    images = fields.get("images", PICTURES)
    options = {name: value for name, value in fields.items() if name not in ("images", "name")}
    with pytest.raises(BridgeError, match=words) as refused:
        bridge.start_training(images, fields.get("name", "broken"), **options).lora(PATIENCE)
    assert refused.value.code == code
    assert refused.value.hint


def test_on_an_event_loop(studio: BridgeProcess) -> None:
    async def learn() -> tuple[str, list[str]]:
        stages: list[str] = []
        async with AsyncBridge(studio.address()) as bridge:
            lora = await bridge.train_lora(
                PICTURES, "async", steps=2, on_progress=lambda progress: stages.append(progress.stage)
            )
        return lora.name, stages

    assert asyncio.run(learn()) == ("async", ["load", "load", "learn", "learn"])


def test_a_name_is_given_once(studio: BridgeProcess, bridge: Bridge) -> None:
    (studio.home / "models" / "loras").mkdir(exist_ok=True)
    bridge.train_lora(PICTURES, "once", steps=1, timeout=PATIENCE)
    with pytest.raises(BridgeError, match="there") as refused:
        bridge.train_lora(PICTURES, "once", steps=2, timeout=PATIENCE)
    assert refused.value.code == "lora_name"


def test_what_can_be_told_without_the_bridge(bridge: Bridge) -> None:
    with pytest.raises(TypeError, match="no option 'speed'"):
        bridge.start_training(PICTURES, "a", speed=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="1 captions for 5 pictures"):
        bridge.start_training(PICTURES, "a", captions=["x"])
    with pytest.raises(BridgeError, match="images"):
        bridge.start_training([], "a")
    with pytest.raises(BridgeError, match="rank"):
        bridge.start_training(PICTURES, "a", rank=0)
