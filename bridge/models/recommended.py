"""A short list of checkpoints that are worth pulling: only such as Paintbridge can paint with today."""

from collections.abc import Iterable
from dataclasses import dataclass

from .checkpoint import Checkpoint
from .model_index import Entry
from .receipt import read_receipt

__all__ = ["RECOMMENDED", "Recommendation", "names_by_hub_id"]


@dataclass(frozen=True)
class Recommendation:
    """A checkpoint on the hub.

    `family` is its family's name, `kind` "inpainting" or "base"; `licence` is as the hub names it; `download_bytes`
    what `pull` fetches (half precision); `memory_bytes` about what one picture of the family's native size wants of a
    graphics card in half precision; twice that of main memory without one.
    """

    hub_id: str
    family: str
    kind: str
    licence: str
    download_bytes: int
    memory_bytes: int
    good_at: str


# Half-precision SD1: UNet 1.72 GB, text encoder 0.25 GB, autoencoder 0.17 GB, as the hub lists them.
_SD1_DOWNLOAD = 2_133_000_000
_SD1_MEMORY = 4 << 30
# SDXL: UNet 5.14 GB, text encoders 0.25 and 1.39 GB, autoencoder 0.17 GB.
_SDXL_DOWNLOAD = 6_945_000_000
_SDXL_MEMORY = 10 << 30

RECOMMENDED: tuple[Recommendation, ...] = (
    Recommendation(
        "stable-diffusion-v1-5/stable-diffusion-inpainting",
        "SD1",
        "inpainting",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "filling selections so that they fit their surroundings; photographs and paintings alike; start with this one",
    ),
    Recommendation(
        "Lykon/dreamshaper-8-inpainting",
        "SD1",
        "inpainting",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "filling selections in illustrations, fantasy and anime",
    ),
    Recommendation(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "SD1",
        "base",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "new pictures and refining; the base that most others were made from",
    ),
    Recommendation(
        "Lykon/dreamshaper-8",
        "SD1",
        "base",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "new pictures and refining of illustrations, fantasy and portraits",
    ),
    Recommendation(
        "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        "SDXL",
        "inpainting",
        "openrail++",
        _SDXL_DOWNLOAD,
        _SDXL_MEMORY,
        "filling large selections; finer than the smaller ones, and slower",
    ),
    Recommendation(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "SDXL",
        "base",
        "openrail++",
        _SDXL_DOWNLOAD,
        _SDXL_MEMORY,
        "new pictures of about 1024 x 1024 pixels, and refining; understands longer prompts",
    ),
)


def names_by_hub_id(entries: Iterable[Entry[Checkpoint]]) -> dict[str, str]:
    """What those of the checkpoints are called that came from the hub: pulled, or in the Hugging Face cache."""
    found: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry.found, Checkpoint) and entry.path.is_dir():
            receipt = read_receipt(entry.path)
            # The cache's layout is models--OWNER--NAME/snapshots/COMMIT.
            hub_id = receipt.hub_id if receipt else _cached_hub_id(entry.path.parent.parent.name)
            found.setdefault(hub_id, entry.name)
    return found


def _cached_hub_id(folder: str) -> str:
    kind, _, rest = folder.partition("--")
    return rest.replace("--", "/", 1) if kind == "models" else ""
