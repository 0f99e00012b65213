"""Add-difference: what training for inpainting changed in a base checkpoint's denoiser, for a child of the same base.

W_child + (W_inpainting - W_base), a practice of model mergers. The base and its inpainting checkpoint are told by
where they were fetched from, by their published hashes, or by the artist (`stands_for` in checkpoints.toml).
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..home import find_home
from .checkpoint import Checkpoint
from .hashing import file_hash
from .parts import InpaintDifference, Part
from .receipt import read_receipt
from .schedule import Prediction

__all__ = ["FARTHEST", "InpaintSource", "find_difference", "known_distance", "remember_distance", "takes_difference"]

FARTHEST = 0.25
"""How far a child's denoiser may be from the base's: the norm of the difference of their weights in the middle block's
attention over the norm of the base's. Where two are at an angle, this is twice the sine of half of it: a cosine of
0.97. Fine-tunes and merges of the base keep within it; what was trained anew on millions of drawings does not."""


class InpaintSource(StrEnum):
    """What a checkpoint can be to the children of a family's base."""

    BASE = "base"
    INPAINTING = "inpainting"


@dataclass(frozen=True)
class _Published:
    """A published checkpoint: repositories of the hub that have it, and its single files by size and SHA-256."""

    hub_ids: tuple[str, ...]
    files: tuple[tuple[int, str], ...] = ()


_PUBLISHED = {
    ("SDXL", InpaintSource.BASE): _Published(
        ("stabilityai/stable-diffusion-xl-base-1.0",),
        (
            # sd_xl_base_1.0, and the same with the VAE of 0.9.
            (6_938_078_334, "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b"),
            (6_938_078_334, "e6bb9ea85bbf7bf6478a7c6d18b71246f22e95d41bcdd80ed40aa212c33cfeff"),
        ),
    ),
    ("SDXL", InpaintSource.INPAINTING): _Published(("diffusers/stable-diffusion-xl-1.0-inpainting-0.1",)),
}


def takes_difference(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is of a kind that the difference is for: without further channels, and predicting noise on
    the noise schedule that the base was trained on.
    """
    return (
        not checkpoint.inpaint
        and (checkpoint.family.name, InpaintSource.BASE) in _PUBLISHED
        and checkpoint.prediction is Prediction.EPSILON
        and not checkpoint.zero_terminal_snr
    )


def find_difference(
    checkpoint: Checkpoint, others: Iterable[Checkpoint], *, check: Callable[[], None]
) -> InpaintDifference | None:
    """The difference for a checkpoint's family, out of these on the machine; None where base or inpainting checkpoint
    is not there. `check` may raise to end the reading of a file for its hash, which is for files of a known size alone.
    """
    if not takes_difference(checkpoint):
        return None
    family = [one for one in others if one.family.name == checkpoint.family.name]
    found: dict[InpaintSource, Part] = {}
    # The base last: to tell it may take the hash of a large file.
    for source in (InpaintSource.INPAINTING, InpaintSource.BASE):
        fitting = (one for one in family if one.inpaint is (source is InpaintSource.INPAINTING))
        chosen = next((one for one in fitting if _is_source(one, source, check)), None)
        if chosen is None:
            return None
        found[source] = chosen.part(chosen.family.denoiser)
    return InpaintDifference(found[InpaintSource.BASE], found[InpaintSource.INPAINTING])


def _is_source(checkpoint: Checkpoint, source: InpaintSource, check: Callable[[], None]) -> bool:
    if checkpoint.stands_for is not None:
        return checkpoint.stands_for == source
    published = _PUBLISHED[checkpoint.family.name, source]
    if _hub_id(checkpoint.path) in published.hub_ids:
        return True
    sizes = [size for size, _ in published.files]
    if not checkpoint.path.is_file() or checkpoint.path.stat().st_size not in sizes:
        return False
    return file_hash(checkpoint.path, check=check) in (known for _, known in published.files)


def _hub_id(path: Path) -> str:
    """The repository that a folder was fetched from, by Paintbridge or into the Hugging Face cache; "" for others."""
    receipt = read_receipt(path) if path.is_dir() else None
    if receipt is not None:
        return receipt.hub_id
    if path.parent.name != "snapshots":
        return ""
    return path.parents[1].name.removeprefix("models--").replace("--", "/")


def known_distance(child: str, base: str) -> float | None:
    """The distance between two denoisers, by the hashes of their parts; None until it was measured."""
    found = _read().get(f"{child} {base}")
    return found if isinstance(found, float) else None


def remember_distance(child: str, base: str, distance: float) -> None:
    """Keep it, in this process or another. A cache that cannot be written costs time, nothing else."""
    path = find_home().distances
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="distances-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({**_read(), f"{child} {base}": distance}, file)
        os.replace(temporary, path)
    except OSError:
        return


def _read() -> dict[str, float]:
    try:
        known = json.loads(find_home().distances.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
