"""A checkpoint as a diffusers folder, told by its model_index.json and the configs of its parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from .card import LEAST_NATIVE, MOST_NATIVE, read_card
from .checkpoint import Checkpoint, DenoiserShape
from .checkpoint_files import read_json, scheduler_part, tokenizer_part
from .config_keys import check_config, check_index, check_scheduler
from .distillation import distillation_of
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import Family, FolderConfigs, check_at_home, family_of_folder, own_inspection, variant_of_folder
from .parts import Layout, folder_part
from .schedule import DIFFUSION_PREDICTIONS, Prediction, ScheduleKind
from .tensor_file import read_header
from .tensor_names import check_numbers

__all__ = ["folder_configs", "inspect_folder", "prediction_of", "sees_mask"]


def inspect_folder(path: Path) -> Checkpoint:
    """The checkpoint in a folder.

    Raises CheckpointUnreadable for what is broken, incomplete or pickled, and CheckpointUnsupported for what is sound
    but cannot be painted with.
    """
    if not (path / "model_index.json").is_file():
        raise CheckpointUnsupported("This folder is not a diffusers checkpoint: it has no model_index.json.")
    index = read_json(path / "model_index.json")
    check_at_home(index)
    configs = folder_configs(path, index)
    denoiser, scheduler = configs.denoiser, configs.scheduler
    family = family_of_folder(configs)
    if (inspect_own := own_inspection(family)) is not None:
        return cast(Checkpoint, inspect_own(path))
    check_index(index, family)
    inpaint = sees_mask(denoiser.get("in_channels"), family)
    if not (path / "scheduler" / "scheduler_config.json").is_file():
        raise CheckpointUnreadable(
            "The folder has no {name}.",
            hint="Download or copy the folder again.",
            name="scheduler/scheduler_config.json",
        )
    prediction = prediction_of(scheduler.get("prediction_type", "epsilon"), family)
    check_scheduler(scheduler, family.schedule)
    variant = variant_of_folder(family, configs, path.name)
    distilled = None if variant else distillation_of(path.name, scheduler, denoiser)
    parts = [scheduler_part(path / "scheduler")]
    for name in family.weighted_parts:
        check_config(name, read_json(path / name / "config.json"), family.classes[name], family.config(name))
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
        read_json(path / denoiser / "config.json") if denoiser else {},
        read_json(path / "text_encoder" / "config.json") if "text_encoder" in index else {},
        read_json(scheduler) if scheduler.is_file() else {},
    )


def _native_pixels(denoiser: Mapping[str, Any], family: Family) -> int | None:
    """The size that a UNet's config says it was trained at; None where it says none, or none that it could be."""
    said = denoiser.get("sample_size")
    height, width = said if isinstance(said, list) and len(said) == 2 else (said, said)
    if not (isinstance(height, int) and isinstance(width, int)):
        return None
    pixels = height * width * family.pixels_per_latent**2
    return pixels if LEAST_NATIVE <= pixels <= MOST_NATIVE else None


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
            "Its denoiser takes {channels} channels; Paintbridge paints with {known}.",
            hint="Choose another checkpoint.",
            channels=channels,
            known=known,
        )
    return channels is not None and bool(channels == inpaint)


def prediction_of(name: Any, family: Family) -> Prediction:
    """What a denoiser predicts, by diffusers' name. Raises CheckpointUnsupported for what samplers do not know."""
    if family.schedule is ScheduleKind.FLOW_MATCHING:
        return Prediction.FLOW
    if name not in DIFFUSION_PREDICTIONS:
        trained = "was trained by flow matching" if str(name).startswith("flow") else f"predicts {name!r}"
        raise CheckpointUnsupported("It {trained}, which Paintbridge's samplers do not know.", trained=trained)
    return Prediction(name)
