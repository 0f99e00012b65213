"""What a family is: the facts that checkpoints of one architecture share."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...control_kinds import REFERENCE
from ..schedule import ScheduleKind
from .variant import Variant

__all__ = ["CONFIGS", "Family", "TextPart", "WorkingMemory"]

STABLE_DIFFUSION_PIPELINES = tuple(
    f"{name}{task}Pipeline"
    for name in ("StableDiffusion", "StableDiffusionXL", "LatentConsistencyModel")
    for task in ("", "Inpaint", "Img2Img")
    if name != "LatentConsistencyModel" or task != "Inpaint"
)
"""What diffusers calls pipelines of the Stable Diffusion line that are painted with."""

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
"""The families' configs, a folder each by the family's name, and CLIP's vocabulary in `clip`."""


@dataclass(frozen=True)
class TextPart:
    """A text encoder and its tokenizer, by their names and classes in a diffusers folder, and what is taken of its
    states.

    `penultimate` takes the states before its last layer and final norm; `pooled` takes its projected state of the whole
    prompt as well. `pad` fills its prompts up, and `file_prefix` begins its tensors' names in a single file.
    """

    encoder: str = "text_encoder"
    tokenizer: str = "tokenizer"
    penultimate: bool = False
    pooled: bool = False
    pad: str = "<|endoftext|>"
    file_prefix: str = "cond_stage_model."
    encoder_class: str = "CLIPTextModel"
    tokenizer_class: str = "CLIPTokenizer"


@dataclass(frozen=True)
class WorkingMemory:
    """Bytes that computing takes at most, beside weights, for each pixel that is painted.

    `denoiser` for one prediction in half precision, `vae` in float32. What the families' real sizes take, counted on
    tensors without content: tests hold these figures to that.
    """

    denoiser: int
    vae: int


@dataclass(frozen=True)
class Family:
    """What checkpoints of one architecture share.

    `native_pixels` is the pixel count that the family was trained at, `native_range` the fewest and the most pixels
    that it paints as well, in whatever size, so that pictures need not be resampled (None: they are, to the native
    size), `multiple` what picture edges must divide by, `pixels_per_latent` pixels per latent along an edge. `texts`
    condition side by side; `uses_time_ids` conditions on the picture's size; `force_zeros_for_empty_prompt` conditions
    on zeros for an empty negative prompt, where a checkpoint says nothing else; `v_told_by_spread` says that single
    files predict noise or v and do not say which; `clip_skip` is the layer of the text encoders that is read, counted
    from the last, 1, as the WebUI counts (SD2's weights end before their last). `schedule` is the kind of noise
    schedule that its samplers must take. `architecture` and `denoiser` name what loads it
    (`bridge.diffusion.architectures`) and its denoiser's folder. `variants` are those of its checkpoints that their
    tensors do not tell apart; where nothing else does, it is the first. `denoiser_class`, `vae_class` and `pipelines`
    are what diffusers folders call its parts and the whole. `inpaint_channels` are those of a denoiser that sees mask
    and masked picture beside the latents; None: there is none. `half_precision` is the half precision, by torch's
    name, that its numbers fit into. `reference_words` is what
    prompts call the picture of a number that it is shown beside, None: it is shown none without an adapter;
    `reference_roles` is what can be painted of one, by it or by its adapters. `takes_regions` says that
    prompts may count in parts of a plane.
    """

    name: str
    title: str
    native_pixels: int
    multiple: int
    pixels_per_latent: int
    latent_channels: int
    default_steps: int
    default_guidance: float
    default_sampler: str
    texts: tuple[TextPart, ...] = (TextPart(),)
    uses_time_ids: bool = False
    force_zeros_for_empty_prompt: bool = False
    v_told_by_spread: bool = False
    clip_skip: int = 1
    schedule: ScheduleKind = ScheduleKind.VARIANCE_PRESERVING
    architecture: str = "unet"
    denoiser: str = "unet"
    native_range: tuple[int, int] | None = None
    working_memory: WorkingMemory = WorkingMemory(denoiser=270, vae=3100)
    half_precision: str = "float16"
    variants: tuple[Variant, ...] = ()
    denoiser_class: str = "UNet2DConditionModel"
    vae_class: str = "AutoencoderKL"
    pipelines: tuple[str, ...] = STABLE_DIFFUSION_PIPELINES
    inpaint_channels: int | None = 9
    takes_regions: bool = False
    reference_words: str | None = None
    reference_roles: tuple[str, ...] = ("subject",)

    @property
    def own_kinds(self) -> tuple[str, ...]:
        """The kinds of guides that it takes itself."""
        return () if self.reference_words is None else (REFERENCE,)

    @property
    def weighted_parts(self) -> tuple[str, ...]:
        """The parts that have weights, by their names in a diffusers folder."""
        return (self.denoiser, "vae", *(text.encoder for text in self.texts))

    @property
    def classes(self) -> dict[str, str]:
        """The classes of its parts, by their names in a diffusers folder."""
        texts = {text.encoder: text.encoder_class for text in self.texts}
        tokenizers = {text.tokenizer: text.tokenizer_class for text in self.texts}
        return {self.denoiser: self.denoiser_class, "vae": self.vae_class, **texts, **tokenizers}

    def config(self, part: str) -> dict[str, Any]:
        """The family's own config of a part; empty where it has none."""
        path = CONFIGS / self.name / part / "config.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found

    @property
    def scaling_factor(self) -> float:
        """What latents are multiplied by after the VAE, in the family's config."""
        return float(self.config("vae")["scaling_factor"])

    @property
    def file_prefixes(self) -> dict[str, str]:
        """What the names of each part's tensors begin with in a single file."""
        texts = {text.encoder: text.file_prefix for text in self.texts}
        return {self.denoiser: "model.diffusion_model.", "vae": "first_stage_model.", **texts}
