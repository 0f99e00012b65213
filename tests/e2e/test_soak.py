"""The soak in short form (``make soak`` is the long one): clients of all doors, whose jobs are all accounted for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from soaking import idle_clients, soak, soaking_bridge


def test_nothing_is_lost_comes_twice_or_stays_behind() -> None:
    with tempfile.TemporaryDirectory() as folder, soaking_bridge(Path(folder)) as observer:
        soaked = soak(observer, jobs=48, clients=8)
        assert soaked.wrong == []
        assert soaked.ledger.ends["result"] > 16
        assert soaked.ledger.ends["cancelled"] + soaked.ledger.ends["hung up"] > 0
        assert soaked.ledger.resumed > 0
        _, busy, _ = idle_clients(observer, clients=12, seconds=1.0)
        assert busy < 0.1, "clients that do nothing cost nothing"
