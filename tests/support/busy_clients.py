"""Clients of all of the bridge's doors that work, cancel, leave and come back at random, and account for every job.

Each client draws from a generator of its own, so that a seed names what it does; when it happens is the machine's.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cuttable_wire import CuttableWire
from encoded_pictures import as_base64, disc, encode, from_base64, photograph
from whole_bridge import PATIENCE, BridgeProcess, Scene

from bridge.client import Bridge, BridgeClosed, Job, JobCancelled, Pixels
from bridge.protocol.messages import Extent, Preview, Rect

__all__ = ["DOORS", "Ledger", "run_clients"]

# Few, so that what the bridge keeps of pictures and prompts is soon all that it will ever keep of them.
_SCENES = (Scene.of(160, 120, (50, 40, 40, 30)), Scene.of(120, 160, (30, 60, 50, 40)))
_PROMPTS = ("a bird", "a red rock", "a tree", "")
_SIZES = ((64, 64), (96, 64), (64, 96), (128, 64))
_PHOTO = as_base64(photograph(96, 64))
_MASK = as_base64(disc(96, 64, 48, 32, 16))


@dataclass
class Ledger:
    """What the clients asked for, and how each job ended for them. ``faults`` are ends that should not be.

    ``told`` counts the ends that a client heard; of what it left, by hanging up or leaving for good, it hears nothing.
    """

    jobs: int
    asked: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    resumed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, door: str) -> int | None:
        """The number of another job, or None when there are enough."""
        with self._lock:
            number = sum(self.asked.values())
            if number >= self.jobs or self.faults:
                return None
            self.asked[door] += 1
            return number

    @property
    def ended(self) -> int:
        """Jobs that ended so far."""
        return sum(self.ends.values())

    def end(self, how: str) -> None:
        """A job has ended like this."""
        with self._lock:
            self.ends[how] += 1

    def blame(self, what: str) -> None:
        """Something should not have happened."""
        with self._lock:
            self.faults.append(what)


class WebsocketClient:
    """A host: some jobs it cancels at a moment of their own, some it loses its connection at, and now and then it
    leaves in mid-job.
    """

    def __init__(self, process: BridgeProcess, ledger: Ledger, draw: random.Random) -> None:
        self._process, self._ledger, self._draw = process, ledger, draw
        self._numbers: list[int] = []

    def work(self) -> None:
        """Until there are enough jobs."""
        number = self._ledger.take("websocket")
        while number is not None:
            wire = CuttableWire(self._process.address())
            self._numbers.clear()
            with contextlib.closing(wire), self._process.connect(wire.address) as bridge:
                left = False
                while number is not None and not left:
                    left = self._job(bridge, wire, number)
                    number = self._ledger.take("websocket")
            if self._numbers != list(range(1, len(self._numbers) + 1)):
                self._ledger.blame(f"events {self._numbers} are not all of them, each once")

    def _job(self, bridge: Bridge, wire: CuttableWire, number: int) -> bool:
        """One job; whether the client left it."""
        whim = self._draw.choices(("wait", "cancel", "cut", "leave"), (6, 2, 2, 0.5))[0]
        moment, heard, now = self._draw.randrange(8), 0, threading.Event()

        def follow(event: Any) -> None:
            nonlocal heard
            if not isinstance(event, Preview):
                self._numbers.append(event.event)
                heard += 1
                if heard > moment:
                    now.set()

        job = self._submit(bridge, number, follow, leaving=whim == "leave")
        if whim != "wait":
            while not now.wait(0.02) and not job.done:
                pass
        if whim == "cancel":
            job.cancel()
        elif whim == "cut":
            cuts = wire.cuts
            wire.cut()
            self._ledger.resumed += wire.cuts > cuts
        elif whim == "leave":
            bridge.close()
        self._settle(job, whim, number)
        return whim == "leave"

    def _submit(self, bridge: Bridge, number: int, follow: Any, *, leaving: bool) -> Job:
        kind = self._draw.choice(("fill", "fill", "refine", "generate", "upscale"))
        fields: dict[str, Any] = {
            "kind": kind,
            "prompt": self._draw.choice(_PROMPTS),
            "seed": number,
            "batch": self._draw.choice((1, 1, 2)),
            "on_event": follow,
            "on_disconnect": "cancel" if leaving else "keep",
        }
        if kind in ("generate", "upscale"):
            width, height = self._draw.choice(_SIZES)
            fields |= {"canvas": Extent(width, height), "context": Rect(0, 0, width, height), "steps": 3}
            if kind == "upscale":
                photo = photograph(width, height)
                fields |= {"picture": Pixels(photo.data, width, height, 3), "scale": 2}
            return bridge.submit(**fields)
        return self._draw.choice(_SCENES).submit(bridge, **fields)

    def _settle(self, job: Job, whim: str, number: int) -> None:
        try:
            result = job.result(PATIENCE)
        except JobCancelled:
            self._ledger.end("cancelled")
            if whim != "cancel":
                self._ledger.blame(f"job {number} was cancelled by somebody else")
        except BridgeClosed:
            self._ledger.end("left")
            if whim != "leave":
                self._ledger.blame(f"job {number} lost its client")
        except Exception as error:  # noqa: BLE001 (the ledger tells)
            self._ledger.end("failed")
            self._ledger.blame(f"job {number}: {error!r}")
        else:
            self._ledger.end("result")
            seeds = [layer.recipe.settings.sampling.seed for layer in result.layers]
            if seeds != list(range(number, number + len(seeds))):
                self._ledger.blame(f"job {number} was given the layers of seeds {seeds}")


class HttpClient:
    """A program that asks one of the HTTP APIs; some requests it hangs up at a moment of their own."""

    door = ""

    def __init__(self, process: BridgeProcess, ledger: Ledger, draw: random.Random) -> None:
        address = process.address()
        base = address.url.replace("ws://", "http://").removesuffix("/ws")
        self._ledger, self._draw = ledger, draw
        self._http = httpx2.Client(base_url=f"{base}/key/{address.token}/", timeout=PATIENCE, trust_env=False)

    def work(self) -> None:
        """Until there are enough jobs."""
        with self._http:
            while (number := self._ledger.take(self.door)) is not None:
                patience = self._draw.uniform(0.05, 1.0) if self._draw.random() < 0.2 else PATIENCE
                try:
                    self._ledger.end(self.ask(number, patience))
                except httpx2.TimeoutException:
                    self._ledger.end("hung up")
                    if patience == PATIENCE:
                        self._ledger.blame(f"request {number} was never answered")
                except Exception as error:  # noqa: BLE001 (the ledger tells)
                    self._ledger.end("failed")
                    self._ledger.blame(f"request {number}: {error!r}")

    def ask(self, number: int, patience: float) -> str:
        """One request; how it ended."""
        raise NotImplementedError


class A1111Client(HttpClient):
    """An editor's plug-in. Who interrupts stops the request that is shown, perhaps another's of the same API."""

    door = "A1111"

    def ask(self, number: int, patience: float) -> str:
        """`txt2img` or `img2img`."""
        width, height = self._draw.choice(_SIZES)
        body: dict[str, Any] = {"prompt": self._draw.choice(_PROMPTS), "seed": number, "steps": 4}
        body |= {"width": width, "height": height, "batch_size": self._draw.choice((1, 2))}
        name = "txt2img"
        if self._draw.random() < 0.5:
            name, width, height = "img2img", 96, 64
            body |= {"init_images": [_PHOTO], "mask": _MASK, "mask_blur": 4, "width": width, "height": height}
        if self._draw.random() < 0.1:
            self._http.post("sdapi/v1/interrupt").raise_for_status()
        answer = self._http.post(f"sdapi/v1/{name}", json=body, timeout=patience)
        answer.raise_for_status()
        pictures = [from_base64(text) for text in answer.json()["images"]]
        if any(picture.shape[:2] != (height, width) for picture in pictures):
            self._ledger.blame(f"request {number} was given pictures of another size")
        return "result" if len(pictures) == body["batch_size"] else "interrupted"


class OpenAIClient(HttpClient):
    """A chat program."""

    door = "OpenAI"

    def ask(self, number: int, patience: float) -> str:
        """`generations` or `edits`."""
        count = self._draw.choice((1, 1, 2))
        width, height = self._draw.choice(_SIZES)
        fields: dict[str, Any] = {"prompt": self._draw.choice(_PROMPTS[:3]), "n": count}
        if self._draw.random() < 0.6:
            body = {**fields, "size": f"{width}x{height}"}
            answer = self._http.post("v1/images/generations", json=body, timeout=patience)
        else:
            width, height = 96, 64
            files = {"image": ("photo.png", encode(photograph(width, height)), "image/png")}
            answer = self._http.post("v1/images/edits", data=fields, files=files, timeout=patience)
        answer.raise_for_status()
        pictures = [from_base64(entry["b64_json"]) for entry in answer.json()["data"]]
        if [picture.shape[:2] for picture in pictures] != [(height, width)] * count:
            self._ledger.blame(f"request {number} was given other pictures")
        return "result"


DOORS = (WebsocketClient, WebsocketClient, A1111Client, OpenAIClient)
"""Clients come by turns: as many of the websocket as of both APIs."""


def run_clients(process: BridgeProcess, ledger: Ledger, *, clients: int, seed: int) -> list[threading.Thread]:
    """Start so many clients on threads of their own; they end when the ledger has enough jobs."""
    threads = []
    for index in range(clients):
        client: Any = DOORS[index % len(DOORS)](process, ledger, random.Random(seed * 1000 + index))

        def work(client: Any = client) -> None:
            try:
                client.work()
            except Exception as error:  # noqa: BLE001 (the ledger tells)
                ledger.blame(f"a client broke: {error!r}")

        threads.append(threading.Thread(target=work, name=f"busy client {index}"))
    for thread in threads:
        thread.start()
    return threads
