"""Checkpoints of real size on this machine: how long they load, what another seed costs, and how much memory it takes.

    python bench/families.py sd15|sdxl [--steps 2] [--precision float32|bfloat16]

Random weights. A fill in a photograph by the worker's own painter, in this process: once, and again with another seed,
which should begin denoising at once (its load, infill and encode next to nothing).
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
from full_size import build_full_sd15, build_full_sdxl
from measure import report
from PIL import Image

from bridge.canvas.context import plan
from bridge.canvas.geometry import Rect, Size
from bridge.diffusion import Device, ModelCache
from bridge.models import inspect
from bridge.painter import Request, ResultCache, paint
from bridge.protocol.job import job_settings

PHOTO = Path(__file__).parent.parent / "tests" / "photos" / "lake-sherburne.jpg"
BUILDERS = {"sd15": build_full_sd15, "sdxl": build_full_sdxl}
PRECISIONS = {"sd15": "float32", "sdxl": "bfloat16"}
BOX = Rect(700, 300, 240, 200)


class Quiet:
    """Nobody listens, and nobody cancels."""

    def stage(self, name: str, step: int, steps: int) -> None:
        print(f"  {name} {step}/{steps}", flush=True)

    def preview(self, rgb: np.ndarray, step: int) -> None:
        pass

    def check(self) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", choices=BUILDERS)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / args.checkpoint
        # In a child, so that building counts in no figure.
        if (child := os.fork()) == 0:
            BUILDERS[args.checkpoint](path)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            print("The checkpoint could not be built.", file=sys.stderr)
            return 1
        measure(path, args.checkpoint, args.precision or PRECISIONS[args.checkpoint], args.steps)
    return 0


def measure(path: Path, name: str, precision: str, steps: int) -> None:
    checkpoint = inspect(path)
    memory = psutil.virtual_memory().total
    cache, results = ModelCache(Device("cpu", "CPU", memory, precision, "The bench says so.")), ResultCache()
    picture = np.asarray(Image.open(PHOTO).convert("RGBA"), np.float32) / 255
    canvas = Size(picture.shape[1], picture.shape[0])
    planned = plan(
        canvas,
        BOX,
        kind="fill",
        mode="fill",
        choice="auto",
        rect=None,
        grow=None,
        feather=None,
        native_pixels=checkpoint.card.native_pixels,
        multiple=checkpoint.family.multiple,
    )
    selection = np.zeros(canvas.shape, np.float32)
    selection[BOX.slices] = 1
    seconds: dict[str, list[float]] = {}
    figures: dict[str, float | str] = {"model size": f"{planned.model_size.width} x {planned.model_size.height}"}
    for turn, seed in (("first seed", 1), ("second seed", 2)):
        request = Request(
            settings=job_settings({"mode": "fill", "prompt": "a red flower", "steps": steps}),
            canvas=canvas,
            context=planned.context,
            picture=picture[planned.context.slices],
            selection=selection[planned.context.slices],
            seeds=(seed,),
        )
        start = time.perf_counter()
        painting = paint(request, cache.on_demand(checkpoint), Quiet(), results)
        seconds[turn] = [time.perf_counter() - start]
        figures.update({f"{turn}, {stage}, seconds": taken for stage, taken in painting.timings.items()})
    figures["peak memory, GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    report(f"families-{name}-{precision}", seconds, **figures)


if __name__ == "__main__":
    sys.exit(main())
