"""A checkpoint that was trained by flow matching, as a file: with all its parts, or with its denoiser alone.

What it does not hold lies in files of its own (`components`).
"""

from dataclasses import replace
from pathlib import Path

from .card import read_card
from .checkpoint import Checkpoint, DenoiserShape
from .checkpoint_files import read_json
from .components import Component, Want, component_of_config, components_in
from .config_keys import check_config
from .diffusers_folder import sees_mask
from .errors import CheckpointUnsupported
from .families import CONFIGS, Family, FolderConfigs, config_of_file, told_variant, variant_of_configs
from .formats import FileHeader, format_of
from .hashing import known_hash
from .parts import Layout, Part
from .schedule import Prediction
from .single_file import configs_beside
from .tensor_names import check_leftovers, check_numbers

__all__ = ["inspect_file"]

# What begins the names of a denoiser's tensors, longest first: ComfyUI's whole checkpoints, trainers' files, and none.
_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "")
_CHOOSE_ANOTHER = "Choose another checkpoint."


def inspect_file(path: Path, header: FileHeader, family: Family) -> Checkpoint:
    """A file of that family. What it does not hold is in `Checkpoint.wants`.

    Raises CheckpointUnreadable and CheckpointUnsupported for what cannot be painted with.
    """
    check_numbers(path, header, quantised=True)
    beside = configs_beside(path)
    inside = components_in(path, header)
    prefix = _prefix(header, inside)
    prefixes = (prefix, *(one.prefix for one in inside))
    check_leftovers(path.name, (name for name in header.shapes if not name.startswith(prefixes)))
    denoiser = _config_folder(beside, family, family.denoiser)
    bare = {name.removeprefix(prefix): shape for name, shape in header.shapes.items() if name.startswith(prefix)}
    # A config beside the file says everything itself.
    values = config_of_file(family, bare) if denoiser == CONFIGS / family.name / family.denoiser else {}
    config = {**read_json(denoiser / "config.json"), **values}
    parts = [
        Part("scheduler", (beside or CONFIGS / family.name) / "scheduler", Layout.FOLDER),
        Part(
            family.denoiser,
            path,
            Layout.FILE,
            (path,),
            prefix,
            denoiser,
            tuple(values.items()),
            format_of(header, prefix),
        ),
    ]
    wants = []
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
        elif text.tokenizer_class == "CLIPTokenizer":
            # The project ships its vocabulary.
            parts.append(Part(text.tokenizer, CONFIGS / "clip", Layout.FOLDER))
        else:
            encoder = _want(text.encoder, _config_folder(beside, family, text.encoder))
            wants.append(replace(encoder, part=text.tokenizer, is_tokenizer=True))
    extra = sorted(file for file in beside.rglob("*") if file.suffix in (".json", ".txt")) if beside else []
    variant = (
        variant_of_configs(family, FolderConfigs({}, config, {}))
        or told_variant(family.variants, metadata=header.metadata, hash=known_hash(path, (path,)), names=_names(path))
        or next(iter(family.variants), None)
    )
    return Checkpoint(
        id=path.stem,
        path=path,
        layout=Layout.FILE,
        family=family,
        inpaint=sees_mask(config.get("in_channels"), family),
        prediction=Prediction.FLOW,
        zero_terminal_snr=False,
        force_zeros_for_empty_prompt=False,
        card=read_card((beside or path) / "card.json", name=path.stem, family=family, variant=variant),
        files=(path, *extra),
        shape=DenoiserShape.of_config(config),
        parts=tuple(parts),
        wants=tuple(wants),
        variant=variant,
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
    check_config(part, read_json(folder / "config.json"), family.classes[part], family.config(part))


def _names(path: Path) -> tuple[str, ...]:
    """What it is called: by itself, by its folder, or by its repository in the Hugging Face cache."""
    repository = path.parents[1].name if path.parent.name == "snapshots" else path.parent.name
    return (path.stem if path.is_file() else path.name, repository.split("--")[-1])
