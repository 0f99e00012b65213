"""A watch on Krita's own thread: who held it, and for how long.

A timer ticks every 5 ms. What lies between two ticks was spent by Krita itself (its events, its painting), by our calls
into Krita, or by us; a profiler on that thread tells them apart. What other programs took from the thread on a machine
that is busy is nobody's: the kernel says how long a thread that could run was kept from a processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from krita_docker import KritaDocker

__all__ = ["Watched", "watched"]

_FUNCTIONS = """
import sys, time
class Watch:
    def __init__(self):
        self.ours, self.calls, self.gaps = {}, {}, []
        self.depth = self.within = 0
        self.gap_ours = self.gap_calls = self.gap_processor = 0.0
        self.schedule = open("/proc/thread-self/schedstat", "rb", buffering=0)
        self.last = self.now()
        self.processor = time.thread_time()
        self.timer = QtCore.QTimer()
        self.timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.timer.start(5)
        sys.setprofile(self.profile)
    def stop(self):
        sys.setprofile(None)
        self.timer.stop()
        self.tick()
        return {"ours": self.ours, "calls": self.calls, "gaps": self.gaps}
    def now(self):
        self.schedule.seek(0)
        return time.perf_counter() - int(self.schedule.read().split()[1]) / 1e9
    def tick(self):
        now, processor = self.now(), time.thread_time()
        gap = now - self.last
        if gap > 0.02:
            # What Krita worked by itself; the rest it waited, above all for the screen.
            itself = processor - self.processor - self.gap_processor
            rest = gap - self.gap_calls - max(itself, 0.0)
            self.gaps.append([round(1000 * part, 1) for part in (gap, self.gap_calls, self.gap_ours, itself, rest)])
        self.last, self.processor = now, processor
        self.gap_ours = self.gap_calls = self.gap_processor = 0.0
    def profile(self, frame, event, argument):
        if event == "call":
            if self.depth:
                self.depth += 1
            elif "paintbridge_krita" in frame.f_code.co_filename:
                self.depth, self.name, self.theirs = 1, frame.f_code.co_qualname, 0.0
                self.began, self.began_processor = self.now(), time.thread_time()
        elif event == "return":
            if self.depth:
                self.depth -= 1
                if not self.depth:
                    spent = self.now() - self.began
                    self.gap_processor += time.thread_time() - self.began_processor
                    self.gap_ours += spent - self.theirs
                    self.ours[self.name] = max(self.ours.get(self.name, 0.0), round(1000 * (spent - self.theirs), 1))
        elif self.depth and type(getattr(argument, "__self__", None)).__module__.endswith("krita"):
            # What we do within a call, when it tells us of something, is part of it.
            self.within += 1 if event == "c_call" else -1
            if event == "c_call" and self.within == 1:
                self.called = self.now()
            elif event != "c_call" and self.within == 0:
                spent = self.now() - self.called
                self.theirs += spent
                self.gap_calls += spent
                name = type(argument.__self__).__name__ + "." + argument.__name__
                count, most, total = self.calls.get(name, (0, 0.0, 0.0))
                spent = round(1000 * spent, 1)
                self.calls[name] = count + 1, max(most, spent), round(total + spent, 1)
None
"""


@dataclass
class Watched:
    """In milliseconds. ``ours``: the longest that each of our functions held the thread, without its calls into Krita;
    ``calls``: those, each with how many there were, the longest, and all together; ``gaps`` of more than 20 ms between
    two ticks, each with what of it were our calls into Krita, we ourselves, Krita itself, and waiting, with us or not.
    """

    ours: dict[str, float] = field(default_factory=dict)
    calls: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    gaps: list[tuple[float, float, float, float, float]] = field(default_factory=list)

    def table(self) -> str:
        """For people."""
        calls = sorted(self.calls.items(), key=lambda item: -item[1][1])
        lines = ["Our calls into Krita, in ms: how many, the longest, all together"]
        lines += [f"{name:40} {count:6} {most:10.1f} {total:10.1f}" for name, (count, most, total) in calls]
        lines += ["", "Our own functions, without these calls: the longest"]
        lines += [f"{name:60} {most:8.1f}" for name, most in sorted(self.ours.items(), key=lambda item: -item[1])]
        lines += ["", "Gaps of more than 50 ms: all, our calls into Krita, we, Krita itself, waiting"]
        lines += ["".join(f"{part:10.1f}" for part in gap) for gap in self.gaps if gap[0] > 50]
        return "\n".join(lines) + "\n"


@contextmanager
def watched(docker: KritaDocker) -> Iterator[Watched]:
    """Watch what happens meanwhile."""
    docker.ask(_FUNCTIONS)
    found = Watched()
    docker.ask("watch = Watch()\nNone")
    yield found
    told = docker.ask("watch.stop()")
    found.ours, found.calls, found.gaps = told["ours"], told["calls"], told["gaps"]
