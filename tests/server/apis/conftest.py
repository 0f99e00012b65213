"""HTTP clients of real bridges: in this process with a small engine, or a process of its own with a tiny checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from small_bridge import Bridge
from tiny_checkpoints import build_tiny_sd1

PATIENCE = 120.0


@pytest.fixture
def http(bridge: Bridge) -> Callable[..., Any]:
    """A function that makes HTTP clients of a bridge: of the one with default settings, unless another is given."""

    def client(other: Bridge | None = None, **options: Any) -> httpx2.AsyncClient:
        asked = other or bridge
        address = asked.url.replace("ws://", "http://").removesuffix("/ws")
        headers = {"Authorization": f"Bearer {asked.token}"}
        made: dict[str, Any] = {"base_url": address, "headers": headers, "timeout": PATIENCE, "trust_env": False}
        return httpx2.AsyncClient(**{**made, **options})

    return client


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a bridge that paints for real, with a tiny checkpoint of random weights."""
    home = tmp_path_factory.mktemp("apis-home")
    build_tiny_sd1(home / "models" / "tiny", inpaint=True)
    build_tiny_sd1(home / "models" / "base", inpaint=False)
    environment = {**os.environ, "PAINTBRIDGE_HOME": str(home), "PAINTBRIDGE_DEFAULT_CHECKPOINT": "tiny"}
    command = [sys.executable, "-m", "bridge.cli", "serve", "--port", "0", "--log-level", "debug"]
    with (home / "bridge.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Paintbridge listens on ")
        said = json.loads((home / "runtime.json").read_text())
        address = said["url"].replace("ws://", "http://").removesuffix("/ws")
        with httpx2.Client(base_url=f"{address}/key/{said['token']}", timeout=PATIENCE, trust_env=False) as client:
            yield client
        process.terminate()
        assert process.wait(60) == 0
        process.stdout.close()
    log_text = (home / "bridge.log").read_text()
    assert "code=result" in log_text
    assert said["token"] not in log_text
    assert "Traceback" not in log_text
