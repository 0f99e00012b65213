"""Contexts of 1024 to 8192 pixels square, RGBA, there and back: raw over the bridge's websocket, against PNG over HTTP.

    python bench/wire.py [--sizes 1024 2048 4096 8192] [--rounds 5]

The bridge's side is the real server and the real client; its engine gives back what came, hashed as the worker hashes
its layers. The other side does what clients of the usual web interfaces do: PNG at level 1, base64 in JSON by POST, and
the same back; and the same without base64 and JSON. All begin with pixels in memory and end with pixels in memory, and
all are checked for every bit.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from functools import partial
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
# Of a small context most of the time is the job's own messages.
LEAST_SIDE = 2048


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
    """Decodes the picture, and sends it back as the web interfaces do; at `/png` as the file that it is."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        received = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/png":
            body = to_png(from_png(received))
        else:
            pixels = from_base64(json.loads(received)["init_images"][0])
            body = json.dumps({"images": [to_base64(pixels)]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "image/png" if self.path == "/png" else "application/json")
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


def to_png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(file, "PNG", compress_level=1)
    return file.getvalue()


def from_png(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def to_base64(pixels: np.ndarray) -> str:
    return base64.b64encode(to_png(pixels)).decode()


def from_base64(text: str) -> np.ndarray:
    return from_png(base64.b64decode(text))


def photograph(size: int) -> np.ndarray:
    """A photograph at its own sharpness, mirrored until it is large enough."""
    photo = np.asarray(Image.open(PHOTO).convert("RGBA"))
    height, width = photo.shape[:2]
    pixels = np.pad(photo, ((0, max(0, size - height)), (0, max(0, size - width)), (0, 0)), mode="reflect")
    return np.ascontiguousarray(pixels[:size, :size])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    # Pillow refuses what looks like a bomb to it.
    Image.MAX_IMAGE_PIXELS = None
    spawn = multiprocessing.get_context("spawn")
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
        try:
            with Bridge(Address(url, token), client="bench") as bridge:
                rows = [there_and_back(bridge, port, size, args.rounds) for size in args.sizes]
        finally:
            for child in children:
                child.terminate()
                child.join()
    least = min(row["times faster"] for row in rows if row["side"] >= LEAST_SIDE) if rows else 0.0
    report("wire", {}, table=rows, wanted=WANTED, least=least)
    return 0 if least >= WANTED else 1


def there_and_back(bridge: Bridge, port: int, size: int, rounds: int) -> dict[str, float]:
    """A row of the table: seconds and processor seconds of each way, and how many times the bridge's is faster."""
    pixels = photograph(size)
    canvas, context = Extent(size, size), Rect(0, 0, size, size)

    def timed(send: Callable[[], np.ndarray]) -> float:
        # Another pixel each time: the bridge would not ask for a picture that it holds.
        pixels[0, 0] = np.random.randint(0, 256, 4)
        start = time.perf_counter()
        back = send()
        taken = time.perf_counter() - start
        assert np.array_equal(back, pixels)
        return taken

    def by_websocket() -> np.ndarray:
        job = bridge.submit(kind="fill", canvas=canvas, context=context, picture=Pixels(pixels.data, size, size, 4))
        return np.frombuffer(job.result().layers[0].data, np.uint8).reshape(pixels.shape)

    def ask(path: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", body, {"Content-Type": kind})
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    def by_json() -> np.ndarray:
        body = json.dumps({"init_images": [to_base64(pixels)], "prompt": ""}).encode()
        return from_base64(json.loads(ask("", body, "application/json"))["images"][0])

    def by_png() -> np.ndarray:
        return from_png(ask("png", to_png(pixels), "image/png"))

    ways = {"websocket": by_websocket, "base64 PNG in JSON": by_json, "PNG": by_png}
    print(f"{size} x {size}, {pixels.nbytes / (1 << 20):.0f} MiB")
    seconds, processor = in_turns({name: partial(timed, way) for name, way in ways.items()}, rounds=rounds)
    row: dict[str, float] = {"side": size}
    for name in ways:
        row[f"{name}, s"] = statistics.median(seconds[name])
        row[f"{name}, processor s"] = statistics.median(processor[name])
    row["times faster"] = ratio(seconds, "base64 PNG in JSON", "websocket")
    row["times faster than PNG alone"] = ratio(seconds, "PNG", "websocket")
    row["times less processor time"] = ratio(processor, "base64 PNG in JSON", "websocket")
    return row


if __name__ == "__main__":
    sys.exit(main())
