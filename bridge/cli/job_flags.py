"""The flags of a job's settings, made from their fields: name, range, names and help. Tables say what differs here."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from ..control_kinds import CONTROL_KINDS
from ..models.samplers import SAMPLERS
from ..protocol.messages import MODES, SCALES, STRENGTHS, JobField, JobKind, job_fields
from .conditions import CONDITION_OPTIONS, REGION_OPTIONS, parse_condition, parse_region

__all__ = ["add_job_flags", "checked", "job_values", "parse_words"]

# Other spellings of a field's flag, the first one is what help shows.
_SPELLED: Mapping[str, tuple[str, ...]] = {
    "negative_prompt": ("--negative",),
    "checkpoint": ("--checkpoint", "--model"),
    "conditions": ("--condition",),
    "regions": ("--region",),
}
# Help where the protocol's own sentence is not what one wants to read here.
_HELP: Mapping[str, str] = {
    "prompt": "what is wanted; docs/prompts.md tells how to weigh words and add LoRAs",
    "negative_prompt": "what is not wanted",
    "mode": "what to do with the selection (auto)",
    "strength": "1: repaint freely; less: keep more of what is there",
    "seed": "seed of the first picture; none: the bridge draws one",
    "batch": "how many pictures; more than one are numbered: OUT-1.png, OUT-2.png",
    "steps": "denoising steps; none: what suits the checkpoint",
    "guidance": "guidance scale; none: what suits the checkpoint",
    "sampler": "none: what suits the checkpoint",
    "checkpoint": "none: the bridge's default",
    "grow": "pixels to grow the selection by",
    "feather": "pixels of feather",
    "strict": "change nothing outside the selection",
    "scale": f"how many times ({SCALES[0]})",
    "estimator": "which network estimates it, by its name; none: the first that can",
    "weak_edge": "canny: contrasts below are no edges (100)",
    "strong_edge": "canny: contrasts above are edges (200)",
    "detail_size": "blur: pixels of detail to lose; line_art, scribble: width of lines; none: by the picture's size",
    "conditions": "be guided by a picture of the same size, several if repeated; KIND: "
    f"{', '.join(CONTROL_KINDS)}; NAME: {', '.join(CONDITION_OPTIONS)} (docs/conditions.md)",
    "regions": "a prompt for where a mask of the same size is white, several if repeated, from the lowest to the "
    f"uppermost; NAME: {', '.join(REGION_OPTIONS)}",
}
# A command, and its first argument, say these.
_SAID = ("kind", "control_kind")
# A picture that is painted from nothing has no edges.
_WITHOUT: Mapping[str, tuple[str, ...]] = {JobKind.GENERATE: ("edges",)}


def add_job_flags(parser: argparse.ArgumentParser, kind: str) -> None:
    """Give a command the flags of all settings that have an effect on its kind of job."""
    for name, field in job_fields().items():
        if name not in _SAID and field.counts_for(kind) and field.group not in _WITHOUT.get(kind, ()):
            _add(parser, kind, field)


def job_values(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that a command line says, by their fields' names, but for those with pictures."""
    plain = (name for name, field in job_fields().items() if not field.with_pictures and name != "control_kind")
    named = {name: getattr(args, name, None) for name in plain}
    return {**{name: value for name, value in named.items() if value is not None}, "kind": args.command}


def _add(parser: argparse.ArgumentParser, kind: str, field: JobField) -> None:
    name, core, default = field.name, field.spec.core, field.spec.default
    help_text = _HELP.get(name, field.spec.metadata["doc"]).replace("%", "%%")
    flags = _SPELLED.get(name, (f"--{name.replace('_', '-')}",))
    values: dict[str, Any] = {"dest": name, "help": help_text}
    if name == "conditions":
        values.update(type=checked(parse_condition), action="append", default=[])
        values["metavar"] = "KIND=FILE[,NAME=VALUE...]"
    elif name == "regions":
        values.update(type=checked(parse_region), action="append", default=[])
        values["metavar"] = "MASK=PROMPT[,NAME=VALUE...]"
    elif name == "mode":
        if len(MODES[kind]) <= 2:
            # It has one mode alone.
            return
        values.update(choices=[str(mode) for mode in MODES[kind]], default=str(default))
    elif name == "scale":
        values.update(type=int, choices=SCALES, default=SCALES[0])
    elif name == "sampler":
        values["choices"] = SAMPLERS
    elif core is bool:
        values["action"] = argparse.BooleanOptionalAction if default else "store_true"
    elif isinstance(core, type) and issubclass(core, Enum):
        values["choices"] = [str(one.value) for one in core]
    elif core in (int, float):
        wanted = "a whole number" if core is int else "a number"
        values.update(type=checked(_number(core, field.spec.metadata), wanted), metavar="N")
    else:
        metavar = "NAME" if field.spec.optional else "TEXT"
        values.update(type=checked(parse_words), metavar=metavar, default=None if field.spec.optional else default)
    if name == "strength" and kind in STRENGTHS:
        values["help"] = f"more: paint more that was not there, and keep less ({STRENGTHS[kind]:g})"
    parser.add_argument(*flags, **values)


def _number(core: Any, limits: Mapping[str, Any]) -> Callable[[str], Any]:
    low, high = limits.get("min", "-inf"), limits.get("max", "inf")

    def parse(text: str) -> Any:
        value = core(text)
        # Written so that NaN fails too.
        if not float(low) <= value <= float(high):
            raise ValueError(f"it must be between {low} and {high}")
        return value

    return parse


def checked(parse: Callable[[str], Any], wanted: str = "") -> Callable[[str], Any]:
    """argparse shows a type's own words only for its own kind of error."""

    def said(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            words = f"{wanted} is wanted, not {text!r}" if wanted and "must be" not in str(error) else str(error)
            raise argparse.ArgumentTypeError(words) from None

    return said


def parse_words(text: str) -> str:
    """A text that a message can hold: arguments in another encoding than the system's come with lone surrogates.

    Raises:
        ValueError: it holds some.
    """
    if not text.isascii() and text != text.encode("utf-8", "replace").decode("utf-8"):
        raise ValueError("it must be text in UTF-8")
    return text
