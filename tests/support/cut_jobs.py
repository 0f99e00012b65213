"""For the client's tests of broken connections: a job of a chunk and a half, and a cut at a chosen moment."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from bridge.client import Bridge, Job, Pixels
from bridge.protocol import messages as m
from bridge.protocol.messages import Extent, Rect

CANVAS = Extent(4096, 4096)
# A chunk and a half, both ways: the result has the context's size.
SIDE = 640
CONTEXT = Rect(0, 0, SIDE, SIDE)
PIXELS = Pixels(random.Random(1).randbytes(SIDE * SIDE * 4), SIDE, SIDE, 4)
PAINTED = random.Random(5).randbytes(SIDE * SIDE * 4)
WHOLE_LIFE = ["Queued", "Started", "Progress", "Progress", "Result"]

Moment = Callable[[str, m.Message], "str | None"]


def job_of(bridge: Bridge, **fields: Any) -> Job:
    fields = {"kind": "fill", "canvas": CANVAS, "context": CONTEXT, "seed": 5, "steps": 2, "picture": PIXELS, **fields}
    return bridge.submit(**fields)


def once(direction: str, kind: type[Any], moment: str, then: Callable[[], object] = lambda: None) -> Moment:
    """Cut at the first such message."""
    cut = threading.Event()

    def decide(way: str, message: m.Message) -> str | None:
        if way != direction or not isinstance(message, kind) or cut.is_set():
            return None
        cut.set()
        then()
        return moment

    return decide
