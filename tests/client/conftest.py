"""What the client's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_bridge import write_outline
from threaded_bridge import Running
from tiny_bridge import TinyBridge


@pytest.fixture
def tiny() -> Iterator[TinyBridge]:
    bridge = TinyBridge()
    bridge.start()
    yield bridge
    bridge.end()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path))
    monkeypatch.delenv("PAINTBRIDGE_URL", raising=False)
    monkeypatch.delenv("PAINTBRIDGE_TOKEN", raising=False)
    write_outline(tmp_path / "models" / "outline")
    return tmp_path


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    running = Running(home)
    yield running
    running.stop()
