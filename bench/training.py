"""What training a LoRA for a checkpoint of real size takes on this machine: seconds a step, and memory.

    python bench/training.py sd15|sdxl [--steps 3] [--resolution 512] [--precision float32|bfloat16]

Random weights, one picture a step, rank 16, as by default.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from full_size import build_full_sd15, build_full_sdxl
from measure import report

from bridge.diffusion import find_device
from bridge.models import inspect
from bridge.training.dataset import TrainingImage
from bridge.training.lora import native_resolution, train_lora
from bridge.training.lora_stage import LoraParams

BUILDERS = {"sd15": build_full_sd15, "sdxl": build_full_sdxl}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", choices=BUILDERS)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--resolution", type=int)
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
        checkpoint = inspect(path)
        side = args.resolution or native_resolution(checkpoint)
        pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
        image = TrainingImage("noise", pixels, np.full((side, side), 255, np.uint8), "a rock")
        device = find_device()
        if args.precision:
            device = replace(device, dtype=args.precision)
        ticks = [time.perf_counter()]
        train_lora(
            checkpoint,
            device,
            [image],
            LoraParams("noise", "a rock", resolution=side, steps=args.steps),
            state=Path(folder) / "state.safetensors",
            to=Path(folder) / "lora.safetensors",
            prepared=lambda: ticks.append(time.perf_counter()),
            report=lambda _: ticks.append(time.perf_counter()),
        )
        taken = np.diff(ticks)
        figures = {
            "device": f"{device.kind} {device.dtype}",
            "resolution": side,
            "to prepare, seconds": float(taken[0]),
            "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
        }
        report(f"learning-{args.checkpoint}-{device.dtype}", {"a step": [float(one) for one in taken[1:]]}, **figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
