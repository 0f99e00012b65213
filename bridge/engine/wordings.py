"""What the prompts of a job ask for, picture by picture: choices drawn by the seed, wildcards and LoRAs by name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..diffusion import WornLora
from ..errors import Sentence
from ..models import Checkpoint, Lora, LoraRegistry, WildcardRegistry
from ..prompts import Wording, about_embeddings, read
from ..protocol.messages import LoraUse, Submit
from .port import picture_seeds

__all__ = ["Worded", "read_wordings", "used_loras"]


@dataclass(frozen=True)
class Worded:
    """Pictures of a job that are asked for in the same words, by their seeds; `hints` are about the words."""

    wording: Wording
    worn: tuple[WornLora, ...]
    seeds: tuple[int, ...]
    hints: tuple[str, ...]


def read_wordings(
    submit: Submit,
    loras: LoraRegistry,
    wildcards: WildcardRegistry,
    embeddings: Collection[str],
    checkpoint: Checkpoint,
    *,
    check: Callable[[], None],
) -> tuple[Worded, ...]:
    """The job's pictures by what they are asked for. ``embeddings`` are names of textual inversions. `check` may raise
    to end the reading of LoRAs for their hashes.

    Raises:
        PromptUnreadable; WildcardUnknown, WildcardUnreadable; LoraUnknown, LoraUnreadable, LoraUnsupported.
    """
    seeds: dict[Wording, list[int]] = {}
    for seed in picture_seeds(submit):
        seeds.setdefault(read(submit.prompt, submit.negative_prompt, seed, wildcards.options), []).append(seed)
    names = dict.fromkeys(lora.name for wording in seeds for lora in wording.loras)
    found = loras.fitting(names, checkpoint)
    for lora in found.values():
        lora.content(check)
    worded = []
    for wording, of_wording in seeds.items():
        worn = tuple(WornLora(found[lora.name], lora.strength) for lora in wording.loras)
        hints = (
            *wording.hints,
            *about_embeddings(f"{wording.wanted}\n{wording.unwanted}", embeddings),
            *(_about_bundled(one.lora) for one in worn if one.strength and one.lora.embeddings),
        )
        worded.append(Worded(wording, worn, tuple(of_wording), tuple(dict.fromkeys(hints))))
    return tuple(worded)


def _about_bundled(lora: Lora) -> str:
    shown = ", ".join(lora.embeddings)
    return Sentence(
        "The LoRA {id} also holds embeddings of its own ({shown}), which are not used yet. The rest of it is.",
        id=lora.id,
        shown=shown,
    )


def used_loras(worded: Worded) -> tuple[LoraUse, ...]:
    """What a recipe says of them."""
    return tuple(LoraUse(one.lora.id, one.strength, one.lora.hash) for one in worded.worn)
