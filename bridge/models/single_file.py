"""What a checkpoint in one safetensors file leaves unsaid: where its configs are, and how its UNet was trained."""

import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import pstdev
from typing import Any

from .card import LEAST_NATIVE, MOST_NATIVE
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import CONFIGS, Family
from .json_files import load_json
from .tensor_file import FileHeader, read_floats

__all__ = ["CONFIGS", "Said", "check_parts", "configs_beside", "said_by_file"]

_LAST_NORM = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
_V_PREDICTION_SPREAD = 0.09
# As Stability AI's ModelSpec and kohya's trainer have it; ComfyUI writes the same under another name.
_PREDICTIONS = {"epsilon": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}
_PREDICTION_KEYS = ("modelspec.prediction_type", "modelspec.predict_key")
_WORDS = {"vae": "VAE", "unet": "UNet"}
# Merging tools round schedules as they do weights: relative, and absolute where numbers are small.
_ROUNDING = {"F8_E4M3": (0.07, 2e-3), "F8_E5M2": (0.13, 1e-4)}
_USUAL_ROUNDING = (0.01, 1e-5)
_MOST_DIGITS = 9
_CLIP_LAYERS = 12


@dataclass(frozen=True)
class Said:
    """What a file says of itself, completed by its family. `clip_skip` and `native_pixels`: None where it is silent."""

    prediction: str
    zero_terminal_snr: bool
    clip_skip: int | None = None
    native_pixels: int | None = None


def configs_beside(path: Path) -> Path | None:
    """The folder `NAME.config` beside `NAME.safetensors`, where there is one."""
    beside = path.with_name(f"{path.stem}.config")
    return beside if beside.is_dir() else None


def check_parts(family: Family, shapes: Mapping[str, Any], *, own_configs: bool) -> None:
    """Raises CheckpointUnsupported where a part of the family has no tensors in the file, or its UNet fewer blocks than
    the family's and no config of its own.
    """
    for part in family.weighted_parts:
        if not any(name.startswith(family.file_prefixes[part]) for name in shapes):
            raise CheckpointUnsupported(
                "This {title} file has no {words}.",
                hint="Get the whole checkpoint, which holds UNet, VAE and text encoder in one file.",
                title=family.title,
                words=_WORDS.get(part, part.replace("_", " ")),
            )
    denoiser = [name for name in shapes if name.startswith("model.diffusion_model.")]
    whole = any(".middle_block.0." in name for name in denoiser)
    if (
        family.uses_time_ids
        and whole
        and not own_configs
        and not any(".middle_block.1.transformer" in name for name in denoiser)
    ):
        raise CheckpointUnsupported(
            "This is a distilled Stable Diffusion XL whose UNet has fewer blocks (as Segmind's SSD-1B and Vega have), "
            "and a single file does not say which.",
            hint="Get it as a diffusers folder, which says so.",
        )


def said_by_file(path: Path, header: FileHeader, family: Family, *, inpaint: bool) -> Said:
    """What the file says by `NAME.config` beside it, by markers and the noise schedule in it, or by its metadata.

    Nothing in the file of an SD2 of four channels need say what its UNet predicts; there ComfyUI's rule of thumb tells
    (the last attention's norm is spread wider in those that predict v), and `NAME.config` overrules it. Raises
    CheckpointUnsupported for a schedule or a prediction that is none of the family's.
    """
    beside = configs_beside(path)
    clip_skip, native = _clip_skip(header.metadata), _native_pixels(header.metadata)
    if beside is not None:
        scheduler = _scheduler_beside(beside)
        zero = scheduler.get("rescale_betas_zero_snr", False)
        return Said(str(scheduler.get("prediction_type", "epsilon")), bool(zero), clip_skip, native)
    _check_scale(path, header, family)
    zero = "ztsnr" in header.shapes or _schedule_ends_in_noise(path, header, family)
    return Said(_prediction(path, header, family, inpaint=inpaint), zero, clip_skip, native)


def _prediction(path: Path, header: FileHeader, family: Family, *, inpaint: bool) -> str:
    if "v_pred" in header.shapes:
        return "v_prediction"
    for key in _PREDICTION_KEYS:
        said = header.metadata.get(key)
        if said:
            return _PREDICTIONS.get(said, said)
    if family.v_told_by_spread and not inpaint and _LAST_NORM in header.shapes:
        weights = read_floats(path, header, _LAST_NORM)
        # What is not finite has no spread, and is told when it is loaded.
        known = bool(weights) and all(map(math.isfinite, weights))
        return "v_prediction" if known and pstdev(weights) > _V_PREDICTION_SPREAD else "epsilon"
    return "epsilon"


def _schedule_ends_in_noise(path: Path, header: FileHeader, family: Family) -> bool:
    """Whether a noise schedule in the file has zero terminal SNR (Lin et al. 2023); False where there is none."""
    name = next((name for name in ("alphas_cumprod", "denoiser.sigmas") if name in header.shapes), None)
    if name is None:
        return False
    signal = read_floats(path, header, name)
    if name == "denoiser.sigmas":
        signal = tuple(1 / (1 + sigma * sigma) for sigma in sorted(signal))
    rounding = _ROUNDING.get(header.places[name][0], _USUAL_ROUNDING)
    usual = _usual_signal(family)
    if _alike(signal, usual, rounding):
        return False
    first, last = math.sqrt(usual[0]), math.sqrt(usual[-1])
    if _alike(signal, [((math.sqrt(one) - last) * first / (first - last)) ** 2 for one in usual], rounding):
        return True
    raise CheckpointUnsupported(
        "{name} brings a noise schedule of its own ({tensor}), which is not its family's.",
        hint="Choose another checkpoint; or, if it was trained on the usual schedule all the same, "
        "give it a folder {stem}.config with its configs (docs/checkpoints.md).",
        name=path.name,
        tensor=name,
        stem=path.stem,
    )


def _usual_signal(family: Family) -> list[float]:
    """The share of signal after each step: square roots of beta lie evenly ("scaled_linear") in all families."""
    config = json.loads((CONFIGS / family.name / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    steps, first, last = config["num_train_timesteps"], math.sqrt(config["beta_start"]), math.sqrt(config["beta_end"])
    betas = ((first + (last - first) * step / (steps - 1)) ** 2 for step in range(steps))
    return list(accumulate((1 - beta for beta in betas), operator.mul))


def _alike(found: Sequence[float], wanted: Sequence[float], rounding: tuple[float, float]) -> bool:
    relative, absolute = rounding
    return len(found) == len(wanted) and all(
        abs(one - other) <= relative * other + absolute for one, other in zip(found, wanted, strict=True)
    )


def _check_scale(path: Path, header: FileHeader, family: Family) -> None:
    """The VAE's scale, where a file says it: that of its family's config."""
    if "scale_factor" not in header.shapes:
        return
    said, usual = read_floats(path, header, "scale_factor"), family.scaling_factor
    if any(abs(one / usual - 1) > _USUAL_ROUNDING[0] for one in said):
        raise CheckpointUnsupported(
            "{name} scales its latents by {said} (scale_factor), where {title} has {usual}.",
            hint="Choose another checkpoint.",
            name=path.name,
            said=f"{said[0]:g}",
            title=family.title,
            usual=f"{usual:g}",
        )


def _clip_skip(metadata: Mapping[str, str]) -> int | None:
    """What kohya's trainer writes of the layer that the prompt was read at."""
    said = metadata.get("modelspec.encoder_layer", "")
    return int(said) if said.isdecimal() and len(said) <= _MOST_DIGITS and 1 <= int(said) <= _CLIP_LAYERS else None


def _native_pixels(metadata: Mapping[str, str]) -> int | None:
    width, _, height = metadata.get("modelspec.resolution", "").partition("x")
    if not all(edge.isdecimal() and len(edge) <= _MOST_DIGITS for edge in (width, height)):
        return None
    pixels = int(width) * int(height)
    return pixels if LEAST_NATIVE <= pixels <= MOST_NATIVE else None


def _scheduler_beside(beside: Path) -> dict[str, Any]:
    name = f"{beside.name}/scheduler/scheduler_config.json"
    try:
        said = load_json(beside / "scheduler" / "scheduler_config.json")
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable("{name} cannot be read.", hint="Mend or remove that folder.", name=name) from error
    if not isinstance(said, dict):
        raise CheckpointUnreadable("{name} is not a JSON object.", hint="Mend or remove that folder.", name=name)
    return said
