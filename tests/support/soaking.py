"""A soak: busy clients of all doors on one bridge, and what is left of them when they are gone."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from busy_clients import Ledger, run_clients
from footprint import Footprint, Observer
from tiny_checkpoints import build_tiny_sd1
from whole_bridge import BridgeProcess, serving

__all__ = ["Soaked", "idle_clients", "soak", "soaking_bridge"]

_QUIET_SECONDS = 20.0
_JOB = re.compile(r" job id=(\S+) .*code=(\S+)")


@dataclass(frozen=True)
class Soaked:
    """``samples`` are footprints by the number of jobs that had ended; ``logged`` how each job ended for the bridge, by
    its id, in the order of its log.
    """

    ledger: Ledger
    before: Footprint
    after: Footprint
    samples: list[tuple[int, Footprint]]
    logged: list[tuple[str, str]]
    seconds: float

    @property
    def wrong(self) -> list[str]:
        """What was lost, came twice, or is left."""
        ledger = self.ledger
        wrong = list(ledger.faults)
        if ledger.asked.total() != ledger.ends.total():
            wrong.append(f"{ledger.asked.total()} jobs, and {ledger.ends.total()} ends")
        if len(dict(self.logged)) != len(self.logged):
            wrong.append("the bridge ended a job twice")
        ends = Counter(code for _, code in self.logged)
        if set(ends) - {"result", "cancelled"}:
            wrong.append(f"jobs ended so for the bridge: {dict(ends)}")
        # Who hangs up or leaves may have been too early for a job, or too late to stop it.
        for told, code in (("result", "result"), ("cancelled", "cancelled")):
            if ends[code] < ledger.ends[told]:
                wrong.append(f"clients were told {ledger.ends[told]} times {told}, and the bridge {ends[code]}")
        if len(self.logged) > ledger.asked.total():
            wrong.append(f"{ledger.asked.total()} jobs were asked for, and the bridge ended {len(self.logged)}")
        for name, count in self.after.counts.items():
            if count > self.before.counts[name]:
                wrong.append(f"{name}: {self.before.counts[name]} before, {count} after")
        return wrong


@contextmanager
def soaking_bridge(folder: Path, *flags: str) -> Iterator[Observer]:
    """A bridge with two tiny checkpoints, and a folder of its own for temporary files."""
    home, temporary = folder / "home", folder / "temporary"
    temporary.mkdir(parents=True)
    build_tiny_sd1(home / "models" / "inpaint", inpaint=True)
    build_tiny_sd1(home / "models" / "base", inpaint=False)
    flags = ("--default-checkpoint", "inpaint", "--log-level", "info", *flags)
    with serving(home, *flags, environment={"TMPDIR": str(temporary)}) as process:
        yield Observer(process, temporary)


def soak(observer: Observer, *, jobs: int, clients: int, seed: int = 1, every: int = 10) -> Soaked:
    """So many jobs from so many clients, after some that load what a bridge loads once. A footprint is taken whenever
    ``every`` more jobs have ended.
    """
    _work(observer, Ledger(4 * 4), clients=4, seed=seed + 1)
    before = _settled(observer)
    told = len(_logged(observer.process))
    start = time.monotonic()
    ledger = Ledger(jobs)
    samples = _work(observer, ledger, clients=clients, seed=seed, every=every)
    seconds = time.monotonic() - start
    after = observer.until_quiet(
        lambda seen: all(count <= before.counts[name] for name, count in seen.counts.items()), seconds=_QUIET_SECONDS
    )
    return Soaked(ledger, before, after, samples, _logged(observer.process)[told:], seconds)


def _work(
    observer: Observer, ledger: Ledger, *, clients: int, seed: int, every: int = 1 << 30
) -> list[tuple[int, Footprint]]:
    threads = run_clients(observer.process, ledger, clients=clients, seed=seed)
    samples: list[tuple[int, Footprint]] = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)
        if ledger.ended >= every * (len(samples) + 1):
            samples.append((ledger.ended, observer.look()))
    return samples


def _settled(observer: Observer) -> Footprint:
    """When nothing changes any more."""
    seen = observer.look()
    for _ in range(40):
        time.sleep(0.25)
        earlier, seen = seen, observer.look()
        if earlier.counts == seen.counts:
            break
    return seen


def _logged(process: BridgeProcess) -> list[tuple[str, str]]:
    return _JOB.findall((process.home / "bridge.log").read_text())


def idle_clients(observer: Observer, *, clients: int, seconds: float) -> tuple[float, float, int]:
    """Processor seconds a second of the bridge without clients, and with so many that do nothing, and the bytes that
    these make it grow by.
    """

    def spent() -> float:
        bridge = psutil.Process(observer.process.process.pid)
        before = sum(bridge.cpu_times()[:2])
        time.sleep(seconds)
        return (sum(bridge.cpu_times()[:2]) - before) / seconds

    alone, bytes_alone = spent(), observer.look().bridge_bytes
    with ExitStack() as stack:
        for _ in range(clients):
            stack.enter_context(observer.process.connect())
        _settled(observer)
        grown = observer.look().bridge_bytes - bytes_alone
        return alone, spent(), grown
