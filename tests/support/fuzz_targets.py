"""What reads bytes of strangers, each as a function of bytes: it returns, or raises the errors that are foreseen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["TARGETS", "Target"]

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PIXELS = 1 << 16


@dataclass(frozen=True)
class Target:
    """`run` is given any bytes. What it raises beside `foreseen` is a fault."""

    run: Callable[[bytes], object]
    foreseen: tuple[type[Exception], ...]

    def __call__(self, data: bytes) -> None:
        with contextlib.suppress(self.foreseen):
            self.run(data)


def _frames() -> Target:
    from bridge.protocol.errors import BridgeError
    from bridge.protocol.wire import decode_client, decode_server, encode

    def run(data: bytes) -> None:
        for decode in (decode_client, decode_server):
            try:
                message = decode(data)
            except BridgeError:
                continue
            assert decode(encode(message)) == message

    return Target(run, (BridgeError,))


def _pixels() -> Target:
    from bridge.canvas.errors import CanvasError
    from bridge.engine.pictures import decode
    from bridge.protocol.errors import BridgeError
    from bridge.protocol.messages import Picture

    depths, encodings = ("u8", "u16", "f16", "f32"), ("raw", "png", "webp")

    def run(data: bytes) -> None:
        """The first five bytes describe the picture; the others are its own."""
        width, height, channels, depth, encoding = (*data[:5], 0, 0, 0, 0, 0)[:5]
        body = data[5:]
        said = Picture(
            hash="0" * 64,
            byte_count=max(1, len(body)),
            width=1 + width,
            height=1 + height,
            channels=(1, 3, 4)[channels % 3],
            depth=depths[depth % 4],
            encoding=encodings[encoding % 3],
        )
        pixels = decode(said, body)
        assert pixels.shape == (said.height, said.width, said.channels)
        assert pixels.dtype == "float32"

    return Target(run, (BridgeError, CanvasError))


def _picture_headers() -> Target:
    from bridge.imaging.header import read_header
    from bridge.imaging.png import read_texts
    from bridge.imaging.sizes import read_size
    from bridge.protocol.errors import BridgeError

    def run(data: bytes) -> None:
        read_size(data)
        read_texts(data)
        header = read_header(data, most_pixels=_PIXELS)
        assert 0 < header.width * header.height <= _PIXELS

    return Target(run, (BridgeError,))


def _metadata() -> Target:
    from bridge.cli.metadata import prepare, read_found

    kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp", b"II": "tiff", b"MM": "tiff"}

    def run(data: bytes) -> None:
        """libvips has opened a file before this is read, so that its beginning at least is right."""
        kind = next((kind for start, kind in kinds.items() if data.startswith(start)), None)
        if kind is not None:
            with _file(data) as path:
                found = read_found(path, kind)
            for other in ("png", "jpeg", "webp", "tiff"):
                prepare(found, other, width=8, height=8, moved=False, now=_NOW)

    return Target(run, ())


def _profiles() -> Target:
    from bridge.cli.icc import ProfileNotUsable, parse_profile

    return Target(parse_profile, (ProfileNotUsable,))


def _weights() -> Target:
    from bridge.models import inspect
    from bridge.models.components import inspect_components
    from bridge.models.controlnet import inspect_controlnet
    from bridge.models.errors import ModelsError
    from bridge.models.lora import inspect_lora

    def run(data: bytes) -> None:
        """As a checkpoint, its parts, a LoRA and a ControlNet, whatever it is."""
        with _file(data, ".safetensors") as path:
            for read in (inspect, inspect_components, inspect_lora, inspect_controlnet):
                with contextlib.suppress(ModelsError):
                    read(path)

    return Target(run, ())


def _gguf() -> Target:
    from bridge.models.errors import ModelsError
    from bridge.models.formats import format_of
    from bridge.models.tensor_file import read_header

    def run(data: bytes) -> None:
        with _file(data, ".gguf") as path:
            header = read_header(path)
            format_of(header)
            assert all(0 <= begin <= end <= len(data) for _, begin, end in header.places.values())

    return Target(run, (ModelsError,))


def _prompts() -> Target:
    from bridge.prompts import PromptUnreadable, drop_tags, read, read_text, take_tags

    def run(data: bytes) -> None:
        """A line feed parts the prompt from the negative one."""
        prompt, _, negative = data.decode("utf-8", "replace").partition("\n")
        read_text(prompt)
        take_tags(prompt)
        drop_tags(prompt, lambda *_: True)
        found = read(prompt, negative, len(data), lambda name: ("one", f"{name}s", "{two|three}"))
        again = read(prompt, negative, len(data), lambda name: ("one", f"{name}s", "{two|three}"))
        assert found == again

    return Target(run, (PromptUnreadable,))


def _bodies() -> Target:
    from starlette.requests import Request

    from bridge.protocol.errors import BridgeError
    from bridge.server.apis.a1111.orders import read_img2img, read_txt2img
    from bridge.server.apis.bodies import BadBody, BodyTooLarge, read_form, read_json
    from bridge.server.apis.fields import FieldsRefused
    from bridge.server.apis.openai.orders import read_order, read_pictures

    foreseen = (BadBody, BodyTooLarge, FieldsRefused, BridgeError)

    def request(data: bytes, kind: bytes) -> Request:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": data, "more_body": False}

        return Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}, receive)

    async def run(data: bytes) -> None:
        """As JSON, by each reader; and as a form whose parts are bounded by `x`."""
        try:
            body = await read_json(request(data, b"application/json"), most_bytes=1 << 16)
        except foreseen:
            body = {}
        for read in (read_txt2img, read_img2img, lambda body: read_order(body, ())):
            with contextlib.suppress(foreseen):
                read(body)
        form = await read_form(request(data, b"multipart/form-data; boundary=x"), most_bytes=1 << 16)
        pictures, others = read_pictures(form)
        assert isinstance(pictures.image, bytes)
        read_order(others, ())

    return Target(lambda data: asyncio.run(run(data)), foreseen)


def _settings() -> Target:
    from bridge.home import find_home
    from bridge.models.checkpoint_settings import read_settings
    from bridge.models.errors import ModelsError

    def run(data: bytes) -> None:
        """`checkpoints.toml`, in a home of its own."""
        with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, PAINTBRIDGE_HOME=home):
            find_home().checkpoint_settings.write_bytes(data)
            read_settings()

    return Target(run, (ModelsError,))


@contextlib.contextmanager
def _file(data: bytes, suffix: str = "") -> Iterator[Path]:
    """Bytes as a file, in memory where the machine has a place for that."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.NamedTemporaryFile(suffix=suffix, prefix="paintbridge-fuzz-", dir=folder) as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


TARGETS: dict[str, Callable[[], Target]] = {
    "frames": _frames,
    "pixels": _pixels,
    "picture_headers": _picture_headers,
    "metadata": _metadata,
    "profiles": _profiles,
    "weights": _weights,
    "gguf": _gguf,
    "prompts": _prompts,
    "bodies": _bodies,
    "settings": _settings,
}
"""By their names, each made when it is wanted: what it imports may have to be instrumented first."""
