"""Whether the checkpoint that ships paints prompts for regions each in its own.

    python bench/regions.py --data FOLDER [--seeds 20]

FOLDER holds, or is filled with, the training's data: the cut-outs of things and LPIPS. A sheet lies beside the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from measure import OUTPUT
from PIL import Image

from bridge.diffusion import find_device
from bridge.evaluation.figures import codes_of
from bridge.evaluation.filling import Filler
from bridge.evaluation.regional import each_on_its_side
from bridge.models import MINI, inspect
from bridge.training.lpips import Lpips, weights
from bridge.training.mini_dataset import cutouts

PHOTOS = sorted((Path(__file__).parent.parent / "tests" / "photos").glob("*.jpg"))
# What is asked for left and right, and on the right the second time.
CASES = (("apple", "frog", "sunflower"), ("red heart", "lemon", "globe"))
WANTED = 0.8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(2)
    checkpoint = inspect(MINI)
    filler, lpips = Filler(checkpoint, find_device()), Lpips(weights(args.data))
    by_code = {one.code: one for one in cutouts(args.data)}
    things = {name: by_code[code] for name, code in codes_of(checkpoint.card.known_names).items()}
    behinds = [np.array(Image.open(path).convert("RGB").resize((256, 256))) for path in PHOTOS]
    good = True
    for number, (left, right, other) in enumerate(CASES):
        found = each_on_its_side(
            filler, things, (left, right), other, behinds, lpips, range(args.seeds),
            sheet=OUTPUT / f"regions-{number}.png",
        )  # fmt: skip
        print(json.dumps(found), flush=True)
        good = good and found["each_on_its_side"] >= WANTED * args.seeds
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
