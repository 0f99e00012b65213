"""What a job can bring, and the words for what can go wrong with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from job_forms import with_settings

from bridge.canvas.errors import CanvasError, ContextInvalid
from bridge.engine.inputs import bridge_error, read_inputs
from bridge.models import CheckpointUnknown
from bridge.painter import OutOfMemory
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Condition
from bridge.protocol.pixels import describe


def test_a_picture_without_alpha_is_opaque(jobs: Any) -> None:
    task = jobs.task("rgb")
    height, width = jobs.size
    data = bytes(range(256)) * (height * width * 3 // 256)
    picture = describe(data, width=width, height=height, channels=3)
    submit = dataclasses.replace(task.submit, picture=picture)
    inputs = read_inputs(submit, {**task.pictures, picture.hash: data})
    assert inputs.picture is not None
    assert inputs.selection is not None
    assert inputs.picture.shape == (height, width, 4)
    assert (inputs.picture[..., 3] == 1).all()
    assert inputs.picture[0, 0, 1] == np.float32(1 / 255)
    assert inputs.selection.shape == (height, width)
    assert set(np.unique(inputs.selection)) == {0, 1}


def test_rounding_noise_of_coverage_is_taken_off(jobs: Any) -> None:
    task = jobs.task("noise")
    height, width = jobs.size
    coverage = np.linspace(-1e-6, 1 + 1e-6, height * width, dtype=np.float32)
    selection = describe(coverage.tobytes(), width=width, height=height, channels=1, depth="f32")
    submit = dataclasses.replace(task.submit, selection=selection)
    inputs = read_inputs(submit, {**task.pictures, selection.hash: coverage.tobytes()})
    assert inputs.selection is not None
    assert (inputs.selection.min(), inputs.selection.max()) == (0, 1)


def test_conditions_come_with_their_own_channels(jobs: Any) -> None:
    task = jobs.task("guided")
    height, width = jobs.size
    labels = bytes(range(256)) * (height * width * 3 // 256)
    lines = np.linspace(0, 1, height * width, dtype=np.float32).tobytes()
    label_map = describe(labels, width=width, height=height, channels=3)
    scribble = describe(lines, width=width, height=height, channels=1, depth="f32")
    conditions = (Condition("label_map", label_map), Condition("scribble", scribble, scribble, 0.5))
    submit = with_settings(task.submit, conditions=conditions)
    data = {**task.pictures, label_map.hash: labels, scribble.hash: lines}
    (labelled, nothing), (drawn, mask) = read_inputs(submit, data).conditions
    assert (labelled.shape, nothing) == ((height, width, 3), None)
    assert labelled[0, 0, 1] == np.float32(1 / 255)
    assert drawn.shape == (height, width, 1)
    assert mask is not None
    assert np.array_equal(mask, drawn[..., 0])
    for wrong in (Condition("label_map", scribble), Condition("scribble", label_map, label_map)):
        with pytest.raises(BridgeError) as refused:
            read_inputs(with_settings(task.submit, conditions=(wrong,)), data)
        assert refused.value.code == "picture_mismatch"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BridgeError("out_of_range", "Too far."), "out_of_range", "Too far."),
        (ContextInvalid("It sticks out."), "bad_context", "It sticks out."),
        (CheckpointUnknown("There is none.", hint="Install one."), "checkpoint_unknown", "There is none."),
        (OutOfMemory("Too much.", hint="Less."), "out_of_memory", "Too much."),
        (MemoryError(), "out_of_memory", "memory"),
    ],
)
def test_foreseen(error: Exception, code: str, words: str) -> None:
    told = bridge_error(error)
    assert told is not None
    assert told.code == code
    assert words in told.message
    assert told.hint


def unforeseen_opencv_error() -> Exception:
    with pytest.raises(cv2.error) as caught:
        cv2.cvtColor(np.zeros((2, 2), np.float32), cv2.COLOR_RGB2GRAY)
    return caught.value


def test_unforeseen() -> None:
    assert bridge_error(KeyError("secret")) is None
    assert bridge_error(CanvasError("not for the artist")) is None
    # OpenCV's errors have a code too, but one of its own.
    assert bridge_error(unforeseen_opencv_error()) is None


def test_the_rooms_own_errors_keep_their_template_and_values() -> None:
    error = CheckpointUnknown("No checkpoint named {name}.", hint="There are {count}.", name="mini", count=3)
    told = bridge_error(error)
    assert told is not None
    assert (told.code, told.message, told.hint) == ("checkpoint_unknown", "No checkpoint named mini.", "There are 3.")
    assert (told.message.template, told.values) == ("No checkpoint named {name}.", {"name": "mini", "count": 3})


def test_a_reference_is_of_any_size_and_an_empty_layer_is_none(jobs: Any) -> None:
    task = jobs.task("referred")
    height, width = jobs.size
    pixels = bytes(range(252)) * 5
    other = describe(pixels, width=21, height=20, channels=3)
    clear = bytes(height * width * 4)
    empty = describe(clear, width=width, height=height, channels=4)
    nothing = describe(clear[: height * width], width=width, height=height, channels=1)
    data = {**task.pictures, other.hash: pixels, empty.hash: clear, nothing.hash: clear[: height * width]}
    (found,) = read_inputs(with_settings(task.submit, conditions=(Condition("reference", other),)), data).conditions
    assert found[0].shape == (20, 21, 3)
    for wrong in (Condition("reference", empty), Condition("depth", empty), Condition("scribble", nothing)):
        with pytest.raises(BridgeError, match="empty") as refused:
            read_inputs(with_settings(task.submit, conditions=(wrong,)), data)
        assert refused.value.code == "picture_mismatch"
    with pytest.raises(BridgeError, match="20"):
        read_inputs(with_settings(task.submit, conditions=(Condition("pose", other),)), data)
    with pytest.raises(BridgeError, match="selects nothing"):
        read_inputs(with_settings(task.submit, conditions=(Condition("reference", other, nothing),)), data)
