"""Where the time of a fill goes, from the artist's click to the layer in the picture, stage by stage.

    python bench/stages.py                     with the checkpoint that ships
    python bench/stages.py --sd15 [--steps 4]  with random weights of Stable Diffusion 1.5's real size

Three fills by one bridge that has just started: the first, the second of another selection, and another seed on that
selection, which begins with its first denoising step.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import report
from overhead import GUIDANCE, PHOTO
from PIL import Image, ImageDraw

from bridge.cli.hosted import hosted_bridge
from bridge.client import Bridge, Pixels
from bridge.models import MINI
from bridge.protocol.messages import Extent, Queued, Rect, Result, Started

SIDE = 2048
RADIUS = 120
STAGES = ("plan", "read", "wire, up", "queue", "load", "infill", "encode", "denoise", "decode", "compose")
STAGES += ("wire, down", "write", "worker's start, and the rest", "all")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sd15", action="store_true", help="random weights of SD 1.5's size; takes minutes")
    parser.add_argument("--steps", type=int, default=0, help="20, or 4 with --sd15")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = MINI
        if args.sd15:
            from full_size import build_full_sd15

            checkpoint = build_full_sd15(Path(folder) / "sd15")
        os.environ["PAINTBRIDGE_MODELS_FOLDERS"] = folder
        os.environ["PAINTBRIDGE_DEFAULT_CHECKPOINT"] = checkpoint.name
        steps = args.steps or (4 if args.sd15 else 20)
        start = time.perf_counter()
        with hosted_bridge() as address, Bridge(address, client="bench") as bridge:
            listens = time.perf_counter() - start
            canvas = np.array(Image.open(PHOTO).convert("RGBA").resize((SIDE, SIDE)))
            fills = {
                "first fill": fill(bridge, canvas, (700, 700), 1, steps),
                "second fill": fill(bridge, canvas, (1300, 900), 2, steps),
                "second seed": fill(bridge, canvas, (1300, 900), 3, steps),
            }
    table = [{"stage": stage, **{name: found[stage] for name, found in fills.items()}} for stage in STAGES]
    for row in table:
        print("  ".join(f"{value:>12.3f}" if isinstance(value, float) else f"{value:>14}" for value in row.values()))
    repeated = sum(fills["second seed"][stage] for stage in ("load", "infill", "encode"))
    report(
        f"stages-{'sd15' if args.sd15 else 'mini'}",
        {},
        table=table,
        steps=steps,
        **{"from start to an open connection, s": listens, "second seed, before denoising, s": repeated},
    )
    return 0


def fill(bridge: Bridge, canvas: np.ndarray, at: tuple[int, int], seed: int, steps: int) -> dict[str, float]:
    """One fill of a disc; seconds of each stage. What another seed finds done already takes next to nothing."""
    happened: dict[type[Any], float] = {}
    marks = [time.perf_counter()]

    def mark() -> float:
        marks.append(time.perf_counter())
        return marks[-1] - marks[-2]

    size = Extent(SIDE, SIDE)
    bounds = Rect(at[0] - RADIUS, at[1] - RADIUS, 2 * RADIUS + 1, 2 * RADIUS + 1)
    context = bridge.plan(canvas=size, selection=bounds, mode="fill").context
    found = {"plan": mark()}
    place = (slice(context.y, context.y + context.height), slice(context.x, context.x + context.width))
    picture = np.ascontiguousarray(canvas[place])
    mask = Image.new("L", (context.width, context.height))
    corner = (at[0] - context.x, at[1] - context.y)
    box = (corner[0] - RADIUS, corner[1] - RADIUS, corner[0] + RADIUS, corner[1] + RADIUS)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    selection = np.asarray(mask)
    found["read"] = mark()
    job = bridge.submit(
        kind="fill",
        canvas=size,
        context=context,
        mode="fill",
        picture=Pixels(picture.data, context.width, context.height, 4),
        selection=Pixels(selection.data, context.width, context.height, 1),
        prompt="balloon",
        seed=seed,
        steps=steps,
        guidance=GUIDANCE,
        on_event=lambda event: happened.setdefault(type(event), time.perf_counter()) and None,
    )
    result = job.result()
    back = time.perf_counter()
    found |= {stage: result.timings.get(stage, 0.0) for stage in STAGES[4:10]}
    found["wire, up"] = happened.get(Queued, happened[Started]) - marks[-1]
    found["queue"] = happened[Started] - happened.get(Queued, happened[Started])
    found["wire, down"] = back - happened[Result]
    marks.append(back)
    layer = result.layers[0]
    pixels = np.asarray(layer)
    under = canvas[layer.y : layer.y + layer.picture.height, layer.x : layer.x + layer.picture.width, :3]
    alpha = pixels[..., 3:] / np.float32(255)
    merged = under + (pixels[..., :3].astype(np.float32) - under) * alpha
    # Where nothing is to be seen of it, another seed finds the picture that the last one found.
    np.rint(merged).astype(np.uint8)
    found["write"] = mark()
    found["all"] = marks[-1] - marks[0]
    found["worker's start, and the rest"] = found["all"] - sum(found[stage] for stage in STAGES[:12])
    return found


if __name__ == "__main__":
    sys.exit(main())
