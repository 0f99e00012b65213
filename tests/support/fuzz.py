"""Coverage-guided fuzzing of what reads strangers' bytes (:mod:`fuzz_targets`), by atheris and libFuzzer.

    python tests/support/fuzz.py --minutes 20              all targets, each its share; what is new goes into the corpus
    python tests/support/fuzz.py frames --runs 5000        one target
    python tests/support/fuzz.py frames FILE               one input again

The corpus is tests/fuzz/corpus/TARGET. An input that fails is written to fuzz-output and ends that target's run; mend
the fault, and put the input into the corpus.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz_targets import TARGETS

__all__ = ["fuzz", "inputs"]

CORPUS = Path(__file__).parent.parent / "fuzz" / "corpus"
_VECTORS = Path(__file__).parents[2] / "docs" / "protocol.vectors.json"
OUTPUT = Path("fuzz-output")
_LONGEST = 4096
# Seconds that one input may take, and megabytes that a target may.
_SLOW, _MOST_MEMORY = 20, 4096


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("file", nargs="?", type=Path, help="an input to try again")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--runs", type=int, help="so many inputs, and no corpus is kept")
    args = parser.parse_args()
    if args.file is not None:
        TARGETS[args.target]()(args.file.read_bytes())
        return 0
    names = [args.target] if args.target else list(TARGETS)
    failed = [name for name in names if not fuzz(name, args.minutes * 60 / len(names), args.runs)]
    for name in failed:
        print(f"{name}: an input fails; it lies in {OUTPUT}")
    return 1 if failed else 0


def inputs(name: str) -> list[bytes]:
    """What a target's run begins with: its corpus, and for frames the protocol's own vectors."""
    found = [file.read_bytes() for file in sorted((CORPUS / name).glob("*"))]
    if name == "frames":
        vectors = json.loads(_VECTORS.read_text(encoding="utf-8"))
        found += [bytes.fromhex(one["hex"]) for one in (*vectors["vectors"], *vectors["refused"])]
    return found


def fuzz(name: str, seconds: float, runs: int | None = None) -> bool:
    """Whether nothing fails, in so many seconds or with so many inputs; with those the corpus stays as it is."""
    (corpus := CORPUS / name).mkdir(parents=True, exist_ok=True)
    OUTPUT.mkdir(exist_ok=True)
    limits = [f"-max_len={_LONGEST}", f"-timeout={_SLOW}", f"-rss_limit_mb={_MOST_MEMORY}", "-verbosity=0"]
    command = [sys.executable, __file__, "--child", name, *limits, f"-artifact_prefix={OUTPUT}/{name}-"]
    until = [f"-max_total_time={seconds:.0f}"] if runs is None else [f"-runs={runs}", "-seed=1"]
    with tempfile.TemporaryDirectory() as new:
        for number, seed in enumerate(inputs(name)):
            Path(new, f"seed{number}").write_bytes(seed)
        # What is found goes into the folder.
        done = subprocess.run([*command, *until, new], check=False)
        if done.returncode == 0 and runs is None:
            subprocess.run([*command, "-set_cover_merge=1", str(corpus), new], check=True)
    return done.returncode == 0


def _child(name: str, *options: str) -> None:
    """Does not return."""
    import atheris

    # Form parsers tell the log of each broken form.
    logging.disable()
    with atheris.instrument_imports(include=["bridge", "python_multipart", "starlette"]):
        target = TARGETS[name]()
    # libFuzzer starts itself again by its own name to merge.
    atheris.Setup([f"{sys.executable} {__file__} --child {name}", *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:])
    sys.exit(main())
