"""One LoRA, told by content: a safetensors file in kohya's, diffusers' or peft's naming. Nothing of it is loaded here.

kohya's naming: https://github.com/kohya-ss/sd-scripts (networks/lora.py); diffusers' and peft's: what their own
`save_lora_weights` and `save_pretrained` write.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checkpoint import Checkpoint
from .distillation import Distillation, distillation_of
from .errors import CheckpointUnreadable, LoraUnreadable, LoraUnsupported, NotALora
from .family import FAMILIES, Family
from .hashing import content_hash
from .safetensors_header import read_header

__all__ = ["Lora", "check_fits", "inspect_lora"]

_DOWN = (
    ".lora_down.weight",
    ".lora_A.weight",
    ".lora.down.weight",
    "_lora.down.weight",
    ".lora_linear_layer.down.weight",
)
_UP_FOR_DOWN = (("lora_down", "lora_up"), ("lora_A", "lora_B"), (".down.", ".up."))
_KOHYA = re.compile(r"lora_(unet|te|te1|te2)_")
_DIFFUSERS = re.compile(r"(unet|text_encoder|text_encoder_2)\.|(?:down|up)_blocks\.|mid_block\.")
_PEFT = "base_model.model."
_KOHYA_PARTS = {"unet": "unet", "te": "text_encoder", "te1": "text_encoder", "te2": "text_encoder_2"}
_CROSS_ATTENTION = re.compile(r"attn2[._](?:processor\.)?to_[kv]")
_TEXT_ATTENTION = re.compile(r"self_attn[._](?:to_)?[qkv]")
_FAMILY_OF_WIDTH = {768: "SD1", 1024: "SD2", 2048: "SDXL"}
# Trainers' words for what was trained on: kohya's, and the modelspec standard's.
_SAID_FAMILIES = (
    ("sdxl", "SDXL"),
    ("stable-diffusion-xl", "SDXL"),
    ("sd_v2", "SD2"),
    ("stable-diffusion-v2", "SD2"),
    ("sd_v1", "SD1"),
    ("stable-diffusion-v1", "SD1"),
)
# What only SDXL's UNet and text encoders are called. This and what follows is looked for in the names of all tensors,
# a line each, which is quick: some people have a thousand LoRAs of a thousand tensors.
_SDXL_ALONE = (
    "lora_te2_",
    "\ntext_encoder_2.",
    "lora_unet_input_blocks",
    "lora_unet_output_blocks",
    "transformer_blocks_1",
    "transformer_blocks.1",
    "add_embedding",
)
# What is in some name of all that is added to a checkpoint's weights.
_ADDED = ("lora", "hada_w", "lokr_w", ".diff\n", ".diff_b\n")
# What tells of kinds that are not added up as plain LoRAs are.
_OTHER_KINDS = {
    "a LoHa": ("hada_w1", "hada_w2"),
    "a LoKr": ("lokr_w1", "lokr_w2"),
    "a DoRA": ("dora_scale", "lora_magnitude_vector"),
    "a LoCon with a middle layer": ("lora_mid",),
    "a LoRA with whole weights in it": (".diff\n", ".diff_b\n"),
    "a motion LoRA for videos": ("motion_modules",),
    "a Control-LoRA": ("lora_controlnet",),
    "a LoRA for another architecture, such as Flux or Stable Diffusion 3": (
        "double_blocks",
        "single_blocks",
        "joint_blocks",
        "single_transformer_blocks",
        "joint_transformer_blocks",
        "\ntransformer.",
        "\ndiffusion_model.",
        "\nlora_transformer_",
        "lora_te3_",
    ),
}
_MOST_TRIGGERS = 6
_LONGEST_TRIGGER = 64
# Tags that are on about as many of the training pictures as the most common one.
_ON_MOST_PICTURES = 0.9


@dataclass(frozen=True)
class Lora:
    """A LoRA on disk.

    `layout` is "kohya", "diffusers" or "peft". `rank` is that of most of its layers. `parts` are those that it changes,
    by their names in a diffusers folder. `trigger_words` are what its trainer wrote down, the most telling first.
    `files` are those that loading reads.
    """

    id: str
    path: Path
    family: Family
    layout: str
    rank: int
    parts: tuple[str, ...]
    trigger_words: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def distillation(self) -> Distillation | None:
        """The few steps, guidance and sampler that it was distilled for; None for all others. Told by the name."""
        return distillation_of(self.id)

    @property
    def hash(self) -> str:
        """As `content`."""
        return self.content()

    def content(self, check: Callable[[], None] | None = None) -> str:
        """SHA-256 of `files`, 64 hex digits. The first call reads them, and later ones remember; `check` may raise to
        end the reading. Raises LoraUnreadable when they are gone.
        """
        try:
            return content_hash(self.path, self.files, check=check)
        except OSError as error:
            raise LoraUnreadable(
                f"{self.path.name} cannot be read.", hint="Was it moved, or is its disk not connected?"
            ) from error


def inspect_lora(path: Path) -> Lora:
    """What stands at `path`, told by content and never by name.

    Raises LoraUnreadable for what is broken, incomplete or pickled, and LoraUnsupported for what is sound but cannot be
    added to a checkpoint; NotALora for something else altogether.
    """
    try:
        header = read_header(path)
    except CheckpointUnreadable as error:
        raise LoraUnreadable(error.message, hint=error.hint.replace("checkpoint", "LoRA")) from error
    shapes = header.shapes
    names = _lines(shapes)
    if not any(text in names for text in _ADDED):
        raise NotALora("This file is not a LoRA.")
    for kind, texts in _OTHER_KINDS.items():
        if any(text in names for text in texts):
            raise LoraUnsupported(f"This file is {kind}, which Paintbridge does not take.")
    downs = {name: shape for name, shape in shapes.items() if name.endswith(_DOWN)}
    if not downs:
        raise LoraUnsupported("This file is a LoRA whose layers are named in a way that Paintbridge does not know.")
    layout, parts = _layout(downs)
    if any(len(shape) not in (2, 4) for shape in downs.values()) or not all(_up(name) in shapes for name in downs):
        raise LoraUnreadable(f"{path.name} is incomplete.", hint="Download or copy the file again.")
    beside = path.with_name("adapter_config.json")
    return Lora(
        id=path.stem,
        path=path,
        family=_family(downs, header.metadata),
        layout=layout,
        rank=Counter(shape[0] for shape in downs.values()).most_common(1)[0][0],
        parts=parts,
        trigger_words=_trigger_words(header.metadata),
        files=(path, beside) if layout == "peft" and beside.is_file() else (path,),
    )


def check_fits(lora: Lora, checkpoint: Checkpoint) -> None:
    """Raises LoraUnsupported for a LoRA of another family than the checkpoint's."""
    if lora.family != checkpoint.family:
        raise LoraUnsupported(
            f"The LoRA {lora.id} is made for {lora.family.title}, but {checkpoint.id} is {checkpoint.family.title}.",
            hint=f"Choose a {lora.family.title} checkpoint, or take the LoRA out of the prompt.",
        )


def _lines(names: Iterable[str]) -> str:
    return "\n".join(("", *names, ""))


def _layout(downs: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The naming, and the parts that are changed."""
    if all(name.startswith(_PEFT) for name in downs):
        return "peft", ("unet",)
    for layout, pattern in (("kohya", _KOHYA), ("diffusers", _DIFFUSERS)):
        found = [pattern.match(name) for name in downs]
        if all(found):
            parts = {match[1] or "unet" for match in found if match}
            return layout, tuple(sorted({_KOHYA_PARTS.get(part, part) for part in parts}, key=_in_order))
    raise LoraUnsupported("This file is a LoRA for an architecture that Paintbridge does not paint with.")


def _in_order(part: str) -> int:
    return ("unet", "text_encoder", "text_encoder_2").index(part)


def _up(down: str) -> str:
    for old, new in _UP_FOR_DOWN:
        if old in down:
            return down.replace(old, new)
    return down


def _family(downs: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> Family:
    """By what the layers take in, by what the trainer says, or by names; unknown widths of SD1's names count as SD1."""
    names = _lines(downs)
    if any(text in names for text in _SDXL_ALONE):
        return FAMILIES["SDXL"]
    for pattern in (_CROSS_ATTENTION, _TEXT_ATTENTION):
        for name, shape in downs.items():
            if pattern.search(name) and shape[1] in _FAMILY_OF_WIDTH and not name.startswith("lora_te1_"):
                return FAMILIES[_FAMILY_OF_WIDTH[shape[1]]]
    said = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}".lower()
    for word, family in _SAID_FAMILIES:
        if word in said:
            return FAMILIES[family]
    return FAMILIES["SDXL" if any(name.startswith("lora_te1_") for name in downs) else "SD1"]


def _trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The trigger phrase, or else the tags that kohya's trainer counted on about all training pictures."""
    phrase = metadata.get("modelspec.trigger_phrase", "")
    if isinstance(phrase, str) and phrase.strip():
        words = [word.strip() for word in phrase.split(",") if word.strip()]
        return tuple(word[:_LONGEST_TRIGGER] for word in words[:_MOST_TRIGGERS])
    counts: Counter[str] = Counter()
    try:
        for folder in json.loads(metadata.get("ss_tag_frequency", "{}")).values():
            counts.update({str(tag).strip(): int(count) for tag, count in folder.items()})
    except (ValueError, TypeError, AttributeError):
        return ()
    least = _ON_MOST_PICTURES * max(counts.values(), default=0)
    telling = Counter({tag: count for tag, count in counts.items() if tag and count >= least})
    return tuple(tag[:_LONGEST_TRIGGER] for tag, _ in telling.most_common(_MOST_TRIGGERS))
