"""A context of 4096 x 4096 RGBA there and back: raw over the bridge's websocket, against PNG over HTTP.

    python bench/wire.py [--size 4096] [--rounds 5]

The bridge's side is the real server and the real client; its engine gives back what came, hashed as the worker hashes
its layers. The other side does what clients of the usual web interfaces do: PNG at level 1, base64 in JSON by POST, and
the same back. Both begin with pixels in memory and end with pixels in memory, and both are checked for every bit.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import json
import multiprocessing
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from measure import in_turns, ratio, report
from PIL import Image

from bridge.client import Address, Bridge, Pixels
from bridge.engine.inventory import Inventory
from bridge.engine.local_inventory import LocalInventory
from bridge.engine.port import EngineEvent, PullEvent, Task, TaskFinished
from bridge.protocol.messages import DeviceInfo, Extent, Layer, Picture, Recipe, Rect
from bridge.server.app import BridgeServer
from bridge.server.settings import Settings

PHOTO = Path(__file__).parent.parent / "tests" / "photos" / "lake-sherburne.jpg"
WANTED = 10.0


class EchoEngine:
    """The engine's port, without a model: the layer is the context."""

    slots = 1

    def __init__(self) -> None:
        self._models = LocalInventory()

    async def start(self) -> None:
        pass

    async def devices(self) -> Mapping[str, DeviceInfo]:
        return {"local": DeviceInfo("cpu", "echo", "none", 0)}

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:
        return await self._models.inventory(fresh=fresh)

    def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        return self._models.inventory_changes()

    async def wildcard_options(self, name: str) -> tuple[str, ...]:
        return await self._models.wildcard_options(name)

    def pull(self, name: str) -> AsyncGenerator[PullEvent, None]:
        return self._models.pull(name)

    def stop_pull(self, name: str) -> None:
        self._models.stop_pull(name)

    async def submit(self, task: Task) -> AsyncIterator[EngineEvent]:
        submit = task.submit
        assert submit.picture is not None
        data = task.pictures[submit.picture.hash]
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        given = submit.picture
        picture = Picture(digest, given.byte_count, given.width, given.height, given.channels, given.depth)
        recipe = Recipe(submit.settings, submit.context, "", 0, 0, False, "cpu", {})
        yield TaskFinished((Layer(submit.context.x, submit.context.y, picture, recipe),), {digest: data}, 0, {})

    def cancel(self, task_id: str) -> None:
        pass

    def free(self) -> None:
        pass

    async def close(self) -> None:
        await self._models.close()


def serve_bridge(home: str, address: Any) -> None:
    """Run in a child process."""
    server = BridgeServer(Settings(port=0, log_level="error"), home=Path(home), engine=EchoEngine())
    asyncio.run(server.run(lambda url: address.send((url, server.runtime.token()))))


class Handler(BaseHTTPRequestHandler):
    """Decodes the picture, and sends it back as the web interfaces do."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pixels = from_png(request["init_images"][0])
        body = json.dumps({"images": [to_png(pixels)]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def serve_http(address: Any) -> None:
    """Run in a child process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address.send(server.server_port)
    server.serve_forever()


def to_png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


def from_png(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def photograph(size: int) -> np.ndarray:
    """A photograph at its own sharpness, mirrored until it is large enough."""
    photo = np.asarray(Image.open(PHOTO).convert("RGBA"))
    height, width = photo.shape[:2]
    pixels = np.pad(photo, ((0, max(0, size - height)), (0, max(0, size - width)), (0, 0)), mode="reflect")
    return np.ascontiguousarray(pixels[:size, :size])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    pixels = photograph(args.size)
    spawn = multiprocessing.get_context("spawn")

    def by_websocket() -> float:
        # Another pixel each time: the bridge would not ask for a picture that it holds.
        pixels[0, 0] = np.random.randint(0, 256, 4)
        start = time.perf_counter()
        job = bridge.submit(
            kind="fill", canvas=canvas, context=context, picture=Pixels(pixels.data, args.size, args.size, 4)
        )
        layer = job.result().layers[0]
        back = np.frombuffer(layer.data, np.uint8).reshape(pixels.shape)
        taken = time.perf_counter() - start
        assert np.array_equal(back, pixels)
        return taken

    def by_http() -> float:
        pixels[0, 0] = np.random.randint(0, 256, 4)
        start = time.perf_counter()
        body = json.dumps({"init_images": [to_png(pixels)], "prompt": ""}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            back = from_png(json.loads(answer.read())["images"][0])
        taken = time.perf_counter() - start
        assert np.array_equal(back, pixels)
        return taken

    with tempfile.TemporaryDirectory() as home:
        here, there = spawn.Pipe()
        children = [
            spawn.Process(target=serve_bridge, args=(home, there), daemon=True),
            spawn.Process(target=serve_http, args=(there,), daemon=True),
        ]
        children[0].start()
        url, token = here.recv()
        children[1].start()
        port = here.recv()
        canvas, context = Extent(args.size, args.size), Rect(0, 0, args.size, args.size)
        try:
            with Bridge(Address(url, token), client="bench") as bridge:
                seconds, processor = in_turns(
                    {"websocket, raw": by_websocket, "HTTP, PNG": by_http}, rounds=args.rounds
                )
        finally:
            for child in children:
                child.terminate()
                child.join()
    times = ratio(seconds, "HTTP, PNG", "websocket, raw")
    figures = {
        "times faster": times,
        "wanted": WANTED,
        "times less processor time": ratio(processor, "HTTP, PNG", "websocket, raw"),
        "MiB each way": pixels.nbytes / (1 << 20),
    }
    report("wire", seconds, **figures)
    return 0 if times >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
