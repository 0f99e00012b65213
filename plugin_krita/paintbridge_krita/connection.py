"""The connection to the bridge as the docker sees it: a state, signals, and no waiting.

It looks for a bridge by itself, again and again, and takes up a lost connection. The only blocking call, opening, is
made on a thread of its own; whatever the client calls back on its thread comes out as a Qt signal on the user
interface's.
"""

from __future__ import annotations

import threading
from typing import Any, Optional

from bridge.client import Bridge

from .qt import QtCore, Signal

__all__ = ["CLIENT", "Connection"]

CLIENT = "paintbridge-krita"
_LOOK_AGAIN_MS = 1500
# A refusal does not mend itself in a second, and each attempt stands in the bridge's log.
_REFUSED_AGAIN_MS = 10000


class Connection(QtCore.QObject):
    """One bridge, over all its restarts.

    ``state``: ``looking`` (none has been tried yet), ``open``, ``interrupted`` (it is being taken up again), ``absent``
    (``error`` says why). ``bridge`` is there when ``open`` or ``interrupted``.
    """

    changed = Signal()
    checkpoints_known = Signal()
    _came = Signal(object, object)
    _told = Signal(object, str, object)

    def __init__(self, parent: Optional[QtCore.QObject] = None) -> None:
        super().__init__(parent)
        self.state = "looking"
        self.error: Optional[Exception] = None
        self.bridge: Optional[Bridge] = None
        self._opening = False
        self._again = QtCore.QTimer(self)
        self._again.setSingleShot(True)
        self._again.timeout.connect(self.look)
        self._came.connect(self._open_ended)
        self._told.connect(self._on_told)

    def look(self) -> None:
        """Look for a bridge now."""
        if self._opening or self.bridge is not None:
            return
        self._again.stop()
        self._opening = True
        threading.Thread(target=self._open, name="paintbridge-open", daemon=True).start()

    # ------------------------------------------------------------ on the opening thread

    def _open(self) -> None:
        try:
            holder: list[Any] = []
            made = Bridge(
                client=CLIENT,
                on_connection=lambda state, reason: self._told.emit(holder[0] if holder else None, state, reason),
                on_checkpoints=lambda _: self.checkpoints_known.emit(),
            )
            holder.append(made)
            self._came.emit(made, None)
        except Exception as error:  # noqa: BLE001 - it is shown, whatever it is
            self._came.emit(None, error)

    # ------------------------------------------------------------ on the user interface's thread

    def _open_ended(self, bridge: Optional[Bridge], error: Optional[Exception]) -> None:
        self._opening = False
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
            self.bridge = None
            self._become("absent", reason)
            self._again.start(_LOOK_AGAIN_MS)
            threading.Thread(target=bridge.close, name="paintbridge-close", daemon=True).start()
        else:
            self._become(state, None)

    def _become(self, state: str, error: Optional[Exception]) -> None:
        if (state, str(error)) != (self.state, str(self.error)):
            self.state, self.error = state, error
            self.changed.emit()
