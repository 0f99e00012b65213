"""What the prompts of a job ask for, picture by picture: choices made by the seed, LoRAs found by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..diffusion import WornLora
from ..models import Checkpoint, LoraRegistry
from ..prompts import Wording, read
from ..protocol.messages import LoraUse, Submit
from .port import picture_seeds

__all__ = ["Worded", "read_wordings", "used_loras"]


@dataclass(frozen=True)
class Worded:
    """Pictures of a job that are asked for in the same words, by their seeds."""

    wording: Wording
    worn: tuple[WornLora, ...]
    seeds: tuple[int, ...]

    @property
    def hints(self) -> tuple[str, ...]:
        """What the artist should know of how it was read."""
        bundled = {one.lora.id: one.lora.embeddings for one in self.worn if one.strength and one.lora.embeddings}
        return (*self.wording.hints, *(_unread(name, words) for name, words in bundled.items()))


def read_wordings(
    submit: Submit, loras: LoraRegistry, checkpoint: Checkpoint, *, check: Callable[[], None]
) -> tuple[Worded, ...]:
    """The job's pictures by what they are asked for. `check` may raise to end the reading of LoRAs for their hashes.

    Raises:
        PromptUnreadable; LoraUnknown, LoraUnreadable, LoraUnsupported.
    """
    seeds: dict[Wording, list[int]] = {}
    for seed in picture_seeds(submit):
        seeds.setdefault(read(submit.prompt, submit.negative_prompt, seed), []).append(seed)
    names = dict.fromkeys(lora.name for wording in seeds for lora in wording.loras)
    found = loras.fitting(names, checkpoint)
    for lora in found.values():
        lora.content(check)
    return tuple(
        Worded(wording, tuple(WornLora(found[lora.name], lora.strength) for lora in wording.loras), tuple(of_wording))
        for wording, of_wording in seeds.items()
    )


def _unread(name: str, words: tuple[str, ...]) -> str:
    shown = ", ".join(words)
    return f"The LoRA {name} also holds embeddings of its own ({shown}), which are not used yet. The rest of it is."


def used_loras(worded: Worded) -> tuple[LoraUse, ...]:
    """What a recipe says of them."""
    return tuple(LoraUse(one.lora.id, one.strength, one.lora.hash) for one in worded.worn)
