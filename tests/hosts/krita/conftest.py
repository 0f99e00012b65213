"""One Krita for the tests of the docker; and a bridge behind a gate, with mini and a checkpoint that is slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from host_bridge import HostBridge
from host_gate import HostGate
from host_room import HostRoom
from host_wayland import chosen_desktop
from krita_docker import KritaDocker
from krita_host import KritaHost
from tiny_checkpoints import build_tiny_sd1

PHOTO = Path(__file__).parents[2] / "photos" / "canyon-wren.jpg"
OUTPUT = Path(__file__).parents[3] / "test-output" / "krita"


@pytest.fixture(scope="session")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Krita and the tests both see."""
    return tmp_path_factory.mktemp("krita")


@pytest.fixture(scope="session")
def bridge(share: Path) -> Iterator[HostBridge]:
    """`slow` takes a while for a step."""
    home = share / "bridge"
    build_tiny_sd1(home / "models" / "slow", inpaint=True, size=256, steps=400)
    with HostBridge(home) as bridge:
        yield bridge


@pytest.fixture(scope="session")
def gate(share: Path, bridge: HostBridge) -> Iterator[HostGate]:
    """Krita finds the bridge through it."""
    with HostGate(share / "home" / ".paintbridge", bridge.address) as gate:
        gate.announce()
        yield gate


@pytest.fixture(scope="session")
def docker(host_room: HostRoom, share: Path, gate: HostGate) -> Iterator[KritaDocker]:
    with chosen_desktop(host_room, share) as desktop:
        host = KritaHost(desktop)
        host.install()
        host.start()
        docker = KritaDocker(host)
        docker.show()
        yield docker


@pytest.fixture(scope="session")
def photo(share: Path) -> str:
    """A photograph where Krita sees it."""
    path = share / PHOTO.name
    path.write_bytes(PHOTO.read_bytes())
    return str(path)


@pytest.fixture(scope="session")
def output() -> Path:
    """Where pictures go that are to be looked at."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return OUTPUT
