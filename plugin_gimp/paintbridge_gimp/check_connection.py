"""The procedure *Check Connection*: which bridge, checkpoint and device are used. Its dialog sets the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from gi.repository import Gimp, GObject

from .connection import connect
from .main_loop import in_background
from .report import report
from .run_command import failure
from .settings import Settings
from .translation import DOMAIN

__all__ = ["run_check"]


def run_check(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    _image: Optional[Gimp.Image],
    _drawables: Sequence[Gimp.Drawable],
    _config: Gimp.ProcedureConfig,
    _data: object,
) -> Gimp.ValueArray:
    """Called by GIMP."""
    try:
        if run_mode == Gimp.RunMode.INTERACTIVE:
            from gi.repository import GimpUi

            GimpUi.init(DOMAIN)
            from .check_connection_dialog import show_check

            words = show_check()
        else:
            words = in_background(_checked)
    except Exception as error:  # noqa: BLE001 - whatever it is, the artist is told
        return failure(procedure, error)
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    values.remove(1)
    values.insert(1, GObject.Value(GObject.TYPE_STRING, words))
    return values


def _checked() -> str:
    with connect(Settings.load()) as connection:
        return report(connection, connection.device())
