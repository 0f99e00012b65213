"""What the client's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tiny_bridge import TinyBridge


@pytest.fixture
def tiny() -> Iterator[TinyBridge]:
    bridge = TinyBridge()
    bridge.start()
    yield bridge
    bridge.end()
