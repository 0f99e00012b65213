"""The run function of the painting procedures, for each of GIMP's run modes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Optional

from gi.repository import Gimp, GLib, GObject

from bridge.client import BridgeNotFound

from .commands import commands
from .connection import Connection, connect
from .error_text import error_text
from .main_loop import in_background
from .painting import job_target, notice, paint
from .progress import Progress
from .settings import Settings
from .translation import DOMAIN

__all__ = ["failure", "run_command"]


def run_command(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _data: object,
) -> Gimp.ValueArray:
    """Called by GIMP, which shows an empty message for an exception."""
    try:
        layers = _run(procedure, run_mode, image, drawables, config)
    except Exception as error:  # noqa: BLE001 - whatever it is, the artist is told
        return failure(procedure, error)
    if layers is None:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    return _with_layers(procedure, layers)


def failure(procedure: Gimp.Procedure, error: Exception) -> Gimp.ValueArray:
    """The return values of a procedure that failed."""
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(error_text(error)))


def _run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
) -> Optional[list[Gimp.Layer]]:
    """The new layers; None: the artist cancelled."""
    command = commands()[procedure.get_name()]
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    connection: Optional[Connection] = None
    if interactive:
        # Imported here: GIMP's user interface ends the process where there is no display.
        from gi.repository import GimpUi

        GimpUi.init(DOMAIN)
        if command.dialog:
            from .dialog import ask

            pressed, connection = ask(procedure, config, command, notice(command, image, drawables))
            if not pressed:
                return None
    with contextlib.ExitStack() as stack:
        if connection is not None:
            stack.enter_context(connection)
        target = job_target(command, image, drawables, config)
        progress = Progress()
        if connection is None:
            connection = _connect(interactive)
            if connection is None:
                return None
            stack.enter_context(connection)
        return paint(command, target, config, connection, progress)


def _connect(interactive: bool) -> Optional[Connection]:
    """Connect; where no bridge runs, offer to start one first. None: the artist declined."""
    settings = Settings.load()
    try:
        return in_background(lambda: connect(settings))
    except BridgeNotFound as error:
        if not interactive:
            raise
        from .start_bridge_dialog import ask_to_start

        return ask_to_start(error, settings)


def _with_layers(procedure: Gimp.Procedure, layers: list[Gimp.Layer]) -> Gimp.ValueArray:
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    # Python has no way to make an array of GIMP's objects but by a configuration.
    carrier = procedure.create_config()
    carrier.set_core_object_array("drawables", layers)
    values.remove(1)
    values.insert(1, GObject.Value(Gimp.core_object_array_get_type(), carrier.get_property("drawables")))
    return values
