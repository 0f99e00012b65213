"""A short list of checkpoints that are worth pulling: only such as Paintbridge can paint with today."""

from dataclasses import dataclass

__all__ = ["RECOMMENDED", "Recommendation"]


@dataclass(frozen=True)
class Recommendation:
    """A checkpoint on the hub.

    `licence` is as the hub names it; `download_bytes` what `pull` fetches (half precision); `memory_bytes` about what
    one picture of the family's native size wants of a graphics card in half precision; twice that of main memory
    without one.
    """

    hub_id: str
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
        "inpainting",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "filling selections so that they fit their surroundings; photographs and paintings alike; start with this one",
    ),
    Recommendation(
        "Lykon/dreamshaper-8-inpainting",
        "inpainting",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "filling selections in illustrations, fantasy and anime",
    ),
    Recommendation(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "base",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "new pictures and refining; the base that most others were made from",
    ),
    Recommendation(
        "Lykon/dreamshaper-8",
        "base",
        "creativeml-openrail-m",
        _SD1_DOWNLOAD,
        _SD1_MEMORY,
        "new pictures and refining of illustrations, fantasy and portraits",
    ),
    Recommendation(
        "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        "inpainting",
        "openrail++",
        _SDXL_DOWNLOAD,
        _SDXL_MEMORY,
        "filling large selections; finer than the smaller ones, and slower",
    ),
    Recommendation(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "base",
        "openrail++",
        _SDXL_DOWNLOAD,
        _SDXL_MEMORY,
        "new pictures of about 1024 x 1024 pixels, and refining; understands longer prompts",
    ),
)
