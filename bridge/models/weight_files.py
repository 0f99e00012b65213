"""Which safetensors files hold a part's weights: one whole file or shards, in one of several variants.

A variant stands in the file's name (`diffusion_pytorch_model.fp16.safetensors`); shards stand in an index of their own.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Sentence
from .errors import CheckpointUnreadable
from .json_files import parse_json

__all__ = ["FULL_FIRST", "HALF_FIRST", "Weights", "find_weights", "shards_of", "variant_of", "weight_files"]

FULL_FIRST = ("", "fp32", "fp16", "bf16")
"""Variants by precision; "" is the file without one. What was saved for more training (`non_ema`) comes last."""
HALF_FIRST = ("fp16", "", "bf16", "fp32")
"""The same for who downloads: half precision is half the bytes, and paints alike."""

_LAST = "non_ema"
_FILE = re.compile(
    r"(diffusion_pytorch_model|model)(?:\.(?P<whole>[\w-]+))?\.safetensors"
    r"|(diffusion_pytorch_model|model)\.safetensors\.index(?:\.(?P<sharded>[\w-]+))?\.json"
)
_SHARD = re.compile(r"-\d{5}-of-\d{5}")


@dataclass(frozen=True)
class Weights:
    """A whole file, or the index of shards, by its name; `variant` is "" where the name has none."""

    name: str
    variant: str

    @property
    def sharded(self) -> bool:
        """Whether the file only names others."""
        return self.name.endswith(".json")


def find_weights(names: Iterable[str], order: Sequence[str] = FULL_FIRST) -> Weights | None:
    """The best of the files of these names, by variant, whole before sharded; None: there are no safetensors."""
    found = []
    for name in names:
        match = _FILE.fullmatch(name)
        if match and not _SHARD.search(name):
            found.append(Weights(name, match["whole"] or match["sharded"] or ""))

    def rank(weights: Weights) -> tuple[int, str, bool, str]:
        place = order.index(weights.variant) if weights.variant in order else len(order)
        return place + (weights.variant == _LAST), weights.variant, weights.sharded, weights.name

    return min(found, key=rank, default=None)


def variant_of(files: Iterable[Path]) -> str | None:
    """The variant of the part whose files these are, as diffusers and transformers take it; None: none."""
    found = find_weights(file.name for file in files)
    return found.variant or None if found else None


def shards_of(index: str, title: str) -> tuple[str, ...]:
    """The files that an index names, from its JSON. Raises CheckpointUnreadable where it names no sensible ones."""
    try:
        names = sorted(set(parse_json(index)["weight_map"].values()))
        sensible = bool(names) and all(Path(name).name == name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError):
        sensible = False
    if not sensible:
        raise CheckpointUnreadable("{title} names no sensible files.", hint="Download or copy it again.", title=title)
    return tuple(names)


def weight_files(part: Path) -> tuple[Path, ...]:
    """The safetensors files of one part (unet, vae, text_encoder) of a folder, an index before its shards.

    Raises CheckpointUnreadable when there are none, only pickles, or not all shards.
    """
    try:
        names = [path.name for path in part.iterdir()] if part.is_dir() else []
        found = find_weights(names)
        index = (part / found.name).read_text(encoding="utf-8") if found and found.sharded else ""
    except (OSError, UnicodeError) as error:
        raise CheckpointUnreadable(
            "Its folder {name} cannot be read.", hint="Check its permissions.", name=part.name
        ) from error
    if found is not None:
        shards = shards_of(index, f"{part.name}/{found.name}") if found.sharded else ()
        missing = [name for name in shards if not (part / name).is_file()]
        if missing:
            raise CheckpointUnreadable(
                Sentence(
                    "Its {name} is in {count} files, and {missing_count} of them is not there: {example}.",
                    name=part.name,
                    count=len(shards),
                    missing_count=len(missing),
                    example=missing[0],
                )
                if len(missing) == 1
                else Sentence(
                    "Its {name} is in {count} files, and {missing_count} of them are not there, such as {example}.",
                    name=part.name,
                    count=len(shards),
                    missing_count=len(missing),
                    example=missing[0],
                ),
                hint="Download or copy what is missing into its folder {name}.",
                name=part.name,
            )
        return (part / found.name, *(part / name for name in shards))
    if any(_SHARD.search(name) and name.endswith(".safetensors") for name in names):
        raise CheckpointUnreadable(
            "Its {name} is in several files, and the index that names them is not there.",
            hint="Download or copy the .safetensors.index.json beside them, too.",
            name=part.name,
        )
    if any(name.endswith((".bin", ".ckpt", ".pt", ".pth")) for name in names):
        raise CheckpointUnreadable(
            "Its {name} is a pickle, which can run code when it is opened, so it is not loaded.",
            hint="Get the same checkpoint as .safetensors.",
            name=part.name,
        )
    raise CheckpointUnreadable("Its {name} has no weights.", hint="Download or copy the folder again.", name=part.name)
