"""docs/protocol.md is all that is needed: a client that was written from it alone, and takes nothing of the project's
code, fills, is cut off, comes back, and has pictures made again from their recipes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgpack
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from whole_bridge import PATIENCE, BridgeProcess

GUIDE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CHUNK = 1 << 20
ENDS = ("result", "failed", "cancelled")
Message = dict[str, Any]


class Stranger:
    """A client. Messages are maps; what the guide calls a default is not there."""

    def __init__(self, home: Path) -> None:
        runtime = json.loads((home / "runtime.json").read_text())
        self.url, self.token = runtime["url"], runtime["token"]
        self.session = ""
        self.last_event = 0
        self.requests = 0
        self.socket: ClientConnection
        self.events: list[Message] = []
        self.welcome = self.greet()
        self.session = self.welcome["session"]

    def greet(self) -> Message:
        self.socket = connect(self.url, compression=None, proxy=None, max_size=2 * CHUNK, close_timeout=0.1)
        self.say("hello", version=2, client="stranger 1", token=self.token)
        return self.hear("welcome")

    def say(self, type_: str, /, **fields: Any) -> None:
        self.socket.send(msgpack.packb({"type": type_, **fields}))

    def hear(self, *kinds: str) -> Message:
        """The next message of these types. Events are counted, whatever else comes is passed over."""
        while True:
            frame = self.socket.recv(timeout=PATIENCE)
            assert isinstance(frame, bytes)
            message: Message = msgpack.unpackb(frame)
            if "event" in message:
                if message["event"] <= self.last_event:
                    continue
                assert message["event"] == self.last_event + 1
                self.last_event = message["event"]
                self.events.append(message)
            if message["type"] in kinds:
                return message
            if message["type"] in ("error", "failed"):
                raise AssertionError(message)

    def cut_off(self) -> None:
        """As by a cable that is pulled."""
        self.socket.socket.close()

    def come_back(self) -> Message:
        self.greet()
        self.say("resume", session=self.session, last_event=self.last_event)
        return self.hear("resumed")

    def plan(self, photo: np.ndarray, bounds: Message | None, **fields: Any) -> Message:
        self.requests += 1
        canvas = {"width": photo.shape[1], "height": photo.shape[0]}
        self.say("plan", request=self.requests, canvas=canvas, selection=bounds, settings=fields)
        return self.hear("planned")

    def hand_over(self, arrays: list[np.ndarray]) -> list[Message]:
        """Offer pictures, put those that are wanted; their descriptions."""
        described, data = [], {}
        for array in arrays:
            raw = np.ascontiguousarray(array).tobytes()
            name = hashlib.sha256(raw).hexdigest()
            height, width = array.shape[:2]
            channels = 1 if array.ndim == 2 else array.shape[2]
            described.append(
                {"hash": name, "byte_count": len(raw), "width": width, "height": height, "channels": channels}
            )
            data[name] = raw
        self.say("offer", pictures=described)
        for name in self.hear("wanted")["hashes"]:
            for offset in range(0, len(data[name]), CHUNK):
                self.say("put", hash=name, offset=offset, data=data[name][offset : offset + CHUNK])
            assert self.hear("stored")["hash"] == name
        return described

    def fetch(self, picture: Message) -> bytes:
        data = b""
        while len(data) < picture["byte_count"]:
            self.say("get", hash=picture["hash"], offset=len(data))
            data += self.hear("put")["data"]
        assert hashlib.sha256(data).hexdigest() == picture["hash"]
        return data

    def finish(self, job: str) -> tuple[Message, list[bytes]]:
        while (result := self.hear(*ENDS))["job"] != job:
            pass
        assert result["type"] == "result", result
        layers = [self.fetch(layer["picture"]) for layer in result["layers"]]
        self.say("ack", event=result["event"])
        return result, layers


@pytest.fixture
def stranger(serve: BridgeProcess) -> Iterator[Stranger]:
    client = Stranger(serve.home)
    yield client
    client.socket.close()


@pytest.fixture
def photo(pictures: Path) -> np.ndarray:
    return np.asarray(cv2.cvtColor(cv2.imread(str(pictures / "photo.png")), cv2.COLOR_BGR2RGBA))


@pytest.fixture
def mask(pictures: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(pictures / "mask.png"), cv2.IMREAD_GRAYSCALE))


def bounds_of(mask: np.ndarray) -> Message:
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    return {"x": x, "y": y, "width": width, "height": height}


def cut(array: np.ndarray, rect: Message) -> np.ndarray:
    return array[rect["y"] : rect["y"] + rect["height"], rect["x"] : rect["x"] + rect["width"]]


def order(stranger: Stranger, photo: np.ndarray, mask: np.ndarray | None, **fields: Any) -> tuple[Message, Message]:
    """A `submit` without its name, and the `planned`."""
    asked = {key: fields[key] for key in ("kind", "mode", "checkpoint", "scale") if key in fields}
    planned = stranger.plan(photo, None if mask is None else bounds_of(mask), **asked)
    arrays = [photo] if mask is None else [photo, mask]
    described = stranger.hand_over([cut(array, planned["context"]) for array in arrays])
    submit = {
        "canvas": {"width": photo.shape[1], "height": photo.shape[0]},
        "context": planned["context"],
        **dict(zip(("picture", "selection"), described, strict=False)),
        "settings": grouped(fields),
    }
    return submit, planned


def grouped(fields: Message) -> Message:
    """A job's settings by the groups that the guide lists."""
    groups = {
        "prompt": "conditioning",
        "strength": "sampling",
        "seed": "sampling",
        "batch": "sampling",
        "steps": "sampling",
    }
    settings: Message = {}
    for name, value in fields.items():
        (settings.setdefault(groups[name], {}) if name in groups else settings)[name] = value
    return settings


def again(submit: Message, recipe: Message) -> Message:
    """The recipe as a job, with what the guide says to keep."""
    (names,) = re.findall(r"\n- (.*?) as the recipe has them\.", GUIDE)
    kept = {name: submit[name] for name in ("canvas", "picture", "selection") if name in submit}
    return {**kept, **{name: recipe[name] for name in re.findall(r"`(\w+)`", names) if name in recipe}}


def test_it_fills_is_cut_off_comes_back_and_has_it_made_again(
    stranger: Stranger, photo: np.ndarray, mask: np.ndarray
) -> None:
    submit, _ = order(stranger, photo, mask, kind="fill", prompt="a red berry", checkpoint="slow", steps=6)
    stranger.say("submit", job="one", **submit)
    stranger.hear("progress")
    stranger.cut_off()
    with pytest.raises((ConnectionClosed, OSError)):
        stranger.hear("result")
    resumed = stranger.come_back()
    assert resumed["session"] == stranger.session
    result, (layer,) = stranger.finish("one")
    assert [event["event"] for event in stranger.events] == list(range(1, result["event"] + 1))
    recipe = result["layers"][0]["recipe"]
    stranger.say("submit", job="two", **again(submit, recipe))
    repeated, (same,) = stranger.finish("two")
    assert same == layer
    assert repeated["layers"][0]["recipe"] == recipe
    # Nothing is left that would wait to be replayed.
    stranger.cut_off()
    assert stranger.come_back()["replayed"] == 0


MODES = [
    *({"kind": "fill", "mode": mode} for mode in ("fill", "expand", "add", "remove", "background")),
    {"kind": "refine", "strength": 0.4},
    {"kind": "generate"},
    {"kind": "upscale", "scale": 2},
]


@pytest.mark.parametrize("asked", MODES, ids=lambda asked: str(asked.get("mode", asked["kind"])))
def test_what_each_kind_and_mode_has_made_is_made_again(
    asked: Message, stranger: Stranger, photo: np.ndarray, mask: np.ndarray
) -> None:
    submit, planned = order(stranger, photo, mask, prompt="{red|blue} berry", steps=2, batch=2, **asked)
    stranger.say("submit", job="one", **submit)
    result, layers = stranger.finish("one")
    second = result["layers"][1]
    recipe = second["recipe"]
    assert recipe["settings"]["mode"] == planned["mode"]
    # This checkpoint cannot paint parts of a picture, so nothing is denoised when that is enlarged.
    size = (0, 0) if asked["kind"] == "upscale" else (planned["model_width"], planned["model_height"])
    assert (recipe["model_width"], recipe["model_height"]) == size
    stranger.say("submit", job="two", **again(submit, recipe))
    repeated, (same,) = stranger.finish("two")
    assert same == layers[1]
    assert repeated["layers"][0] == second
    # Within the canvas, as all layers are.
    scale, picture = asked.get("scale", 1), second["picture"]
    assert 0 <= second["x"] <= scale * photo.shape[1] - picture["width"]
    assert 0 <= second["y"] <= scale * photo.shape[0] - picture["height"]


def test_the_size_that_was_planned_and_the_one_that_was_painted(
    stranger: Stranger, photo: np.ndarray, mask: np.ndarray
) -> None:
    """mini looks at a square around the selection, and at nothing when nothing is asked for."""
    sizes = {}
    for prompt in ("", "strawberry"):
        submit, planned = order(stranger, photo, mask, kind="fill", prompt=prompt, checkpoint="mini", steps=2)
        stranger.say("submit", job=f"job {prompt}", **submit)
        result, (layer,) = stranger.finish(f"job {prompt}")
        recipe = result["layers"][0]["recipe"]
        sizes[prompt] = (recipe["model_width"], recipe["model_height"])
        assert (planned["model_width"], planned["model_height"]) not in (sizes[prompt], (0, 0))
        stranger.say("submit", job=f"again {prompt}", **again(submit, recipe))
        _, (same,) = stranger.finish(f"again {prompt}")
        assert same == layer
    assert sizes[""] == (0, 0)
    assert sizes["strawberry"] == (256, 256)
