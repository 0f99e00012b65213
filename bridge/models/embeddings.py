"""Textual inversions (Gal et al. 2022, "An Image is Worth One Word"): told by content, and which there are.

One is a file with vectors that stand in a prompt where its name does, in place of the name's own.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..home import EMBEDDINGS, find_home
from .errors import CheckpointUnreadable, EmbeddingUnsupported
from .families import FAMILIES, Family
from .hashing import content_hash
from .locations import OWN, Location, find_locations
from .model_index import Candidate, Entry, ModelIndex, candidates_in
from .scan import embedding_candidates
from .tensor_file import read_header

__all__ = ["Embedding", "EmbeddingRegistry", "bundled_embedding", "inspect_embedding"]

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

_GET_AGAIN = "Download or copy the file again."
# What the WebUI and ComfyUI call the vectors of each text encoder.
_PART_NAMES = {"clip_l": "text_encoder", "clip_h": "text_encoder", "clip_g": "text_encoder_2"}
_FAMILY_OF_WIDTH = {768: "SD1", 1024: "SD2"}
_SAID = (("stable-diffusion-xl", "SDXL"), ("stable-diffusion-v2", "SD2"), ("stable-diffusion-v1", "SD1"))
_NUMBERS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True)
class Embedding:
    """A textual inversion on disk, or one that lies in a LoRA's file.

    `id` stands for it in prompts, and so does `token`, what its trainer called it, if that is in brackets as diffusers
    writes it; else "". `tensors` are the names of its tensors in the file, by the text encoder that each is for (as a
    diffusers folder calls it); each has `vectors` of them. `files` are those that loading reads.
    """

    id: str
    path: Path
    family: Family
    vectors: int
    tensors: tuple[tuple[str, str], ...]
    token: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """What loading reads."""
        return (self.path,)

    @property
    def names(self) -> tuple[str, ...]:
        """What stands for it in a prompt."""
        return (self.id, self.token) if self.token else (self.id,)

    @property
    def hash(self) -> str:
        """As `content`."""
        return self.content()

    def content(self, check: Callable[[], None] | None = None) -> str:
        """SHA-256 of its file, 64 hex digits; `check` may raise to end the reading. Raises CheckpointUnreadable when it
        is gone.
        """
        return content_hash(self.path, self.files, check=check)


def inspect_embedding(path: Path) -> Embedding:
    """What stands at `path`, told by content and never by name.

    Raises CheckpointUnreadable for what is broken or pickled, and EmbeddingUnsupported for what is sound and something
    else, or for other architectures.
    """
    try:
        header = read_header(path)
    except CheckpointUnreadable as error:
        raise CheckpointUnreadable(error.message, hint=error.hint.replace("checkpoint", "textual inversion")) from error
    shapes = header.shapes
    of_part = {_PART_NAMES[name]: name for name in shapes if name in _PART_NAMES}
    single = next(iter(shapes)) if len(shapes) == 1 else ""
    if len(of_part) < len(shapes) and single:
        of_part = {"text_encoder_2" if shapes[single][-1:] == (1280,) else "text_encoder": single}
    if len(of_part) < len(shapes):
        stranger = next(name for name in shapes if name not in _PART_NAMES)
        raise EmbeddingUnsupported(
            "{name} is no textual inversion for a family that Paintbridge paints with ({tensor}).",
            hint="Textual inversions of Stable Diffusion 1, 2 and XL are read.",
            name=path.name,
            tensor=stranger,
        )
    strange = next((kind for kind, *_ in header.places.values() if kind not in _NUMBERS), None)
    if strange is not None:
        raise EmbeddingUnsupported(
            "{name} holds numbers of the kind {kind}, where floats belong.",
            hint="Get the same one in half precision.",
            name=path.name,
            kind=strange,
        )
    said = header.metadata.get("modelspec.architecture", "")
    family = next((family for word, family in _SAID if word in said), None) or _family(of_part, shapes)
    token = single if single.startswith("<") and single.endswith(">") else ""
    return _embedding(path.stem, path, family, of_part, shapes, token)


def bundled_embedding(word: str, path: Path, family: Family, tensors: Iterable[str], shapes: Shapes) -> Embedding:
    """A textual inversion of that name in a LoRA's file, of which these are the tensors.

    Raises as `inspect_embedding`.
    """
    of_part = {}
    for name in tensors:
        kind = name.removeprefix(f"bundle_emb.{word}.").partition(".")[0]
        of_part[_PART_NAMES.get(kind, "text_encoder")] = name
    return _embedding(word, path, family.name, of_part, shapes)


def _embedding(
    name: str, path: Path, family: str | None, of_part: Mapping[str, str], shapes: Shapes, token: str = ""
) -> Embedding:
    sizes = {shapes[tensor][0] if len(shapes[tensor]) == 2 else 1 for tensor in of_part.values()}
    if len(sizes) != 1 or 0 in sizes or any(len(shapes[tensor]) not in (1, 2) for tensor in of_part.values()):
        raise CheckpointUnreadable(
            "The textual inversion {name} is damaged: its tensors do not fit each other.", hint=_GET_AGAIN, name=name
        )
    widths = ", ".join(str(shapes[tensor][-1]) for tensor in of_part.values())
    if family is None or not {text.encoder for text in FAMILIES[family].texts}.issuperset(of_part):
        raise EmbeddingUnsupported(
            "{name} is a textual inversion for text encoders of the width {widths}, which no family of Paintbridge's "
            "has.",
            name=name,
            widths=widths,
        )
    return Embedding(name, path, FAMILIES[family], sizes.pop(), tuple(sorted(of_part.items())), token)


def _family(of_part: Mapping[str, str], shapes: Shapes) -> str | None:
    if "text_encoder_2" in of_part:
        return "SDXL"
    shape = shapes[of_part["text_encoder"]]
    return _FAMILY_OF_WIDTH.get(shape[-1]) if shape else None


class EmbeddingRegistry:
    """The textual inversions by name.

    The order is: the bridge's own, the folders given, other programs' folders.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the textual inversions are those in their `embeddings`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / EMBEDDINGS for folder in folders]
        self._index = ModelIndex(partial(_candidates, self._folders), inspect_embedding, clock=clock)

    def entries(self, *, fresh: bool = False) -> tuple[Entry[Embedding], ...]:
        """All of them, usable or not; as they were within the last second, or ``fresh``."""
        return self._index.entries(fresh=fresh)


def _candidates(folders: Iterable[Path]) -> Iterator[Candidate]:
    for folder in (find_home().embeddings, *folders):
        if folder.exists():
            yield from candidates_in(Location(OWN, folder), embedding_candidates)
    for location in find_locations(kind="embedding"):
        yield from candidates_in(location, embedding_candidates)
