"""Variants of a family: checkpoints with the same tensors that were trained or distilled to other ends."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Variant", "told_variant"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# What trainers and packers write of the model that a file holds.
_SAID = ("modelspec.architecture", "modelspec.title", "ss_base_model_version", "general.name", "general.basename")


@dataclass(frozen=True)
class Variant:
    """What a variant wants: `steps`, `guidance` (1: off), `sampler`, and the `shift` of its flow's schedule, None where
    that is the picture's size'.

    Any of `words` in what a file says of itself, or in its name, tells it; `hashes` are SHA-256 of published files. One
    that is not `at_home` is told to be refused.
    """

    name: str
    title: str
    steps: int
    guidance: float
    sampler: str
    shift: float | None = 1.0
    words: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    at_home: bool = True


def told_variant(
    variants: Iterable[Variant], *, metadata: Mapping[str, str], hash: str | None, names: Iterable[str]
) -> Variant | None:
    """The variant that a file's metadata tells, or else its SHA-256 where that is known, or else its names; None: none
    does. Names are looked at word by word.
    """
    variants = tuple(variants)
    by_word = {word: one for one in variants for word in one.words}

    def by_words(texts: Iterable[str]) -> Variant | None:
        words = (word.lower() for text in texts for word in _WORD.findall(text))
        return next((by_word[word] for word in words if word in by_word), None)

    return (
        by_words(metadata.get(key, "") for key in _SAID)
        or next((one for one in variants if hash in one.hashes), None)
        or by_words(names)
    )
