"""FLUX.2 Klein 4B of real size with random weights, one step at 256 x 256: its memory held against the estimate.

    python bench/real_size.py FOLDER [--format bf16 | fp8] [--card GIB] [--tiny] [--keep]

Writes one file with everything (16 GB in bf16, 9 GB in fp8) into FOLDER, tensor by tensor, so that writing needs no
memory to speak of. Then a process of its own loads it as a job does, reads a prompt, takes a step, and decodes. What it
had in memory at most may be 15 % off from what `bridge.models.memory` tells by the file's header. `--card` paints on a
simulated card of so many GiB, whose layers wait outside as they would; `--tiny` does all of it with a tiny checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

EDGE = 256
MOST_OFF = 0.15
_SAMPLED_EVERY = 0.02
_PREFIXES = {
    "transformer": "model.diffusion_model.",
    "vae": "vae.",
    "text_encoder": "text_encoders.qwen3_4b.transformer.model.",
}
# A block of random numbers is written again and again: nobody looks at them.
_BLOCK = 1 << 22
_NAMES = {torch.bfloat16: "BF16", torch.float8_e4m3fn: "F8_E4M3", torch.float32: "F32", torch.int64: "I64"}


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def write(folder: Path, *, float8: bool, tiny: bool) -> Path:
    """Write the checkpoint; returns its file. Its configs and a small tokenizer lie beside it."""
    from tiny_language_models import build_tiny_qwen3_tokenizer

    path = folder / f"klein-{'tiny-' if tiny else ''}{'fp8' if float8 else 'bf16'}.safetensors"
    if path.exists():
        return path
    configs = path.with_suffix(".config")
    _write_configs(configs, tiny=tiny)
    if not tiny:
        build_tiny_qwen3_tokenizer(configs / "tokenizer")
    tensors = list(_tensors(configs, float8=float8))
    header, begin = {}, 0
    for one in tensors:
        header[one.name] = {
            "dtype": _NAMES[one.dtype],
            "shape": list(one.shape),
            "data_offsets": [begin, begin + one.bytes],
        }
        begin += one.bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    torch.manual_seed(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for one in tensors:
            _write_numbers(file, one)
    return path


def _write_configs(configs: Path, *, tiny: bool) -> None:
    from tiny_flux2 import build_tiny_flux2

    from bridge.models.families import CONFIGS

    if tiny:
        with tempfile.TemporaryDirectory() as made:
            folder = build_tiny_flux2(Path(made) / "klein", size=EDGE)
            shutil.copytree(folder, configs, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
        return
    shutil.copytree(CONFIGS / "Flux2Klein4B", configs, dirs_exist_ok=True)
    card = {"name": "klein", "native_pixels": EDGE * EDGE}
    (configs / "card.json").write_text(json.dumps(card), encoding="utf-8")


def _tensors(configs: Path, *, float8: bool) -> Iterator[_Tensor]:
    """Those of all parts, without any content: the classes tell them from their configs."""
    import diffusers
    import transformers
    from accelerate import init_empty_weights

    classes: dict[str, Any] = {
        "text_encoder": transformers.Qwen3Model,
        "vae": diffusers.AutoencoderKLFlux2,
        "transformer": diffusers.Flux2Transformer2DModel,
    }
    for part, kind in classes.items():
        with init_empty_weights():
            if hasattr(kind, "config_class"):
                module = kind(kind.config_class.from_pretrained(configs / part, local_files_only=True))
            else:
                module = kind.from_config(kind.load_config(configs / part, local_files_only=True))
        for name, tensor in module.state_dict().items():
            dtype = torch.bfloat16 if tensor.is_floating_point() else tensor.dtype
            narrow = float8 and part != "vae" and tensor.dim() == 2 and "embed_tokens" not in name
            yield _Tensor(_PREFIXES[part] + name, tuple(tensor.shape), torch.float8_e4m3fn if narrow else dtype)


def _write_numbers(file: Any, tensor: _Tensor) -> None:
    count = torch.Size(tensor.shape).numel()
    if len(tensor.shape) == 1 and not tensor.name.endswith("bias"):
        # Norms and variances.
        block = torch.ones(min(count, _BLOCK)).to(tensor.dtype)
    else:
        spread = 1 / max(1, tensor.shape[-1] if len(tensor.shape) > 1 else 100) ** 0.5
        block = (torch.randn(min(count, _BLOCK)) * spread).to(tensor.dtype)
    content = bytes(block.contiguous().view(torch.uint8).numpy().data)
    whole, rest = divmod(tensor.bytes, max(1, len(content)))
    for _ in range(whole):
        file.write(content)
    file.write(content[:rest])


class _PeakMemory:
    """The most that this process has had in memory since it began to count, weights in mapped files among it, in bytes.

    What is read of a file while it is converted is the system's to take back, and counts only once loading is over.
    """

    def __init__(self) -> None:
        self._ended = threading.Event()
        # Of mapped files those of libraries are there before.
        self._before, self._libraries = _resident()
        self.anonymous, self.all = 0, 0
        self.loaded = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLED_EVERY):
            anonymous, mapped = _resident()
            self.anonymous = max(self.anonymous, anonymous)
            if self.loaded:
                self.all = max(self.all, anonymous + max(0, mapped - self._libraries))

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return max(self.anonymous, self.all) - self._before


def _resident() -> tuple[int, int]:
    """Bytes of this process's own memory, and of files that are mapped."""
    found = dict.fromkeys(("RssAnon", "RssFile"), 0)
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) << 10
    return found["RssAnon"], found["RssFile"]


def measure(path: Path, *, card: float) -> dict[str, Any]:
    """Load the checkpoint, read a prompt, take a step and decode; what that took and what was told."""
    from small_devices import APART

    from bridge.diffusion import DenoiseInputs, ModelCache, denoise, find_device
    from bridge.diffusion.weights import import_classes
    from bridge.models import inspect
    from bridge.models.memory import memory_needs

    import_classes()
    checkpoint = inspect(path)
    device = replace(APART, memory_bytes=int(card * (1 << 30)), dtype="bfloat16") if card else find_device()
    cache = ModelCache(device)
    used, placement = cache.device_of(checkpoint), cache.placement(checkpoint)
    needs = memory_needs(checkpoint, width=used.torch_dtype.itemsize)
    assert needs is not None
    told = needs.on_device(placement.offload, packed=placement.packed, vae_pixels=placement.vae_pixels)
    if card:
        # Here what waits outside the card waits in the same memory.
        waiting = needs.denoiser.size(needs.width, packed=placement.packed) * (placement.offload == 2)
        waiting += needs.texts.size(needs.width, packed=placement.packed) * (placement.offload >= 1)
        waiting += needs.vae.size(4, packed=False) * (placement.offload >= 1)
        told += waiting
    peak = _PeakMemory()
    model = cache.get(checkpoint, check=lambda: None)
    peak.loaded = True
    prompts = model.encode_prompts("a lake in the mountains", "", guided=False)
    side = EDGE // model.pixels_per_latent
    inputs = DenoiseInputs((side, side), prompts, sampler="Euler", steps=1, guidance=1.0, strength=1.0)
    latents = denoise(model, inputs, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]
    picture = model.decode(latents)
    taken = peak.end()
    return {
        "parameters": needs.denoiser.parameters + needs.texts.parameters + needs.vae.parameters,
        "precision": used.dtype,
        "placement": str(placement),
        "estimate_bytes": told,
        "peak_bytes": taken,
        "off": taken / told - 1,
        "picture": list(picture.shape),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", choices=("bf16", "fp8"), default="bf16")
    parser.add_argument("--card", type=float, default=0.0, metavar="GIB", help="a simulated card's memory")
    parser.add_argument("--tiny", action="store_true", help="a tiny checkpoint: to try this script")
    parser.add_argument("--keep", action="store_true", help="leave the file there, and use it if it is")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, card=args.card)))
        return 0
    args.folder.mkdir(parents=True, exist_ok=True)
    path = write(args.folder, float8=args.format == "fp8", tiny=args.tiny)
    print(f"{path.name}: {path.stat().st_size / 1e9:.2f} GB")
    try:
        command = [sys.executable, __file__, str(args.folder), "--measure", str(path), "--card", str(args.card)]
        # A home of its own: what hashes it remembers are gone with it.
        environment = {**os.environ, "PAINTBRIDGE_HOME": str(args.folder / "home")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    finally:
        if not args.keep:
            path.unlink()
            shutil.rmtree(path.with_suffix(".config"))
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    found = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found, indent=2))
    # Of a tiny checkpoint nearly all that is taken is not weights.
    return 0 if args.tiny or abs(found["off"]) <= MOST_OFF else 1


if __name__ == "__main__":
    sys.exit(main())
