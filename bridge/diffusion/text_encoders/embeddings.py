"""Textual inversions in memory: vectors that a text encoder reads in place of its own for a name's tokens."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ...errors import Sentence
from ...models import CheckpointUnreadable, Embedding

__all__ = ["EmbeddingVectors", "read_embeddings", "replaced_embeddings"]


@dataclass(frozen=True)
class EmbeddingVectors:
    """A job's textual inversions, for one checkpoint.

    `of_part` has the vectors (n, width) by text encoder and by the name that stands for them; `hints` tell of those
    that do not fit.
    """

    of_part: Mapping[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


def read_embeddings(
    embeddings: Collection[Embedding], encoders: Mapping[str, Any], *, title: str, check: Callable[[], None]
) -> EmbeddingVectors:
    """The vectors of these, of which the first of a name counts, for text encoders by their parts' names.

    One of another width is left out with a hint: its name is read as words. `title` names the checkpoint. Raises
    CheckpointUnreadable for a file that is broken.
    """
    of_part: dict[str, dict[str, torch.Tensor]] = {part: {} for part in encoders}
    hints = []
    for embedding in embeddings:
        check()
        read = _read(embedding)
        unfit = next((part for part, one in read.items() if one.shape[1] != _width(encoders[part])), None)
        if unfit is not None:
            hints.append(
                Sentence(
                    '"{name}" is read as words: that textual inversion is for text encoders of the width {width}, and '
                    "{title} has one of {wanted}.",
                    name=embedding.id,
                    width=read[unfit].shape[1],
                    title=title,
                    wanted=_width(encoders[unfit]),
                )
            )
            continue
        for part, vectors in read.items():
            for name in embedding.names:
                of_part[part].setdefault(name, vectors)
    return EmbeddingVectors(of_part, tuple(hints))


def _read(embedding: Embedding) -> dict[str, torch.Tensor]:
    try:
        with safe_open(embedding.path, framework="pt") as file:
            read = {part: _matrix(file.get_tensor(name)) for part, name in embedding.tensors}
    except (OSError, SafetensorError) as error:
        raise CheckpointUnreadable(
            "The textual inversion {id} cannot be read.", hint="Download or copy the file again.", id=embedding.id
        ) from error
    if not all(bool(torch.isfinite(vectors).all()) for vectors in read.values()):
        raise CheckpointUnreadable(
            "The textual inversion {id} is damaged: it holds numbers without end.",
            hint="Download or copy the file again.",
            id=embedding.id,
        )
    return read


def _matrix(vectors: torch.Tensor) -> torch.Tensor:
    """One vector may lie as such."""
    return vectors.float().reshape(-1, vectors.shape[-1])


def _width(module: Any) -> int:
    return int(module.get_input_embeddings().weight.shape[1])


@contextmanager
def replaced_embeddings(module: Any, vectors: Sequence[torch.Tensor | None]) -> Iterator[None]:
    """While this is open, the text encoder reads these vectors (width,) in the places where they are not None, whatever
    tokens it is given there.
    """
    places = [place for place, vector in enumerate(vectors) if vector is not None]
    if not places:
        yield
        return
    rows = torch.stack([vector for vector in vectors if vector is not None])

    def replace(_: Any, __: Any, states: torch.Tensor) -> torch.Tensor:
        states = states.clone()
        states[:, places] = rows.to(states)
        return states

    hook = module.get_input_embeddings().register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()
