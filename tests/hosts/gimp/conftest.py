"""One GIMP for all tests of this folder, the plug-in in it, and a bridge beside it, with mini and tiny checkpoints."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from gimp_host import GimpHost, install, install_browser
from host_bridge import HostBridge
from host_desktop import Desktop
from host_room import HostRoom
from tiny_checkpoints import build_tiny_sd1

PHOTO = Path(__file__).parents[2] / "photos" / "canyon-wren.jpg"
OUTPUT = Path(__file__).parents[3] / "test-output" / "gimp"
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(autouse=True)
def no_failure_spoils_the_next_test(request: pytest.FixtureRequest, output: Path) -> Iterator[None]:
    """A dialog that is left open, or a plug-in that still waits."""
    if "gimp" not in request.fixturenames:
        yield
        return
    gimp: GimpHost = request.getfixturevalue("gimp")
    images = gimp.call("images")
    yield
    if request.node.stash.get(FAILED, False):
        gimp.recover(images, output / f"failed-{request.node.name}.png")


@pytest.fixture(scope="session")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GIMP and the tests both see."""
    return tmp_path_factory.mktemp("gimp")


@pytest.fixture(scope="session")
def bridge(share: Path) -> Iterator[HostBridge]:
    """`slow` takes a while for a step, and many of them, `steady` some; `tiny` paints 64 pixels."""
    home = share / "home" / ".paintbridge"
    build_tiny_sd1(home / "models" / "tiny", inpaint=True)
    build_tiny_sd1(home / "models" / "slow", inpaint=True, size=256, steps=400)
    build_tiny_sd1(home / "models" / "steady", inpaint=True, size=256, steps=12)
    with HostBridge(home) as bridge:
        yield bridge


@pytest.fixture(scope="session")
def desktop(host_room: HostRoom, share: Path) -> Iterator[Desktop]:
    with Desktop(host_room, share, width=1400, height=900) as desktop:
        install_browser(desktop)
        yield desktop


@pytest.fixture(scope="session")
def folder(desktop: Desktop) -> Path:
    """GIMP's own, with the plug-in in it."""
    return install(desktop)


@pytest.fixture(scope="session")
def gimp(desktop: Desktop, folder: Path, bridge: HostBridge) -> Iterator[GimpHost]:
    with GimpHost(desktop) as gimp:
        yield gimp


@pytest.fixture(scope="session")
def photo(share: Path) -> str:
    """A photograph where GIMP sees it."""
    path = share / PHOTO.name
    path.write_bytes(PHOTO.read_bytes())
    return str(path)


@pytest.fixture(scope="session")
def output() -> Path:
    """Where pictures go that are to be looked at."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return OUTPUT
