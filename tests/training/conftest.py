"""A few made-up things and photographs, and models small enough to train in a second."""

import numpy as np
import pytest
import torch
from random_lpips import random_lpips

from bridge.training.mini_dataset import Cutout, Photograph


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def things() -> list[Cutout]:
    """A red disc and a blue square, 256 pixels wide, with margins."""
    y, x = np.mgrid[0:256, 0:256]
    disc = np.zeros((256, 256, 4), np.uint8)
    disc[(x - 128) ** 2 + (y - 128) ** 2 < 110**2] = (220, 30, 40, 255)
    square = np.zeros((256, 256, 4), np.uint8)
    square[30:226, 30:226] = (30, 60, 210, 255)
    return [Cutout("a", "disc", disc), Cutout("b", "square", square)]


@pytest.fixture
def photographs() -> list[Photograph]:
    rng = np.random.default_rng(5)
    return [Photograph("noise", rng.integers(90, 160, (200, 260, 3), np.uint8))]


@pytest.fixture
def lpips_weights() -> dict[str, torch.Tensor]:
    return random_lpips()
