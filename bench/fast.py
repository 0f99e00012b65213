"""What the setting *fast* of a job saves and costs: the same fills in full and fast, their times and their likeness.

    python bench/fast.py [--fills 40]        with the checkpoint that ships: LPIPS of fast to full
    python bench/fast.py --sd15 [--steps 20] with random weights of Stable Diffusion 1.5's real size: times alone

LPIPS is that of Zhang et al. 2018, of what the model looked at. Of random weights a likeness would mean nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

import cv2
import numpy as np
import torch
from job_forms import request_of
from measure import OUTPUT, ratio, report

from bridge.canvas.geometry import Size
from bridge.diffusion import ModelCache, find_device
from bridge.models import MINI, inspect
from bridge.painter import Request, ResultCache, paint
from bridge.training.lpips import Lpips, weights

PHOTOS = sorted((Path(__file__).parent.parent / "tests" / "photos").glob("*.jpg"))
SIDE = 512
NAMES = ("red balloon", "orange", "mushroom", "yellow star", "sunflower", "")
WANTED_TIMES, WANTED_MEAN, WANTED_WORST = 1.5, 0.05, 0.1


class Hooks:
    """Nobody looks."""

    def stage(self, name: str, step: int, steps: int) -> None:
        pass

    def preview(self, rgb: np.ndarray, step: int) -> None:
        pass

    def check(self) -> None:
        pass


def request(number: int, *, steps: int | None, fast: bool) -> Request:
    """A fill of an ellipse in a photograph, another one for each number."""
    rng = np.random.default_rng([2811, number])
    photo = cv2.imread(str(PHOTOS[number % len(PHOTOS)]))[..., ::-1]
    y, x = (int(rng.integers(0, side - SIDE)) for side in photo.shape[:2])
    rgb = np.ascontiguousarray(photo[y : y + SIDE, x : x + SIDE]).astype(np.float32) / 255
    selection = np.zeros((SIDE, SIDE), np.float32)
    axes = tuple(int(axis) for axis in rng.integers(60, 130, 2))
    cv2.ellipse(selection, tuple(int(at) for at in rng.integers(180, 330, 2)), axes, 0, 0, 360, 1, -1)
    size = Size(SIDE, SIDE)
    return request_of(
        kind="fill",
        mode="fill",
        canvas=size,
        context=size.rect,
        picture=np.dstack([rgb, np.ones((SIDE, SIDE), np.float32)]),
        selection=selection,
        prompt=NAMES[number % (len(NAMES) - 1)],
        seeds=(number,),
        steps=steps,
        fast=fast,
        previews=False,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sd15", action="store_true", help="times at Stable Diffusion 1.5's size; takes half an hour")
    parser.add_argument("--fills", type=int, default=0, help="40, or 1 with --sd15")
    parser.add_argument("--steps", type=int, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.sd15:
            from full_size import build_full_sd15

            return compare(build_full_sd15(Path(folder) / "sd15"), args.fills or 1, args.steps or 20, None)
        data = OUTPUT / "data"
        data.mkdir(parents=True, exist_ok=True)
        return compare(MINI, args.fills or 40, args.steps, Lpips(weights(data)))


def compare(folder: Path, fills: int, steps: int | None, lpips: Lpips | None) -> int:
    source = ModelCache(find_device()).on_demand(inspect(folder))
    paint(request(0, steps=2, fast=False), source, Hooks())
    seconds: dict[str, list[float]] = {"full": [], "fast": [], "full, denoise": [], "fast, denoise": []}
    distances = []
    for number in range(fills):
        made = {}
        for name in ("full", "fast") if number % 2 else ("fast", "full"):
            start = time.process_time()
            painting = paint(request(number, steps=steps, fast=name == "fast"), source, Hooks(), ResultCache())
            seconds[name].append(time.process_time() - start)
            seconds[f"{name}, denoise"].append(painting.timings["denoise"])
            layer = painting.layers[0].layer
            shown = np.zeros((SIDE, SIDE, 3), np.float32)
            shown[layer.rect.slices] = layer.pixels[..., :3] * layer.pixels[..., 3:]
            made[name] = (layer.rect, shown)
        if lpips is not None:
            rect, full = made["full"]
            pair = [
                torch.from_numpy(one[rect.slices]).permute(2, 0, 1)[None] * 2 - 1 for one in (full, made["fast"][1])
            ]
            distances.append(float(lpips(*pair)))
        print(
            f"  fill {number + 1}: {made['full'][0]}, LPIPS {distances[-1] if distances else float('nan'):.4f}",
            flush=True,
        )
    figures: dict[str, float] = {
        "times faster, the whole fill": ratio(seconds, "full", "fast"),
        "times faster, denoising": ratio(seconds, "full, denoise", "fast, denoise"),
    }
    if distances:
        figures |= {"LPIPS, mean": float(np.mean(distances)), "LPIPS, worst": max(distances)}
        report("fast-mini", seconds, **figures, wanted="LPIPS 0.05 in the mean, 0.1 at worst")
        return 0 if figures["LPIPS, mean"] <= WANTED_MEAN and figures["LPIPS, worst"] <= WANTED_WORST else 1
    report("fast-sd15", seconds, **figures, wanted="1.5 times faster")
    return 0 if figures["times faster, the whole fill"] >= WANTED_TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
