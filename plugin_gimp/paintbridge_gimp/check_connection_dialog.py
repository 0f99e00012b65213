"""The dialog of *Check Connection*. Interactive only."""

from __future__ import annotations

import threading
from functools import partial

from gi.repository import GimpUi, Gtk

from .bridge_status import BridgeStatus
from .connection import Connection
from .main_loop import on_main_thread
from .report import report
from .settings import Settings
from .translation import _

__all__ = ["show_check"]


def show_check() -> str:
    """Show it until it is closed. Returns the last report; empty: there was no bridge."""
    report_text = ""

    def found(connection: Connection) -> None:
        show(report(connection, None))
        threading.Thread(target=with_device, args=(connection,), daemon=True).start()

    def with_device(connection: Connection) -> None:
        on_main_thread(partial(show, report(connection, connection.device())))

    def show(text: str) -> None:
        nonlocal report_text
        report_text = text
        status.set_text(text)

    settings = Settings.load()
    dialog = GimpUi.Dialog(title=_("Check Connection"), role="paintbridge-check")
    dialog.add_button(_("_Check Again"), Gtk.ResponseType.APPLY)
    dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
    dialog.set_default_response(Gtk.ResponseType.APPLY)
    status = BridgeStatus(found)
    address = Gtk.Entry(text=settings.address, hexpand=True, placeholder_text=_("found by itself"))
    token = Gtk.Entry(text=settings.token, hexpand=True, visibility=False, placeholder_text=_("found by itself"))
    grid = Gtk.Grid(column_spacing=12, row_spacing=6, margin=12)
    for row, (label, entry) in enumerate(((_("_Address"), address), (_("_Token"), token))):
        grid.attach(Gtk.Label(label=label, use_underline=True, mnemonic_widget=entry, xalign=0), 0, row, 1, 1)
        grid.attach(entry, 1, row, 1, 1)
        entry.set_activates_default(True)
    status.box.set_border_width(12)
    dialog.get_content_area().pack_start(status.box, True, True, 0)
    dialog.get_content_area().pack_start(grid, False, False, 0)
    dialog.show_all()
    status.connect(settings)
    while True:
        answer = dialog.run()
        entered = Settings(address.get_text().strip(), token.get_text().strip())
        if entered != settings:
            settings = entered
            settings.save()
        if answer != Gtk.ResponseType.APPLY:
            break
        status.connect(settings)
    connection = status.close()
    if connection is not None:
        connection.close()
    dialog.destroy()
    return report_text
