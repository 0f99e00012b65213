"""One job, from the image as it is to the new layers in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

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

__all__ = ["job_target", "notice", "paint"]


def paint(
    command: Command, target: JobTarget, config: Gimp.ProcedureConfig, connection: Connection, progress: Progress
) -> list[Gimp.Layer]:
    """Plan, read, submit, wait, and add the layers.

    Raises:
        Refused, BridgeError, ClientError: in words for the artist; the image is as it was.
    """
    progress.say(_("Reading the image"))
    mode = _mode(command, config)
    if mode == Mode.AUTO and target.kept is not None:
        mode = Mode.EXPAND
    settings = {**settings_of(config), "kind": command.kind, "mode": mode, "scale": target.scale}
    if mode == Mode.REMOVE:
        # To remove asks for nothing: a prompt that was left in the dialog would be painted there.
        settings["prompt"] = ""
    choice = ContextChoice(ContextKind(given(config, "context") or ContextKind.AUTO))
    planned = connection.plan(canvas=target.canvas, selection=target.bounds, context=choice, **settings)
    pixels: dict[str, Any] = {"selection": target.coverage(planned.context)}
    if command.kind != JobKind.GENERATE:
        pixels["picture"] = target.picture(planned.context, given(config, "source") or "visible")

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
    check_open(target.image)
    place = target.place()
    layers = add_layers(target, place, result.layers, name=name, as_mask=bool(given(config, "layer-mask")))
    # A dialog has said it before.
    words = [place.words] if place.words and not command.dialog else []
    words += map(said, result.hints)
    if words:
        Gimp.message("\n".join(words))
    return layers


def notice(command: Command, image: Gimp.Image, drawables: Sequence[Gimp.Drawable]) -> str:
    """What the artist should know of a command before it is run: where its results go, if not above the active layer,
    and what it repaints where nothing is selected. Nothing where it would be refused anyway.
    """
    try:
        target = _target(command, image, drawables, _mode(command, None), Margins(), 1)
    except Refused:
        return ""
    words = [target.place().words]
    if target.kept is not None:
        words.append(_("Nothing is selected: Automatic fills the transparent strips beside the picture."))
    return "\n".join(filter(None, words))


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
    mode = _mode(command, config)
    target = _target(command, image, drawables, mode, margins, scale)
    if target.bounds is None or (mode == Mode.EXPAND and target.kept is None and not target.selected):
        _check_selected(mode)
    return target


def _target(
    command: Command, image: Gimp.Image, drawables: Sequence[Gimp.Drawable], mode: str, margins: Margins, scale: int
) -> JobTarget:
    return JobTarget.of(
        image,
        drawables,
        whole_layer=command.whole_layer,
        into_strips=command.kind == JobKind.FILL and mode in (Mode.AUTO, Mode.EXPAND),
        margins=margins,
        scale=scale,
    )


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


def _mode(command: Command, config: Optional[Gimp.ProcedureConfig]) -> str:
    """The mode that the artist has chosen; without a configuration the command's own."""
    chosen = None if config is None else given(config, "mode")
    return chosen or command.mode


def _margins(image: Gimp.Image, config: Gimp.ProcedureConfig) -> Margins:
    sides = {side: config.get_property(side) for side in ("left", "top", "right", "bottom")}
    if config.get_property("unit") == "percent":
        lengths = {"left": image.get_width(), "right": image.get_width()}
        sides = {side: round(share * lengths.get(side, image.get_height()) / 100) for side, share in sides.items()}
    return Margins(**sides)
