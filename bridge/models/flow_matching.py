"""Checkpoints that were trained by flow matching: a transformer with a language model and a VAE.

As a diffusers folder, as one file with all parts, or as a file with the transformer alone, whose other parts lie in
files of their own (`components`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .card import read_card
from .checkpoint import Checkpoint, DenoiserShape
from .checkpoint_files import read_json, scheduler_part, tokenizer_part
from .components import Component, Want, component_of_config, components_in
from .config_keys import check_config
from .errors import CheckpointUnsupported
from .families import CONFIGS, Family, Variant, told_variant
from .formats import FileHeader, format_of
from .hashing import known_hash
from .parts import Layout, Part, folder_part
from .schedule import Prediction
from .single_file import configs_beside
from .tensor_file import read_header
from .tensor_names import check_leftovers, check_numbers

__all__ = ["inspect_file", "inspect_folder", "with_variant"]

# What begins the names of a denoiser's tensors, longest first: ComfyUI's whole checkpoints, trainers' files, and none.
_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "")
_SCHEDULERS = ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler")
_SHIFT = frozenset(
    [
        "shift",
        "use_dynamic_shifting",
        "base_shift",
        "max_shift",
        "base_image_seq_len",
        "max_image_seq_len",
        "num_train_timesteps",
        "time_shift_type",
    ]
)
# A sampler's own choice, as long as it is not made.
_UNUSED = frozenset(
    [
        "invert_sigmas",
        "shift_terminal",
        "use_karras_sigmas",
        "use_exponential_sigmas",
        "use_beta_sigmas",
        "stochastic_sampling",
    ]
)
_CHOOSE_ANOTHER = "Choose another checkpoint."


def inspect_folder(path: Path, index: dict[str, Any], denoiser: dict[str, Any], family: Family) -> Checkpoint:
    """A folder of that family, by its model_index.json and its denoiser's config.

    Raises CheckpointUnreadable and CheckpointUnsupported for what cannot be painted with.
    """
    _check_index(index, family)
    scheduler = scheduler_part(path / "scheduler")
    said = read_json(scheduler.files[0])
    _check_scheduler(said)
    parts = [scheduler]
    for name in family.weighted_parts:
        _check_config(family, name, path / name)
        part = folder_part(name, path / name)
        for file in part.files:
            if file.suffix == ".safetensors":
                check_numbers(file, read_header(file))
        parts.append(part)
    parts += [tokenizer_part(path / text.tokenizer) for text in family.texts]
    files = (path / "model_index.json", *(file for part in parts for file in part.files))
    variant = told_variant(
        family.variants,
        metadata={},
        configs={"model_index.json": index, "scheduler_config.json": said},
        hash=known_hash(path, files),
        names=_names(path),
    )
    return _checkpoint(
        path, Layout.FOLDER, family, variant, path / "card.json", files, tuple(parts), DenoiserShape.of_config(denoiser)
    )


def inspect_file(path: Path, header: FileHeader, family: Family) -> Checkpoint:
    """A file of that family. What it does not hold is in `Checkpoint.wants`. Raises as `inspect_folder`."""
    check_numbers(path, header, quantised=True)
    beside = configs_beside(path)
    configs = beside or CONFIGS / family.name
    inside = components_in(path, header)
    prefix = _prefix(header, inside)
    prefixes = (prefix, *(one.prefix for one in inside)) if prefix else (*(one.prefix for one in inside), "")
    if prefix:
        check_leftovers(path.name, (name for name in header.shapes if not name.startswith(prefixes)))
    parts, wants = [Part("scheduler", configs / "scheduler", Layout.FOLDER)], []
    config = _config_folder(beside, family, family.denoiser)
    parts.append(Part(family.denoiser, path, Layout.FILE, (path,), prefix, config, format=format_of(header, prefix)))
    for name in family.weighted_parts[1:]:
        want = _want(name, _config_folder(beside, family, name))
        own = next((one for one in inside if want.fits(one)), None)
        if own is None:
            wants.append(want)
        else:
            parts.append(want.part_of(own))
    for text in family.texts:
        folder = beside / text.tokenizer if beside is not None else None
        if folder is not None and folder.is_dir():
            parts.append(Part(text.tokenizer, folder, Layout.FOLDER))
        else:
            described = _want(text.encoder, _config_folder(beside, family, text.encoder))
            wants.append(Want(text.tokenizer, described.kind, described.size, described.config, is_tokenizer=True))
    extra = sorted(file for file in beside.rglob("*") if file.suffix in (".json", ".txt")) if beside else []
    variant = told_variant(
        family.variants, metadata=header.metadata, configs={}, hash=known_hash(path, (path,)), names=_names(path)
    )
    card = (beside or path) / "card.json"
    found = _checkpoint(
        path, Layout.FILE, family, variant, card, (path, *extra), tuple(parts), DenoiserShape(0, 0), tuple(wants)
    )
    return with_variant(found, found.variant) if found.variant is not None else found


def with_variant(checkpoint: Checkpoint, variant: Variant) -> Checkpoint:
    """The checkpoint's scheduler as that variant wants it; its card is the caller's."""
    if variant.shift is None:
        return checkpoint
    scheduler = checkpoint.part("scheduler")
    values = tuple(one for one in scheduler.values if one[0] != "shift")
    return checkpoint.with_part(scheduler.with_values(*values, ("shift", variant.shift)))


def _checkpoint(
    path: Path,
    layout: Layout,
    family: Family,
    variant: Variant | None,
    card: Path,
    files: tuple[Path, ...],
    parts: tuple[Part, ...],
    shape: DenoiserShape,
    wants: tuple[Want, ...] = (),
) -> Checkpoint:
    name = path.name if layout is Layout.FOLDER else path.stem
    chosen = variant or next(iter(family.variants), None)
    return Checkpoint(
        id=name,
        path=path,
        layout=layout,
        family=family,
        inpaint=False,
        prediction=Prediction.FLOW,
        zero_terminal_snr=False,
        force_zeros_for_empty_prompt=False,
        card=read_card(card, name=name, family=family, variant=chosen),
        files=files,
        shape=shape,
        parts=parts,
        wants=wants,
        variant=chosen,
    )


def _prefix(header: FileHeader, inside: tuple[Component, ...]) -> str:
    """What begins the names of the denoiser's tensors."""
    others = tuple(one.prefix for one in inside if one.prefix)
    names = [name for name in header.shapes if not (others and name.startswith(others))]
    return next(prefix for prefix in _PREFIXES if any(name.startswith(prefix) for name in names))


def _config_folder(beside: Path | None, family: Family, part: str) -> Path:
    own = beside / part if beside is not None else None
    if own is not None and (own / "config.json").is_file():
        _check_config(family, part, own)
        return own
    return CONFIGS / family.name / part


def _want(part: str, config: Path) -> Want:
    described = component_of_config(config / "config.json")
    if described is None:
        raise CheckpointUnsupported(
            "{name}/config.json describes nothing that Paintbridge knows.", hint=_CHOOSE_ANOTHER, name=config.name
        )
    return Want(part, *described, config)


def _check_config(family: Family, part: str, folder: Path) -> None:
    like = read_json(CONFIGS / family.name / part / "config.json")
    kind = like.get("_class_name") or like["architectures"][0]
    check_config(part, read_json(folder / "config.json"), kind, like=like)


def _check_index(index: Mapping[str, Any], family: Family) -> None:
    """Raises CheckpointUnsupported for parts that nothing here would use."""
    known = {*family.weighted_parts, *(text.tokenizer for text in family.texts), "scheduler"}
    told = {key for one in family.variants for file, key, _ in one.configs if file == "model_index.json"}
    for key, value in index.items():
        if not (key.startswith("_") or key in known or key in told or not value or value == [None, None]):
            raise CheckpointUnsupported(
                "Its model_index.json says {key} = {kind}, which Paintbridge does not know.",
                hint=_CHOOSE_ANOTHER,
                key=key,
                kind=str(value)[:60],
            )


def _check_scheduler(config: Mapping[str, Any]) -> None:
    """Raises CheckpointUnsupported for a schedule that is no flow, or bent otherwise than by a shift."""
    for key, value in config.items():
        known = key.startswith("_") or key in _SHIFT or (key in _UNUSED and not value)
        if not known or (key == "_class_name" and value not in _SCHEDULERS):
            raise CheckpointUnsupported(
                "Its {file} says {key} = {value}, which Paintbridge does not know.",
                hint=_CHOOSE_ANOTHER,
                file="scheduler/scheduler_config.json",
                key=key,
                value=str(value)[:60],
            )


def _names(path: Path) -> tuple[str, ...]:
    """What it is called: by itself, by its folder, or by its repository in the Hugging Face cache."""
    repository = path.parents[1].name if path.parent.name == "snapshots" else path.parent.name
    return (path.stem if path.is_file() else path.name, repository.split("--")[-1])
