"""The pictures that were painted, until they are applied or discarded."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.client import JobResult, ResultLayer

from .layers import add_layer, layer_name
from .painting import Order
from .pixels import image_of
from .qt import Qt, QtCore, QtGui, QtWidgets, Signal
from .words import _

__all__ = ["Results"]

_THUMBNAIL = 96
_HELD = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class _Picture:
    """One picture, and the order that it is of."""

    order: Order
    layer: ResultLayer


class Results(QtWidgets.QWidget):
    """Thumbnails, and what can be done with the one that is chosen. ``again`` has an order to send."""

    again = Signal(object)
    refused = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._list = QtWidgets.QListWidget()
        self._list.setObjectName("paintbridge_results")
        self._list.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self._list.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self._list.setMovement(QtWidgets.QListView.Movement.Static)
        self._list.setIconSize(QtCore.QSize(_THUMBNAIL, _THUMBNAIL))
        self._list.currentItemChanged.connect(self._show_buttons)
        self._list.itemDoubleClicked.connect(lambda _item: self._apply())
        self._buttons = [
            self._button("apply", _("Apply"), _("Add it as a layer above the active one"), self._apply),
            self._button("again", _("Again"), _("Generate once more, with another seed"), self._send_again),
            self._button("discard", _("Discard"), _("Take it off this list"), self._discard),
        ]
        row = QtWidgets.QHBoxLayout()
        for button in self._buttons:
            row.addWidget(button)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._list)
        column.addLayout(row)
        self._ready = False
        self._show_buttons()

    def be_ready(self, ready: bool) -> None:
        """Whether a job could be sent now."""
        self._ready = ready
        self._show_buttons()

    def add(self, order: Order, result: JobResult) -> None:
        """The pictures of a job; the first of them is chosen."""
        first = self._list.count()
        for layer in result.layers:
            picture = layer.picture
            image = image_of(layer.data, picture.depth, picture.width, picture.height)
            icon = QtGui.QIcon(
                QtGui.QPixmap.fromImage(
                    image.scaled(
                        self._list.iconSize() * self.devicePixelRatioF(),
                        Qt.AspectRatioMode.KeepAspectRatio,
                        Qt.TransformationMode.SmoothTransformation,
                    )
                )
            )
            item = QtWidgets.QListWidgetItem(icon, "")
            item.setToolTip(f"{layer.recipe.prompt}\n" + _("Seed {seed}").format(seed=layer.recipe.seed))
            item.setData(_HELD, _Picture(order, layer))
            self._list.addItem(item)
        self._list.setCurrentRow(first)

    def _apply(self) -> None:
        held = self._list.currentItem().data(_HELD)
        try:
            add_layer(held.order.scene, held.layer, layer_name(held.layer.recipe.prompt, _("Paintbridge")))
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self.refused.emit(error)
        else:
            self._discard()

    def _send_again(self) -> None:
        self.again.emit(self._list.currentItem().data(_HELD).order.again())

    def _discard(self) -> None:
        self._list.takeItem(self._list.currentRow())

    def _show_buttons(self) -> None:
        for button in self._buttons:
            sends = button.objectName() == "paintbridge_again"
            button.setEnabled(self._list.currentItem() is not None and (self._ready or not sends))

    def _button(self, name: str, title: str, words: str, pressed: object) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(title)
        button.setObjectName(f"paintbridge_{name}")
        button.setToolTip(words)
        button.clicked.connect(lambda _checked: pressed())
        return button
