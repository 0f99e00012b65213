"""The connection to the bridge as a Qt object with a state and signals; no call blocks.

It looks for a bridge until there is one, and reconnects. The only blocking calls, opening and closing, are made on
threads of their own. What the client calls back on its thread becomes a signal on the user interface's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional, Union

from bridge.client import Bridge, BridgeNotFound, discover
from bridge.client.starting import start
from bridge.protocol.messages import Checkpoints, Pulled, Pulling, Unpulled

from . import settings
from .qt import QtCore, Signal
from .queued_callback import QueuedCallback

__all__ = ["CLIENT", "Connection"]

CLIENT = "paintbridge-krita"
_RETRY_MS = 1500
# A refusal rarely ends within a second, and the bridge logs each attempt.
_RETRY_REFUSED_MS = 10000

_Opened = tuple[Optional[Bridge], Optional[Exception]]
_StateChange = tuple[Optional[Bridge], str, Optional[Exception]]


class Connection(QtCore.QObject):
    """The connection to one bridge, also after it is restarted.

    ``state``: ``looking`` (for the first time), ``starting``, ``open``, ``interrupted`` (reconnecting;
    ``error`` says why the last attempt failed, if one has), ``absent`` (``error`` says why).
    ``bridge`` is set when ``open`` or ``interrupted``. ``pulled`` has the messages on downloads of checkpoints.
    """

    changed = Signal()
    checkpoints_changed = Signal()
    pulled = Signal(object)

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self.state = "looking"
        self.error: Optional[Exception] = None
        self.bridge: Optional[Bridge] = None
        self._opening = False
        self._next: Optional[tuple[str, ...]] = None  # the command of the next one to open
        self._retry = QtCore.QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.timeout.connect(self.find)
        self._opened = QueuedCallback(self._on_opened)
        self._state_changed = QueuedCallback(self._on_state)
        self._listed = QueuedCallback(self._on_checkpoints)
        self._pulling = QueuedCallback(self.pulled.emit)
        parent.destroyed.connect(self._close_callbacks)

    def find(self) -> None:
        """Look for a bridge now."""
        if self._opening or self.bridge is not None:
            return
        self._begin(())

    def start(self) -> None:
        """Start the bridge that was not found, and connect to it."""
        if isinstance(self.error, BridgeNotFound):
            command = self.error.start_command
            if self.bridge is not None:
                # The bridge that it tries to reconnect to has ended, and the session with it.
                self._leave(self.bridge)
            self._set_state("starting", None)
            self._begin(command)

    def reconnect(self) -> None:
        """Connect anew: the settings have another address or token."""
        if self.bridge is not None:
            self._leave(self.bridge)
        self._set_state("looking", None)
        self._begin(())

    def _begin(self, command: tuple[str, ...]) -> None:
        """Open a connection, after starting a bridge if there is a command. One at a time: another one waits."""
        if self._opening:
            self._next = command
            return
        self._retry.stop()
        self._opening = True
        named = settings.load("address", ""), settings.load("token", "")
        callbacks = _Callbacks(self._opened.send, self._state_changed.send, self._listed.send, self._pulling.send)
        threading.Thread(target=_open, args=(command, *named, callbacks), name="paintbridge-open", daemon=True).start()

    # ------------------------------------------------------------ on the user interface's thread

    def _on_opened(self, outcome: _Opened) -> None:
        bridge, error = outcome
        self._opening = False
        command, self._next = self._next, None
        # An open bridge will do where one was to be started next, but not where the settings have changed meanwhile.
        if command == () or (command and bridge is None):
            if bridge is not None:
                self._leave(bridge)
            self._begin(command)
            return
        self.bridge = bridge
        if bridge is not None:
            self._set_state("open", None)
        else:
            self._set_state("absent", error)
            self._retry.start(_RETRY_REFUSED_MS if hasattr(error, "code") else _RETRY_MS)

    def _on_state(self, change: _StateChange) -> None:
        bridge, state, reason = change
        if bridge is None or bridge is not self.bridge:
            return  # an opening reports by `_on_opened`, once
        if state == "closed":
            self._leave(bridge)
            self._set_state("absent", reason)
            self._retry.start(_RETRY_MS)
        else:
            self._set_state(state, reason)

    def _leave(self, bridge: Bridge) -> None:
        self.bridge = None
        threading.Thread(target=bridge.close, name="paintbridge-close", daemon=True).start()

    def _set_state(self, state: str, error: Optional[Exception]) -> None:
        if (state, str(error)) != (self.state, str(self.error)):
            self.state, self.error = state, error
            self.changed.emit()

    def _on_checkpoints(self, _checkpoints: object) -> None:
        self.checkpoints_changed.emit()

    def _close_callbacks(self) -> None:
        """Called when the window closes, with which this object is deleted."""
        for callback in (self._opened, self._state_changed, self._listed, self._pulling):
            callback.close()


@dataclass(frozen=True)
class _Callbacks:
    """May be called on any thread."""

    opened: Callable[[_Opened], None]
    state_changed: Callable[[_StateChange], None]
    listed: Callable[[Checkpoints], None]
    pulling: Callable[[Union[Pulling, Pulled, Unpulled]], None]


def _open(command: tuple[str, ...], url: str, token: str, callbacks: _Callbacks) -> None:
    """On a thread of its own."""
    try:
        if command:
            start(command)
        holder: list[Bridge] = []
        made = Bridge(
            discover(url=url, token=token) if url or token else None,
            client=CLIENT,
            on_connection=lambda state, reason: callbacks.state_changed((holder[0] if holder else None, state, reason)),
            on_checkpoints=callbacks.listed,
            on_pull=callbacks.pulling,
        )
        holder.append(made)
        callbacks.opened((made, None))
    except Exception as error:  # noqa: BLE001 - it is shown, whatever it is
        callbacks.opened((None, error))
