"""What a running bridge holds of its machine: memory, open files, threads, shared memory, temporary files."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from whole_bridge import BridgeProcess

from bridge.library.files import BEGUN

__all__ = ["Footprint", "Observer", "slope"]

_SHARED = Path("/dev/shm")
_SEGMENT = re.compile(r"/dev/shm/(pb[0-9a-f]{12}-)")


@dataclass(frozen=True)
class Footprint:
    """At one moment. ``bridge_bytes`` and ``worker_bytes`` are resident; the counts are those of all its processes,
    files' those in its home and its folder for temporary files. In the library, which is to keep each result, only
    those that a write has begun count.
    """

    bridge_bytes: int
    worker_bytes: int
    open_files: int
    threads: int
    processes: int
    files: int
    shared: int

    @property
    def counts(self) -> dict[str, int]:
        """All that must be as it was when nothing is being worked at."""
        names = ("open_files", "threads", "processes", "files", "shared")
        return {name: getattr(self, name) for name in names}


@dataclass
class Observer:
    """Looks at one bridge. ``temporary`` is its folder for temporary files."""

    process: BridgeProcess
    temporary: Path
    _prefixes: set[str] = field(default_factory=set)

    def look(self) -> Footprint:
        """The footprint as it is now."""
        bridge = psutil.Process(self.process.process.pid)
        family = [bridge, *bridge.children(recursive=True)]
        sizes, opened, threads = [], 0, 0
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                sizes.append(member.memory_info().rss)
                opened += member.num_fds()
                threads += member.num_threads()
                self._learn_prefix(member.pid)
        files = sum(map(self._files, (self.process.home, self.temporary)))
        return Footprint(sizes[0], max(sizes[1:], default=0), opened, threads, len(sizes), files, self._segments())

    def _files(self, folder: Path) -> int:
        library = self.process.home / "library"
        return sum(
            BEGUN in name or not Path(parent).is_relative_to(library)
            for parent, _, names in os.walk(folder)
            for name in names
        )

    def until_quiet(self, quiet: Callable[[Footprint], bool], *, seconds: float) -> Footprint:
        """The first footprint that meets a condition, or the last one before the time is over."""
        deadline = time.monotonic() + seconds
        while not quiet(seen := self.look()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return seen

    def _learn_prefix(self, pid: int) -> None:
        """A bridge's segments have a prefix of its own, which shows while one is mapped."""
        with contextlib.suppress(OSError):
            self._prefixes.update(_SEGMENT.findall(Path(f"/proc/{pid}/maps").read_text()))

    def _segments(self) -> int:
        return sum(1 for prefix in self._prefixes for _ in _SHARED.glob(prefix + "*"))


def slope(values: Sequence[float]) -> float:
    """By how much values grow from the first to the last, by a straight line through all of them, over their mean."""
    line = np.polyfit(np.arange(len(values)), values, 1)
    return float(line[0] * (len(values) - 1) / np.mean(values))
