"""One job, from the image as it is to the new layers in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gi.repository import Gimp

from bridge.client import Refused
from bridge.client.job import JobUpdate
from bridge.protocol.messages import ContextChoice, ContextKind, Depth, JobKind, Mode, ResultFormat

from .arguments import given, settings_of
from .commands import Command
from .connection import Connection
from .job_target import JobTarget, Margins, check_open
from .layers import add_layers, layer_name
from .progress import Progress
from .translation import _, said

__all__ = ["job_target", "paint"]


def paint(
    command: Command, target: JobTarget, config: Gimp.ProcedureConfig, connection: Connection, progress: Progress
) -> list[Gimp.Layer]:
    """Plan, read, submit, wait, and add the layers.

    Raises:
        Refused, BridgeError, ClientError: in words for the artist; the image is as it was.
    """
    progress.say(_("Reading the image"))
    mode = _mode(command, config)
    settings = {**settings_of(config), "kind": command.kind, "mode": mode, "scale": target.scale}
    if mode == Mode.REMOVE:
        # To remove asks for nothing: a prompt that was left in the dialog would be painted there.
        settings["prompt"] = ""
    choice = ContextChoice(ContextKind(given(config, "context") or ContextKind.AUTO))
    planned = connection.plan(canvas=target.canvas, selection=target.bounds, context=choice, **settings)
    pixels: dict[str, Any] = {"selection": target.coverage(planned.context)}
    if command.kind != JobKind.GENERATE:
        alone = given(config, "source") == "layer"
        pixels["picture"] = target.picture(planned.context, layer_alone=alone)

    def follow(event: JobUpdate) -> None:
        check_open(target.image)
        progress.show(event)

    result = connection.paint(
        follow,
        canvas=target.canvas,
        context=planned.context,
        result=ResultFormat(Depth(target.depth), previews=False),
        **pixels,
        **settings,
    )
    name = layer_name(settings.get("prompt", ""), _("Remove") if mode == Mode.REMOVE else command.title)
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
    if command.mode == Mode.EXPAND:
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
    if mode == Mode.REMOVE:
        raise Refused(
            _("Nothing is selected, so there is nothing to remove."), _("Select what is to go, then try again.")
        )
    if mode == Mode.EXPAND:
        raise Refused(
            _("Nothing is selected, so it is not known where the picture is to go on."),
            _("Use Filters > Paintbridge > Expand Canvas, or select what is new, then try again."),
        )


def _mode(command: Command, config: Gimp.ProcedureConfig) -> str:
    return given(config, "mode") or command.mode


def _margins(image: Gimp.Image, config: Gimp.ProcedureConfig) -> Margins:
    sides = {side: config.get_property(side) for side in ("left", "top", "right", "bottom")}
    if config.get_property("unit") == "percent":
        lengths = {"left": image.get_width(), "right": image.get_width()}
        sides = {side: round(share * lengths.get(side, image.get_height()) / 100) for side, share in sides.items()}
    return Margins(**sides)
