"""A dialog's row with the status of the connection and a button that starts the bridge. Interactive only: needs GTK."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Optional

from gi.repository import Gtk, Pango

from bridge.client import BridgeNotFound

from .connection import Connection, connect, start_and_connect, startable
from .error_text import error_text
from .main_loop import on_main_thread
from .settings import Settings
from .translation import _

__all__ = ["BridgeStatus"]


class BridgeStatus:
    """``box`` is the widget. It connects on threads of its own; ``on_connection`` is called on the main thread."""

    def __init__(self, on_connection: Callable[[Connection], None]) -> None:
        self._on_connection = on_connection
        self._connection: Optional[Connection] = None
        self._closed = False
        self._label = Gtk.Label(xalign=0, wrap=True, wrap_mode=Pango.WrapMode.WORD_CHAR, max_width_chars=60)
        self._label.set_selectable(True)
        self._button = Gtk.Button(label=_("Start the Br_idge"), use_underline=True, no_show_all=True)
        self._button.set_valign(Gtk.Align.CENTER)
        self._button.connect("clicked", lambda _button: self._start())
        self._missing: Optional[BridgeNotFound] = None
        self.box = Gtk.Box(spacing=12)
        self.box.pack_start(self._label, True, True, 0)
        self.box.pack_start(self._button, False, False, 0)

    def connect(self, settings: Settings) -> None:
        """Look for a bridge and connect to it."""
        self._settings = settings
        self.set_text(_("Looking for the bridge..."))
        self._in_thread(lambda: connect(settings))

    def set_text(self, text: str) -> None:
        """Replace the text."""
        self._label.set_text(text)

    def close(self) -> Optional[Connection]:
        """Called when the dialog closes. Returns the connection, if there is one; the caller closes it."""
        self._closed = True
        return self._connection

    def _start(self) -> None:
        missing = self._missing
        assert missing is not None
        self.set_text(_("Starting the bridge..."))
        self._button.hide()
        self._in_thread(lambda: start_and_connect(missing, self._settings))

    def _in_thread(self, work: Callable[[], Connection]) -> None:
        def run() -> None:
            try:
                connection = work()
            except Exception as error:  # noqa: BLE001 - shown on the main thread
                on_main_thread(partial(self._failed, error))
            else:
                on_main_thread(partial(self._connected, connection))

        threading.Thread(target=run, daemon=True).start()

    def _connected(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
            return
        if self._connection is not None:
            self._connection.close()
        self._connection = connection
        self._button.hide()
        self._on_connection(connection)

    def _failed(self, error: Exception) -> None:
        if not self._closed:
            self._missing = startable(error)
            self.set_text(error_text(error))
            self._button.set_visible(self._missing is not None)
