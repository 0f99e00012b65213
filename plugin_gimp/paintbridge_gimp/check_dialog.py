"""The dialog of *Check Connection*. Interactive only."""

from __future__ import annotations

import threading

from gi.repository import GimpUi, Gtk

from .link import Link
from .report import report
from .settings import Settings
from .state import BridgeState
from .waiting import on_main_thread
from .words import _

__all__ = ["show_check"]


def show_check() -> str:
    """Show it until it is closed. Returns the last report; empty: there was no bridge."""
    words = ""

    def found(link: Link) -> None:
        say(report(link, None))
        threading.Thread(target=with_device, args=(link,), daemon=True).start()

    def with_device(link: Link) -> None:
        on_main_thread(say, report(link, link.device()))

    def say(found_words: str) -> None:
        nonlocal words
        words = found_words
        state.say(words)

    settings = Settings.load()
    dialog = GimpUi.Dialog(title=_("Check Connection"), role="paintbridge-check")
    dialog.add_button(_("_Check Again"), Gtk.ResponseType.APPLY)
    dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
    dialog.set_default_response(Gtk.ResponseType.APPLY)
    state = BridgeState(found)
    address = Gtk.Entry(text=settings.address, hexpand=True, placeholder_text=_("found by itself"))
    token = Gtk.Entry(text=settings.token, hexpand=True, visibility=False, placeholder_text=_("found by itself"))
    grid = Gtk.Grid(column_spacing=12, row_spacing=6, margin=12)
    for row, (label, entry) in enumerate(((_("_Address"), address), (_("_Token"), token))):
        grid.attach(Gtk.Label(label=label, use_underline=True, mnemonic_widget=entry, xalign=0), 0, row, 1, 1)
        grid.attach(entry, 1, row, 1, 1)
        entry.set_activates_default(True)
    state.box.set_border_width(12)
    dialog.get_content_area().pack_start(state.box, True, True, 0)
    dialog.get_content_area().pack_start(grid, False, False, 0)
    dialog.show_all()
    state.look(settings)
    while True:
        answer = dialog.run()
        entered = Settings(address.get_text().strip(), token.get_text().strip())
        if entered != settings:
            settings = entered
            settings.save()
        if answer != Gtk.ResponseType.APPLY:
            break
        state.look(settings)
    link = state.close()
    if link is not None:
        link.close()
    dialog.destroy()
    return words
