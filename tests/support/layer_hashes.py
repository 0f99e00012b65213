"""What every family, kind, mode and mask paints, as hashes of the layers' pixels: what only moves code changes none.

    python tests/support/layer_hashes.py record FILE [--only WORDS]
    python tests/support/layer_hashes.py compare FILE [--only WORDS]

Tiny seeded checkpoints and the one that ships, by a bridge of their own, from end to end. Hashes hold on one machine
with one torch: record before a change, compare after it. A job that the bridge refuses is recorded by its error's code.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from host_bridge import HostBridge
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet
from tiny_loras import build_tiny_lora

from bridge.client import Bridge, ConditionPixels, Pixels
from bridge.models.samplers import SAMPLERS
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import MODES, ContextChoice, Extent, Rect, ResultFormat

PHOTO = Path(__file__).parent.parent / "photos" / "lake-sherburne.jpg"
WIDTH, HEIGHT = 300, 220
LARGE = (900, 640)
PATIENCE = 600.0
SEED = 7

BUILDERS: dict[str, tuple[Callable[..., Path], dict[str, Any]]] = {
    "sd1": (build_tiny_sd1, {"inpaint": False}),
    "sd1-inpaint": (build_tiny_sd1, {"inpaint": True}),
    "sd1-lcm": (build_tiny_sd1, {"inpaint": False, "guidance_embeds": True, "sampler": "LCM"}),
    "sd1-v": (build_tiny_sd1, {"inpaint": False, "prediction_type": "v_prediction", "zero_terminal_snr": True}),
    "sd1-shown": (build_tiny_sd1, {"inpaint": True, "empty_prompt": "infill", "masked_picture": "infill"}),
    "sd1-256": (build_tiny_sd1, {"inpaint": False, "size": 256}),
    "sd1-inpaint-256": (build_tiny_sd1, {"inpaint": True, "size": 256}),
    "sd2": (build_tiny_sd2, {"inpaint": False, "prediction_type": "v_prediction"}),
    "sd2-inpaint": (build_tiny_sd2, {"inpaint": True}),
    "sdxl": (build_tiny_sdxl, {"inpaint": False}),
    "sdxl-inpaint": (build_tiny_sdxl, {"inpaint": True}),
    "sdxl-256": (build_tiny_sdxl, {"inpaint": False, "size": 256}),
}
GUIDED = ("sd1", "sd2", "sdxl", "sd1-256", "sdxl-256")
KINDS = ("scribble", "label_map")


@dataclass(frozen=True)
class Case:
    """One job. `mask` is the name of a mask; `options` go into `submit`, and those that it knows into `plan`."""

    name: str
    checkpoint: str
    kind: str
    mode: str = "auto"
    mask: str = "ellipse"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    guides: tuple[dict[str, Any], ...] = ()
    context: ContextChoice | None = None
    options: dict[str, Any] = field(default_factory=dict)


def masks(width: int, height: int) -> dict[str, np.ndarray | None]:
    """The selections by their names, (h, w) of coverage; None: nothing is selected."""
    blank = np.zeros((height, width), np.uint8)
    middle, radii = (width // 2, height // 2), (width // 5, height // 4)
    ellipse = cv2.ellipse(blank.copy(), middle, radii, 20, 0, 360, 255, -1, cv2.LINE_AA)
    islands = cv2.rectangle(blank.copy(), (20, 30), (70, 80), 255, -1)
    islands = cv2.circle(islands, (width - 50, height - 60), 30, 200, -1)
    corner = cv2.rectangle(blank.copy(), (0, height // 2), (width // 3, height), 255, -1)
    return {
        "ellipse": ellipse,
        "soft": cv2.GaussianBlur(ellipse, (0, 0), 14),
        "islands": islands,
        "corner": corner,
        "pixel": cv2.rectangle(blank.copy(), (90, 70), (90, 70), 255, -1),
        "all": np.full_like(blank, 255),
        "nothing": None,
    }


def cases() -> Iterator[Case]:
    """Everything that is painted."""
    shapes = list(masks(WIDTH, HEIGHT))
    plain = [name for name in [*BUILDERS, "mini"] if not name.endswith("-256")]
    for checkpoint, (kind, modes), mask in itertools.product(plain, MODES.items(), shapes):
        for mode in modes[1:]:
            prompt = "balloon" if checkpoint == "mini" else "a red flower"
            options: dict[str, Any] = {"steps": 2, "prompt": "" if mode == "remove" else prompt}
            if kind == "refine":
                options["strength"] = 0.6
            if kind == "upscale":
                options["scale"] = 2
            yield Case(f"{checkpoint} {kind} {mode} {mask}", checkpoint, kind, mode, mask, options=options)
    yield from _samplers()
    yield from _guided()
    yield from _large()
    yield from _worded()
    yield from _edges()


def _samplers() -> Iterator[Case]:
    for checkpoint, sampler in itertools.product(("sd1", "sd1-v", "sdxl-inpaint"), SAMPLERS):
        for strength, kind in ((1.0, "fill"), (0.5, "refine")):
            options = {"steps": 5, "sampler": sampler, "strength": strength, "prompt": "a rock", "guidance": 3.0}
            yield Case(f"{checkpoint} {sampler} {kind}", checkpoint, kind, options=options)


def _guided() -> Iterator[Case]:
    options: dict[str, Any] = {"steps": 3, "prompt": "a lake"}
    for checkpoint, guide in itertools.product(GUIDED, KINDS):
        for kind, more in {"fill": {}, "refine": {"strength": 0.7}, "generate": {}, "upscale": {"scale": 2}}.items():
            said = ({"kind": guide},)
            yield Case(f"{checkpoint} {kind} {guide}", checkpoint, kind, guides=said, options={**options, **more})
        said = ({"kind": guide, "strength": 0.6, "start": 0.3, "end": 1.0, "masked": True}, {"kind": "scribble"})
        yield Case(f"{checkpoint} fill {guide} masked", checkpoint, "fill", guides=said, options=options)


def _large() -> Iterator[Case]:
    for checkpoint in (name for name in BUILDERS if name.endswith("-256")):
        for kind, mode, mask in (
            ("fill", "fill", "ellipse"),
            ("fill", "expand", "corner"),
            ("refine", "refine", "soft"),
            ("generate", "generate", "nothing"),
            ("upscale", "upscale", "nothing"),
        ):
            options: dict[str, Any] = {"steps": 2, "prompt": "a tree", "scale": 2 if kind == "upscale" else 1}
            size = (480, 330) if kind == "upscale" else LARGE
            yield Case(f"{checkpoint} {kind} {mode} {mask} large", checkpoint, kind, mode, mask, size, options=options)
        guides = ({"kind": "scribble"},)
        whole = ContextChoice("canvas")
        if checkpoint in GUIDED:
            yield Case(
                f"{checkpoint} fill scribble large", checkpoint, "fill", size=LARGE, guides=guides, context=whole,
                options={"steps": 2, "prompt": "a tree"},
            )  # fmt: skip


def _worded() -> Iterator[Case]:
    words = {
        "weights": "a (red:1.4) [blue] flower",
        "choices": "a {red|green|blue} {bird|leaf|rock}",
        "long": ", ".join(["a red flower by the lake"] * 20),
        "lora": "a bird <lora:ink-FAMILY:0.8>",
        "loras": "a bird <lora:ink-FAMILY:0.5><lora:ink2-FAMILY:-0.4>",
    }
    for checkpoint, (name, prompt) in itertools.product(("sd1", "sd2", "sdxl", "sd1-inpaint"), words.items()):
        prompt = prompt.replace("FAMILY", checkpoint.partition("-")[0])
        options = {"steps": 2, "prompt": prompt, "negative_prompt": "a tree", "batch": 2, "strength": 0.8}
        yield Case(f"{checkpoint} {name}", checkpoint, "refine", options=options)
    for checkpoint in ("single-sd1", "single-sdxl"):
        yield Case(f"{checkpoint} fill", checkpoint, "fill", options={"steps": 2, "prompt": "a bird"})


def _edges() -> Iterator[Case]:
    for checkpoint in ("sd1", "sdxl-inpaint", "mini"):
        for name, more in {
            "grown": {"grow": 12.0, "feather": 20.0},
            "hard": {"grow": 0.0, "feather": 0.0},
            "strict": {"strict": True},
            "batch": {"batch": 3},
            "weak": {"strength": 0.2},
            "unguided": {"guidance": 1.0},
            "u16": {"depth": "u16"},
            "f32": {"depth": "f32"},
        }.items():
            options: dict[str, Any] = {"steps": 3, "prompt": "a balloon", **more}
            yield Case(f"{checkpoint} {name}", checkpoint, "fill", mask="soft", options=options)
        for kind in ("selection", "canvas"):
            options = {"steps": 2, "prompt": "a balloon"}
            chosen = ContextChoice(kind)
            yield Case(f"{checkpoint} context {kind}", checkpoint, "fill", context=chosen, options=options)


def build(home: Path) -> None:
    """Every checkpoint, LoRA and ControlNet."""
    models = home / "models"
    for name, (builder, options) in BUILDERS.items():
        builder(models / name, **options)
    for name in ("sd1", "sd2", "sdxl"):
        for count, title in ((1, "ink"), (2, "ink2")):
            build_tiny_lora(models / name, models / "loras" / f"{title}-{name}.safetensors", seed=count)
    for name, kind in itertools.product(("sd1", "sd2", "sdxl"), KINDS):
        word = "seg" if kind == "label_map" else kind
        build_tiny_controlnet(models / name, models / "controlnet" / f"{name}-{word}", speaks=0.3)
    for name in ("sd1", "sdxl"):
        save_single_file(models / name, models / f"single-{name}.safetensors")


def paint(client: Bridge, case: Case) -> Any:
    """The job's layers, each as its place and the hash of its pixels; or the code of what went wrong."""
    width, height = case.size
    photo = cv2.resize(cv2.imread(str(PHOTO)), case.size, interpolation=cv2.INTER_AREA)
    canvas = cv2.cvtColor(photo, cv2.COLOR_BGR2RGBA)
    # A hole in the picture itself, and what a canvas that has grown would have.
    canvas[:12, :40, 3] = 0
    if case.mode == "expand":
        canvas[height // 2 :, : width // 3] = 0
    selection = masks(width, height)[case.mask]
    planning = {key: case.options[key] for key in ("grow", "feather", "scale") if key in case.options}
    checkpoint = None if case.checkpoint == "mini" else case.checkpoint
    bounds = None if selection is None else Rect(*cv2.boundingRect(selection))
    try:
        result_format = ResultFormat(case.options.get("depth", "u8"), previews=False)
        options = {key: value for key, value in case.options.items() if key != "depth"}
        planned = client.plan(
            canvas=Extent(width, height), selection=bounds, kind=case.kind, mode=case.mode, context=case.context,
            checkpoint=checkpoint, timeout=PATIENCE, **planning,
        )  # fmt: skip
        at = planned.context
        job = client.submit(
            kind=case.kind, mode=case.mode, canvas=Extent(width, height), context=at, checkpoint=checkpoint,
            picture=_cut(canvas, at), selection=None if selection is None else _cut(selection, at), seed=SEED,
            conditions=[_condition(guide, canvas, at) for guide in case.guides], result=result_format, **options,
        )  # fmt: skip
        result = job.result(PATIENCE)
    except BridgeError as error:
        return error.code
    return [
        [layer.x, layer.y, layer.picture.width, layer.picture.height, layer.picture.hash] for layer in result.layers
    ]


def _cut(pixels: np.ndarray, at: Rect) -> Pixels:
    height, width = pixels.shape[:2]
    below, right = max(0, at.y + at.height - height), max(0, at.x + at.width - width)
    above, left = max(0, -at.y), max(0, -at.x)
    padded = np.pad(pixels, ((above, below), (left, right), *((0, 0),) * (pixels.ndim - 2)))
    cut = np.ascontiguousarray(padded[at.y + above :, at.x + left :][: at.height, : at.width])
    return Pixels(cut.data, at.width, at.height, 1 if cut.ndim == 2 else cut.shape[2])


def _condition(guide: dict[str, Any], canvas: np.ndarray, at: Rect) -> ConditionPixels:
    height, width = canvas.shape[:2]
    if guide["kind"] == "scribble":
        drawn = np.full((height, width, 3), 255, np.uint8)
        cv2.circle(drawn, (width // 2, height // 2), height // 4, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.line(drawn, (0, height // 3), (width, height // 2), (0, 0, 0), 2, cv2.LINE_AA)
    else:
        drawn = np.full((height, width, 3), (6, 230, 230), np.uint8)
        drawn[height // 2 :] = (61, 230, 250)
    mask = _cut(masks(width, height)["soft"], at) if guide.get("masked") else None
    said = {key: value for key, value in guide.items() if key in ("strength", "start", "end")}
    return ConditionPixels(guide["kind"], _cut(drawn, at), mask, **said)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="cases whose name has these words")
    args = parser.parse_args()
    chosen = [case for case in cases() if all(word in case.name for word in args.only.split())]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        build(home)
        with HostBridge(home) as bridge, Bridge(bridge.address(), client="tests/layer_hashes") as client:
            for case in sorted(chosen, key=lambda one: one.checkpoint):
                found[case.name] = paint(client, case)
    whole = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    refused = sum(isinstance(value, str) for value in found.values())
    print(f"{len(found)} jobs, {refused} of them refused; all together {whole[:16]}")
    if args.what == "record":
        args.file.write_text(json.dumps(found, indent=1, sort_keys=True), encoding="utf-8")
        return 0
    recorded = json.loads(args.file.read_text(encoding="utf-8"))
    differ = [name for name in found if name not in recorded or recorded[name] != found[name]]
    gone = [name for name in recorded if name not in found and not args.only]
    for name in differ:
        print(f"{name}: {recorded.get(name, 'not recorded')} was, {found[name]} is")
    for name in gone:
        print(f"{name}: not painted any more")
    return 1 if differ or gone else 0


if __name__ == "__main__":
    sys.exit(main())
