"""Photographs to paint on, tiny checkpoints to paint with, and hooks that remember."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from job_forms import request_of
from private_home import private_home
from tiny_checkpoints import build_tiny_sd1

from bridge.canvas.context import plan
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.mask import selection_bounds
from bridge.diffusion import Device, ModelCache, OnDemand
from bridge.models import inspect
from bridge.painter import Cancelled, PaintedLayer, Request

__all__ = ["private_home"]

# Threads cost tiny models more than they give, and a great deal beside another busy process (OpenMP spins).
torch.set_num_threads(1)

PHOTOS = Path(__file__).parent.parent / "photos"


class RecordingHooks:
    """Remembers what it hears, and cancels when `cancel_when` says so."""

    def __init__(self, cancel_when: Callable[[list[tuple[str, int, int]]], bool] = lambda _: False) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.previews: list[tuple[tuple[int, ...], int]] = []
        self.cancel_when = cancel_when

    def stage(self, name: str, step: int, steps: int) -> None:
        self.stages.append((name, step, steps))

    def preview(self, rgb: np.ndarray, step: int) -> None:
        self.previews.append((rgb.shape, step))

    def check(self) -> None:
        if self.cancel_when(self.stages):
            raise Cancelled


class Studio:
    """Photographs, models and requests for the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        device = Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU.")
        self.cache = ModelCache(device)
        self._models: dict[tuple, OnDemand] = {}
        self.Hooks = RecordingHooks

    def model(self, **shape) -> OnDemand:
        """A tiny checkpoint, by build_tiny_sd1's keywords; four channels unless told otherwise."""
        shape = {"inpaint": False, **shape}
        key = tuple(sorted(shape.items()))
        if key not in self._models:
            path = build_tiny_sd1(self._folder / f"tiny{len(self._models)}", **shape)
            self._models[key] = self.cache.on_demand(inspect(path))
        return self._models[key]

    @staticmethod
    def photograph(name: str = "canyon-wren", *, width: int = 480, height: int = 320) -> np.ndarray:
        """(height, width, 4), float32, opaque, reduced from the photograph's middle."""
        pixels = cv2.imread(str(PHOTOS / f"{name}.jpg"))[..., ::-1]
        scale = max(width / pixels.shape[1], height / pixels.shape[0])
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:height, :width]
        return np.dstack([pixels.astype(np.float32) / 255, np.ones((height, width), np.float32)])

    @staticmethod
    def ellipse(canvas: np.ndarray, box: Rect) -> np.ndarray:
        """A hard elliptic selection of the canvas."""
        selection = np.zeros(canvas.shape[:2], np.float32)
        centre = (box.x + box.width // 2, box.y + box.height // 2)
        cv2.ellipse(selection, centre, (max(0, box.width // 2), max(0, box.height // 2)), 0, 0, 360, 1, -1)
        return selection

    @staticmethod
    def request(
        canvas: np.ndarray,
        selection: np.ndarray | None,
        *,
        kind: str = "fill",
        mode: str = "auto",
        choice: str = "auto",
        native_pixels: int = 64 * 64,
        **options,
    ) -> Request:
        """What a host would submit for this canvas (h, w, 4) and selection, after asking `plan`."""
        size = Size(canvas.shape[1], canvas.shape[0])
        planned = plan(
            size,
            None if selection is None else selection_bounds(selection),
            kind=kind,
            mode=mode,
            choice=choice,
            rect=None,
            grow=options.get("grow"),
            feather=options.get("feather"),
            native_pixels=native_pixels,
        )
        return request_of(
            kind=kind,
            mode=planned.mode,
            canvas=size,
            context=planned.context,
            picture=canvas[planned.context.slices].copy(),
            selection=None if selection is None else selection[planned.context.slices].copy(),
            **options,
        )

    @staticmethod
    def on_canvas(painted: PaintedLayer, canvas: np.ndarray) -> np.ndarray:
        """The layer's pixels on a transparent canvas of that size, (h, w, 4)."""
        whole = np.zeros(canvas.shape, np.float32)
        whole[painted.layer.rect.slices] = painted.layer.pixels
        return whole

    @classmethod
    def merged(cls, painted: PaintedLayer, canvas: np.ndarray) -> np.ndarray:
        """What the artist sees over an opaque canvas, (h, w, 3)."""
        layer = cls.on_canvas(painted, canvas)
        alpha = layer[..., 3:]
        return canvas[..., :3] * (1 - alpha) + layer[..., :3] * alpha


@pytest.fixture(scope="session")
def studio(tmp_path_factory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture
def hooks() -> RecordingHooks:
    return RecordingHooks()
