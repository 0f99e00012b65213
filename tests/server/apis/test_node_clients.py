"""Clients from npm speak to the bridge."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import httpx2
import numpy as np
from encoded_pictures import disc, encode, photograph
from node_packages import install_packages

FOLDER = Path(__file__).parent / "node"


def test_clients_from_npm(served: httpx2.Client, tmp_path: Path) -> None:
    folder = install_packages(FOLDER)
    photo = photograph(120, 80)
    (tmp_path / "photo.png").write_bytes(encode(photo))
    (tmp_path / "holed.png").write_bytes(encode(np.dstack([photo, 255 - disc(120, 80, 50, 40, 14)])))
    base, _, token = str(served.base_url).rstrip("/").partition("/key/")
    environment = {
        **os.environ,
        "BRIDGE": base,
        "TOKEN": token,
        "KEYED": f"{base}/key/{token}/",
        "PHOTO": str(tmp_path / "photo.png"),
        "HOLED": str(tmp_path / "holed.png"),
    }
    command = ["node", "--test", "--test-reporter=spec", "clients.test.mjs"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
