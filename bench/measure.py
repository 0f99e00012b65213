"""Side by side, in turns: what a busy machine does to one it does to the other."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

OUTPUT = Path(os.environ.get("BENCH_OUTPUT", "bench-output"))
QUICK = Path("bench-output") / "quick"


def in_turns(
    candidates: dict[str, Callable[[], float]], *, rounds: int, warm_up: int = 1
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Let each candidate run once a round, the order turned about each time. Each says how many seconds count.

    Returns those seconds, and the processors' seconds that this process and its children spent meanwhile: on a machine
    that has other work to do, these tell more.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    processor: dict[str, list[float]] = {name: [] for name in candidates}
    for index in range(-warm_up, rounds):
        names = list(candidates) if index % 2 else list(candidates)[::-1]
        for name in names:
            before = processor_seconds()
            taken = candidates[name]()
            spent = processor_seconds() - before
            if index >= 0:
                seconds[name].append(taken)
                processor[name].append(spent)
                print(f"  round {index + 1}: {name} {taken:.3f} s, processors {spent:.3f} s", flush=True)
    return seconds, processor


def processor_seconds() -> float:
    """What this process and its children have spent so far."""
    total = 0.0
    here = psutil.Process()
    for process in [here, *here.children(recursive=True)]:
        spent = process.cpu_times()
        total += spent.user + spent.system
    return total


def machine() -> str:
    """The processor, its cores that this process may use, the memory and the system."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = round(psutil.virtual_memory().total / (1 << 30))
    return f"{name}, {cores} cores, {memory} GiB, {platform.system()}"


def report(
    name: str,
    seconds: dict[str, list[float]],
    *,
    curves: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    table: Sequence[dict[str, Any]] | None = None,
    **figures: Any,
) -> None:
    """Print medians and spreads, and write everything down in ``bench-output``, from where ``tables.py`` takes it.

    ``curves`` are to be plotted: by their titles ``sizes``, and what was measured at each; ``table`` rows of values.
    """
    for candidate, values in seconds.items():
        if values:
            print(f"{candidate}: median {statistics.median(values):.3f} s ({min(values):.3f} .. {max(values):.3f})")
    for key, value in figures.items():
        print(f"{key}: {value:.3f}" if isinstance(value, float) else f"{key}: {value}")
    OUTPUT.mkdir(exist_ok=True)
    found = {
        "seconds": seconds,
        "figures": figures,
        "curves": curves,
        "table": table,
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    (OUTPUT / f"{name}.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


def ratio(seconds: dict[str, list[float]], above: str, below: str) -> float:
    """The ratio of medians."""
    return statistics.median(seconds[above]) / statistics.median(seconds[below])
