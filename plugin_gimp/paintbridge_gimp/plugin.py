"""What GIMP sees: the procedures, and their place in the menu."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from gi.repository import Gimp, Gio, GObject

from .arguments import declare
from .check_connection import run_check
from .commands import CHECK, Command, commands
from .run_command import run_command
from .translation import DOMAIN, _

__all__ = ["Paintbridge"]

_MENU = "<Image>/Filters/Paintbridge"
_HERE = Path(__file__).parent
_HELP = "paintbridge-help"
_ON_LAYERS = Gimp.ProcedureSensitivityMask.DRAWABLE | Gimp.ProcedureSensitivityMask.DRAWABLES
_ON_IMAGES = _ON_LAYERS | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
_KEPT = GObject.ParamFlags.READWRITE


class Paintbridge(Gimp.PlugIn):
    """One process a call. ``do_...`` are GIMP's own hooks."""

    def do_set_i18n(self, _name: str) -> tuple[bool, str, Optional[str]]:
        return True, DOMAIN, None

    def do_query_procedures(self) -> list[str]:
        # What the button *Help* and F1 on a menu's entry open.
        self.set_help_domain(_HELP, Gio.File.new_for_path(str(_HERE.parent / "help")))
        return [*commands(), CHECK]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        procedure = _check(self) if name == CHECK else _painting(self, commands()[name])
        procedure.add_menu_path(_MENU)
        procedure.set_icon_file(Gio.File.new_for_path(str(_HERE / "paintbridge.svg")))
        procedure.set_attribution("The Paintbridge authors", "The Paintbridge authors, Apache-2.0", "2026")
        return procedure


def _painting(plugin: Gimp.PlugIn, command: Command) -> Gimp.Procedure:
    procedure = Gimp.ImageProcedure.new(plugin, command.name, Gimp.PDBProcType.PLUGIN, run_command, None)
    procedure.set_image_types("RGB*, GRAY*")
    procedure.set_sensitivity_mask(_ON_LAYERS if command.whole_layer else _ON_IMAGES)
    procedure.set_menu_label(command.label)
    procedure.set_documentation(command.words, command.words, command.name)
    declare(procedure, command.arguments, command.defaults)
    layers = Gimp.Layer.__gtype__
    procedure.add_core_object_array_return_value("layers", _("Layers"), _("The new layers"), layers, _KEPT)
    return procedure


def _check(plugin: Gimp.PlugIn) -> Gimp.Procedure:
    procedure = Gimp.ImageProcedure.new(plugin, CHECK, Gimp.PDBProcType.PLUGIN, run_check, None)
    words = _("Say which bridge is used, and with which checkpoint it paints on which device")
    procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.ALWAYS)
    procedure.set_menu_label(_("_Check Connection"))
    procedure.set_documentation(words, words, CHECK)
    procedure.add_string_return_value("report", _("Report"), _("What was found, a line each"), "", _KEPT)
    return procedure
