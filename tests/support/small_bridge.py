"""For the server's tests: a small engine that implements the port, and a client that speaks plain messages."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from job_forms import said, submit_of
from websockets.asyncio.client import ClientConnection, connect

from bridge.engine.inventory import Inventory
from bridge.engine.local_inventory import LocalInventory
from bridge.engine.port import (
    EngineEvent,
    PullEvent,
    Task,
    TaskCancelled,
    TaskFailed,
    TaskFinished,
    TaskPreview,
    TaskProgress,
)
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import (
    PROTOCOL_VERSION,
    DeviceInfo,
    Extent,
    Hello,
    Layer,
    Message,
    Offer,
    Picture,
    Recipe,
    Rect,
    Stored,
    Submit,
    Wanted,
    Welcome,
)
from bridge.protocol.pixels import chunks, describe
from bridge.protocol.wire import FRAME_BYTES, decode_server, encode
from bridge.server.app import BridgeServer

M = TypeVar("M")

_PATIENCE = 60.0
"""Seconds that a message may take on a busy machine before a test gives up."""


class GatedEngine:
    """The port, done for real and small: a task takes as many steps as it is told to, and each step waits for the gate.

    The prompt is a script: ``fail``, ``break`` (an unforeseen exception), ``quiet`` (a stream without an end), anything
    else paints the layer grey. ``steps`` counts. What models there are is told by a real inventory, ``models``.
    """

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.models = LocalInventory()
        self.preview_side = 4
        self.gate = asyncio.Event()
        self.gate.set()
        self.known = asyncio.Event()
        self.known.set()
        self.order: list[str] = []
        self.steps: dict[str, int] = {}
        self.pictures: dict[str, set[str]] = {}
        self.closed = False
        self.freed = 0
        self._cancels: dict[str, asyncio.Event] = {}

    async def start(self) -> None:
        pass

    async def devices(self) -> Mapping[str, DeviceInfo]:
        await self.known.wait()
        return {"local": DeviceInfo("cpu", "a test's", "float32", 0)}

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:
        return await self.models.inventory(fresh=fresh)

    def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        return self.models.inventory_changes()

    async def wildcard_options(self, name: str) -> tuple[str, ...]:
        return await self.models.wildcard_options(name)

    def pull(self, name: str) -> AsyncGenerator[PullEvent, None]:
        return self.models.pull(name)

    def stop_pull(self, name: str) -> None:
        self.models.stop_pull(name)

    async def submit(self, task: Task) -> AsyncIterator[EngineEvent]:
        cancelled = self._cancels[task.id] = asyncio.Event()
        job = task.submit.job
        self.order.append(job)
        self.pictures[job] = set(task.pictures)
        try:
            for step in range(said(task.submit).steps or 2):
                await self._pass_gate(cancelled)
                if cancelled.is_set():
                    yield TaskCancelled()
                    return
                self.steps[job] = step + 1
                yield TaskProgress("denoise", step + 1, said(task.submit).steps or 2, 1.0)
                yield TaskPreview(step + 1, self.preview_side, self.preview_side, bytes(3 * self.preview_side**2))
            if said(task.submit).prompt == "fail":
                yield TaskFailed(BridgeError("out_of_memory"))
            elif said(task.submit).prompt == "break":
                raise RuntimeError("secret words of an exception")
            elif said(task.submit).prompt != "quiet":
                yield _painted(task)
        finally:
            del self._cancels[task.id]

    def cancel(self, task_id: str) -> None:
        if task_id in self._cancels:
            self._cancels[task_id].set()

    def free(self) -> None:
        self.freed += 1

    async def close(self) -> None:
        await self.models.close()
        self.closed = True

    async def _pass_gate(self, cancelled: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self.gate.wait()), asyncio.ensure_future(cancelled.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _painted(task: Task) -> TaskFinished:
    submit = task.submit
    context, asked = submit.context, submit.settings
    layers, pictures = [], {}
    for index in range(said(submit).batch):
        value = hashlib.sha256(f"{said(submit).seed}+{index}".encode()).digest()[:4]
        data = value * (context.width * context.height)
        picture = describe(data, width=context.width, height=context.height, channels=4)
        pictures[picture.hash] = data
        sampling = replace(asked.sampling, seed=((said(submit).seed or 0) + index) % (1 << 64), steps=2, batch=1)
        recipe = Recipe(
            settings=replace(asked, sampling=sampling),
            context=context,
            checkpoint_hash="0" * 64,
            model_width=64,
            model_height=64,
            batched=False,
            device="cpu",
            versions={},
        )
        layers.append(Layer(context.x, context.y, picture, recipe))
    return TaskFinished(tuple(layers), pictures, 0, {"denoise": 0.1})


@dataclass
class Client:
    """A client that says what a test wants said."""

    socket: ClientConnection
    welcome: Welcome | None = None
    seen: list[Any] = field(default_factory=list)

    async def say(self, message: Message) -> None:
        await self.socket.send(encode(message))

    async def hear(self) -> Any:
        frame = await asyncio.wait_for(self.socket.recv(), _PATIENCE)
        assert isinstance(frame, bytes)
        message = decode_server(frame)
        self.seen.append(message)
        return message

    async def until(self, kind: type[M], condition: Callable[[M], bool] = lambda _: True) -> M:
        """The next message of this kind that meets the condition; others are kept in ``seen``."""
        while True:
            message = await self.hear()
            if isinstance(message, kind) and condition(message):
                return message

    async def greet(self, token: str) -> Welcome:
        await self.say(Hello(PROTOCOL_VERSION, "test 1.0", token))
        self.welcome = await self.until(Welcome)
        return self.welcome

    async def store(self, data: bytes, picture: Picture) -> None:
        """Offer a picture, and put it if it is wanted."""
        await self.say(Offer((picture,)))
        if (await self.until(Wanted)).hashes:
            for put in chunks(picture, data):
                await self.say(put)
            await self.until(Stored)


@dataclass
class Bridge:
    """A running bridge."""

    server: BridgeServer
    engine: GatedEngine
    stack: contextlib.AsyncExitStack
    running: asyncio.Task[None]

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def token(self) -> str:
        return str(json.loads(self.server.runtime.path.read_text())["token"])

    async def open(self, **options: Any) -> Client:
        """A connection that has not said anything yet."""
        options = {"compression": None, "max_size": FRAME_BYTES, "proxy": None, "close_timeout": 0.2, **options}
        return Client(await self.stack.enter_async_context(connect(self.url, **options)))

    async def client(self) -> Client:
        """A client with a session."""
        client = await self.open()
        await client.greet(self.token)
        return client


def write_outline(folder: Path) -> None:
    """A checkpoint that can be listed but not painted with: configs, and weights of one tensor each."""
    configs: dict[str, dict[str, Any]] = {
        "unet": {"in_channels": 9},
        "vae": {},
        "text_encoder": {"hidden_act": "quick_gelu"},
        "scheduler": {},
        "tokenizer": {},
    }
    for part, config in configs.items():
        (folder / part).mkdir(parents=True)
        name = {"scheduler": "scheduler_config.json", "tokenizer": "vocab.json"}.get(part, "config.json")
        (folder / part / name).write_text(json.dumps(config))
    weights = _one_tensor()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    (folder / "text_encoder" / "model.safetensors").write_bytes(weights)
    (folder / "model_index.json").write_text(json.dumps({"unet": [], "vae": [], "text_encoder": []}))


def write_controlnet_outline(folder: Path) -> None:
    """A ControlNet for such a checkpoint, of the same kind; `folder`'s name says what its pictures mean."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"_class_name": "ControlNetModel"}))
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(_one_tensor())


def _one_tensor() -> bytes:
    header = json.dumps({"conv_in.weight": {"dtype": "F32", "shape": [1, 9, 1, 1], "data_offsets": [0, 36]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(36)


def grey(width: int, height: int, channels: int = 4, value: int = 128) -> tuple[bytes, Picture]:
    """A plain picture."""
    data = bytes([value]) * (width * height * channels)
    return data, describe(data, width=width, height=height, channels=channels)


def a_job(job: str, picture: Picture | None = None, **values: Any) -> Submit:
    """A small job; without a picture a `generate`."""
    width, height = (picture.width, picture.height) if picture else (8, 8)
    standard: dict[str, Any] = {
        "kind": "fill" if picture else "generate",
        "canvas": Extent(width, height),
        "context": Rect(0, 0, width, height),
        "picture": picture,
    }
    return submit_of(job=job, **{**standard, **values})
