"""Whether a job can be done at all, judged by its words alone, before anything is allocated or queued."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace

from ..canvas.context import check_scale
from ..canvas.errors import CanvasError
from ..control_kinds import CONTROL_KINDS, REFERENCE
from ..engine.port import picture_seeds
from ..prompts import Options, ParsedPrompt, PromptUnreadable, named_as, read, read_region
from ..protocol.errors import BridgeError
from ..protocol.messages import MODES, Condition, JobKind, JobOrder, Picture, Submit, Train
from ..protocol.pixels import raw_bytes
from ..protocol.wire import FRAME_BYTES
from .pictures import check_picture, check_pixels
from .settings import Settings

__all__ = ["check_order", "named_loras", "named_pictures", "with_seed"]

_WEBP_SIDE = 16383
# What a layer takes in a result besides its prompts, generously.
_LAYER_BYTES = 2048
# What a LoRA takes in it, and a condition.
_LORA_BYTES = 640
_CONDITION_BYTES = 768


def check_order(order: JobOrder, *, settings: Settings, samplers: Collection[str], checkpoint: str | None) -> JobOrder:
    """Check a job, and fill in its checkpoint.

    Whether the pictures are held is not looked at here.

    Args:
        samplers: those that there are.
        checkpoint: what the job's choice of a checkpoint comes to; None: none takes part, and that is as it was.

    Raises:
        BridgeError: ``unsupported_mode unsupported_sampler unsupported_condition bad_context missing_field out_of_range
            picture_too_large picture_mismatch``.
    """
    if isinstance(order, Submit):
        return _check_submit(order, settings=settings, samplers=samplers, checkpoint=checkpoint)
    for image in order.images:
        check_picture(image.picture, most_pixels=settings.picture_pixels)
        _check_channels("picture", image.picture, (3, 4))
    return order if checkpoint is None else replace(order, checkpoint=checkpoint)


def _check_submit(submit: Submit, *, settings: Settings, samplers: Collection[str], checkpoint: str | None) -> Submit:
    asked = submit.settings
    if asked.mode not in MODES[asked.kind]:
        raise BridgeError("unsupported_mode")
    if asked.sampling.sampler is not None and asked.sampling.sampler not in samplers:
        raise BridgeError("unsupported_sampler", hint="Choose one of: {samplers}.", samplers=", ".join(samplers))
    _check_context(submit, settings.picture_pixels)
    _check_pictures(submit, settings.picture_pixels)
    _check_result(submit, settings)
    return submit if checkpoint is None else replace(submit, settings=replace(asked, checkpoint=checkpoint))


def with_seed(order: JobOrder) -> JobOrder:
    """The job with a seed: its own, or one drawn now."""
    if isinstance(order, Train) or order.settings.sampling.seed is not None:
        return order
    sampling = replace(order.settings.sampling, seed=secrets.randbelow(1 << 32))
    return replace(order, settings=replace(order.settings, sampling=sampling))


def named_loras(submit: Submit, options: Options) -> tuple[str, ...]:
    """The names of the LoRAs that the pictures of a job with a seed choose, each once. ``options`` gives those of
    wildcards, or raises BridgeError.

    Raises:
        BridgeError: ``prompt_unreadable wildcard_unknown wildcard_unreadable``; ``text_too_long``.
    """
    words, seeds = submit.settings.conditioning, picture_seeds(submit.settings.sampling)
    try:
        parsed = [read(words.prompt, words.negative_prompt, seed, options) for seed in seeds]
        parsed_regions = [
            read_region(one.prompt, one.negative_prompt or "", seed, options) for seed in seeds for one in words.regions
        ]
        named = {one.name: "" for one in words.conditions if one.name is not None}
        for one in (*parsed, *parsed_regions):
            named_as(one.positive + one.negative, named)
    except PromptUnreadable as error:
        raise BridgeError(error.code, error.message, error.hint) from None
    _check_length(submit, parsed)
    return tuple(dict.fromkeys(lora.name for one in parsed for lora in one.loras))


def _check_length(submit: Submit, parsed: Sequence[ParsedPrompt]) -> None:
    """Each layer's recipe repeats the prompts, once more with their choices made, and all recipes travel in one
    message.
    """
    words = submit.settings.conditioning
    written = len(words.prompt.encode()) + len(words.negative_prompt.encode())
    for region in words.regions:
        written += len(region.prompt.encode()) + len((region.negative_prompt or "").encode())
    others = _CONDITION_BYTES * (len(words.conditions) + len(words.regions)) + _LAYER_BYTES
    recipes = sum(
        written + len((one.chosen + one.chosen_negative).encode()) + _LORA_BYTES * len(one.loras) + others
        for one in parsed
    )
    if recipes > FRAME_BYTES:
        raise BridgeError(
            "text_too_long",
            "The prompts are too long for {batch} pictures at once.",
            "Shorten them, or ask for fewer pictures at once.",
            batch=submit.settings.sampling.batch,
        )


def _check_context(submit: Submit, most_pixels: int) -> None:
    canvas, context = submit.canvas, submit.context
    inside = context.x >= 0 and context.y >= 0
    inside = inside and context.x + context.width <= canvas.width and context.y + context.height <= canvas.height
    if not inside:
        raise BridgeError(
            "bad_context", "The context reaches beyond the canvas.", "Plan the job again: the canvas may have changed."
        )
    try:
        check_scale(submit.settings.kind, submit.settings.scale)
    except CanvasError as error:
        raise BridgeError(error.code, error.message, error.hint) from None
    check_pixels(context.width, context.height, scale=submit.settings.scale, most_pixels=most_pixels)


def _check_pictures(submit: Submit, most_pixels: int) -> None:
    kind = submit.settings.kind
    if submit.picture is None and kind != JobKind.GENERATE:
        raise BridgeError("missing_field", "A {kind} needs the pixels of its context.", kind=kind)
    for name, picture, channels in (("picture", submit.picture, (3, 4)), ("selection", submit.selection, (1,))):
        if picture is not None:
            check_picture(picture, most_pixels=most_pixels)
            _check_shape(name, picture, channels, submit)

    for condition in submit.settings.conditioning.conditions:
        name = condition.kind.replace("_", " ")
        if condition.kind not in CONTROL_KINDS:
            raise BridgeError(
                "unsupported_condition",
                "There is no condition of the kind {kind}.",
                "There are: {shown}.",
                kind=repr(condition.kind),
                shown=", ".join(CONTROL_KINDS),
            )
        if condition.start > condition.end:
            raise BridgeError("out_of_range", "The {name} would end before it starts.", name=name)
        check_picture(condition.picture, most_pixels=most_pixels)
        if CONTROL_KINDS[condition.kind].is_map:
            _check_shape(name, condition.picture, CONTROL_KINDS[condition.kind].channels, submit)
        else:
            _check_channels(name, condition.picture, CONTROL_KINDS[condition.kind].channels)
        if condition.mask is not None:
            check_picture(condition.mask, most_pixels=most_pixels)
            _check_shape(f"{name}'s mask", condition.mask, (1,), submit)
    for region in submit.settings.conditioning.regions:
        check_picture(region.mask, most_pixels=most_pixels)
        _check_shape("region's mask", region.mask, (1,), submit)
    _check_references(submit.settings.conditioning.conditions)


def _check_references(conditions: Sequence[Condition]) -> None:
    for one in conditions:
        if one.kind != REFERENCE and (one.role is not None or one.name is not None):
            raise BridgeError(
                "unsupported_condition",
                "A {kind} has no role and no name; references have.",
                "Leave them out.",
                kind=CONTROL_KINDS[one.kind].title,
            )
    names = [one.name for one in conditions if one.name is not None]
    for name in names:
        if not name.strip() or names.count(name) > 1:
            raise BridgeError(
                "unsupported_condition",
                "The references' names must not be empty, and each must be another one; {name} is not.",
                "Give each a name of its own, or none.",
                name=repr(name),
            )


def _check_shape(name: str, picture: Picture, channels: tuple[int, ...], submit: Submit) -> None:
    if (picture.width, picture.height) != (submit.context.width, submit.context.height):
        raise BridgeError(
            "picture_mismatch",
            "The {name} has {width} x {height} pixels, but the context has {context_width} x {context_height}.",
            name=name,
            width=picture.width,
            height=picture.height,
            context_width=submit.context.width,
            context_height=submit.context.height,
        )
    _check_channels(name, picture, channels)


def _check_channels(name: str, picture: Picture, channels: tuple[int, ...]) -> None:
    if picture.channels not in channels:
        wanted = " or ".join(map(str, channels))
        raise BridgeError(
            "picture_mismatch",
            "The {name} has {channels} channels; it must have {wanted}.",
            name=name,
            channels=picture.channels,
            wanted=wanted,
        )


def _check_result(submit: Submit, settings: Settings) -> None:
    wanted, scale, batch = submit.result, submit.settings.scale, submit.settings.sampling.batch
    width, height = submit.context.width * scale, submit.context.height * scale
    if batch > settings.batch:
        raise BridgeError(
            "out_of_range", "The batch has {batch} pictures; the bridge makes {most}.", batch=batch, most=settings.batch
        )
    if wanted.encoding == "png" and wanted.depth not in ("u8", "u16"):
        raise BridgeError(
            "out_of_range", "PNG has no depth {depth}; choose u8 or u16, or raw pixels.", depth=wanted.depth
        )
    if wanted.encoding == "webp" and wanted.depth != "u8":
        raise BridgeError("out_of_range", "WebP has no depth {depth}; choose u8, or raw pixels.", depth=wanted.depth)
    if wanted.encoding == "webp" and max(width, height) > _WEBP_SIDE:
        raise BridgeError(
            "out_of_range", "A WebP has at most {most} pixels a side; choose png, or raw pixels.", most=_WEBP_SIDE
        )
    most = batch * raw_bytes(width, height, 4, wanted.depth)
    if most > settings.replay_bytes:
        raise BridgeError(
            "picture_too_large",
            "The result could take {size} bytes; the bridge keeps {most}.",
            "Ask for fewer pictures at once, a lower depth, or a smaller context.",
            size=most,
            most=settings.replay_bytes,
        )


def named_pictures(submit: JobOrder) -> tuple[Picture, ...]:
    """The pictures that a job names."""
    if isinstance(submit, Train):
        return tuple(image.picture for image in submit.images)
    guiding = (
        part for condition in submit.settings.conditioning.conditions for part in (condition.picture, condition.mask)
    )
    masks = (region.mask for region in submit.settings.conditioning.regions)
    return tuple(picture for picture in (submit.picture, submit.selection, *guiding, *masks) if picture is not None)
