"""The dialog that offers to start the bridge where none runs. Interactive only."""

from __future__ import annotations

from typing import Optional

from gi.repository import Gimp, Gtk

from bridge.client import BridgeNotFound

from .connection import Connection, start_and_connect, startable
from .main_loop import in_background
from .settings import Settings
from .translation import _, said

__all__ = ["ask_to_start"]


def ask_to_start(error: BridgeNotFound, settings: Settings) -> Optional[Connection]:
    """Ask, start the bridge, and connect; None: the artist declined.

    Raises:
        BridgeNotFound: ``error`` itself, where there is no command that could start one.
        StartFailed, BridgeError, ClientError
    """
    if startable(error) is None:
        raise error
    dialog = Gtk.MessageDialog(title="Paintbridge", message_type=Gtk.MessageType.QUESTION, text=said(error.message))
    dialog.format_secondary_text(_("Paintbridge paints with a program of its own, the bridge. Start it now?"))
    dialog.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
    dialog.add_button(_("_Start"), Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.OK)
    answer = dialog.run()
    dialog.destroy()
    if answer != Gtk.ResponseType.OK:
        return None
    Gimp.progress_set_text(_("Starting the bridge"))
    return in_background(lambda: start_and_connect(error, settings))
