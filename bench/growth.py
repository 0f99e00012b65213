"""How time and memory grow: with the canvas, the selection, the batch, the queue and the clients.

    python bench/growth.py [--rounds 3] [--quick]

A tiny checkpoint of random weights paints, so that what is measured is everything but the model; its steps are two.
Each row has the exponent of a power law through the last half of its points: 1 is a straight line, 0 no growth.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

import numpy as np
import psutil
from measure import report
from soaking import soaking_bridge
from whole_bridge import BridgeProcess

from bridge.client import Bridge, Pixels
from bridge.protocol.messages import Extent, Rect, ResultFormat

MIB = 1 << 20
CANVASES = (1024, 2048, 4096, 8192, 16384)
SELECTIONS = (64, 128, 256, 512, 1024, 2048)
BATCHES = (1, 2, 4, 8, 16)
QUEUES = (1, 2, 4, 8, 16)
CLIENTS = (1, 2, 4, 8, 16, 32)
MOST_EXPONENT = 1.1


class Bench:
    """One bridge, and jobs for it."""

    def __init__(self, process: BridgeProcess, bridge: Bridge) -> None:
        self._process = process
        self._bridge = bridge
        self._seed = 0
        rng = np.random.default_rng(0)
        # Smooth, as photographs are, and large enough for every context.
        coarse = rng.integers(0, 255, (128, 128, 4), np.uint8)
        self._picture = np.ascontiguousarray(coarse.repeat(32, 0).repeat(32, 1))
        self._picture[..., 3] = 255

    def fill(self, *, canvas: int = 4096, side: int = 200, batch: int = 1) -> Any:
        """Submit a fill of a square in the canvas's middle."""
        self._seed += 1000
        size, at = Extent(canvas, canvas), (canvas - side) // 2
        bounds = Rect(at, at, side, side)
        context = self._bridge.plan(canvas=size, selection=bounds, mode="fill").context
        picture = np.ascontiguousarray(self._picture[: context.height, : context.width])
        # Another picture each time, so that nothing is found done.
        picture[0, 0, 0] = self._seed // 1000 % 256
        selection = np.zeros(picture.shape[:2], np.uint8)
        selection[at - context.y :, at - context.x :][:side, :side] = 255
        return self._bridge.submit(
            kind="fill",
            mode="fill",
            canvas=size,
            context=context,
            picture=Pixels(picture.data, context.width, context.height, 4),
            selection=Pixels(selection.data, context.width, context.height, 1),
            prompt="a tree",
            seed=self._seed,
            steps=2,
            batch=batch,
            result=ResultFormat(previews=False),
        )

    def canvas(self, side: int) -> None:
        self.fill(canvas=side).result()

    def selection(self, side: int) -> None:
        self.fill(side=side).result()

    def batch(self, count: int) -> None:
        self.fill(batch=count).result()

    def queue(self, count: int) -> None:
        for job in [self.fill() for _ in range(count)]:
            job.result()

    def clients(self, count: int) -> None:
        """A plan, while so many others are connected."""
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(self._process.connect())
            self.fill().result()

    def held(self) -> int:
        """Resident bytes of the bridge and its worker."""
        here = psutil.Process(self._process.process.pid)
        return sum(process.memory_info().rss for process in (here, *here.children(recursive=True)))


def grown(bench: Bench, work: Callable[[int], None], sizes: Sequence[int], rounds: int) -> dict[str, list[float]]:
    """Seconds and MiB for each size."""
    work(sizes[0])
    seconds, memory = [], []
    for size in sizes:
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            work(size)
            taken.append(time.perf_counter() - start)
        seconds.append(statistics.median(taken))
        memory.append(bench.held() / MIB)
        print(f"  {work.__name__} {size}: {seconds[-1]:.3f} s, {memory[-1]:.0f} MiB", flush=True)
    return {"sizes": list(map(float, sizes)), "seconds": seconds, "MiB": memory}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Of a power law through the last half of the points."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the largest, to try the script")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        soaking_bridge(Path(folder), "--connections", "64") as observer,
        observer.process.connect() as bridge,
    ):
        bench = Bench(observer.process, bridge)
        asked = {
            "canvas, side": (bench.canvas, CANVASES),
            "selection, side": (bench.selection, SELECTIONS),
            "batch": (bench.batch, BATCHES),
            "queue": (bench.queue, QUEUES),
            "clients": (bench.clients, CLIENTS),
        }
        curves = {
            name: grown(bench, work, sizes[:-1] if args.quick else sizes, args.rounds)
            for name, (work, sizes) in asked.items()
        }
    table = []
    for name, curve in curves.items():
        # Of a square's side pixels are the square.
        power = 2 if name.startswith("selection") else 1
        table.append(
            {
                "what": name,
                "from": curve["sizes"][0],
                "to": curve["sizes"][-1],
                "s, first": curve["seconds"][0],
                "s, last": curve["seconds"][-1],
                "exponent": exponent(curve["sizes"], curve["seconds"]) / power,
                "MiB, first": curve["MiB"][0],
                "MiB, last": curve["MiB"][-1],
            }
        )
    report("growth", {}, table=table, curves=curves)
    return 0 if all(row["exponent"] <= MOST_EXPONENT for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
