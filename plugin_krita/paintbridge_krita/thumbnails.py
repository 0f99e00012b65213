"""A list widget of thumbnails."""

from __future__ import annotations

from .qt import Qt, QtCore, QtGui, QtWidgets, Signal
from .shortcut_override import is_shortcut_override
from .translation import _

__all__ = ["Thumbnails"]

_SIDE = 72
_MARGIN = 4
_TEXT_MARGIN = 12
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

    def add(self, image: QtGui.QImage, tip: str, data: object) -> None:
        """Append a picture; ``data`` is its item's data."""
        ratio = self.devicePixelRatioF()
        side, keep = self.iconSize() * ratio, Qt.AspectRatioMode.KeepAspectRatio
        # Smooth scaling from full size would take long.
        few = image.scaled(side * 4, keep, Qt.TransformationMode.FastTransformation)
        small = few.scaled(side, keep, Qt.TransformationMode.SmoothTransformation)
        pixmap = QtGui.QPixmap.fromImage(small)
        pixmap.setDevicePixelRatio(ratio)
        item = QtWidgets.QListWidgetItem(QtGui.QIcon(pixmap), "")
        item.setToolTip(tip)
        item.setData(Qt.ItemDataRole.UserRole, data)
        self.addItem(item)

    def chosen(self) -> list[QtWidgets.QListWidgetItem]:
        """The selected items, in the order in which they were painted."""
        return [item for item in (self.item(row) for row in range(self.count())) if item.isSelected()]

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
        index.data(Qt.ItemDataRole.DecorationRole).paint(painter, inner)
