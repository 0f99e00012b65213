"""What the prompts of a job ask for, picture by picture: choices drawn by the seed, wildcards and LoRAs by name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..diffusion import WeightedLora
from ..errors import Sentence
from ..models import Checkpoint, Lora, LoraRegistry, WildcardRegistry
from ..prompts import ParsedPrompt, about_embeddings, read
from ..protocol.messages import JobSettings, LoraUse
from .port import picture_seeds

__all__ = ["PromptGroup", "group_by_prompt", "used_loras"]


@dataclass(frozen=True)
class PromptGroup:
    """Pictures of a job that are asked for in the same words, by their seeds; `hints` are about the words."""

    parsed: ParsedPrompt
    loras: tuple[WeightedLora, ...]
    seeds: tuple[int, ...]
    hints: tuple[str, ...]


def group_by_prompt(
    settings: JobSettings,
    loras: LoraRegistry,
    wildcards: WildcardRegistry,
    embeddings: Collection[str],
    checkpoint: Checkpoint,
    *,
    check: Callable[[], None],
) -> tuple[PromptGroup, ...]:
    """The job's pictures by what they are asked for. ``embeddings`` are names of textual inversions. `check` may raise
    to end the reading of LoRAs for their hashes.

    Raises:
        PromptUnreadable; WildcardUnknown, WildcardUnreadable; LoraUnknown, LoraUnreadable, LoraUnsupported.
    """
    seeds: dict[ParsedPrompt, list[int]] = {}
    words = settings.conditioning
    for seed in picture_seeds(settings.sampling):
        seeds.setdefault(read(words.prompt, words.negative_prompt, seed, wildcards.options), []).append(seed)
    names = dict.fromkeys(lora.name for parsed in seeds for lora in parsed.loras)
    found = loras.fitting(names, checkpoint)
    for lora in found.values():
        lora.content(check)
    groups = []
    for parsed, of_prompt in seeds.items():
        weighted = tuple(WeightedLora(found[lora.name], lora.strength) for lora in parsed.loras)
        hints = (
            *parsed.hints,
            *about_embeddings(f"{parsed.positive}\n{parsed.negative}", embeddings),
            *(_about_bundled(one.lora) for one in weighted if one.strength and one.lora.embeddings),
        )
        groups.append(PromptGroup(parsed, weighted, tuple(of_prompt), tuple(dict.fromkeys(hints))))
    return tuple(groups)


def _about_bundled(lora: Lora) -> str:
    shown = ", ".join(lora.embeddings)
    return Sentence(
        "The LoRA {id} also holds embeddings of its own ({shown}), which are not used yet. The rest of it is.",
        id=lora.id,
        shown=shown,
    )


def used_loras(group: PromptGroup) -> tuple[LoraUse, ...]:
    """What a recipe says of them."""
    return tuple(LoraUse(one.lora.id, one.strength, one.lora.hash) for one in group.loras)
