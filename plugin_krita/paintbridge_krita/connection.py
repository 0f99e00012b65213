"""The connection to the bridge as the docker sees it: a state, signals, and no waiting.

It looks for a bridge by itself, again and again, and takes up a lost connection. The only blocking call, opening, is
made on a thread of its own; whatever the client calls back on its thread comes out as a Qt signal on the user
interface's.
"""

from __future__ import annotations

import threading
from typing import Any, Optional

from bridge.client import Bridge, BridgeNotFound, discover
from bridge.client.starting import start

from . import settings
from .qt import QtCore, Signal

__all__ = ["CLIENT", "Connection"]

CLIENT = "paintbridge-krita"
_LOOK_AGAIN_MS = 1500
# A refusal does not mend itself in a second, and each attempt stands in the bridge's log.
_REFUSED_AGAIN_MS = 10000


class Connection(QtCore.QObject):
    """One bridge, over all its restarts.

    ``state``: ``looking`` (none has been tried yet), ``starting``, ``open``, ``interrupted`` (it is being taken up
    again), ``absent`` (``error`` says why). ``bridge`` is there when ``open`` or ``interrupted``. ``pulled`` has what
    is said of checkpoints that are being fetched.
    """

    changed = Signal()
    checkpoints_known = Signal()
    pulled = Signal(object)
    _came = Signal(object, object)
    _told = Signal(object, str, object)

    def __init__(self, parent: Optional[QtCore.QObject] = None) -> None:
        super().__init__(parent)
        self.state = "looking"
        self.error: Optional[Exception] = None
        self.bridge: Optional[Bridge] = None
        self._opening = False
        self._next: Optional[tuple[str, ...]] = None  # the command of what is to be opened after that
        self._again = QtCore.QTimer(self)
        self._again.setSingleShot(True)
        self._again.timeout.connect(self.look)
        self._came.connect(self._open_ended)
        self._told.connect(self._on_told)

    def look(self) -> None:
        """Look for a bridge now."""
        if self._opening or self.bridge is not None:
            return
        self._begin(())

    def start(self) -> None:
        """Start the bridge that is missing, and connect to it."""
        if isinstance(self.error, BridgeNotFound):
            command = self.error.start_command
            self._become("starting", None)
            self._begin(command)

    def look_elsewhere(self) -> None:
        """The settings name another bridge, or none any more."""
        if self.bridge is not None:
            self._leave(self.bridge)
        self._become("looking", None)
        self._begin(())

    def _begin(self, command: tuple[str, ...]) -> None:
        """Open one, and start it first where there is a command; one at a time."""
        if self._opening:
            self._next = command
            return
        self._again.stop()
        self._opening = True
        named = settings.load("address", ""), settings.load("token", "")
        threading.Thread(target=self._open, args=(command, *named), name="paintbridge-open", daemon=True).start()

    # ------------------------------------------------------------ on the opening thread

    def _open(self, command: tuple[str, ...], url: str, token: str) -> None:
        try:
            if command:
                start(command)
            holder: list[Any] = []
            made = Bridge(
                discover(url=url, token=token) if url or token else None,
                client=CLIENT,
                on_connection=lambda state, reason: self._told.emit(holder[0] if holder else None, state, reason),
                on_checkpoints=lambda _: self.checkpoints_known.emit(),
                on_pull=lambda message: self.pulled.emit(message),  # noqa: PLW0108 - keeps this object alive
            )
            holder.append(made)
            self._came.emit(made, None)
        except Exception as error:  # noqa: BLE001 - it is shown, whatever it is
            self._came.emit(None, error)

    # ------------------------------------------------------------ on the user interface's thread

    def _open_ended(self, bridge: Optional[Bridge], error: Optional[Exception]) -> None:
        self._opening = False
        command, self._next = self._next, None
        # What was found serves whoever wants one to be started, and not who has just named another one.
        if command == () or (command and bridge is None):
            if bridge is not None:
                self._leave(bridge)
            self._begin(command)
            return
        self.bridge = bridge
        if bridge is not None:
            self._become("open", None)
        else:
            self._become("absent", error)
            self._again.start(_REFUSED_AGAIN_MS if hasattr(error, "code") else _LOOK_AGAIN_MS)

    def _on_told(self, bridge: Optional[Bridge], state: str, reason: Optional[Exception]) -> None:
        if bridge is None or bridge is not self.bridge:
            return  # of the opening itself, which is told when it ends
        if state == "closed":
            self._leave(bridge)
            self._become("absent", reason)
            self._again.start(_LOOK_AGAIN_MS)
        else:
            self._become(state, None)

    def _leave(self, bridge: Bridge) -> None:
        self.bridge = None
        threading.Thread(target=bridge.close, name="paintbridge-close", daemon=True).start()

    def _become(self, state: str, error: Optional[Exception]) -> None:
        if (state, str(error)) != (self.state, str(self.error)):
            self.state, self.error = state, error
            self.changed.emit()
