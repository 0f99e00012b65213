"""What previews cost: the same job through the bridge with and without them, in turns.

    python bench/previews.py [--rounds 9]

With the checkpoint that ships, whose steps are so short that previews are as dense as they ever get.
"""

from __future__ import annotations

import argparse
import sys
import time

from measure import in_turns, ratio, report
from overhead import GUIDANCE, SEED, SIDE, scene

from bridge.cli.hosted import hosted_bridge
from bridge.client import Bridge, Pixels
from bridge.protocol.messages import ContextChoice, Extent, Preview, Rect, ResultFormat

STEPS = 40
WANTED = 1.03


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    photo, selection = scene()
    canvas = Extent(SIDE, SIDE)
    seen: list[int] = []

    with hosted_bridge() as address, Bridge(address, client="bench") as bridge:
        plan = bridge.plan(
            canvas=canvas, selection=Rect(160, 160, 191, 191), mode="fill", context=ContextChoice("canvas")
        )

        def fill(previews: bool) -> float:
            start = time.perf_counter()
            job = bridge.submit(
                kind="fill",
                canvas=canvas,
                context=plan.context,
                mode="fill",
                picture=Pixels(photo.data, SIDE, SIDE, 4),
                selection=Pixels(selection.data, SIDE, SIDE, 1),
                prompt="balloon",
                seed=SEED,
                steps=STEPS,
                guidance=GUIDANCE,
                result=ResultFormat(previews=previews),
            )
            seen.append(sum(isinstance(event, Preview) for event in job.events()))
            job.result()
            return time.perf_counter() - start

        seconds, processor = in_turns({"with": lambda: fill(True), "without": lambda: fill(False)}, rounds=args.rounds)
    times = ratio(processor, "with", "without")
    report(
        "previews",
        seconds,
        **{
            "previews seen": float(max(seen)),
            "with / without": ratio(seconds, "with", "without"),
            "the same of processor time": times,
            "wanted at most": WANTED,
        },
    )
    return 0 if times <= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
