"""For all tests: torch waits without spinning; and how they are shared out when several run at a time."""

from __future__ import annotations

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Beside another busy process spinning would take many times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What takes longest comes first, so that no process is left alone with it at the end.
_FIRST = tuple(
    f"tests/{folder}"
    for folder in (
        *("hosts", "painter", "cli", "training", "engine", "diffusion", "e2e", "server", "client", "evaluation"),
        *("faults", "page", "canvas", "docs", "models"),
    )
)


class FolderScheduling(LoadScopeScheduling):
    """Tests of one folder stay together: they share a bridge, checkpoints; and of the hosts one runs at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return _folder(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {folder: place for place, folder in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(_folder(item.nodeid), len(order)))


def _folder(nodeid: str) -> str:
    return "/".join(nodeid.partition("::")[0].split("/")[:2])
