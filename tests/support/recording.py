"""For the server's tests: a small engine that keeps what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

from small_bridge import Bridge, GatedEngine

from bridge.engine.port import EngineEvent, Task
from bridge.protocol.messages import Submit

__all__ = ["Recording", "submits"]


class Recording(GatedEngine):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.submits: list[Submit] = []

    def submit(self, task: Task) -> AsyncIterator[EngineEvent]:
        self.submits.append(task.submit)
        return super().submit(task)


def submits(bridge: Bridge) -> list[Submit]:
    """What a bridge's engine was asked."""
    assert isinstance(bridge.engine, Recording)
    return bridge.engine.submits
