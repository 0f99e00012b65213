"""*Check Connection*: what is connected to what; and, in its dialog, where another bridge is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from gi.repository import Gimp, GObject

from .connecting import connect
from .report import report
from .running import failure
from .settings import Settings
from .waiting import in_background
from .words import DOMAIN

__all__ = ["run_check"]


def run_check(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    _image: Optional[Gimp.Image],
    _drawables: Sequence[Gimp.Drawable],
    _config: Gimp.ProcedureConfig,
    _data: Any,
) -> Gimp.ValueArray:
    """Called by GIMP."""
    try:
        if run_mode == Gimp.RunMode.INTERACTIVE:
            from gi.repository import GimpUi

            GimpUi.init(DOMAIN)
            from .check_dialog import show_check

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
    with connect(Settings.load()) as link:
        return report(link, link.device())
