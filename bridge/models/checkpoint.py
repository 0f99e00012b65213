"""One checkpoint, told by content: a diffusers folder or a single safetensors file. Nothing of it is loaded here."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .card import Card, read_card
from .distillation import distillation_of
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .family import Family, family_of_folder, family_of_tensors
from .hashing import content_hash
from .safetensors_header import read_header
from .single_file import check_parts, configs_beside, prediction_of_file

__all__ = ["Checkpoint", "UnetShape", "inspect", "weight_files"]


@dataclass(frozen=True)
class UnetShape:
    """What else must be shaped like to work with a UNet: its first channels, and its cross-attention's width."""

    channels: int
    width: int

    @classmethod
    def of_config(cls, config: dict[str, Any]) -> "UnetShape":
        """By a config.json; 0 where that says nothing."""
        channels, width = config.get("block_out_channels"), config.get("cross_attention_dim")
        first = channels[0] if isinstance(channels, list) and channels else 0
        return cls(first, width if isinstance(width, int) else 0)


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk.

    `layout` is "folder" or "file"; `inpaint` says that its UNet takes nine channels (latents, mask, masked picture) and
    not four; `prediction` is "epsilon", "v_prediction" or "sample"; `zero_empty` says that an empty negative prompt
    conditions on zeros; `files` are those that loading reads.
    """

    id: str
    path: Path
    layout: str
    family: Family
    inpaint: bool
    prediction: str
    zero_empty: bool
    card: Card
    files: tuple[Path, ...]
    shape: UnetShape

    @property
    def hash(self) -> str:
        """SHA-256 over `files`, 64 hex digits. The first call reads them all; later ones remember."""
        return content_hash(self.path, self.files)


def inspect(path: Path) -> Checkpoint:
    """What stands at `path`, told by content and never by name.

    Raises CheckpointUnreadable for what is broken, incomplete or pickled, and CheckpointUnsupported for what is sound
    but cannot be painted with.
    """
    if path.is_dir():
        return _inspect_folder(path)
    if path.is_file():
        return _inspect_file(path)
    raise CheckpointUnreadable(f"There is nothing at {path.name}.", hint="Was the checkpoint moved or deleted?")


def weight_files(part: Path) -> tuple[Path, ...]:
    """The safetensors files of one part (unet, vae, text_encoder): whole before sharded, full before half precision.

    Raises CheckpointUnreadable when there are none, or only pickles.
    """
    for stem in ("diffusion_pytorch_model", "model"):
        for variant in ("", ".fp16"):
            whole = part / f"{stem}{variant}.safetensors"
            if whole.is_file():
                return (whole,)
            shards = part / f"{stem}.safetensors.index{variant}.json"
            if shards.is_file():
                names = sorted(set(_read_json(shards).get("weight_map", {}).values()))
                if not names or any(Path(name).name != name for name in names):
                    raise CheckpointUnreadable(f"{part.name}/{shards.name} names no sensible files.")
                return (shards, *(part / name for name in names))
    if any(part.glob("*.bin")) or any(part.glob("*.ckpt")):
        raise CheckpointUnreadable(
            f"Its {part.name} is a pickle, which can run code when it is opened, so it is not loaded.",
            hint="Get the same checkpoint as .safetensors.",
        )
    raise CheckpointUnreadable(f"Its {part.name} has no weights.", hint="Download or copy the folder again.")


def _inspect_folder(path: Path) -> Checkpoint:
    if not (path / "model_index.json").is_file():
        raise CheckpointUnsupported("This folder is not a diffusers checkpoint: it has no model_index.json.")
    index = _read_json(path / "model_index.json")
    unet = _read_json(path / "unet" / "config.json") if "unet" in index else {}
    text_encoder = _read_json(path / "text_encoder" / "config.json") if "text_encoder" in index else {}
    family = family_of_folder(index, unet, text_encoder)
    inpaint = _inpaint(unet.get("in_channels", 4))
    scheduler = _read_json(path / "scheduler" / "scheduler_config.json")
    distilled = distillation_of(path.name, scheduler, unet)
    files = [path / "model_index.json", path / "scheduler" / "scheduler_config.json"]
    for part in family.weighted_parts:
        config, weights = path / part / "config.json", weight_files(path / part)
        if _read_json(config).get("latents_mean") is not None:
            raise CheckpointUnsupported("Its latents are centred, which Paintbridge does not paint with yet.")
        for file in weights:
            if file.suffix == ".safetensors":
                header = read_header(file)
                _check_shape(part, header.shapes, unet)
        files += [config, *weights]
    for text in family.texts:
        files += _tokenizer_files(path / text.tokenizer)
    return Checkpoint(
        id=path.name,
        path=path,
        layout="folder",
        family=family,
        inpaint=inpaint,
        prediction=_prediction(scheduler.get("prediction_type", "epsilon")),
        zero_empty=family.zero_empty and bool(index.get("force_zeros_for_empty_prompt", True)),
        card=read_card(path / "card.json", name=path.name, family=family, distillation=distilled),
        files=tuple(files),
        shape=UnetShape.of_config(unet),
    )


def _inspect_file(path: Path) -> Checkpoint:
    header = read_header(path)
    family, channels = family_of_tensors(header.shapes)
    inpaint = _inpaint(channels)
    check_parts(family, header.shapes)
    beside = configs_beside(path)
    extra = sorted(file for file in beside.rglob("*") if file.suffix in (".json", ".txt")) if beside else []
    # Without a folder beside the file there is no card there either, and the family's facts hold.
    distilled = distillation_of(path.stem)
    card = read_card((beside or path) / "card.json", name=path.stem, family=family, distillation=distilled)
    return Checkpoint(
        id=path.stem,
        path=path,
        layout="file",
        family=family,
        inpaint=inpaint,
        prediction=_prediction(prediction_of_file(path, header, family, inpaint=inpaint)),
        zero_empty=family.zero_empty,
        card=card,
        files=(path, *extra),
        shape=_shape_of_tensors(header.shapes),
    )


def _shape_of_tensors(shapes: dict[str, tuple[int, ...]]) -> UnetShape:
    unet = {name: shape for name, shape in shapes.items() if name.startswith("model.diffusion_model.")}
    widths = (shape[1] for name, shape in unet.items() if name.endswith("attn2.to_k.weight") and len(shape) == 2)
    return UnetShape(unet["model.diffusion_model.input_blocks.0.0.weight"][0], next(widths, 0))


def _tokenizer_files(part: Path) -> list[Path]:
    files = sorted(file for file in part.glob("*") if file.suffix in (".json", ".txt"))
    if not any(file.name in ("vocab.json", "tokenizer.json") for file in files):
        raise CheckpointUnreadable(f"Its {part.name} has no vocabulary.", hint="Download or copy the folder again.")
    return files


def _check_shape(part: str, shapes: dict[str, tuple[int, ...]], unet: dict[str, Any]) -> None:
    first = shapes.get("conv_in.weight") if part == "unet" else None
    if first is not None and (len(first) != 4 or first[1] != unet.get("in_channels", 4)):
        raise CheckpointUnreadable(
            "Its UNet's weights and config.json contradict each other.", hint="Download or copy the folder again."
        )


def _inpaint(channels: Any) -> bool:
    if channels not in (4, 9):
        raise CheckpointUnsupported(
            f"Its UNet takes {channels} channels; Paintbridge paints with 4 (base) or 9 (inpainting)."
        )
    return bool(channels == 9)


def _prediction(name: Any) -> str:
    if name not in ("epsilon", "v_prediction", "sample"):
        raise CheckpointUnsupported(f"It predicts {name!r}, which Paintbridge's samplers do not know.")
    return str(name)


def _read_json(path: Path) -> dict[str, Any]:
    name = f"{path.parent.name}/{path.name}" if path.name != "model_index.json" else path.name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointUnreadable(f"The folder has no {name}.", hint="Download or copy the folder again.") from error
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable(f"{name} cannot be read.", hint="Download or copy the folder again.") from error
    if not isinstance(found, dict):
        raise CheckpointUnreadable(f"{name} is not a JSON object.", hint="Download or copy the folder again.")
    return found
