"""All jobs under way, of all documents; and those that were lost with a bridge, to be sent again with the pixels that
were read for them.
"""

from __future__ import annotations

from bridge.client import Bridge, BridgeClosed, ConnectionLost

from .painting import Order, Painting
from .qt import QtCore, Signal

__all__ = ["Jobs"]

_LOST_WITH = ("session_unknown", "session_dropped", "shutting_down", "result_expired")


class Jobs(QtCore.QObject):
    """The signals are those of each :class:`.painting.Painting`. For a job that was lost with its bridge ``missed`` is
    emitted instead of ``failed``, with the reason; it is in ``lost``.
    """

    changed = Signal()
    progressed = Signal(object, object)
    painted = Signal(object, object, object)
    failed = Signal(object, object)
    missed = Signal(object)

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self.lost: list[Order] = []
        self.under_way: list[Painting] = []  # the oldest one first

    def begin(self, bridge: Bridge, order: Order) -> None:
        """Raises BridgeError for values that cannot be, and BridgeClosed."""
        painting = Painting(bridge, order)
        painting.progressed.connect(self.progressed)
        painting.painted.connect(self.painted)
        painting.failed.connect(self._fail)
        painting.ended.connect(self._forget)
        painting.start()
        self.under_way.append(painting)
        self.changed.emit()

    def cancel(self) -> None:
        """End the oldest one."""
        if self.under_way:
            self.under_way[0].cancel()

    def send_again(self, bridge: Bridge) -> None:
        """Those that were lost."""
        lost, self.lost = self.lost, []
        for order in lost:
            self.begin(bridge, order)

    def _fail(self, order: Order, error: Exception) -> None:
        with_the_bridge = isinstance(error, (BridgeClosed, ConnectionLost))
        if with_the_bridge or getattr(error, "code", None) in _LOST_WITH:
            self.lost.append(order)
            self.missed.emit(error)
        else:
            self.failed.emit(order, error)

    def _forget(self, painting: Painting) -> None:
        self.under_way.remove(painting)
        self.changed.emit()
