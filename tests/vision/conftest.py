"""Tiny estimators of the real classes, and a picture."""

from pathlib import Path

import numpy as np
import pytest
import tiny_estimators
import torch
from private_home import private_home

from bridge.models import Estimator, EstimatorTask
from bridge.models.estimators import inspect_estimator
from bridge.vision import load_estimator

__all__ = ["private_home"]

# Threads cost tiny networks more than they give.
torch.set_num_threads(1)


class Bench:
    """Estimators by what they are, built when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._networks: dict[str, torch.nn.Module] = {}

    def files(self, name: str) -> Estimator:
        """`depth`, `segmenter`, `segmenter_of_queries`, `detector`, `pose`, `hed`, `marigold`."""
        path = self._folder / (f"{name}.safetensors" if name == "hed" else name)
        if not path.exists():
            getattr(tiny_estimators, f"build_{name}")(path)
        return inspect_estimator(path)

    def network(self, name: str) -> torch.nn.Module:
        if name not in self._networks:
            self._networks[name] = load_estimator(self.files(name)).eval()
        return self._networks[name]

    def networks(self, *names: str) -> dict[EstimatorTask, torch.nn.Module]:
        return {self.files(name).task: self.network(name) for name in names}


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("estimators"))


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """Smooth forms of many colours, (97, 131, 3)."""
    y, x = np.mgrid[0:97, 0:131].astype(np.float32)
    waves = [np.sin(x / a + y / b) for a, b in ((9, 21), (17, -13), (-25, 11))]
    return np.dstack(waves).astype(np.float32) / 2.2 + 0.5
