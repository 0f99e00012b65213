"""The dialog of a command: GIMP's own, from its arguments, with what the bridge offers. Interactive only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from gi.repository import Gdk, Gimp, GimpUi, GObject, Gtk, Pango

from .bridge_status import BridgeStatus
from .commands import Command
from .connection import Connection
from .report import summary
from .settings import Settings
from .translation import _

__all__ = ["ask"]

_MULTI_LINE = {"prompt": (420, 70), "negative-prompt": (420, 50)}
# Which arguments name something that the bridge offers.
_OFFERED = ("checkpoint", "sampler")
_SLIDERS = ("strength",)


def ask(
    procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, command: Command, notice: str
) -> tuple[bool, Optional[Connection]]:
    """Show it, with words that the artist should read before. Returns whether the artist pressed the button, and if so
    the connection, if there is one by then.

    It never begins with the mode Remove, though *Repeat* still does that: whoever opens it again has something to say.
    """
    if "mode" in command.arguments and config.get_property("mode") == "remove":
        config.set_property("mode", "auto")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, command.title)
    dialog.set_ok_label(_("_Paint"))
    combos = {name: _combo(dialog, config, name) for name in _OFFERED if name in command.arguments}

    def offer(connection: Connection) -> None:
        welcome = connection.welcome
        if welcome.checkpoints:
            status.set_text(summary(welcome.checkpoints[0]))
        offered = {"checkpoint": [checkpoint.name for checkpoint in welcome.checkpoints], "sampler": welcome.samplers}
        for name, combo in combos.items():
            for value in offered[name]:
                combo.append_text(value)

    status = BridgeStatus(offer)
    if "mode" in command.arguments:
        # What would not be sent is not to be typed.
        removing = Gimp.ValueArray.new_from_values([GObject.Value(GObject.TYPE_STRING, "remove")])
        dialog.set_sensitive_if_in("prompt", None, "mode", removing, False)
    shown = _prepared(dialog, config, command.shown)
    dialog.get_label("advanced-title", _("Advanced"), False, False)
    dialog.fill_box("advanced-box", _prepared(dialog, config, command.folded))
    dialog.fill_expander("advanced", "advanced-title", False, "advanced-box")
    dialog.fill([*shown, "advanced"])
    content = dialog.get_content_area()
    content.pack_start(status.box, False, False, 6)
    content.reorder_child(status.box, 0)
    status.box.show_all()
    if notice:
        words = Gtk.Label(label=notice, xalign=0, wrap=True, wrap_mode=Pango.WrapMode.WORD_CHAR, max_width_chars=60)
        content.pack_start(words, False, False, 6)
        content.reorder_child(words, 1)
        words.show_all()
    dialog.connect("key-press-event", _paint_on_control_enter)
    if "prompt" in command.shown:
        dialog.get_widget("prompt", Gtk.TextView.__gtype__).grab_focus()
    status.connect(Settings.load())
    pressed = dialog.run()
    connection = status.close()
    dialog.destroy()
    if not pressed and connection is not None:
        connection.close()
        connection = None
    return pressed, connection


def _prepared(dialog: GimpUi.ProcedureDialog, config: Gimp.ProcedureConfig, names: Sequence[str]) -> list[str]:
    """What to fill a box with: the arguments, where GIMP's usual widget does not do, as others."""
    filled = []
    for name in names:
        if name in _MULTI_LINE:
            declared = config.find_property(name)
            assert declared is not None
            dialog.get_label(f"{name}-title", declared.nick, False, True).set_xalign(0)
            text = dialog.get_widget(name, Gtk.TextView.__gtype__)
            assert isinstance(text, Gtk.TextView)
            text.set_wrap_mode(Gtk.WrapMode.WORD_CHAR)
            text.set_accepts_tab(False)
            scrolled = dialog.fill_scrolled_window(f"{name}-scrolled", name)
            scrolled.set_size_request(*_MULTI_LINE[name])
            filled += [f"{name}-title", f"{name}-scrolled"]
        else:
            if name in _SLIDERS:
                dialog.get_spin_scale(name, 1.0)
            filled.append(name)
    return filled


def _combo(dialog: GimpUi.ProcedureDialog, config: Gimp.ProcedureConfig, name: str) -> Gtk.ComboBoxText:
    """A text argument that offers what the bridge has, and may be typed freely where there is none."""
    labelled = dialog.get_widget(name, GObject.TYPE_NONE)
    assert isinstance(labelled, GimpUi.LabelEntry)
    labelled.remove(labelled.get_entry())
    combo = Gtk.ComboBoxText.new_with_entry()
    combo.set_hexpand(True)
    both_ways = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE
    config.bind_property(name, combo.get_child(), "text", both_ways)
    labelled.attach(combo, 1, 0, 1, 1)
    combo.show_all()
    return combo


def _paint_on_control_enter(dialog: GimpUi.ProcedureDialog, event: Gdk.EventKey) -> bool:
    enter = event.keyval in (Gdk.KEY_Return, Gdk.KEY_KP_Enter)
    if enter and event.state & Gdk.ModifierType.CONTROL_MASK:
        dialog.response(Gtk.ResponseType.OK)
        return True
    return False
