"""The loop: what a killed run leaves, and how it goes on."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bridge.training import state
from bridge.training.errors import DiskFull, LossNotFinite, StateInvalid
from bridge.training.loop import TrainingSchedule, train

SCHEDULE = TrainingSchedule(steps=12, learning_rate=1e-2, warmup_steps=3, seed=4)


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.layers(x) - y).square().mean()}


class Stage:
    """Fits the sum of four numbers; may kill its own process, or spoil a batch, at a step."""

    def __init__(self, killed_at: int = -1, spoilt_at: int = -1) -> None:
        self.module, self.killed_at, self.spoilt_at = Line(), killed_at, spoilt_at

    def batch(self, step: int, process: int) -> dict[str, torch.Tensor]:  # noqa: ARG002
        if step == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        return {"x": x * (float("nan") if step == self.spoilt_at else 1), "y": x.sum(1, keepdim=True)}

    def samples(self, averages: dict[str, torch.Tensor], path: Path) -> None:  # noqa: ARG002
        raise AssertionError("no samples were asked for")


def run(stage: Stage, path: Path, **options) -> list[str]:
    said: list[str] = []
    train(stage, SCHEDULE, path, identity="line", save_every=-1, say=said.append, **options)
    return said


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, torch.Tensor]:
    """The state that a run which nothing disturbed ends with."""
    path = tmp_path_factory.mktemp("whole") / "state.safetensors"
    run(Stage(), path)
    return state.tensors_of(path)[0]


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, whole):
    path = tmp_path / "state.safetensors"
    code = f"""
import importlib.util, pathlib
spec = importlib.util.spec_from_file_location("loop_test", {__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.run(module.Stage(killed_at=7), pathlib.Path({str(path)!r}))
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    said = run(Stage(), path)
    assert said[0].startswith("going on from step ")
    resumed = state.tensors_of(path)[0]
    assert resumed.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)


def test_a_run_stops_after_its_hours_and_goes_on(tmp_path, whole):
    path = tmp_path / "state.safetensors"
    done = train(Stage(), SCHEDULE, path, identity="line", max_hours=0.0, say=lambda _: None)
    assert (done.step, done.finished) == (0, False)
    run(Stage(), path)
    torch.testing.assert_close(state.tensors_of(path)[0], whole, rtol=0, atol=0)


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_the_state_before_it(tmp_path, whole):
    path = tmp_path / "state.safetensors"
    with pytest.raises(LossNotFinite, match="step 5"):
        run(Stage(spoilt_at=5), path)
    tensors, metadata = state.tensors_of(path)
    assert metadata["step"] == "5"
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    run(Stage(), path)
    torch.testing.assert_close(state.tensors_of(path)[0], whole, rtol=0, atol=0)


def test_a_full_disk_is_told_and_the_state_before_it_stays(tmp_path):
    path = tmp_path / "state.safetensors"
    run(Stage(), path)
    before = path.read_bytes()
    optimizer = torch.optim.AdamW(Line().parameters())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(DiskFull, match="Free some space"):
            state.save(path, Line(), optimizer, {}, 3, "line")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_state_of_another_training_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    run(Stage(), path)
    with pytest.raises(StateInvalid, match="it was made as line"):
        train(Stage(), SCHEDULE, path, identity="circle", say=lambda _: None)


def test_a_truncated_state_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    run(Stage(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StateInvalid, match="damaged"):
        run(Stage(), path)


def test_the_rate_warms_up_and_falls(tmp_path):
    rates = [SCHEDULE.learning_rate_at(step) for step in range(12)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert SCHEDULE.learning_rate_at(12) == pytest.approx(1e-2 * SCHEDULE.min_factor)
