"""One job, from the image as it is to the new layers in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gi.repository import Gimp

from bridge.client import Refused
from bridge.client.job import JobUpdate
from bridge.protocol.messages import ContextChoice, ResultFormat

from .arguments import given
from .commands import Command
from .connection import Connection
from .job_target import JobTarget, Margins, check_open
from .layers import add_layers, layer_name
from .progress import Progress
from .translation import _, said

__all__ = ["job_target", "paint"]

# Arguments that the bridge takes under the same name, with an underscore.
_SENT = ("prompt", "negative-prompt", "strength", "seed", "batch", "steps", "guidance", "sampler", "strict")
_PLANNED = ("grow", "feather", "checkpoint")
_REMOVE, _EXPAND = "remove", "expand"


def paint(
    command: Command, target: JobTarget, config: Gimp.ProcedureConfig, connection: Connection, progress: Progress
) -> list[Gimp.Layer]:
    """Plan, read, submit, wait, and add the layers.

    Raises:
        Refused, BridgeError, ClientError: in words for the artist; the image is as it was.
    """
    progress.say(_("Reading the image"))
    shared = {"kind": command.kind, **_values(config, _PLANNED)}
    shared["mode"] = mode = _mode(command, config)
    shared["canvas"], shared["scale"] = target.canvas, target.scale
    planned = connection.plan(
        selection=target.bounds, context=ContextChoice(given(config, "context") or "auto"), **shared
    )
    pixels: dict[str, Any] = {"selection": target.coverage(planned.context)}
    if command.kind != "generate":
        alone = given(config, "source") == "layer"
        pixels["picture"] = target.picture(planned.context, layer_alone=alone)

    # To remove asks for nothing: a prompt that was left in the dialog would be painted there.
    prompt = "" if mode == _REMOVE else given(config, "prompt") or ""

    def follow(event: JobUpdate) -> None:
        check_open(target.image)
        progress.show(event)

    result = connection.paint(
        follow,
        context=planned.context,
        result=ResultFormat(target.depth),
        **shared,
        **pixels,
        **{**_values(config, _SENT), "prompt": prompt},
    )
    name = layer_name(prompt, _("Remove") if mode == _REMOVE else command.title)
    layers = add_layers(target, result.layers, name=name, as_mask=bool(given(config, "layer-mask")))
    if result.hints:
        Gimp.message("\n".join(map(said, result.hints)))
    return layers


def job_target(
    command: Command, image: Gimp.Image, drawables: Sequence[Gimp.Drawable], config: Gimp.ProcedureConfig
) -> JobTarget:
    """The target of a command's job.

    Raises:
        Refused: nothing can be painted there.
    """
    check_open(image)
    margins = Margins()
    if command.mode == _EXPAND:
        margins = _margins(image, config)
        if not margins:
            raise Refused(_("The canvas does not grow: all four sides are 0."), _("Let it grow on one side at least."))
    scale = int(given(config, "scale") or 1)
    target = JobTarget.of(image, drawables, whole_layer=command.whole_layer, margins=margins, scale=scale)
    if target.bounds is None:
        _check_selected(_mode(command, config))
    return target


def _check_selected(mode: str) -> None:
    """To be asked where all of the canvas is meant: these modes would have nothing left to go by."""
    if mode == _REMOVE:
        raise Refused(
            _("Nothing is selected, so there is nothing to remove."), _("Select what is to go, then try again.")
        )
    if mode == _EXPAND:
        raise Refused(
            _("Nothing is selected, so it is not known where the picture is to go on."),
            _("Use Filters > Paintbridge > Expand Canvas, or select what is new, then try again."),
        )


def _mode(command: Command, config: Gimp.ProcedureConfig) -> str:
    return given(config, "mode") or command.mode


def _values(config: Gimp.ProcedureConfig, names: Sequence[str]) -> dict[str, Any]:
    values = {name.replace("-", "_"): given(config, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _margins(image: Gimp.Image, config: Gimp.ProcedureConfig) -> Margins:
    sides = {side: config.get_property(side) for side in ("left", "top", "right", "bottom")}
    if config.get_property("unit") == "percent":
        lengths = {"left": image.get_width(), "right": image.get_width()}
        sides = {side: round(share * lengths.get(side, image.get_height()) / 100) for side, share in sides.items()}
    return Margins(**sides)
