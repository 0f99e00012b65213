"""``paintbridge train``: the real child process, told, stopped, killed, and gone on with."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_checkpoints import build_tiny_sd1

from bridge.cli import main
from bridge.cli.exits import Exit
from bridge.diffusion import find_device
from bridge.models import inspect
from bridge.training.dataset import read_folder
from bridge.training.lora import train_lora
from bridge.training.lora_stage import LoraParams
from bridge.training.state import tensors_of

STEPS = 16


def test_a_recipe_that_is_not_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "denoiser", str(tmp_path / "none.toml"), "--json"]) == Exit.REFUSED
    said = capfd.readouterr()
    assert json.loads(said.out)["error"]["code"] == "recipe_invalid"
    assert "none.toml can't be used" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["all", "mini", "--max-hours", "nan"], "a number of hours is wanted"),
        (["lora", "--name", "a"], "--images"),
        (["lora", "--name", "a", "--images", "x", "--rank", "0"], "between 1 and 256"),
        (["lora", "--name", "a", "--images", "x", "--learning-rate", "inf"], "above 0"),
    ],
)
def test_a_wrong_command_line_is_told(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments])
    assert ended.value.code == Exit.USAGE
    assert words in capsys.readouterr().err


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a tiny checkpoint, and a folder of four pictures."""
    build_tiny_sd1(tmp_path / "home" / "models" / "tiny", inpaint=True)
    (tmp_path / "pictures").mkdir()
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 255, (72, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{index}.png")
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def lora(studio: Path, name: str) -> list[str]:
    """The arguments that train in a few steps, saving after each."""
    options = ["--steps", str(STEPS), "--save-every", "0.000001", "--batch", "2", "--no-samples"]
    places = ["--images", str(studio / "pictures"), "--work", str(studio / "work")]
    return ["train", "lora", "--name", name, "--checkpoint", "tiny", "--caption", "a rock", *places, *options]


def test_a_training_killed_and_interrupted_goes_on_to_the_same_lora(
    studio: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loras = studio / "home" / "models" / "loras"
    whole = _undisturbed(studio)
    state = studio / "work" / "parted" / "state.safetensors"

    # The process that trains is killed at a random step, while it trains or writes.
    steps = random.randint(2, 6)
    running = _start(lora(studio, "parted"))
    _wait_for_state(running, state, steps)
    [child] = psutil.Process(running.pid).children()
    child.kill()
    _, err = running.communicate()
    assert running.returncode == Exit.FAILED, err
    assert "goes on from the last state" in err
    assert not list(loras.glob("parted*"))

    # Ctrl-C: the step is finished, the state saved.
    running = _start(lora(studio, "parted"))
    _wait_for_state(running, state, steps + 3)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == Exit.INTERRUPTED, err
    assert "going on from step" in err
    assert "The same command goes on from there." in err

    capfd.readouterr()
    assert main([*lora(studio, "parted"), "--json"]) == Exit.DONE
    said = json.loads(capfd.readouterr().out)
    assert said == {"path": str(loras / "parted.safetensors"), "name": "parted", "steps": STEPS, "finished": True}
    torch.testing.assert_close(load_file(loras / "parted.safetensors"), load_file(whole), rtol=0, atol=0)
    assert main(["models", "info", "parted"]) == Exit.DONE
    assert "a rock" in capfd.readouterr().out


def test_two_processes_learn_together(studio: Path, capfd: pytest.CaptureFixture[str]) -> None:
    alone = _undisturbed(studio)
    assert main([*lora(studio, "together"), "--processes", "2"]) == Exit.DONE
    err = capfd.readouterr().err
    # The first alone speaks.
    assert err.count("4 pictures, for tiny") == 1
    together = load_file(studio / "home" / "models" / "loras" / "together.safetensors")
    assert together.keys() == load_file(alone).keys()
    # Each step saw twice as many pictures.
    assert any(not torch.equal(tensor, together[name]) for name, tensor in load_file(alone).items())


def test_a_checkpoint_that_is_not_there_is_told(studio: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*lora(studio, "a"), "--checkpoint", "none"]) == Exit.REFUSED
    assert "none" in capfd.readouterr().err


def _undisturbed(studio: Path) -> Path:
    """What a training that nothing disturbs comes to, in this process."""
    checkpoint = inspect(studio / "home" / "models" / "tiny")
    params = LoraParams("whole", "a rock", resolution=64, steps=STEPS, batch=2)
    dataset = read_folder(studio / "pictures", "a rock", 64, checkpoint.family.multiple, say=print)
    device = replace(find_device(), kind="cpu", dtype="float32")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trained = train_lora(
            checkpoint, device, dataset, params, state=studio / "state", to=studio / "whole.safetensors"
        )
    finally:
        torch.set_num_threads(threads)
    return trained.path


def _start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_state(running: subprocess.Popen[str], path: Path, step: int) -> None:
    """Until the state on disk has so many steps behind it; it must be whole whenever it is there."""
    until = time.monotonic() + 120
    while not path.exists() or int(tensors_of(path)[1]["step"]) < step:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
