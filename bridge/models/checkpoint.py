"""One checkpoint, told by content: a diffusers folder or a single safetensors file. Nothing of it is loaded here."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from .card import LEAST_NATIVE, MOST_NATIVE, Card, read_card
from .config_keys import check_config, check_index, check_scheduler
from .distillation import distillation_of
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import (
    CONFIGS,
    FIRST_CONVOLUTION,
    Family,
    FolderConfigs,
    Variant,
    family_of_folder,
    family_of_tensors,
    own_inspection,
    variant_of_folder,
)
from .hashing import content_hash, known_hash
from .parts import Layout, Part, folder_part
from .schedule import DIFFUSION_PREDICTIONS, Prediction, ScheduleKind
from .single_file import check_parts, configs_beside, said_by_file
from .tensor_file import read_header
from .tensor_names import check_numbers, check_tensors

__all__ = ["Checkpoint", "DenoiserShape", "folder_configs", "inspect", "sees_mask"]


@dataclass(frozen=True)
class DenoiserShape:
    """What guides must fit of a UNet: its first channels, and its cross-attention's width."""

    channels: int
    width: int

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> "DenoiserShape":
        """By a config.json; 0 where that says nothing."""
        channels, width = config.get("block_out_channels"), config.get("cross_attention_dim")
        first = channels[0] if isinstance(channels, list) and channels else 0
        return cls(first, width if isinstance(width, int) else 0)


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk.

    `layout` says what it is: a folder, or a file, which may need others. `inpaint` says that its denoiser takes further
    channels (mask, masked picture); `prediction` is what the denoiser predicts, `zero_terminal_snr` says that its noise
    schedule ends in noise alone; `force_zeros_for_empty_prompt` that an empty negative prompt conditions on zeros.
    `files` are those of its own that loading reads. `parts` says where each part lies. `clip_skip` is the layer of its
    text encoders that it reads, counted from the last, 1; None: the family's. `variant` is which one of its family's it
    is, where that has some. `told` is what `checkpoint_settings` says of it that its files do not.
    """

    id: str
    path: Path
    layout: Layout
    family: Family
    inpaint: bool
    prediction: Prediction
    zero_terminal_snr: bool
    force_zeros_for_empty_prompt: bool
    card: Card
    files: tuple[Path, ...]
    shape: DenoiserShape
    clip_skip: int | None = None
    parts: tuple[Part, ...] = ()
    variant: Variant | None = None
    told: tuple[str, ...] = ()

    def part(self, name: str) -> Part:
        """The part of that name in a diffusers folder. Raises KeyError where it has none."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    def with_part(self, part: Part) -> "Checkpoint":
        """This checkpoint with a part in place of its own."""
        return replace(self, parts=(*(one for one in self.parts if one.name != part.name), part))

    @property
    def apart(self) -> tuple[Part, ...]:
        """Its parts that lie in other files than its own, as far as they are no part of Paintbridge."""
        return tuple(part for part in self.parts if not set(part.files) <= set(self.files))

    @property
    def native_range(self) -> tuple[int, int] | None:
        """The family's, for the native size of this checkpoint, which its card may say is another."""
        if self.family.native_range is None:
            return None
        least, most = (
            round(one * self.card.native_pixels / self.family.native_pixels) for one in self.family.native_range
        )
        return least, most

    @property
    def layers_skipped(self) -> int:
        """How many layers before its family's the text encoders are read at."""
        return max(0, (self.clip_skip or 0) - self.family.clip_skip)

    @property
    def hash(self) -> str:
        """As `content_hash`."""
        return self.content_hash()

    def content_hash(self, *, check: Callable[[], None] | None = None) -> str:
        """SHA-256 over `files`, and over what it was told and its parts in other files, if any: 64 hex digits.

        The first call reads all files; later ones remember. `check` is called every few megabytes and may raise to end
        the reading.
        """
        files = content_hash(self.path, self.files, check=check)
        return self._with_settings(files, {part.name: part.content_hash(check=check) for part in self.apart})

    def known_hash(self) -> str | None:
        """The same, without reading the files: None until something has hashed them."""
        files = known_hash(self.path, self.files)
        apart = {part.name: part.known_hash() for part in self.apart}
        known = {name: one for name, one in apart.items() if one is not None}
        return None if files is None or len(known) < len(apart) else self._with_settings(files, known)

    def _with_settings(self, files: str, apart: Mapping[str, str]) -> str:
        if not self.told and not apart:
            return files
        lines = [files, *sorted(self.told), *(f"{name} = {one}" for name, one in sorted(apart.items()))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def inspect(path: Path) -> Checkpoint:
    """What stands at `path`, told by content and never by name.

    Raises CheckpointUnreadable for what is broken, incomplete or pickled, and CheckpointUnsupported for what is sound
    but cannot be painted with.
    """
    if path.is_dir():
        return _inspect_folder(path)
    if path.is_file():
        return _inspect_file(path)
    raise CheckpointUnreadable(
        "There is nothing at {name}.", hint="Was the checkpoint moved or deleted?", name=path.name
    )


def _inspect_folder(path: Path) -> Checkpoint:
    if not (path / "model_index.json").is_file():
        raise CheckpointUnsupported("This folder is not a diffusers checkpoint: it has no model_index.json.")
    index = _read_json(path / "model_index.json")
    configs = folder_configs(path, index)
    denoiser, scheduler = configs.denoiser, configs.scheduler
    family = family_of_folder(configs)
    if (inspect_own := own_inspection(family)) is not None:
        return cast(Checkpoint, inspect_own(path))
    check_index(index, family)
    inpaint = sees_mask(denoiser.get("in_channels"), family)
    if not scheduler:
        raise CheckpointUnreadable(
            "The folder has no {name}.",
            hint="Download or copy the folder again.",
            name="scheduler/scheduler_config.json",
        )
    prediction = _prediction(scheduler.get("prediction_type", "epsilon"), family)
    check_scheduler(scheduler, family.schedule)
    variant = variant_of_folder(family, configs, path.name)
    distilled = None if variant else distillation_of(path.name, scheduler, denoiser)
    parts = [_scheduler_part(path / "scheduler")]
    for name in family.weighted_parts:
        check_config(name, _read_json(path / name / "config.json"), family.classes[name], family.config(name))
        part = folder_part(name, path / name)
        for file in part.files:
            if file.suffix == ".safetensors":
                header = read_header(file)
                check_numbers(file, header)
                _check_shape(name, header.shapes, denoiser)
        parts.append(part)
    parts += [_tokenizer_part(path / text.tokenizer) for text in family.texts]
    native = _native_pixels(denoiser, family)
    return Checkpoint(
        id=path.name,
        path=path,
        layout=Layout.FOLDER,
        family=family,
        inpaint=inpaint,
        prediction=prediction,
        zero_terminal_snr=bool(scheduler.get("rescale_betas_zero_snr", False)),
        force_zeros_for_empty_prompt=family.force_zeros_for_empty_prompt
        and bool(index.get("force_zeros_for_empty_prompt", True)),
        card=read_card(
            path / "card.json",
            name=path.name,
            family=family,
            variant=variant,
            distillation=distilled,
            native_pixels=native,
        ),
        files=(path / "model_index.json", *(file for part in parts for file in part.files)),
        shape=DenoiserShape.of_config(denoiser),
        parts=tuple(parts),
        variant=variant,
    )


def folder_configs(path: Path, index: Mapping[str, Any]) -> FolderConfigs:
    """The configs of a diffusers folder that tell what it is. Raises CheckpointUnreadable for what is no JSON object,
    and where a denoiser or text encoder that its index names has none.
    """
    denoiser = next((name for name in ("unet", "transformer") if name in index), None)
    scheduler = path / "scheduler" / "scheduler_config.json"
    return FolderConfigs(
        index,
        _read_json(path / denoiser / "config.json") if denoiser else {},
        _read_json(path / "text_encoder" / "config.json") if "text_encoder" in index else {},
        _read_json(scheduler) if scheduler.is_file() else {},
    )


def _inspect_file(path: Path) -> Checkpoint:
    header = read_header(path)
    family = family_of_tensors(header.shapes)
    if (inspect_own := own_inspection(family)) is not None:
        return cast(Checkpoint, inspect_own(path))
    inpaint = sees_mask(header.shapes[FIRST_CONVOLUTION][1], family)
    beside = configs_beside(path)
    check_tensors(path, header, family)
    check_parts(family, header.shapes, own_configs=beside is not None)
    if beside is not None:
        _check_beside(beside, family)
    said = said_by_file(path, header, family, inpaint=inpaint)
    extra = sorted(file for file in beside.rglob("*") if file.suffix in (".json", ".txt")) if beside else []
    # Without a folder beside the file there is no card there either, and the family's facts hold.
    card = read_card(
        (beside or path) / "card.json",
        name=path.stem,
        family=family,
        distillation=distillation_of(path.stem),
        native_pixels=said.native_pixels,
    )
    return Checkpoint(
        id=path.stem,
        path=path,
        layout=Layout.FILE,
        family=family,
        inpaint=inpaint,
        prediction=_prediction(said.prediction, family),
        zero_terminal_snr=said.zero_terminal_snr,
        force_zeros_for_empty_prompt=family.force_zeros_for_empty_prompt,
        card=card,
        files=(path, *extra),
        shape=_shape_of_tensors(header.shapes),
        clip_skip=said.clip_skip,
        parts=_file_parts(path, family, beside, inpaint=inpaint),
    )


def _file_parts(path: Path, family: Family, beside: Path | None, *, inpaint: bool) -> tuple[Part, ...]:
    """The parts of a file that holds all of them, each by the config beside the file, or by its family's."""
    configs = beside or CONFIGS / family.name
    parts = [Part("scheduler", configs / "scheduler", Layout.FOLDER)]
    for name, prefix in family.file_prefixes.items():
        values = (("in_channels", 9 if inpaint else 4),) if name == family.denoiser else ()
        parts.append(Part(name, path, Layout.FILE, (path,), prefix, configs / name, values))
    for text in family.texts:
        own = beside / text.tokenizer if beside is not None else None
        folder = own if own is not None and own.is_dir() else CONFIGS / "clip"
        parts.append(Part(text.tokenizer, folder, Layout.FOLDER))
    return tuple(parts)


def _check_beside(beside: Path, family: Family) -> None:
    """The configs beside a single file, those of them that are there."""
    scheduler = beside / "scheduler" / "scheduler_config.json"
    if scheduler.is_file():
        check_scheduler(_read_json(scheduler), family.schedule)
    for part in family.weighted_parts:
        if (beside / part / "config.json").is_file():
            check_config(part, _read_json(beside / part / "config.json"), family.classes[part], family.config(part))


def _native_pixels(denoiser: Mapping[str, Any], family: Family) -> int | None:
    """The size that a UNet's config says it was trained at; None where it says none, or none that it could be."""
    said = denoiser.get("sample_size")
    height, width = said if isinstance(said, list) and len(said) == 2 else (said, said)
    if not (isinstance(height, int) and isinstance(width, int)):
        return None
    pixels = height * width * family.pixels_per_latent**2
    return pixels if LEAST_NATIVE <= pixels <= MOST_NATIVE else None


def _shape_of_tensors(shapes: dict[str, tuple[int, ...]]) -> DenoiserShape:
    denoiser = {name: shape for name, shape in shapes.items() if name.startswith("model.diffusion_model.")}
    widths = (shape[1] for name, shape in denoiser.items() if name.endswith("attn2.to_k.weight") and len(shape) == 2)
    return DenoiserShape(denoiser[FIRST_CONVOLUTION][0], next(widths, 0))


def _scheduler_part(folder: Path) -> Part:
    return Part("scheduler", folder, Layout.FOLDER, (folder / "scheduler_config.json",))


def _tokenizer_part(part: Path) -> Part:
    files = sorted(file for file in part.glob("*") if file.suffix in (".json", ".txt"))
    if not any(file.name in ("vocab.json", "tokenizer.json") for file in files):
        raise CheckpointUnreadable(
            "Its {name} has no vocabulary.", hint="Download or copy the folder again.", name=part.name
        )
    return Part(part.name, part, Layout.FOLDER, tuple(files))


def _check_shape(part: str, shapes: dict[str, tuple[int, ...]], denoiser: Mapping[str, Any]) -> None:
    first = shapes.get("conv_in.weight") if part == "unet" else None
    if first is not None and (len(first) != 4 or first[1] != denoiser.get("in_channels", 4)):
        raise CheckpointUnreadable(
            "Its UNet's weights and config.json contradict each other.", hint="Download or copy the folder again."
        )


def sees_mask(channels: int | None, family: Family) -> bool:
    """Whether a denoiser of so many input channels, None: the family's usual ones, sees mask and masked picture.

    Raises CheckpointUnsupported for another number.
    """
    usual, inpaint = family.config(family.denoiser).get("in_channels"), family.inpaint_channels
    if channels is not None and channels not in (usual, inpaint):
        known = f"{usual}" if inpaint is None else f"{usual} (base) or {inpaint} (inpainting)"
        raise CheckpointUnsupported(
            "Its denoiser takes {channels} channels; Paintbridge paints with {known}.", channels=channels, known=known
        )
    return channels is not None and bool(channels == inpaint)


def _prediction(name: Any, family: Family) -> Prediction:
    if family.schedule is ScheduleKind.FLOW_MATCHING:
        return Prediction.FLOW
    if name not in DIFFUSION_PREDICTIONS:
        trained = "was trained by flow matching" if str(name).startswith("flow") else f"predicts {name!r}"
        raise CheckpointUnsupported("It {trained}, which Paintbridge's samplers do not know.", trained=trained)
    return Prediction(name)


def _read_json(path: Path) -> dict[str, Any]:
    name = f"{path.parent.name}/{path.name}" if path.name != "model_index.json" else path.name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointUnreadable(
            "The folder has no {name}.", hint="Download or copy the folder again.", name=name
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable(
            "{name} cannot be read.", hint="Download or copy the folder again.", name=name
        ) from error
    if not isinstance(found, dict):
        raise CheckpointUnreadable("{name} is not a JSON object.", hint="Download or copy the folder again.", name=name)
    return found
