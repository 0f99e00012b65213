"""A list widget of thumbnails."""

from __future__ import annotations

from typing import Any

from .qt import Qt, QtCore, QtGui, QtWidgets, Signal
from .shortcut_override import is_shortcut_override
from .translation import _

__all__ = ["Thumbnails"]

_PICTURE_ROLE, _BYTES_ROLE, _APPLIED_ROLE, _DIMMED_ROLE = (Qt.ItemDataRole.UserRole + number for number in range(4))

# Four beside one another in a docker of usual width.
_SIDE = 54
_MARGIN = 3
_TEXT_MARGIN = 12
_TICK = 16
_DIM = 0.35
_APPLY = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_DISCARD = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
_MOVE = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End)


class Thumbnails(QtWidgets.QListWidget):
    """Signals: ``apply_requested`` (Enter), ``discard_requested`` (Delete). Shift and Ctrl select several."""

    apply_requested = Signal()
    discard_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.setMovement(QtWidgets.QListView.Movement.Static)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QtCore.QSize(_SIDE, _SIDE))
        self.setItemDelegate(_FrameDelegate(self))
        self.setMinimumHeight(_SIDE + 4 * _MARGIN)
        self._when_empty = _("Pictures wait here until you apply or discard them.")

    def add(self, image: QtGui.QImage, tip: str, data: object, size: int) -> None:
        """Append a picture; ``data`` is its item's data, which takes so many bytes."""
        ratio = self.devicePixelRatioF()
        side, keep = self.iconSize() * ratio, Qt.AspectRatioMode.KeepAspectRatio
        # Smooth scaling from full size would take long.
        few = image.scaled(side * 4, keep, Qt.TransformationMode.FastTransformation)
        small = few.scaled(side, keep, Qt.TransformationMode.SmoothTransformation)
        pixmap = QtGui.QPixmap.fromImage(small)
        pixmap.setDevicePixelRatio(ratio)
        item = QtWidgets.QListWidgetItem(QtGui.QIcon(pixmap), "")
        item.setToolTip(tip)
        item.setData(_PICTURE_ROLE, data)
        item.setData(_BYTES_ROLE, size)
        self.addItem(item)

    def all(self) -> list[QtWidgets.QListWidgetItem]:
        """All items, in the order in which they were painted."""
        return [self.item(row) for row in range(self.count())]

    def picture(self, item: QtWidgets.QListWidgetItem) -> Any:
        """What it was added with."""
        return item.data(_PICTURE_ROLE)

    def is_applied(self, item: QtWidgets.QListWidgetItem) -> bool:
        return bool(item.data(_APPLIED_ROLE))

    def set_applied(self, item: QtWidgets.QListWidgetItem) -> None:
        """Give it a tick."""
        item.setData(_APPLIED_ROLE, True)

    def set_dimmed(self, item: QtWidgets.QListWidgetItem, on: bool) -> None:
        item.setData(_DIMMED_ROLE, on)

    def keep_applied(self, most: int) -> None:
        """Remove the oldest with a tick where all of those are more than so many bytes."""
        applied = [item for item in self.all() if self.is_applied(item) and not item.isSelected()]
        total = sum(item.data(_BYTES_ROLE) for item in applied)
        for item in applied:
            if total <= most:
                return
            total -= item.data(_BYTES_ROLE)
            self.takeItem(self.row(item))

    def chosen(self) -> list[QtWidgets.QListWidgetItem]:
        """The selected items, in the order in which they were painted."""
        return [item for item in self.all() if item.isSelected()]

    def take(self, items: list[QtWidgets.QListWidgetItem]) -> None:
        """Remove these, and select the next one."""
        rows = [self.row(item) for item in items]
        for row in sorted(rows, reverse=True):
            self.takeItem(row)
        if self.count():
            self.choose(min(min(rows, default=0), self.count() - 1))

    def choose(self, row: int) -> None:
        """Select this one alone."""
        self.setCurrentRow(row, QtCore.QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def sizeHint(self) -> QtCore.QSize:
        # One row of them; more where there is room to spare.
        return QtCore.QSize(super().sizeHint().width(), self.minimumHeight())

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        super().paintEvent(event)
        if self.count():
            return
        painter = QtGui.QPainter(self.viewport())
        painter.setPen(self.palette().color(QtGui.QPalette.ColorGroup.Disabled, QtGui.QPalette.ColorRole.Text))
        text_area = self.viewport().rect().adjusted(_TEXT_MARGIN, _TEXT_MARGIN, -_TEXT_MARGIN, -_TEXT_MARGIN)
        painter.drawText(text_area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._when_empty)
        painter.end()

    def event(self, event: QtCore.QEvent) -> bool:
        # Krita must not take these keys for shortcuts.
        if isinstance(event, QtGui.QKeyEvent) and is_shortcut_override(event) and _is_list_key(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if event.key() in _APPLY:
            self.apply_requested.emit()
        elif event.key() in _DISCARD:
            self.discard_requested.emit()
        else:
            super().keyPressEvent(event)


def _is_list_key(event: QtGui.QKeyEvent) -> bool:
    return event.key() in (*_APPLY, *_DISCARD, *_MOVE) or event.matches(QtGui.QKeySequence.StandardKey.SelectAll)


class _FrameDelegate(QtWidgets.QStyledItemDelegate):
    """Frames a selected picture instead of tinting it, as styles do: artists judge its colors."""

    def sizeHint(self, _option: QtWidgets.QStyleOptionViewItem, _index: QtCore.QModelIndex) -> QtCore.QSize:
        return QtCore.QSize(_SIDE + 2 * _MARGIN, _SIDE + 2 * _MARGIN)

    def paint(self, painter: QtGui.QPainter, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex) -> None:
        states = QtWidgets.QStyle.StateFlag
        if option.state & states.State_Selected:
            painter.fillRect(option.rect, option.palette.highlight())
        elif option.state & states.State_MouseOver:
            painter.fillRect(option.rect, option.palette.mid())
        inner = option.rect.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        # Pictures are transparent at their edges.
        painter.fillRect(inner, option.palette.base())
        painter.setOpacity(_DIM if index.data(_DIMMED_ROLE) else 1.0)
        index.data(Qt.ItemDataRole.DecorationRole).paint(painter, inner)
        painter.setOpacity(1.0)
        if index.data(_APPLIED_ROLE):
            _draw_tick(painter, inner, option.palette)


def _draw_tick(painter: QtGui.QPainter, inside: QtCore.QRect, palette: QtGui.QPalette) -> None:
    """In the lower right corner."""
    right, bottom = inside.x() + inside.width(), inside.y() + inside.height()
    corner = QtCore.QRect(right - _TICK, bottom - _TICK, _TICK, _TICK)
    painter.fillRect(corner, palette.highlight())
    painter.setPen(palette.color(QtGui.QPalette.ColorGroup.Active, QtGui.QPalette.ColorRole.HighlightedText))
    painter.drawText(corner, Qt.AlignmentFlag.AlignCenter, "\N{CHECK MARK}")
