"""IP-Adapters on disk, and the image encoders that they read pictures by.

Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models". A file holds a
projection of an image encoder's states to tokens (`image_proj`), and keys and values for each cross-attention of a
UNet (`ip_adapter`). The encoder is CLIP's, in a folder or file of its own: `image_encoder` or `clip_vision` nearby.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import CheckpointUnreadable, ConditionUnsupported, ModelsError
from .parts import Part, folder_part

__all__ = ["IMAGE_ENCODER", "check_kind", "encoder_width", "find_encoder", "is_file", "token_width"]

IMAGE_ENCODER = "CLIPVisionModelWithProjection"
"""transformers' class of image encoders."""

_PROJECTION = "image_proj."
# Of a whole encoder's projected state, of all but its last layer's states (Plus), and of its last (Full).
_PLAIN, _PLUS, _FULL = (_PROJECTION + name for name in ("proj.weight", "proj_in.weight", "proj.0.weight"))
_KEYS = "to_k_ip.weight"
_FOLDERS = ("image_encoder", "clip_vision", "models/image_encoder")


def is_file(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a file's tensors are those of one."""
    return any(name.startswith(_PROJECTION) for name in shapes) and any(_KEYS in name for name in shapes)


def check_kind(name: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ConditionUnsupported for those that read faces by another network, and others that are not known."""
    faces = any("lora" in one or "perceiver_resampler" in one for one in shapes)
    known = _PLAIN in shapes or _PLUS in shapes or f"{_PROJECTION}proj.3.weight" in shapes
    if faces or not known:
        raise ConditionUnsupported(
            "{name} is an IP-Adapter for faces, or of another kind that Paintbridge does not take.",
            hint="Get ip-adapter or ip-adapter-plus for the checkpoint's family.",
            name=name,
        )


def token_width(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The width of the tokens that a UNet's cross-attentions are given."""
    return next(shape[1] for name, shape in shapes.items() if name.endswith(_KEYS))


def encoder_width(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, int]:
    """By what key of an image encoder's config it must be how wide: `projection_dim` or `hidden_size`."""
    if _PLAIN in shapes:
        return "projection_dim", shapes[_PLAIN][1]
    return "hidden_size", shapes[_PLUS if _PLUS in shapes else _FULL][1]


def find_encoder(path: Path, width: tuple[str, int]) -> Part:
    """The image encoder for the IP-Adapter at `path`: the first of the right width in the folders nearby.

    Raises ConditionUnsupported where there is none.
    """
    for folder in _folders_near(path):
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            said = config.get("vision_config", config) | {
                key: config[key] for key in ("projection_dim",) if key in config
            }
            if said.get(width[0]) == width[1]:
                return folder_part("image_encoder", folder)
        except (OSError, ValueError, AttributeError, ModelsError, CheckpointUnreadable):
            continue
    raise ConditionUnsupported(
        "The image encoder of {name} is not here.",
        hint="Put CLIP's image encoder of {key} {width}, a folder with config.json and model.safetensors, into "
        "{folder}.",
        name=path.stem,
        key=width[0],
        width=width[1],
        folder=path.parent / "image_encoder",
    )


def _folders_near(path: Path) -> Iterator[Path]:
    for parent in path.parents[:3]:
        for name in _FOLDERS:
            folder = parent / name
            if folder.is_dir():
                yield folder
                yield from sorted(one for one in folder.iterdir() if one.is_dir())
