"""What the keys of a diffusers folder's configs mean: used, without meaning here, or a reason to refuse the folder.

The same holds for `NAME.config` beside a single file. A key is taken by its part's class, counts with certain values
alone, or means nothing; any other that says something is refused by its name.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .class_keys import MEANINGLESS, ONE_OF, TAKEN, keys
from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import Family
from .schedule import ScheduleKind

__all__ = ["SCHEDULE_KEYS", "TAKEN", "check_config", "check_index", "check_scheduler"]


SCHEDULE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
    "set_alpha_to_one",
    "timestep_scaling",
)
"""What of a scheduler's config says how the UNet was trained. All else there is a sampler's own choice."""

FLOW_KEYS = keys(
    "num_train_timesteps shift use_dynamic_shifting base_shift max_shift base_image_seq_len max_image_seq_len "
    "time_shift_type"
)
"""The same of a schedule of flow matching; a family's rule may do without some of them."""

_SCHEDULERS = frozenset(
    f"{name}Scheduler"
    for name in keys(
        "DDIM DDIMParallel DDPM DDPMParallel PNDM LMSDiscrete EulerDiscrete EulerAncestralDiscrete HeunDiscrete "
        "KDPM2Discrete KDPM2AncestralDiscrete DPMSolverMultistep DPMSolverSinglestep DPMSolverSDE DEISMultistep "
        "UniPCMultistep SASolver LCM TCD"
    )
)
_FOREIGN_SCHEDULERS = (
    ("FlowMatch", "by flow matching"),
    ("EDM", "on the noise levels of EDM"),
    ("CosineDPM", "on the noise levels of EDM"),
    ("CMStochastic", "as a consistency model"),
)
_CLASSES_ALIKE = {
    "CLIPTextModel": ("CLIPTextModelWithProjection",),
    "CLIPTokenizer": ("CLIPTokenizerFast",),
    "Qwen3Model": ("Qwen3ForCausalLM",),
    "Qwen2Tokenizer": ("Qwen2TokenizerFast",),
    "T5Tokenizer": ("T5TokenizerFast",),
}
"""Classes that another one takes the place of."""

_INDEX_MEANINGLESS = {
    "scheduler": "its own config is checked",
    "force_zeros_for_empty_prompt": "read by `checkpoint`",
    **dict.fromkeys(("safety_checker", "requires_safety_checker"), "judges pictures, and paints none"),
    **dict.fromkeys(("feature_extractor", "image_encoder"), "prepares pictures for a safety checker or an IP-Adapter"),
    "add_watermarker": "marks finished pictures",
    "is_distilled": "tells the variant, which `families` read",
}
_CHOOSE_ANOTHER = "Choose another checkpoint."


def check_index(index: Mapping[str, Any], family: Family) -> None:
    """Raises CheckpointUnsupported for a model_index.json whose pipeline or parts are others than the family is painted
    with.
    """
    pipeline = index.get("_class_name", family.pipelines[0])
    if pipeline not in family.pipelines:
        raise CheckpointUnsupported(
            "It was made for diffusers' {pipeline}, which Paintbridge does not paint with.",
            hint=_CHOOSE_ANOTHER,
            pipeline=_shown(pipeline),
        )
    classes = family.classes
    for key, value in index.items():
        if key.startswith("_") or key in _INDEX_MEANINGLESS or not value or value == [None, None]:
            continue
        kind = value[-1] if isinstance(value, list) else value
        if key not in classes:
            raise CheckpointUnsupported(
                "Its model_index.json says {key} = {kind}, which Paintbridge does not know.",
                hint=_CHOOSE_ANOTHER,
                key=key,
                kind=_shown(kind),
            )
        if kind not in _alike(classes[key]):
            raise CheckpointUnsupported(
                "Its {key} is a {kind}, which Paintbridge does not paint with.",
                hint=_CHOOSE_ANOTHER,
                key=key,
                kind=_shown(kind),
            )


def check_config(part: str, config: Mapping[str, Any], kind: str, like: Mapping[str, Any] | None = None) -> None:
    """Raises CheckpointUnsupported for a part's config.json that says what a class of that kind would not heed.

    `kind` is a key of `TAKEN`. What only certain values are heeded of must be as in the config `like`, if that says it.
    """
    named = config.get("_class_name") or next(iter(config.get("architectures") or ()), kind)
    if named not in _alike(kind) and not (kind == "CLIPTextModel" and str(named).startswith("CLIP")):
        raise CheckpointUnsupported(
            "Its {key} is a {kind}, which Paintbridge does not paint with.",
            hint=_CHOOSE_ANOTHER,
            key=part,
            kind=_shown(named),
        )
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else quantised
        raise CheckpointUnsupported(
            "Its {part} is quantised by {method}, which Paintbridge does not read yet.",
            hint="Get the same one in half precision.",
            part=part,
            method=_shown(method),
        )
    one_of = {
        key: ((like[key],) if like and key in like else values, means) for key, (values, means) in ONE_OF[kind].items()
    }
    _check(f"{part}/config.json", config, TAKEN[kind], one_of, MEANINGLESS[kind])


def check_scheduler(config: Mapping[str, Any], schedule: ScheduleKind = ScheduleKind.VARIANCE_PRESERVING) -> None:
    """Raises CheckpointUnsupported for a scheduler_config.json that tells of a training that samplers here do not know,
    or of another kind of noise schedule, and CheckpointUnreadable for senseless values.
    """
    if schedule is ScheduleKind.FLOW_MATCHING:
        _check_flow(config)
        return
    kind = str(config.get("_class_name", "DDIMScheduler"))
    if kind not in _SCHEDULERS:
        trained = next((f": it was trained {how}" for start, how in _FOREIGN_SCHEDULERS if kind.startswith(start)), "")
        raise CheckpointUnsupported(
            "Its scheduler is diffusers' {kind}{trained}, which Paintbridge does not paint with yet.",
            hint=_CHOOSE_ANOTHER,
            kind=kind,
            trained=trained,
        )
    file = "scheduler/scheduler_config.json"
    _check(file, config, frozenset(SCHEDULE_KEYS), ONE_OF["scheduler"], MEANINGLESS["scheduler"])
    for key, right in _SENSIBLE.items():
        if key in config and not right(config[key]):
            raise CheckpointUnreadable(
                "Its {file} has no sensible {key}: {value}.",
                hint="Mend that file, or get it again.",
                file=file,
                key=key,
                value=_shown(config[key]),
            )


def _check_flow(config: Mapping[str, Any]) -> None:
    kind = str(config.get("_class_name", "FlowMatchEulerDiscreteScheduler"))
    if not kind.startswith("FlowMatch") and not config.get("use_flow_sigmas"):
        raise CheckpointUnsupported(
            "Its scheduler is diffusers' {kind}, but its family was trained by flow matching.",
            hint=_CHOOSE_ANOTHER,
            kind=kind,
        )
    _check("scheduler/scheduler_config.json", config, FLOW_KEYS, ONE_OF["flow"], MEANINGLESS["flow"])


def _alike(kind: str) -> tuple[str, ...]:
    return (kind, *_CLASSES_ALIKE.get(kind, ()))


def _check(
    file: str,
    config: Mapping[str, Any],
    taken: frozenset[str],
    one_of: Mapping[str, tuple[tuple[Any, ...], str]],
    meaningless: Mapping[str, str],
) -> None:
    for key, value in config.items():
        if key in one_of:
            values, means = one_of[key]
            if value not in values:
                raise CheckpointUnsupported(
                    "Its {file} says {key} = {value}: {means}, and Paintbridge does not paint so yet.",
                    hint=_CHOOSE_ANOTHER,
                    file=file,
                    key=key,
                    value=_shown(value),
                    means=means,
                )
        elif not (key.startswith("_") or key in taken or key in meaningless or _says_nothing(value)):
            raise CheckpointUnsupported(
                "Its {file} says {key} = {value}, which Paintbridge does not know.",
                hint=_CHOOSE_ANOTHER,
                file=file,
                key=key,
                value=_shown(value),
            )


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_beta = _number(1e-9, 1)
_SENSIBLE: dict[str, Callable[[Any], bool]] = {
    "num_train_timesteps": lambda value: isinstance(value, int) and _number(2, 100_000)(value),
    "beta_start": _beta,
    "beta_end": _beta,
    "trained_betas": lambda value: (
        value is None or (isinstance(value, list) and len(value) > 1 and all(map(_beta, value)))
    ),
    "rescale_betas_zero_snr": _flag,
    "set_alpha_to_one": _flag,
    "timestep_scaling": _number(1e-6, 1e6),
}
