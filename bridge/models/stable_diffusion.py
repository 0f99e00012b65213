"""Checkpoints of the Stable Diffusion line: a diffusers folder, or one file with UNet, VAE and text encoders."""

from pathlib import Path
from typing import Any

from .card import LEAST_NATIVE, MOST_NATIVE, read_card
from .checkpoint import Checkpoint, DenoiserShape
from .checkpoint_files import read_json, scheduler_part, tokenizer_part
from .config_keys import check_config, check_index, check_scheduler, kind_of_part
from .distillation import distillation_of
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import CONFIGS, FIRST_CONVOLUTION, Family
from .formats import FileHeader, format_of
from .parts import Layout, Part, folder_part
from .schedule import DIFFUSION_PREDICTIONS, Prediction
from .single_file import check_parts, configs_beside, said_by_file
from .tensor_file import read_header
from .tensor_names import check_numbers, check_tensors

__all__ = ["inspect_file", "inspect_folder"]


def inspect_folder(path: Path, index: dict[str, Any], denoiser: dict[str, Any], family: Family) -> Checkpoint:
    """A folder of that family, by its model_index.json and its UNet's config.

    Raises CheckpointUnreadable and CheckpointUnsupported for what cannot be painted with.
    """
    check_index(index)
    inpaint = _inpaint(denoiser.get("in_channels", 4))
    scheduler = read_json(path / "scheduler" / "scheduler_config.json")
    prediction = _prediction(scheduler.get("prediction_type", "epsilon"))
    check_scheduler(scheduler)
    distilled = distillation_of(path.name, scheduler, denoiser)
    parts = [scheduler_part(path / "scheduler")]
    for name in family.weighted_parts:
        check_config(name, read_json(path / name / "config.json"), kind_of_part(name))
        part = folder_part(name, path / name)
        for file in part.files:
            if file.suffix == ".safetensors":
                header = read_header(file)
                check_numbers(file, header)
                _check_shape(name, header.shapes, denoiser)
        parts.append(part)
    parts += [tokenizer_part(path / text.tokenizer) for text in family.texts]
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
        card=read_card(path / "card.json", name=path.name, family=family, distillation=distilled, native_pixels=native),
        files=(path / "model_index.json", *(file for part in parts for file in part.files)),
        shape=DenoiserShape.of_config(denoiser),
        parts=tuple(parts),
    )


def inspect_file(path: Path, header: FileHeader, family: Family) -> Checkpoint:
    """A file of that family. Raises as `inspect_folder`."""
    inpaint = _inpaint(header.shapes[FIRST_CONVOLUTION][1])
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
        prediction=_prediction(said.prediction),
        zero_terminal_snr=said.zero_terminal_snr,
        force_zeros_for_empty_prompt=family.force_zeros_for_empty_prompt,
        card=card,
        files=(path, *extra),
        shape=_shape_of_tensors(header.shapes),
        clip_skip=said.clip_skip,
        parts=_file_parts(path, header, family, beside, inpaint=inpaint),
    )


def _file_parts(
    path: Path, header: FileHeader, family: Family, beside: Path | None, *, inpaint: bool
) -> tuple[Part, ...]:
    """The parts of a file that holds all of them, each by the config beside the file, or by its family's."""
    configs = beside or CONFIGS / family.name
    parts = [Part("scheduler", configs / "scheduler", Layout.FOLDER)]
    for name, prefix in family.file_prefixes.items():
        values = (("in_channels", 9 if inpaint else 4),) if name == family.denoiser else ()
        parts.append(Part(name, path, Layout.FILE, (path,), prefix, configs / name, values, format_of(header, prefix)))
    for text in family.texts:
        own = beside / text.tokenizer if beside is not None else None
        folder = own if own is not None and own.is_dir() else CONFIGS / "clip"
        parts.append(Part(text.tokenizer, folder, Layout.FOLDER))
    return tuple(parts)


def _check_beside(beside: Path, family: Family) -> None:
    """The configs beside a single file, those of them that are there."""
    scheduler = beside / "scheduler" / "scheduler_config.json"
    if scheduler.is_file():
        check_scheduler(read_json(scheduler))
    for part in family.weighted_parts:
        if (beside / part / "config.json").is_file():
            check_config(part, read_json(beside / part / "config.json"), kind_of_part(part))


def _native_pixels(denoiser: dict[str, Any], family: Family) -> int | None:
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


def _check_shape(part: str, shapes: dict[str, tuple[int, ...]], denoiser: dict[str, Any]) -> None:
    first = shapes.get("conv_in.weight") if part == "unet" else None
    if first is not None and (len(first) != 4 or first[1] != denoiser.get("in_channels", 4)):
        raise CheckpointUnreadable(
            "Its UNet's weights and config.json contradict each other.", hint="Download or copy the folder again."
        )


def _inpaint(channels: Any) -> bool:
    if channels not in (4, 9):
        raise CheckpointUnsupported(
            "Its UNet takes {channels} channels; Paintbridge paints with 4 (base) or 9 (inpainting).", channels=channels
        )
    return bool(channels == 9)


def _prediction(name: Any) -> Prediction:
    if name not in DIFFUSION_PREDICTIONS:
        trained = "was trained by flow matching" if str(name).startswith("flow") else f"predicts {name!r}"
        raise CheckpointUnsupported("It {trained}, which Paintbridge's samplers do not know.", trained=trained)
    return Prediction(name)
