"""Photographs, masks and a measure that need no registry."""

import numpy as np
import pytest
import torch
from private_home import private_home
from random_lpips import random_lpips

from bridge.evaluation.filling import Filler
from bridge.evaluation.held_out import SIDE, Heldout
from bridge.models import MINI, inspect
from bridge.training.lpips import Lpips
from bridge.training.mini_dataset import Cutout

__all__ = ["private_home"]

torch.set_num_threads(1)


@pytest.fixture
def lpips() -> Lpips:
    return Lpips(random_lpips())


@pytest.fixture
def photograph() -> Heldout:
    """Grain on a slope."""
    rng = np.random.default_rng(3)
    slope = np.linspace(60, 180, SIDE, dtype=np.float32)[:, None, None]
    return Heldout("slope", np.clip(slope + rng.normal(0, 6, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8))


@pytest.fixture
def cutouts() -> dict[str, Cutout]:
    """A red disc, a blue square and a green bar."""
    y, x = np.mgrid[0:256, 0:256]
    shapes = {
        "disc": ((x - 128) ** 2 + (y - 128) ** 2 < 110**2, (220, 30, 40)),
        "square": ((abs(x - 128) < 90) & (abs(y - 128) < 90), (30, 60, 210)),
        "bar": (abs(y - 128) < 30, (40, 200, 60)),
    }
    made = {}
    for name, (shape, colour) in shapes.items():
        rgba = np.zeros((256, 256, 4), np.uint8)
        rgba[shape] = (*colour, 255)
        made[name] = Cutout(name, name, rgba)
    return made


@pytest.fixture(scope="session")
def mini() -> Filler:
    from bridge.diffusion import Device

    return Filler(inspect(MINI), Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU."))
