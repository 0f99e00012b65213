"""A short list of checkpoints that are worth pulling: only such as Paintbridge can paint with today."""

from collections.abc import Iterable
from dataclasses import dataclass

from .checkpoint import Checkpoint
from .formats import WeightFormat
from .model_index import Entry
from .receipt import read_receipt

__all__ = ["RECOMMENDED", "Recommendation", "first_choice_by_card", "first_choices", "names_by_hub_id"]


@dataclass(frozen=True)
class Recommendation:
    """A checkpoint on the hub.

    `family` is its family's name, `kind` "inpainting" or "base"; `licence` is as the hub names it; `download_bytes`
    what `pull` fetches (half precision); `memory_bytes` about what one picture of the family's native size wants of a
    graphics card in half precision, with the text encoder outside of it while it paints; twice that of main memory
    without one. `denoiser_bytes` says how large the denoiser's file is in each format that it is published in, for
    those who have one: the text encoder and the VAE come with the pull. `fills` says how it fills a selection,
    `edits` that it can change a picture as it is told, `alpha` that it paints transparency, `gated` that its licence
    must be accepted on its page first.
    """

    hub_id: str
    family: str
    kind: str
    licence: str
    download_bytes: int
    memory_bytes: int
    good_at: str
    fills: str = "by blending"
    edits: bool = False
    alpha: bool = False
    gated: bool = False
    denoiser_bytes: tuple[tuple[WeightFormat, int], ...] = ()


_BY_CHANNELS = "by channels of its own for mask and surroundings"
_BY_REFERENCE = "by blending, with the surroundings as reference"

# Half-precision SD1: UNet 1.72 GB, text encoder 0.25 GB, autoencoder 0.17 GB, as the hub lists them.
_SD1_DOWNLOAD = 2_133_000_000
_SD1_MEMORY = 4 << 30
# FLUX.2 Klein: transformer 7.75 or 18.16 GB, Qwen3-4B 8.04 or Qwen3-8B 16.38 GB, autoencoder 0.17 GB.
_KLEIN_4B = (15_970_000_000, 10 << 30)
_KLEIN_9B = (34_720_000_000, 22 << 30)
# Z-Image: transformer 12.31 GB, Qwen3-4B, autoencoder 0.17 GB.
_Z_IMAGE = (20_530_000_000, 15 << 30)
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
        fills=_BY_CHANNELS,
    ),
    Recommendation(
        "Lykon/dreamshaper-8-inpainting",
        "SD1",
        "inpainting",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "filling selections in illustrations, fantasy and anime",
        fills=_BY_CHANNELS,
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
        fills=_BY_CHANNELS,
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
    Recommendation(
        "black-forest-labs/FLUX.2-klein-4B",
        "Flux2Klein4B",
        "base",
        "apache-2.0",
        *_KLEIN_4B,
        "filling and new pictures in four steps; follows whole sentences, and sees what surrounds a selection",
        fills=_BY_REFERENCE,
        edits=True,
        denoiser_bytes=(
            (WeightFormat.BFLOAT16, 7_750_000_000),
            (WeightFormat.FP8_SCALED, 4_000_000_000),
            (WeightFormat.GGUF, 2_600_000_000),
        ),
    ),
    Recommendation(
        "Tongyi-MAI/Z-Image-Turbo",
        "ZImage",
        "base",
        "apache-2.0",
        *_Z_IMAGE,
        "photographs and people in nine steps; writes legible text in English and Chinese",
        denoiser_bytes=(
            (WeightFormat.BFLOAT16, 12_310_000_000),
            (WeightFormat.CONVROT, 6_600_000_000),
            (WeightFormat.GGUF, 4_000_000_000),
        ),
    ),
    Recommendation(
        "Tongyi-MAI/Z-Image",
        "ZImage",
        "base",
        "apache-2.0",
        *_Z_IMAGE,
        "photographs and paintings in thirty steps, with a negative prompt; more varied than Turbo, and slower",
        denoiser_bytes=((WeightFormat.BFLOAT16, 12_310_000_000), (WeightFormat.GGUF, 4_000_000_000)),
    ),
    Recommendation(
        "black-forest-labs/FLUX.2-klein-9B",
        "Flux2Klein9B",
        "base",
        "flux-non-commercial-license",
        *_KLEIN_9B,
        "what FLUX.2 Klein 4B is good at, finer; not for commercial use, and given to those who accept that",
        fills=_BY_REFERENCE,
        edits=True,
        gated=True,
        denoiser_bytes=(
            (WeightFormat.BFLOAT16, 18_160_000_000),
            (WeightFormat.FP8_SCALED, 9_500_000_000),
            (WeightFormat.GGUF, 5_800_000_000),
        ),
    ),
)

# What artists have, in bytes.
_CARDS = (4 << 30, 8 << 30, 12 << 30, 16 << 30, 24 << 30)
_BEST_FIRST = (
    "black-forest-labs/FLUX.2-klein-4B",
    "Tongyi-MAI/Z-Image-Turbo",
    "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
    "stable-diffusion-v1-5/stable-diffusion-inpainting",
)
"""What to begin with, where it fits, by how well it fills selections."""


def first_choices(memory_bytes: int) -> tuple[Recommendation, ...]:
    """What a graphics card of so much memory runs without anything waiting outside, best first."""
    by_id = {entry.hub_id: entry for entry in RECOMMENDED}
    return tuple(by_id[one] for one in _BEST_FIRST if by_id[one].memory_bytes <= memory_bytes)


def first_choice_by_card() -> dict[int, Recommendation]:
    """The first of them for each usual size of a card, in bytes."""
    return {size: first_choices(size)[0] for size in _CARDS}


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
