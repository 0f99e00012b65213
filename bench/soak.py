"""1,000 jobs from 20 clients of all doors, which cancel, leave and come back at random: nothing lost, nothing left.

    python bench/soak.py [--jobs 1000] [--clients 20] [--seed 1]

Clients of the websocket, of AUTOMATIC1111's API and of OpenAI's share one bridge with tiny checkpoints of random
weights. Every job is accounted for, by its client and by the bridge's log. Memory must be flat: a straight line through
the last half of its samples rises by less than 1 %. Then fifty clients do nothing, and the processor's time is taken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from footprint import slope
from measure import report
from soaking import idle_clients, soak, soaking_bridge

MIB = 1 << 20
MOST_SLOPE = 0.01
MOST_IDLE = 0.01
"""Of one core, more than without clients."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--idle", type=int, default=50, help="clients that do nothing")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    connections = str(args.clients + args.idle)
    with (
        tempfile.TemporaryDirectory() as folder,
        soaking_bridge(Path(folder), "--connections", connections, "--resume-seconds", "10") as observer,
    ):
        soaked = soak(observer, jobs=args.jobs, clients=args.clients, seed=args.seed)
        alone, busy, grown = idle_clients(observer, clients=args.idle, seconds=30.0)
    half = [footprint for _, footprint in soaked.samples[len(soaked.samples) // 2 :]]
    bridge = slope([footprint.bridge_bytes for footprint in half])
    worker = slope([footprint.worker_bytes for footprint in half])
    wrong = soaked.wrong
    if max(bridge, worker) > MOST_SLOPE:
        wrong.append("memory grows")
    if busy - alone > MOST_IDLE:
        wrong.append("idle clients cost time")
    ledger = soaked.ledger
    figures = {
        "jobs": args.jobs,
        "clients": args.clients,
        **{f"jobs through {door}": count for door, count in sorted(ledger.asked.items())},
        **{f"ended for their client: {end}": count for end, count in sorted(ledger.ends.items())},
        "jobs that the bridge ended": len(soaked.logged),
        "connections cut and resumed": ledger.resumed,
        "jobs a second": args.jobs / soaked.seconds,
        "bridge, MiB at the end": half[-1].bridge_bytes / MIB,
        "bridge, rise over the last half": bridge,
        "worker, MiB at the end": half[-1].worker_bytes / MIB,
        "worker, rise over the last half": worker,
        **{f"{name}, before": count for name, count in soaked.before.counts.items()},
        **{f"{name}, after": count for name, count in soaked.after.counts.items()},
        "processor, idle, no client": alone,
        f"processor, idle, {args.idle} clients": busy,
        f"bridge, MiB more with {args.idle} idle clients": grown / MIB,
        "wrong": "; ".join(wrong) or "nothing",
    }
    curve = {
        "sizes": [float(ended) for ended, _ in soaked.samples],
        "bridge, MiB": [seen.bridge_bytes / MIB for _, seen in soaked.samples],
        "worker, MiB": [seen.worker_bytes / MIB for _, seen in soaked.samples],
    }
    report("soak", {"all jobs": [soaked.seconds]}, curves={"jobs": curve}, **figures)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
