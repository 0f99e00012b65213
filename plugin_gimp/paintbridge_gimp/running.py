"""How GIMP calls a command, in each of its run modes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Optional

from gi.repository import Gimp, GLib, GObject

from bridge.client import BridgeNotFound

from .commands import commands
from .connecting import connect
from .failures import words_for
from .link import Link
from .painting import look, paint
from .progress import Progress
from .settings import Settings
from .waiting import in_background
from .words import DOMAIN

__all__ = ["failure", "run_command"]


def run_command(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _data: Any,
) -> Gimp.ValueArray:
    """Called by GIMP. An exception that left this would be an empty message there."""
    try:
        layers = _run(procedure, run_mode, image, drawables, config)
    except Exception as error:  # noqa: BLE001 - whatever it is, the artist is told
        return failure(procedure, error)
    if layers is None:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    return _with_layers(procedure, layers)


def failure(procedure: Gimp.Procedure, error: Exception) -> Gimp.ValueArray:
    """What a procedure returns that has failed."""
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(words_for(error)))


def _run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
) -> Optional[list[Gimp.Layer]]:
    """The new layers; None: the artist has thought better of it."""
    command = commands()[procedure.get_name()]
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    link: Optional[Link] = None
    if interactive:
        # Imported here: GIMP's user interface ends the process where there is no display.
        from gi.repository import GimpUi

        GimpUi.init(DOMAIN)
        if command.dialog:
            from .dialog import ask

            pressed, link = ask(procedure, config, command)
            if not pressed:
                return None
    with contextlib.ExitStack() as stack:
        if link is not None:
            stack.enter_context(link)
        scene = look(command, image, drawables, config)
        progress = Progress()
        if link is None:
            link = _connect(interactive)
            if link is None:
                return None
            stack.enter_context(link)
        return paint(command, scene, config, link, progress)


def _connect(interactive: bool) -> Optional[Link]:
    """A link, with the bridge started first if there is none and the artist wants it; None: the artist does not."""
    settings = Settings.load()
    try:
        return in_background(lambda: connect(settings))
    except BridgeNotFound as error:
        if not interactive:
            raise
        from .offer import offer_to_start

        return offer_to_start(error, settings)


def _with_layers(procedure: Gimp.Procedure, layers: list[Gimp.Layer]) -> Gimp.ValueArray:
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    # Python has no way to make an array of GIMP's objects but by a configuration.
    carrier = procedure.create_config()
    carrier.set_core_object_array("drawables", layers)
    values.remove(1)
    values.insert(1, GObject.Value(Gimp.core_object_array_get_type(), carrier.get_property("drawables")))
    return values
