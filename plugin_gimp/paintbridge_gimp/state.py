"""The line of a dialog that says whether there is a bridge, and starts one. Interactive only: it needs GTK."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from gi.repository import Gtk, Pango

from bridge.client import BridgeNotFound

from .connecting import connect, start_and_connect, startable
from .failures import words_for
from .link import Link
from .settings import Settings
from .waiting import on_main_thread
from .words import _

__all__ = ["BridgeState"]


class BridgeState:
    """``box`` is the widget. Connects by itself, on threads; ``on_link`` is called on the main one with a link."""

    def __init__(self, on_link: Callable[[Link], None]) -> None:
        self._on_link = on_link
        self._link: Optional[Link] = None
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

    def look(self, settings: Settings) -> None:
        """Look for a bridge; say what was found."""
        self._settings = settings
        self.say(_("Looking for the bridge..."))
        self._in_thread(lambda: connect(settings))

    def say(self, words: str) -> None:
        """Words in place of those that are there."""
        self._label.set_text(words)

    def close(self) -> Optional[Link]:
        """The dialog is done: the link that it has leads to the bridge, if there is one."""
        self._closed = True
        return self._link

    def _start(self) -> None:
        missing = self._missing
        assert missing is not None
        self.say(_("Starting the bridge..."))
        self._button.hide()
        self._in_thread(lambda: start_and_connect(missing, self._settings))

    def _in_thread(self, work: Callable[[], Link]) -> None:
        def run() -> None:
            try:
                link = work()
            except Exception as error:  # noqa: BLE001 - shown on the main thread
                on_main_thread(self._failed, error)
            else:
                on_main_thread(self._connected, link)

        threading.Thread(target=run, daemon=True).start()

    def _connected(self, link: Link) -> None:
        if self._closed:
            link.close()
            return
        if self._link is not None:
            self._link.close()
        self._link = link
        self._button.hide()
        self._on_link(link)

    def _failed(self, error: Exception) -> None:
        if not self._closed:
            self._missing = startable(error)
            self.say(words_for(error))
            self._button.set_visible(self._missing is not None)
