"""Completes checkpoints that lack parts by what lies in other files: by content, and by what each of them wants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Sentence
from ..home import find_home
from .checkpoint import Checkpoint
from .checkpoint_files import tokenizer_part
from .components import Component, Want, component_of_config
from .errors import CheckpointUnreadable, CheckpointUnsupported, ModelsError
from .formats import WeightFormat
from .parts import Layout, Part
from .tokenizers import TOKENIZERS

__all__ = ["CheckpointIncomplete", "Lent", "completed", "lent_by"]

# In which order formats are chosen among: as exact as the model is used in first.
_ORDER = (
    WeightFormat.BFLOAT16, WeightFormat.FLOAT16, WeightFormat.FLOAT32, WeightFormat.FP8_SCALED, WeightFormat.CONVROT,
    WeightFormat.INT8, WeightFormat.GGUF, WeightFormat.NVFP4, WeightFormat.FP8, WeightFormat.FLOAT64,
)  # fmt: skip


class CheckpointIncomplete(CheckpointUnsupported):
    """The checkpoint is sound, and a part that it needs is nowhere."""


@dataclass(frozen=True)
class Lent:
    """What may complete checkpoints: text encoders and VAEs by whose they are, tokenizers by the kind of encoder."""

    components: Sequence[tuple[str, Component]]
    tokenizers: Sequence[tuple[str, Part]]

    def component(self, want: Want, program: str) -> Component | None:
        """One that fits, of the checkpoint's own program before others'; None: there is none."""
        fitting = [(whose != program, _ORDER.index(one.format), at) for at, (whose, one) in self._fitting(want)]
        return self.components[min(fitting)[-1]][1] if fitting else None

    def _fitting(self, want: Want) -> list[tuple[int, tuple[str, Component]]]:
        return [(at, one) for at, one in enumerate(self.components) if want.fits(one[1])]

    def tokenizer(self, kind: str) -> Part | None:
        """One for that kind of text encoder."""
        return next((part for name, part in self.tokenizers if name == kind), None)


def lent_by(checkpoints: Iterable[Checkpoint], apart: Iterable[tuple[str, Component]] = ()) -> Lent:
    """What lies `apart`, by program; what diffusers folders have; and the tokenizers in the bridge's home."""
    components = list(apart)
    tokenizers: list[tuple[str, Part]] = []
    own = find_home().tokenizers
    for folder in sorted(own.iterdir()) if own.is_dir() else ():
        try:
            tokenizers.append((folder.name, tokenizer_part(folder)))
        except CheckpointUnreadable:
            continue
    for checkpoint in checkpoints:
        if checkpoint.layout is not Layout.FOLDER:
            continue
        for part in checkpoint.parts:
            described = component_of_config(part.config_file) if part.config_file.is_file() else None
            if described is None or part.path.parent != checkpoint.path:
                continue
            kind, size = described
            components.append(("", Component(kind, size, part.path, Layout.FOLDER, part.files, format=part.format)))
            text = next((one for one in checkpoint.family.texts if one.encoder == part.name), None)
            if text is not None:
                tokenizers.append((kind.name, replace(checkpoint.part(text.tokenizer), name="tokenizer")))
    return Lent(components, tokenizers)


def completed(checkpoint: Checkpoint, lent: Lent, *, program: str) -> Checkpoint:
    """The checkpoint with all that it wants. Raises CheckpointIncomplete, which says what is lacking."""
    for want in checkpoint.wants:
        if want.is_tokenizer:
            tokenizer = lent.tokenizer(want.kind.name)
            if tokenizer is None:
                raise _no_tokenizer(checkpoint, want)
            checkpoint = checkpoint.with_part(replace(tokenizer, name=want.part))
        else:
            component = lent.component(want, program)
            if component is None:
                raise _lacking(checkpoint, want, lent)
            checkpoint = checkpoint.with_part(want.part_of(component))
    return checkpoint


def _lacking(checkpoint: Checkpoint, want: Want, lent: Lent) -> ModelsError:
    apart = (one for whose, one in lent.components if whose)
    near = next((one for one in apart if one.kind.is_text == want.kind.is_text), None)
    there = (
        Sentence(" {name} is there, and is {words}.", name=_title(near.path), words=near.words)
        if near is not None
        else Sentence("")
    )
    if want.kind.is_text:
        return CheckpointIncomplete(
            "{id} is {family}'s transformer alone, and its text encoder, {words}, is nowhere.{there}",
            hint="Put it as .safetensors or .gguf into {folder}, or fetch the whole checkpoint: "
            "`paintbridge models list --recommended` names it.",
            id=checkpoint.id,
            family=checkpoint.family.title,
            words=want.words,
            there=there,
            folder=find_home().text_encoders,
        )
    return CheckpointIncomplete(
        "{id} is {family}'s transformer alone, and {words} is nowhere.{there}",
        hint="Put it as .safetensors or .gguf into {folder}, or fetch the whole checkpoint: "
        "`paintbridge models list --recommended` names it.",
        id=checkpoint.id,
        family=checkpoint.family.title,
        words=want.words,
        there=there,
        folder=find_home().vaes,
    )


def _no_tokenizer(checkpoint: Checkpoint, want: Want) -> ModelsError:
    source = TOKENIZERS.get(want.kind.name)
    if source is None:
        return CheckpointIncomplete(
            "{id} has all its weights, but no tokenizer for {words}, which single files do not bring.",
            hint="Put its tokenizer.json into {folder}.",
            id=checkpoint.id,
            words=want.words,
            folder=find_home().tokenizers / want.kind.name,
        )
    return CheckpointIncomplete(
        "{id} has all its weights, but no tokenizer for {words}, which single files do not bring.",
        hint="Fetch it once, a few megabytes: `paintbridge models pull {hub_id}`.",
        id=checkpoint.id,
        words=want.words,
        hub_id=source.hub_id,
    )


def _title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
