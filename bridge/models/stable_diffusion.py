"""A checkpoint of the Stable Diffusion line in one file, with UNet, VAE and text encoders."""

from pathlib import Path

from .card import read_card
from .checkpoint import Checkpoint, DenoiserShape
from .checkpoint_files import read_json
from .config_keys import check_config, check_scheduler
from .diffusers_folder import prediction_of, sees_mask
from .distillation import distillation_of
from .families import CONFIGS, FIRST_CONVOLUTION, Family
from .formats import FileHeader, format_of
from .parts import Layout, Part
from .single_file import check_parts, configs_beside, said_by_file
from .tensor_names import check_tensors

__all__ = ["inspect_file"]


def inspect_file(path: Path, header: FileHeader, family: Family) -> Checkpoint:
    """A file of that family.

    Raises CheckpointUnreadable and CheckpointUnsupported for what cannot be painted with.
    """
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
        prediction=prediction_of(said.prediction, family),
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
        check_scheduler(read_json(scheduler), family.schedule)
    for part in family.weighted_parts:
        if (beside / part / "config.json").is_file():
            check_config(part, read_json(beside / part / "config.json"), family.classes[part], family.config(part))


def _shape_of_tensors(shapes: dict[str, tuple[int, ...]]) -> DenoiserShape:
    denoiser = {name: shape for name, shape in shapes.items() if name.startswith("model.diffusion_model.")}
    widths = (shape[1] for name, shape in denoiser.items() if name.endswith("attn2.to_k.weight") and len(shape) == 2)
    return DenoiserShape(denoiser[FIRST_CONVOLUTION][0], next(widths, 0))
