"""One LoRA, told by content: a safetensors file of tensors that all have a meaning. Nothing of it is loaded here."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .distillation import Distillation, distillation_of
from .embeddings import Embedding, bundled_embedding
from .errors import CheckpointUnreadable, EmbeddingUnsupported, LoraUnreadable, LoraUnsupported
from .facts import ModelFacts
from .families import Family
from .hashing import content_hash
from .json_files import parse_json
from .lora_family import family_of_lora
from .lora_kinds import DENOISER
from .lora_scales import read_scales
from .lora_tensors import LoraTensors, Naming, read_lora
from .schedule import ScheduleKind

__all__ = ["Lora", "check_fits", "inspect_lora"]

_OUTPAINTS = re.compile(r"out[-_ ]?paint", re.IGNORECASE)
_MOST_TRIGGERS = 6
_LONGEST_TRIGGER = 64
# Tags that are on about as many of the training pictures as the most common one.
_ON_MOST_PICTURES = 0.9


@dataclass(frozen=True)
class Lora:
    """A LoRA on disk.

    `kinds` are those of its layers, as artists call them: "LoRA", "LoHa", "LoKr", "DoRA"; `rank` is that of most of
    them, None where none is narrow. `parts` are those that it changes, by their names in a diffusers folder.
    `trigger_words` are what its trainer wrote down, the most telling first. `embeddings` are words whose embeddings lie
    in the file too, which count where the LoRA does. `files` are those that loading reads.
    """

    id: str
    path: Path
    family: Family
    naming: Naming
    kinds: tuple[str, ...]
    rank: int | None
    parts: tuple[str, ...]
    trigger_words: tuple[str, ...]
    embeddings: tuple[Embedding, ...]
    files: tuple[Path, ...]

    @property
    def distillation(self) -> Distillation | None:
        """The few steps, guidance and sampler that it was distilled for; None for all others. Told by the name.

        Families of flow matching are distilled as a whole: there a name with "turbo" tells what it was made for.
        """
        return None if self.family.schedule is ScheduleKind.FLOW_MATCHING else distillation_of(self.id)

    @property
    def outpaints(self) -> bool:
        """Whether it was trained to fill what is green in a reference picture. Told by the name."""
        return _OUTPAINTS.search(self.id) is not None

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
        except CheckpointUnreadable as error:
            raise LoraUnreadable(error.message, hint=error.hint) from error


def inspect_lora(path: Path) -> Lora:
    """What stands at `path`, told by content and never by name.

    Raises LoraUnreadable for what is broken, incomplete or pickled, and LoraUnsupported for what is sound but cannot be
    added to a checkpoint; NotALora for something else altogether.
    """
    header, tensors = read_lora(path)
    family = family_of_lora(tensors, header.metadata)
    parts = {module.part for module in tensors.modules}
    ranks = Counter(module.rank for module in tensors.modules if module.rank)
    beside = path.with_name("adapter_config.json")
    lora = Lora(
        id=path.stem,
        path=path,
        family=family,
        naming=tensors.naming,
        kinds=tuple(sorted({"DoRA" if module.decomposed else str(module.kind) for module in tensors.modules})),
        rank=ranks.most_common(1)[0][0] if ranks else None,
        parts=(*([family.denoiser] if DENOISER in parts else []), *sorted(parts - {DENOISER})),
        trigger_words=_trigger_words(header.metadata),
        embeddings=_embeddings(path, family, tensors, header.shapes),
        files=(path, beside) if tensors.naming is Naming.PEFT and beside.is_file() else (path,),
    )
    read_scales(lora.files, header.metadata, tensors.modules)
    return lora


def _embeddings(
    path: Path, family: Family, tensors: LoraTensors, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Embedding, ...]:
    try:
        return tuple(bundled_embedding(word, path, family, names, shapes) for word, names in tensors.embeddings.items())
    except EmbeddingUnsupported as error:
        raise LoraUnsupported(error.message, hint=error.hint) from error
    except CheckpointUnreadable as error:
        raise LoraUnreadable(error.message, hint=error.hint) from error


def check_fits(lora: ModelFacts, checkpoint: ModelFacts) -> None:
    """Raises LoraUnsupported for a LoRA of another family than the checkpoint's."""
    if lora.family.name != checkpoint.family.name:
        raise LoraUnsupported(
            "The LoRA {id} is made for {title}, but {checkpoint_id} is {family_title}.",
            hint="Choose a {title} checkpoint, or take the LoRA out of the prompt.",
            id=lora.id,
            title=lora.family.title,
            checkpoint_id=checkpoint.id,
            family_title=checkpoint.family.title,
        )


def _trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The trigger phrase, or else the tags that kohya's trainer counted on about all training pictures."""
    phrase = metadata.get("modelspec.trigger_phrase", "")
    if isinstance(phrase, str) and phrase.strip():
        words = [word.strip() for word in phrase.split(",") if word.strip()]
        return tuple(word[:_LONGEST_TRIGGER] for word in words[:_MOST_TRIGGERS])
    counts: Counter[str] = Counter()
    try:
        for folder in parse_json(metadata.get("ss_tag_frequency", "{}")).values():
            counts.update({str(tag).strip(): int(count) for tag, count in folder.items()})
    except (ValueError, TypeError, AttributeError, OverflowError):
        return ()
    least = _ON_MOST_PICTURES * max(counts.values(), default=0)
    telling = Counter({tag: count for tag, count in counts.items() if tag and count >= least})
    return tuple(tag[:_LONGEST_TRIGGER] for tag, _ in telling.most_common(_MOST_TRIGGERS))
