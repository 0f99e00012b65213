"""All benches one after the other, then docs/benchmarks.md. What has run to its end is not run again.

    python bench/every.py [--quick] [--again NAME ...] [--iopaint PROGRAM]

A bench that misses what is wanted of it ends with 1, and counts as run: its figures say so. On two cores all of them
take some hours, half of which is the checkpoint of Stable Diffusion 1.5's size. `--quick` tries each in short form, and
writes to the folder of a quick run, `bench-output/quick`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from measure import OUTPUT, QUICK

HERE = Path(__file__).parent

# The file that a bench writes: its command, and what is added for a quick run; None: not in a quick one.
BENCHES: dict[str, tuple[list[str], list[str] | None]] = {
    "stages-mini": (["stages.py"], ["--steps", "8"]),
    "wire": (["wire.py"], ["--sizes", "1024", "2048", "--rounds", "1"]),
    "overhead-mini": (["overhead.py"], ["--rounds", "1"]),
    "previews": (["previews.py"], ["--rounds", "1"]),
    "growth": (["growth.py"], ["--quick", "--rounds", "1"]),
    "fast-mini": (["fast.py"], ["--fills", "2"]),
    "soak": (["soak.py"], ["--jobs", "60"]),
    "stages-sd15": (["stages.py", "--sd15"], None),
    "fast-sd15": (["fast.py", "--sd15"], None),
    "overhead-sd15": (["overhead.py", "--sd15"], None),
    "peers": (["peers.py"], ["--tiny"]),
}
EVALUATION = "evaluation/figures.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="each in short form, to try them")
    parser.add_argument("--again", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--iopaint", metavar="PROGRAM", default=None, help="IOPaint's, to be compared with")
    args = parser.parse_args()
    output = QUICK if args.quick else OUTPUT
    output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "BENCH_OUTPUT": str(output)}
    failed = []
    for name, (command, shorter) in BENCHES.items():
        file = output / f"{name}.json"
        if args.quick and shorter is None:
            continue
        if file.exists() and name not in args.again:
            print(f"{name}: is there", flush=True)
            continue
        extra = [*(shorter or []) * args.quick]
        if name == "peers" and args.iopaint:
            extra += ["--iopaint", args.iopaint]
        print(f"{name}: {time.strftime('%H:%M:%S')}", flush=True)
        before = file.stat().st_mtime_ns if file.exists() else None
        subprocess.run([sys.executable, str(HERE / command[0]), *command[1:], *extra], env=environment, check=False)
        if not file.exists() or file.stat().st_mtime_ns == before:
            failed.append(name)
    if not args.quick and not (output / EVALUATION).exists():
        evaluate = ["train", "evaluate", "--only", "removal", "--to", str((output / EVALUATION).parent)]
        if subprocess.run([sys.executable, "-m", "bridge.cli", *evaluate], check=False).returncode:
            failed.append("evaluation")
    if not args.quick:
        subprocess.run([sys.executable, str(HERE / "tables.py")], check=True)
    print(f"Broken: {', '.join(failed)}" if failed else "All ran to the end.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
