"""What the bridge costs: the same fill through it and as a bare call of diffusers' inpainting pipeline.

    python bench/overhead.py [--rounds 7]                  with the checkpoint that ships
    python bench/overhead.py --sd15 [--rounds 3]           with random weights of Stable Diffusion 1.5's real size

Both have the same checkpoint, picture at the model's size, prompt, steps, guidance and blurred infill, both on one
machine, in turns. The bridge's side is the whole way: a plan, pixels through the websocket, the queue, the worker, the
layer back. What it does beyond the bare call, fitting the picture in (masks, colours, the layer), is listed apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

# As the bridge's worker does. A bare call that spins for its turn on a busy machine would flatter the bridge.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline
from measure import in_turns, ratio, report
from PIL import Image, ImageDraw

from bridge.canvas.geometry import Size
from bridge.canvas.infill import infill
from bridge.canvas.resample import resize
from bridge.cli.hosted import hosted_bridge
from bridge.client import Bridge, Pixels
from bridge.models import MINI
from bridge.protocol.messages import ContextChoice, Extent, Rect, ResultFormat

PHOTO = Path(__file__).parent.parent / "tests" / "photos" / "lake-sherburne.jpg"
SIDE = 512
GUIDANCE = 3.0
SEED = 5


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A part of a photograph, RGBA, and a round selection, both u8."""
    photo = np.asarray(Image.open(PHOTO).convert("RGBA").crop((700, 300, 700 + SIDE, 300 + SIDE)))
    selection = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(selection).ellipse((160, 160, 350, 350), fill=255)
    return np.array(photo), np.asarray(selection)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sd15", action="store_true", help="random weights of SD 1.5's size, two steps; takes minutes")
    parser.add_argument("--rounds", type=int, default=0, help="7, or 3 with --sd15")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.sd15:
            from full_size import build_full_sd15

            checkpoint, prompt, steps, wanted = build_full_sd15(Path(folder) / "sd15"), "a red flower", 2, 1.05
        else:
            checkpoint, prompt, steps, wanted = MINI, "balloon", 20, 1.25
        os.environ["PAINTBRIDGE_MODELS_FOLDERS"] = folder
        os.environ["PAINTBRIDGE_DEFAULT_CHECKPOINT"] = checkpoint.name
        with hosted_bridge() as address, Bridge(address, client="bench") as bridge:
            return compare(bridge, checkpoint, prompt, steps, wanted, args.rounds or (3 if args.sd15 else 7))


def compare(bridge: Bridge, checkpoint: Path, prompt: str, steps: int, wanted: float, rounds: int) -> int:
    photo, selection = scene()
    canvas, bounds = Extent(SIDE, SIDE), Rect(160, 160, 191, 191)
    choice = ContextChoice("canvas")
    planned = bridge.plan(canvas=canvas, selection=bounds, mode="fill", context=choice)
    size = Size(planned.model_width, planned.model_height)
    print(f"{checkpoint.name}: {size.width} x {size.height}, {steps} steps, {torch.get_num_threads()} threads")
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(
        checkpoint, dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    stages: list[dict[str, float]] = []

    def through_the_bridge() -> float:
        # Another pixel and another prompt each time: the bridge keeps what it has encoded before, a bare call does not.
        photo[0, 0, :3] = np.random.randint(0, 256, 3)
        start = time.perf_counter()
        plan = bridge.plan(canvas=canvas, selection=bounds, mode="fill", context=choice)
        job = bridge.submit(
            kind="fill",
            canvas=canvas,
            context=plan.context,
            mode="fill",
            picture=Pixels(photo.data, SIDE, SIDE, 4),
            selection=Pixels(selection.data, SIDE, SIDE, 1),
            prompt=f"{prompt}, {len(stages)}",
            seed=SEED,
            steps=steps,
            guidance=GUIDANCE,
            sampler="DDIM",
            result=ResultFormat(previews=False),
        )
        timings = job.result().timings
        taken = time.perf_counter() - start
        stages.append({**timings, "outside the worker's stages": taken - sum(timings.values())})
        return taken - timings["compose"]

    def bare() -> float:
        start = time.perf_counter()
        rgb = photo[:, :, :3].astype(np.float32) / 255
        hole = selection.astype(np.float32) / 255
        filled = resize(infill(rgb, hole, None, "fill"), size)
        made = pipeline(
            prompt=prompt,
            image=filled,
            mask_image=(resize(hole, size) > 0).astype(np.float32),
            width=size.width,
            height=size.height,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            strength=1.0,
            generator=torch.Generator().manual_seed(SEED),
            output_type="np",
        ).images[0]
        resize(made, Size(SIDE, SIDE))
        return time.perf_counter() - start

    seconds, processor = in_turns({"bridge": through_the_bridge, "bare call": bare}, rounds=rounds)
    times = ratio(seconds, "bridge", "bare call")
    figures = {
        "bridge / bare call": times,
        "wanted at most": wanted,
        "the same of processor time": ratio(processor, "bridge", "bare call"),
    }
    for stage in stages[-1]:
        figures[f"bridge, {stage}, seconds"] = float(np.median([run.get(stage, 0.0) for run in stages[1:]]))
    report(f"overhead-{checkpoint.name}", seconds, **figures)
    return 0 if times <= wanted else 1


if __name__ == "__main__":
    sys.exit(main())
