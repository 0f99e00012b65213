"""For the server's tests: small engines that keep what they were asked, or go step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from small_bridge import Bridge, GatedEngine

from bridge.engine.port import EngineEvent, Task
from bridge.protocol.messages import Submit

__all__ = ["Recording", "StepByStep", "submits"]


class Recording(GatedEngine):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.submits: list[Submit] = []

    def submit(self, task: Task) -> AsyncIterator[EngineEvent]:
        self.submits.append(task.submit)
        return super().submit(task)


class StepByStep(GatedEngine):
    """The gate closes behind each step."""

    async def _pass_gate(self, cancelled: asyncio.Event) -> None:
        await super()._pass_gate(cancelled)
        self.gate.clear()


def submits(bridge: Bridge) -> list[Submit]:
    """What a bridge's engine was asked."""
    assert isinstance(bridge.engine, Recording)
    return bridge.engine.submits
