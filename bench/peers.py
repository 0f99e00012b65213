"""Side by side with what else fills selections, on one random checkpoint of Stable Diffusion 1.5's size.

    python bench/peers.py [--steps 4] [--iopaint PROGRAM] [--tiny]

Paintbridge through its websocket; the bare StableDiffusionInpaintPipeline with `padding_mask_crop`, in a process that
has nothing else to do; and IOPaint through its HTTP API, if its program is named (`pip install iopaint` in an
environment of its own). Each is started anew; then the first fill is done, the second of another selection, and another
seed on that. `--tiny` tries the script.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

import numpy as np
import psutil
from measure import report
from overhead import GUIDANCE, PHOTO
from PIL import Image, ImageDraw
from tiny_checkpoints import build_tiny_sd1

from bridge.cli.hosted import hosted_bridge
from bridge.client import Bridge, Pixels
from bridge.protocol.messages import Extent, Rect

SIDE, RADIUS, PADDING, NATIVE = 1024, 90, 32, 512
PROMPT = "a red flower"
PLACES = ((300, 400), (650, 600), (650, 600))
PORT = 17853

Fill = Callable[[tuple[int, int], int], None]
"""Fills the disc around a place with a seed."""


def picture_and_mask(at: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The photograph, RGB, and a disc, L."""
    photo = Image.open(PHOTO).convert("RGB").resize((SIDE, SIDE))
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).ellipse((at[0] - RADIUS, at[1] - RADIUS, at[0] + RADIUS, at[1] + RADIUS), fill=255)
    return photo, mask


@contextmanager
def paintbridge(checkpoint: Path, steps: int) -> Iterator[Fill]:
    """Our own, from a cold start."""
    os.environ["PAINTBRIDGE_MODELS_FOLDERS"] = str(checkpoint.parent)
    os.environ["PAINTBRIDGE_DEFAULT_CHECKPOINT"] = checkpoint.name
    with hosted_bridge() as address, Bridge(address, client="bench") as bridge:

        def fill(at: tuple[int, int], seed: int) -> None:
            photo, mask = picture_and_mask(at)
            canvas, bounds = Extent(SIDE, SIDE), Rect(at[0] - RADIUS, at[1] - RADIUS, 2 * RADIUS, 2 * RADIUS)
            context = bridge.plan(canvas=canvas, selection=bounds, mode="fill").context
            box = (context.x, context.y, context.x + context.width, context.y + context.height)
            pixels, coverage = (np.ascontiguousarray(one.crop(box)) for one in (photo, mask))
            bridge.submit(
                kind="fill",
                mode="fill",
                canvas=canvas,
                context=context,
                picture=Pixels(pixels.data, context.width, context.height, 3),
                selection=Pixels(coverage.data, context.width, context.height, 1),
                prompt=PROMPT,
                seed=seed,
                steps=steps,
                guidance=GUIDANCE,
                sampler="DDIM",
            ).result()

        yield fill


def _pipeline(checkpoint: Path, steps: int, asked: Any) -> None:
    """Run in a child process."""
    import torch
    from diffusers import StableDiffusionInpaintPipeline

    pipeline = StableDiffusionInpaintPipeline.from_pretrained(
        checkpoint, dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    while True:
        at, seed = asked.recv()
        photo, mask = picture_and_mask(at)
        side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        pipeline(
            prompt=PROMPT,
            image=photo,
            mask_image=mask,
            width=side,
            height=side,
            padding_mask_crop=PADDING,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            strength=1.0,
            generator=torch.Generator().manual_seed(seed),
        )
        asked.send(None)


@contextmanager
def bare_pipeline(checkpoint: Path, steps: int) -> Iterator[Fill]:
    """The pipeline of diffusers, from a cold start."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    child = spawn.Process(target=_pipeline, args=(checkpoint, steps, there), daemon=True)
    child.start()
    there.close()

    def fill(at: tuple[int, int], seed: int) -> None:
        here.send((at, seed))
        here.recv()

    try:
        yield fill
    finally:
        child.terminate()
        child.join()


@contextmanager
def iopaint(program: str, checkpoint: Path, steps: int) -> Iterator[Fill]:
    """IOPaint's server, which finds the checkpoint as one that the hub's cache holds."""
    with tempfile.TemporaryDirectory() as home:
        snapshot = Path(home) / "hub" / "models--bench--sd15" / "snapshots" / "0"
        snapshot.parent.mkdir(parents=True)
        snapshot.symlink_to(checkpoint.resolve())
        (snapshot.parent.parent / "refs").mkdir()
        (snapshot.parent.parent / "refs" / "main").write_text("0")
        environment = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        command = [program, "start", "--model", "bench/sd15", "--device", "cpu", "--port", str(PORT)]
        command += ["--model-dir", home, "--no-half", "--disable-nsfw-checker"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as server:
            try:
                yield _asks_iopaint(server, steps)
            finally:
                server.terminate()


def _asks_iopaint(server: subprocess.Popen[bytes], steps: int) -> Fill:
    def as_base64(image: Image.Image) -> str:
        file = io.BytesIO()
        image.save(file, "PNG", compress_level=1)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

    def fill(at: tuple[int, int], seed: int) -> None:
        photo, mask = picture_and_mask(at)
        corner = [min(max(0, place - NATIVE // 2), SIDE - NATIVE) for place in at]
        body = {
            "image": as_base64(photo),
            "mask": as_base64(mask),
            "prompt": PROMPT,
            "use_croper": True,
            "croper_x": corner[0],
            "croper_y": corner[1],
            "croper_width": NATIVE,
            "croper_height": NATIVE,
            "sd_steps": steps,
            "sd_guidance_scale": GUIDANCE,
            "sd_sampler": "DDIM",
            "sd_seed": seed,
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}/api/v1/inpaint", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=7200) as answer:
                    Image.open(io.BytesIO(answer.read())).load()
                return
            except urllib.error.HTTPError:
                raise
            except urllib.error.URLError:
                # It does not listen yet.
                if server.poll() is not None:
                    raise
                time.sleep(0.05)

    return fill


class MemoryWatch(threading.Thread):
    """The most memory that all children of this process have held together, in proportional set size."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.2):
            held = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    found = child.memory_full_info()
                except psutil.Error:
                    continue
                held += getattr(found, "pss", found.rss)
            self.peak = max(self.peak, held)

    def stop(self) -> int:
        self._ended.set()
        self.join()
        return self.peak


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--iopaint", metavar="PROGRAM", default=None)
    parser.add_argument("--tiny", action="store_true", help="a tiny checkpoint, to try the script")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "models" / "sd15"
        if args.tiny:
            checkpoint = build_tiny_sd1(target, inpaint=True)
        else:
            from full_size import build_full_sd15

            checkpoint = build_full_sd15(target)
        candidates: dict[str, Callable[[], Any]] = {
            "Paintbridge": lambda: paintbridge(checkpoint, args.steps),
            "diffusers' pipeline": lambda: bare_pipeline(checkpoint, args.steps),
        }
        if args.iopaint is not None:
            candidates["IOPaint"] = lambda: iopaint(args.iopaint, checkpoint, args.steps)
        table = [run(name, candidate) for name, candidate in candidates.items()]
    report("peers", {}, table=table, steps=args.steps, checkpoint="tiny" if args.tiny else "SD 1.5's size, random")
    return 0


def run(name: str, candidate: Callable[[], Any]) -> dict[str, Any]:
    """A row of the table."""
    watch = MemoryWatch()
    marks = [time.perf_counter()]
    with candidate() as fill:
        for seed, place in enumerate(PLACES):
            fill(place, seed)
            marks.append(time.perf_counter())
    taken = [after - before for before, after in itertools.pairwise(marks)]
    row = {"what": name, "first fill after start, s": taken[0], "second fill, s": taken[1], "second seed, s": taken[2]}
    row["memory at most, MiB"] = watch.stop() / (1 << 20)
    print(row, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
