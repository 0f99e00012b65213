"""A VAE by itself, which a checkpoint may be given in place of its own: a diffusers folder, or a file in either layout.

Loads nothing.
"""

from pathlib import Path

from .config_keys import check_config
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import Family
from .json_files import load_object
from .parts import Layout, Part, folder_part
from .tensor_file import read_header
from .tensor_names import check_leftovers, check_numbers

__all__ = ["inspect_vae"]

_IN_CHECKPOINT = "first_stage_model."
_DECODER = "decoder.conv_in.weight"
_TAESD = ("decoder.layers.", "encoder.layers.", "1.weight")
# Published scales are rounded, and no two families' are so close.
_ROUNDING = 0.01


def inspect_vae(path: Path, own: Part, family: Family) -> Part:
    """What stands at `path`: a VAE for checkpoints of that family, in place of their `own`.

    Raises CheckpointUnreadable for what is broken, pickled or not there, and CheckpointUnsupported for anything else
    than such a VAE. A whole checkpoint, as a folder or a file, lends its own.
    """
    if path.is_dir():
        return _inspect_folder(path / "vae" if (path / "model_index.json").is_file() else path, family)
    if not path.is_file():
        raise CheckpointUnreadable(
            "There is no VAE at {path}.", hint="Check the spelling, and that its disk is connected.", path=path
        )
    header = read_header(path)
    check_numbers(path, header)
    prefix = _IN_CHECKPOINT if any(name.startswith(_IN_CHECKPOINT) for name in header.shapes) else ""
    shape = header.shapes.get(prefix + _DECODER, ())
    if len(shape) != 4:
        what = "TAESD, a small stand-in for a VAE" if any(n.startswith(_TAESD) for n in header.shapes) else "no VAE"
        raise CheckpointUnsupported(
            "{name} is {what}.", hint="Get one for the checkpoint's family.", name=path.name, what=what
        )
    if shape[1] != family.latent_channels:
        raise CheckpointUnsupported(
            "{name} is a VAE for latents of {channels} channels, where {title} has {wanted}.",
            hint="Get one for the checkpoint's family.",
            name=path.name,
            channels=shape[1],
            title=family.title,
            wanted=family.latent_channels,
        )
    if not prefix:
        parts = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.", "loss.", "model_ema.")
        check_leftovers(path.name, (name for name in header.shapes if not name.startswith(parts)))
    return Part("vae", path, Layout.FILE, (path,), prefix, own.config_file.parent)


def _inspect_folder(path: Path, family: Family) -> Part:
    config = path / "config.json"
    try:
        said = load_object(config)
        scale = float(said.get("scaling_factor", family.scaling_factor))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointUnreadable(
            "{name}/config.json cannot be read.", hint="Get the VAE again.", name=path.name
        ) from error
    check_config(path.name, said, "AutoencoderKL")
    if abs(scale / family.scaling_factor - 1) > _ROUNDING:
        raise CheckpointUnsupported(
            "{name} scales its latents by {scale}, where {title} has {scaling_factor}.",
            hint="Get a VAE for the checkpoint's family.",
            name=path.name,
            scale=f"{scale:g}",
            title=family.title,
            scaling_factor=f"{family.scaling_factor:g}",
        )
    part = folder_part("vae", path)
    for file in part.files:
        if file.suffix == ".safetensors":
            check_numbers(file, read_header(file))
    return part
