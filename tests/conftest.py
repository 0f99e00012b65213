"""For all tests: torch waits without spinning; and how they are shared out when several run at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Beside another busy process spinning would take many times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The longest groups come first, so that none of them is left over for one process alone at the end.
_FIRST = ("hosts/gimp", "hosts/krita", "painter", "training", "engine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of one folder stay together: they share a running host, a bridge, checkpoints."""
    here = Path(__file__).parent
    folders = {item: item.path.parent.relative_to(here).as_posix() for item in items}
    for item, folder in folders.items():
        item.add_marker(pytest.mark.xdist_group(folder))
    items.sort(key=lambda item: _FIRST.index(folders[item]) if folders[item] in _FIRST else len(_FIRST))
