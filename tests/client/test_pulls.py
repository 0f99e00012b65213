"""Checkpoints as a host's plug-in fetches them: through the client, the bridge's own server, and a small hub."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_hub import SmallHub, serve_hub
from threaded_bridge import Running
from tiny_checkpoints import build_tiny_sd1

from bridge.client import Bridge, BridgeClosed
from bridge.models import RECOMMENDED
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Checkpoints, Pulled, Pulling, Unpulled

NAME = RECOMMENDED[0].hub_id
FOLDER = NAME.partition("/")[2]
UNET = "unet/diffusion_pytorch_model.safetensors"
HELD = 100_000
PATIENCE = 60.0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=True)


@pytest.fixture
def hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    with serve_hub(SmallHub(NAME, checkpoint)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


class Heard:
    """What callbacks were told, and a wait for one."""

    def __init__(self) -> None:
        self.all: list[object] = []
        self._changed = threading.Condition()

    def __call__(self, message: object) -> None:
        with self._changed:
            self.all.append(message)
            self._changed.notify_all()

    def wait_for(self, kind: type[object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: any(isinstance(one, kind) for one in self.all), PATIENCE)

    def wait_for_the_middle(self) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(isinstance(one, Pulling) and one.done >= HELD for one in self.all), PATIENCE
            )


def test_a_pull_from_the_list_to_the_list(hub, running):
    lists, pulls, progress = Heard(), Heard(), Heard()
    with Bridge(client="test", on_checkpoints=lists, on_pull=pulls) as bridge:
        assert lists.all == [bridge.checkpoints]
        assert bridge.checkpoints.recommended[0].name == NAME
        assert bridge.checkpoints.recommended[0].checkpoint is None
        assert bridge.pull(NAME, progress).result(PATIENCE) == FOLDER
        assert bridge.checkpoints.recommended[0].checkpoint == FOLDER
        assert FOLDER in [checkpoint.name for checkpoint in bridge.checkpoints.checkpoints]
        assert lists.all[-1] == bridge.checkpoints
        assert isinstance(lists.all[-1], Checkpoints)
        assert progress.all[-1] == Pulling(NAME, progress.all[-1].total, progress.all[-1].total)
        # Here already: answered at once.
        assert bridge.pull(NAME).result(PATIENCE) == FOLDER
    assert isinstance(pulls.all[-1], Pulled)
    assert hub.bytes_sent(UNET) == [0]


def test_two_in_one_host_and_another_host_wait_for_the_same(hub, running):
    hub.held[UNET] = HELD
    elsewhere = Heard()
    with Bridge(client="one") as one, Bridge(client="two", on_pull=elsewhere) as two:
        first = one.pull(NAME)
        elsewhere.wait_for_the_middle()
        others = [one.pull(NAME), two.pull(NAME)]
        hub.gate.set()
        assert [pull.result(PATIENCE) for pull in (first, *others)] == [FOLDER] * 3
    assert hub.bytes_sent(UNET) == [0]


def test_stopped_and_gone_on_with(hub, running):
    hub.held[UNET] = HELD
    pulls = Heard()
    with Bridge(client="test", on_pull=pulls) as bridge:
        pull = bridge.pull(NAME)
        pulls.wait_for_the_middle()
        bridge.stop_pull(NAME)
        with pytest.raises(BridgeError) as stopped:
            pull.result(PATIENCE)
        assert stopped.value.code == "pull_stopped"
        assert isinstance(pulls.all[-1], Unpulled)
        hub.gate.set()
        assert bridge.pull(NAME).result(PATIENCE) == FOLDER
    assert hub.bytes_sent(UNET) == [0, HELD]


def test_a_pull_outlasts_a_restart_of_the_bridge(hub, running, home):
    hub.held[UNET] = HELD
    pulls, connection = Heard(), Heard()
    with Bridge(client="test", on_pull=pulls, on_connection=lambda state, _: connection(state)) as bridge:
        pull = bridge.pull(NAME)
        pulls.wait_for_the_middle()
        running.stop()
        assert not pull.done()
        hub.gate.set()
        again = Running(home)
        try:
            assert pull.result(PATIENCE) == FOLDER
            assert bridge.checkpoints.recommended[0].checkpoint == FOLDER
        finally:
            again.stop()
    assert "interrupted" in connection.all
    assert hub.bytes_sent(UNET) == [0, HELD]


def test_what_is_refused_and_what_ends_with_the_client(hub, running):
    hub.held[UNET] = HELD
    pulls = Heard()
    bridge = Bridge(client="test", on_pull=pulls)
    with pytest.raises(BridgeError) as refused:
        bridge.pull("somebody/else").result(PATIENCE)
    assert refused.value.code == "pull_unknown"
    with pytest.raises(BridgeError) as too_long:
        bridge.pull("x" * 65)
    assert too_long.value.code == "text_too_long"
    pull = bridge.pull(NAME)
    pulls.wait_for(Pulling)
    bridge.close()
    with pytest.raises(BridgeClosed):
        pull.result(PATIENCE)
