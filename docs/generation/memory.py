"""What each family takes in memory, for `docs/checkpoints.md`: weights are counted, without any, by the configs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import transformers
from accelerate import init_empty_weights

from bridge.models.families import CONFIGS, FAMILIES, Family
from bridge.models.memory import MemoryNeeds, Offload, PartMemory, device_memory, place_on

__all__ = ["MARKS", "family_needs", "with_memory"]

MARKS = ("<!-- Made from the families' configs by docs/generate.py -->", "<!-- End of what is made -->")
_GIB = 1 << 30
_CARDS = (6, 8, 12, 16, 24)
_WORDS = {
    Offload.NOTHING: "whole",
    Offload.ALL_BUT_DENOISER: "text outside",
    Offload.ALL: "all outside",
}


def with_memory(path: Path) -> str:
    """The document at `path`, with what stands between the marks made anew."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    return f"{before}{MARKS[0]}\n\n{_table()}\n\n{MARKS[1]}{after}"


def family_needs(family: Family, *, float8: bool = False, width: int = 2) -> MemoryNeeds:
    """What a family's checkpoints need; `float8`: those whose denoiser and text encoders are plain float8."""
    classes = {
        family.denoiser: getattr(diffusers, family.denoiser_class),
        "vae": getattr(diffusers, family.vae_class),
        # Without a head: none is used.
        **{
            one.encoder: getattr(transformers, one.encoder_class.replace("ForCausalLM", "Model"))
            for one in family.texts
        },
    }
    counted = {name: _counted(family, name, kind) for name, kind in classes.items()}
    narrow = {
        name: PartMemory(one.parameters, one.parameters if float8 and name != "vae" else 0, one.largest)
        for name, one in counted.items()
    }
    texts = [narrow[text.encoder] for text in family.texts]
    return MemoryNeeds(
        narrow[family.denoiser],
        narrow["vae"],
        sum(texts, PartMemory()),
        pixels=family.native_pixels,
        width=width,
        working=family.working_memory,
        predictions=1 if family.default_guidance == 1 else 2,
    )


def _counted(family: Family, part: str, kind: Any) -> PartMemory:
    folder = CONFIGS / family.name / part
    with init_empty_weights():
        if hasattr(kind, "config_class"):
            module = kind(kind.config_class.from_pretrained(folder, local_files_only=True))
        else:
            module = kind.from_config(kind.load_config(folder, local_files_only=True))
    counts = [one.numel() for one in module.parameters()]
    return PartMemory(sum(counts), largest=max(counts))


def _table() -> str:
    cards = " | ".join(f"{gib} GB" for gib in _CARDS)
    rows = [
        f"| family, weights | billions | weights | whole | at least | {cards} |",
        "| --- | --- | --- | --- | --- |" + " --- |" * len(_CARDS),
    ]
    for family in FAMILIES.values():
        for float8 in (False, True):
            needs = family_needs(family, float8=float8)
            weights = (
                needs.denoiser.size(2, packed=True) + needs.texts.size(2, packed=True) + needs.vae.size(4, packed=False)
            )
            sizes = (weights / _GIB, device_memory(needs.whole()) / _GIB, device_memory(needs.least()) / _GIB)
            billions = f"{needs.denoiser.parameters / 1e9:.2f} + {needs.texts.parameters / 1e9:.2f}"
            title = f"{family.title}, {'fp8' if float8 else 'bf16' if family.half_precision == 'bfloat16' else 'fp16'}"
            placed = " | ".join(_placed(needs, gib) for gib in _CARDS)
            rows.append(f"| {title} | {billions} | " + " | ".join(f"{one:.1f}" for one in sizes) + f" | {placed} |")
    return "\n".join(rows)


def _placed(needs: MemoryNeeds, gib: int) -> str:
    if device_memory(needs.least()) > gib * _GIB:
        return "too small"
    return _WORDS[place_on(needs, gib * _GIB).offload]
