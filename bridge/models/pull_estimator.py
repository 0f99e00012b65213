"""Which files of a repository an estimator needs: configs, and safetensors in full precision, as it is used."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from .errors import CheckpointUnreadable, CheckpointUnsupported
from .estimators import MARIGOLD, MARIGOLD_PARTS, check_network
from .weight_files import FULL_FIRST, find_weights, shards_of

__all__ = ["files_of_marigold", "files_of_network", "is_marigold", "is_network"]

_TOP = ("README.md", "LICENSE", "LICENSE.md", "LICENSE.txt")
_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
_TEXTS = re.compile(r"(tokenizer|scheduler)/[\w.-]+\.(json|txt)")

Read = Callable[[str], str]
"""Fetches a small file and gives its text."""


def is_network(names: Collection[str]) -> bool:
    """Whether a repository of such files is laid out as transformers' networks are."""
    return _CONFIG in names and "model_index.json" not in names


def is_marigold(index: dict[str, Any]) -> bool:
    """Whether that is the model_index.json of Marigold's normals."""
    return index.get("_class_name") == MARIGOLD


def files_of_network(name: str, names: Collection[str], config: Mapping[str, Any], read: Read) -> list[str]:
    """The files of a network of transformers' with that config.json.

    Raises EstimatorUnsupported for one that makes no maps, before its weights are asked for; CheckpointUnsupported and
    CheckpointUnreadable for one that lacks something.
    """
    check_network(name, config)
    if _PREPROCESSOR not in names:
        raise CheckpointUnsupported(
            "{name} has no {file} on the hub, which tells what pictures it was trained on.",
            hint="Choose another network for these maps.",
            name=name,
            file=_PREPROCESSOR,
        )
    top = [one for one in _TOP if one in names]
    return [*top, _CONFIG, _PREPROCESSOR, *_weights("", names, read)]


def files_of_marigold(names: Collection[str], read: Read) -> list[str]:
    """The files of Marigold's pipeline. Raises as `files_of_network`."""
    texts = [name for name in names if name in (*_TOP, "model_index.json") or _TEXTS.fullmatch(name)]
    configs = [f"{part}/{_CONFIG}" for part in MARIGOLD_PARTS]
    weights = [name for part in MARIGOLD_PARTS for name in _weights(f"{part}/", names, read)]
    return [*texts, *configs, *weights]


def _weights(prefix: str, names: Collection[str], read: Read) -> list[str]:
    own = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    own = [name for name in own if Path(name).name == name]
    found = find_weights(own, FULL_FIRST)
    title = prefix.rstrip("/") or "network"
    if found is None:
        raise CheckpointUnreadable(
            "Its {part} is on the hub as a pickle only, which can run code when it is opened, so it is not fetched.",
            hint="Look for the same checkpoint as .safetensors.",
            part=title,
        )
    shards = shards_of(read(f"{prefix}{found.name}"), f"{prefix}{found.name}") if found.sharded else ()
    missing = [name for name in shards if name not in own]
    if missing:
        raise CheckpointUnreadable(
            "Its {part} is incomplete on the hub: {example} is not there.",
            hint="Choose another checkpoint.",
            part=title,
            example=missing[0],
        )
    return [f"{prefix}{name}" for name in (found.name, *shards)]
