"""Tiny checkpoints of each shape, loaded once."""

from collections.abc import Callable

import pytest
import torch
from private_home import private_home
from tiny_checkpoints import build_tiny_sd1

from bridge.diffusion import Device, LatentModel, load
from bridge.models import inspect

__all__ = ["private_home"]

# Threads cost tiny models more than they give, and a great deal beside another busy process (OpenMP spins).
torch.set_num_threads(1)

CPU = Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU.")


@pytest.fixture(scope="session")
def cpu() -> Device:
    return CPU


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Callable[..., LatentModel]:
    """Gives the components of a tiny checkpoint of that shape."""
    held: dict[tuple, LatentModel] = {}

    def get(*, inpaint: bool, prediction_type: str = "epsilon", zero_terminal_snr: bool = False) -> LatentModel:
        key = (inpaint, prediction_type, zero_terminal_snr)
        if key not in held:
            folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
            built = build_tiny_sd1(
                folder, inpaint=inpaint, prediction_type=prediction_type, zero_terminal_snr=zero_terminal_snr
            )
            held[key] = load(inspect(built), CPU, check=lambda: None)
        return held[key]

    return get
