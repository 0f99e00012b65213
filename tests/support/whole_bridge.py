"""For end-to-end tests: a running bridge, a photograph with a selection, and a watch on a job's events."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import psutil

from bridge.client import Address, Bridge, Job, JobResult, Pixels, discover
from bridge.protocol.messages import Extent, Progress, Rect

PATIENCE = 180.0
"""Seconds that anything may take on a busy machine before a test gives up."""

PHOTOS = Path(__file__).parent.parent / "photos"


@dataclass
class BridgeProcess:
    """A running `paintbridge serve`."""

    process: subprocess.Popen[str]
    home: Path

    def address(self) -> Address:
        return discover(environ={"PAINTBRIDGE_HOME": str(self.home)})

    def connect(self, address: Address | None = None) -> Bridge:
        return Bridge(address or self.address(), client="tests/e2e")

    def worker(self) -> psutil.Process:
        """The process that paints: the only child that holds torch."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return max(children, key=lambda child: child.memory_info().rss)


@contextmanager
def serving(
    home: Path,
    *flags: str,
    environment: Mapping[str, str] = MappingProxyType({}),
    module: str = "bridge.cli",
) -> Iterator[BridgeProcess]:
    """A bridge on a free port, which ends well. ``module`` takes the place of the command line's."""
    log = (home / "bridge.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", module, "serve", "--port", "0", *flags],
        env={**os.environ, "PAINTBRIDGE_HOME": str(home), "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Paintbridge listens on ws://127.0.0.1:"), (home / "bridge.log").read_text()
        yield BridgeProcess(process, home)
        process.terminate()
        assert process.wait(30) == 0, (home / "bridge.log").read_text()
    finally:
        # Also where a test has failed.
        process.kill()
        process.wait()
        log.close()
    assert "Traceback" not in (home / "bridge.log").read_text()


@dataclass
class Scene:
    """A photograph and a selection in it, as a host would hold them."""

    photo: np.ndarray
    selection: np.ndarray

    @classmethod
    def of(cls, width: int, height: int, box: tuple[int, int, int, int], photo: str = "lake-sherburne.jpg") -> Scene:
        """`box` is x, y, width, height of an ellipse."""
        pixels = cv2.cvtColor(cv2.imread(str(PHOTOS / photo)), cv2.COLOR_BGR2RGBA)
        selection = np.zeros((height, width), np.uint8)
        x, y, w, h = box
        cv2.ellipse(selection, (x + w // 2, y + h // 2), (w // 2, h // 2), 0, 0, 360, 255, -1, cv2.LINE_AA)
        return cls(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), selection)

    @property
    def canvas(self) -> Extent:
        return Extent(self.photo.shape[1], self.photo.shape[0])

    @property
    def bounds(self) -> Rect:
        x, y, width, height = cv2.boundingRect(self.selection)
        return Rect(x, y, width, height)

    def submit(
        self, bridge: Bridge, *, grow: float | None = None, feather: float | None = None, **fields: object
    ) -> Job:
        """Plan, cut out the context, and submit, as every host does."""
        planned = bridge.plan(canvas=self.canvas, selection=self.bounds, grow=grow, feather=feather, timeout=PATIENCE)
        context = planned.context
        rows = slice(context.y, context.y + context.height)
        columns = slice(context.x, context.x + context.width)
        picture = np.ascontiguousarray(self.photo[rows, columns])
        selection = np.ascontiguousarray(self.selection[rows, columns])
        values = {"kind": "fill", "steps": 4, "seed": 7, "grow": grow, "feather": feather, **fields}
        return bridge.submit(
            canvas=self.canvas,
            context=context,
            picture=Pixels(picture.data, context.width, context.height, 4),
            selection=Pixels(selection.data, context.width, context.height, 1),
            **values,  # type: ignore[arg-type]
        )

    def flattened(self, result: JobResult, index: int = 0) -> np.ndarray:
        """The photograph with a layer on it, as a host composites: alpha 0 leaves the pixel as it is."""
        layer = result.layers[index]
        pixels = layer_pixels(result, index)
        merged = self.photo.copy()
        height, width = pixels.shape[:2]
        under = merged[layer.y : layer.y + height, layer.x : layer.x + width, :3]
        alpha = pixels[..., 3:].astype(np.float64) / 255
        blended = np.floor(pixels[..., :3] * alpha + under * (1 - alpha) + 0.5).astype(np.uint8)
        under[...] = np.where(pixels[..., 3:] > 0, blended, under)
        return merged


def layer_pixels(result: JobResult, index: int = 0) -> np.ndarray:
    """A result's layer, (h, w, 4) u8."""
    picture = result.layers[index].picture
    return np.frombuffer(result.layers[index].data, np.uint8).reshape(picture.height, picture.width, 4)


class Watch:
    """Hears a job's events on the client's thread, and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self._changed = threading.Condition()

    def __call__(self, event: object) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[object], bool]) -> None:
        """Until an event of that kind has come."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.events)), PATIENCE), self.events

    @property
    def steps(self) -> list[int]:
        """Denoising steps done, in the order in which they were told."""
        return [event.step for event in self.events if isinstance(event, Progress) and event.stage == "denoise"]

    def wait_for_step(self, step: int) -> None:
        self.wait(lambda event: isinstance(event, Progress) and event.stage == "denoise" and event.step >= step)
