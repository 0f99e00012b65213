"""The commands: what each is called, what job it is, and which arguments it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.protocol.messages import STRENGTHS, job_fields

from .translation import _

__all__ = ["CHECK", "Command", "commands"]

CHECK = "plug-in-paintbridge-check"

_MODEL = ("checkpoint", "seed", "batch")
_SAMPLING = ("sampler", "steps", "guidance")
_EDGE = ("grow", "feather", "strict")
# The command says the kind, and an argument can hold no pictures.
_NO_ARGUMENT = ("kind", *(name for name, field in job_fields().items() if field.with_pictures))
_SIDES = ("left", "right", "top", "bottom", "unit")


@dataclass(frozen=True)
class Command:
    """``shown`` are the arguments at the top of the dialog, ``folded`` those under *Advanced*; without a dialog the
    command runs at once. ``whole_layer``: without a selection it is about the active layer, else about the canvas.
    """

    name: str
    label: str
    title: str
    words: str
    kind: str
    shown: tuple[str, ...]
    folded: tuple[str, ...]
    mode: str = "auto"
    dialog: bool = True
    whole_layer: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        """All of them, in the order of the PDB."""
        return self.shown + self.folded


def commands() -> dict[str, Command]:
    """All that paint, by their names in the PDB; in the artist's language, which must be known by now."""
    found = (
        Command(
            name="plug-in-paintbridge-fill",
            label=_("_Generative Fill..."),
            title=_("Generative Fill"),
            words=_("Repaint what is selected, by a prompt, in a new layer"),
            kind="fill",
            shown=("prompt", "mode", "strength", *_MODEL),
            folded=("negative-prompt", *_SAMPLING, *_EDGE, "context", "source", "layer-mask"),
        ),
        Command(
            name="plug-in-paintbridge-remove",
            label=_("_Remove"),
            title=_("Remove"),
            words=_("Remove what is selected, in a new layer: the surroundings grow together over it"),
            kind="fill",
            mode="remove",
            dialog=False,
            shown=_MODEL,
            folded=(*_SAMPLING, *_EDGE, "context", "source", "layer-mask"),
        ),
        Command(
            name="plug-in-paintbridge-expand",
            label=_("_Expand Canvas..."),
            title=_("Expand Canvas"),
            words=_("Make the canvas larger, and paint what is new to go on from what is there"),
            kind="fill",
            mode="expand",
            shown=(*_SIDES, "prompt", *_MODEL),
            folded=("negative-prompt", *_SAMPLING, "grow", "feather", "source", "layer-mask"),
        ),
        Command(
            name="plug-in-paintbridge-refine",
            label=_("Re_fine..."),
            title=_("Refine"),
            words=_("Repaint what is selected, keeping its forms, in a new layer"),
            kind="refine",
            shown=("prompt", "strength", *_MODEL),
            folded=("negative-prompt", *_SAMPLING, *_EDGE, "context", "source", "layer-mask"),
            defaults={"strength": 0.5},
        ),
        Command(
            name="plug-in-paintbridge-generate",
            label=_("Generate _Layer..."),
            title=_("Generate Layer"),
            words=_("Paint a new layer from a prompt alone"),
            kind="generate",
            whole_layer=False,
            shown=("prompt", *_MODEL),
            folded=("negative-prompt", *_SAMPLING, "layer-mask"),
        ),
        Command(
            name="plug-in-paintbridge-upscale",
            label=_("_Upscale..."),
            title=_("Upscale"),
            words=_("Make the image larger, and paint the detail of what is selected anew, in a new layer"),
            kind="upscale",
            whole_layer=False,
            shown=("scale", "prompt", "strength", *_MODEL),
            folded=("negative-prompt", *_SAMPLING, "source", "layer-mask"),
            defaults={"strength": STRENGTHS["upscale"]},
        ),
    )
    named = {name for command in found for name in command.arguments}
    return {command.name: _completed(command, named) for command in found}


def _completed(command: Command, named: Collection[str]) -> Command:
    """With the fields of a job's settings that no command names, but for those that have no argument."""
    fields = {name.replace("_", "-"): field for name, field in job_fields().items() if name not in _NO_ARGUMENT}
    others = [name for name, field in fields.items() if name not in named and field.counts_for(command.kind)]
    return replace(command, folded=(*command.folded, *others))
