"""What the prompts of a job ask for, picture by picture: choices drawn by the seed, and what they name.

They name wildcards, LoRAs and textual inversions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..diffusion import WeightedLora
from ..errors import Sentence
from ..models import Checkpoint, Embedding, EmbeddingRegistry, LoraRegistry, ModelsError, WildcardRegistry
from ..prompts import (
    ParsedPrompt,
    PromptUnreadable,
    about_unknown_embeddings,
    named_embeddings,
    read,
    read_region,
    read_text,
)
from ..protocol.messages import Conditioning, EmbeddingUse, JobSettings, LoraUse
from .port import picture_seeds

__all__ = ["PromptGroup", "group_by_prompt", "used_embeddings", "used_loras"]


# As many as a recipe holds.
_MOST_EMBEDDINGS = 64


@dataclass(frozen=True)
class PromptGroup:
    """Pictures of a job that are asked for in the same words, by their seeds; `hints` are about the words.

    `regions` are the prompts of the job's regions.
    """

    parsed: ParsedPrompt
    regions: tuple[ParsedPrompt, ...]
    loras: tuple[WeightedLora, ...]
    embeddings: tuple[Embedding, ...]
    seeds: tuple[int, ...]
    hints: tuple[str, ...]


def group_by_prompt(
    settings: JobSettings,
    loras: LoraRegistry,
    wildcards: WildcardRegistry,
    embeddings: EmbeddingRegistry,
    checkpoint: Checkpoint,
    *,
    check: Callable[[], None],
) -> tuple[PromptGroup, ...]:
    """The job's pictures by what they are asked for. `check` may raise to end the reading of files for their hashes.

    Raises:
        PromptUnreadable; WildcardUnknown, WildcardUnreadable; LoraUnknown, LoraUnreadable, LoraUnsupported;
        CheckpointUnreadable for a textual inversion that has gone.
    """
    seeds: dict[tuple[ParsedPrompt, ...], list[int]] = {}
    for seed in picture_seeds(settings.sampling):
        seeds.setdefault(_read_all(settings.conditioning, seed, wildcards), []).append(seed)
    names = dict.fromkeys(lora.name for parsed, *_ in seeds for lora in parsed.loras)
    found = loras.fitting(names, checkpoint)
    for lora in found.values():
        lora.content(check)
    known = _by_name(embeddings)
    groups = []
    for (parsed, *regions), of_prompt in seeds.items():
        weighted = tuple(WeightedLora(found[lora.name], lora.strength) for lora in parsed.loras)
        named, about_them = _named_embeddings((parsed, *regions), weighted, known, checkpoint)
        for embedding in named:
            embedding.content(check)
        about_words = (hint for one in (parsed, *regions) for hint in one.hints)
        hints = tuple(dict.fromkeys((*about_words, *about_them)))
        groups.append(PromptGroup(parsed, tuple(regions), weighted, named, tuple(of_prompt), hints))
    return tuple(groups)


def _read_all(words: Conditioning, seed: int, wildcards: WildcardRegistry) -> tuple[ParsedPrompt, ...]:
    """The job's prompts, then each region's."""
    whole = read(words.prompt, words.negative_prompt, seed, wildcards.options)
    regions = (
        read_region(
            one.prompt,
            words.negative_prompt if one.negative_prompt is None else one.negative_prompt,
            seed,
            wildcards.options,
        )
        for one in words.regions
    )
    return (whole, *regions)


def _named_embeddings(
    prompts: Sequence[ParsedPrompt],
    loras: tuple[WeightedLora, ...],
    known: Mapping[str, Embedding | ModelsError],
    checkpoint: Checkpoint,
) -> tuple[tuple[Embedding, ...], tuple[str, ...]]:
    """The textual inversions that the prompts name and that fit the checkpoint, and hints about others.

    Those that lie in a LoRA count before others of the same name.
    """
    bundled = {name: one for lora in loras if lora.strength for one in lora.lora.embeddings for name in one.names}
    all_of_them = {**known, **bundled}
    said: dict[str, str] = {}
    texts = tuple(text for parsed in prompts for text in (parsed.positive, parsed.negative))
    for text in texts:
        said = {**named_embeddings(read_text(text), all_of_them.keys()), **said}
    fitting: dict[str, Embedding] = {}
    hints: list[str] = []
    for name, written in said.items():
        found = all_of_them[name]
        if isinstance(found, ModelsError):
            hints.append(
                Sentence(
                    '"{said}" is read as words, for the textual inversion of that name cannot be used: {problem}',
                    said=written,
                    problem=found.message,
                )
            )
        elif found.family.name != checkpoint.family.name:
            hints.append(
                Sentence(
                    '"{said}" is read as words: that textual inversion is made for {title}, but {checkpoint_id} is '
                    "{family_title}.",
                    said=written,
                    title=found.family.title,
                    checkpoint_id=checkpoint.id,
                    family_title=checkpoint.family.title,
                )
            )
        else:
            fitting.setdefault(found.id, found)
    if len(fitting) > _MOST_EMBEDDINGS:
        raise PromptUnreadable(
            "The prompt names {count} textual inversions; {most} can be used at once.",
            hint="Leave some out.",
            count=len(fitting),
            most=_MOST_EMBEDDINGS,
        )
    for text in texts:
        hints += about_unknown_embeddings(text, all_of_them.keys())
    return tuple(fitting.values()), tuple(hints)


def _by_name(registry: EmbeddingRegistry) -> dict[str, Embedding | ModelsError]:
    """The textual inversions by all that stands for them in prompts."""
    found: dict[str, Embedding | ModelsError] = {}
    for entry in registry.entries():
        for name in entry.found.names if isinstance(entry.found, Embedding) else (Path(entry.name).stem,):
            # One that can be used may lie beside the same one as a pickle.
            if name not in found or isinstance(found[name], ModelsError):
                found[name] = entry.found
    return found


def used_loras(group: PromptGroup) -> tuple[LoraUse, ...]:
    """What a recipe says of them."""
    return tuple(LoraUse(one.lora.id, one.strength, one.lora.hash) for one in group.loras)


def used_embeddings(group: PromptGroup) -> tuple[EmbeddingUse, ...]:
    """What a recipe says of the textual inversions."""
    return tuple(EmbeddingUse(one.id, one.hash) for one in group.embeddings)
