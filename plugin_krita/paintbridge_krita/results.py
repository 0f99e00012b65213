"""The pictures that were painted, until they are applied or discarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import krita

from bridge.client import JobResult, ResultLayer

from .flow import Flow
from .layers import add_layers, layer_name
from .painting import Order
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
    """Thumbnails, and what can be done with the one that is chosen. ``again`` has an order to send. ``refused`` has the
    reason why a picture was not applied, and the picture, for :meth:`place`.
    """

    again = Signal(object)
    refused = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._list = QtWidgets.QListWidget()
        self._list.setObjectName("paintbridge_results")
        self._list.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self._list.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self._list.setMovement(QtWidgets.QListView.Movement.Static)
        self._list.setIconSize(QtCore.QSize(_THUMBNAIL, _THUMBNAIL))
        self._list.currentItemChanged.connect(self._show_buttons)
        self._list.itemDoubleClicked.connect(lambda _item: self._buttons[0].click())
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
        self._placing: Flow | None = None
        self._show_buttons()

    def be_ready(self, ready: bool) -> None:
        """Whether a job could be sent now."""
        self._ready = ready
        self._show_buttons()

    def add(self, order: Order, result: JobResult, images: Sequence[QtGui.QImage]) -> None:
        """The pictures of a job, and how they look; the first of them is chosen."""
        first = self._list.count()
        for layer, image in zip(result.layers, images):
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

    def place(self, item: QtWidgets.QListWidgetItem, document: krita.Document) -> None:
        """Add a picture to a document as it was computed, whatever the document is now."""
        held = item.data(_HELD)
        name = layer_name(held.layer.recipe.prompt, _("Paintbridge"))
        self._placing = Flow(add_layers(document, [held.layer], [name], name))
        self._placing.done.connect(lambda _nothing: self._take_away(item))
        self._placing.failed.connect(lambda error: self._refuse(error, item))
        self._placing.start()
        self._show_buttons()

    def _apply(self) -> None:
        item = self._list.currentItem()
        scene = item.data(_HELD).order.scene
        try:
            scene.check()
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._refuse(error, item)
        else:
            self.place(item, scene.document)

    def _take_away(self, item: QtWidgets.QListWidgetItem) -> None:
        self._placing = None
        self._list.takeItem(self._list.row(item))
        self._show_buttons()

    def _refuse(self, error: Exception, item: QtWidgets.QListWidgetItem) -> None:
        self._placing = None
        self._show_buttons()
        self.refused.emit(error, item)

    def _send_again(self) -> None:
        self.again.emit(self._list.currentItem().data(_HELD).order.again())

    def _discard(self) -> None:
        self._list.takeItem(self._list.currentRow())

    def _show_buttons(self) -> None:
        for button in self._buttons:
            sends = button.objectName() == "paintbridge_again"
            free = self._list.currentItem() is not None and self._placing is None
            button.setEnabled(free and (self._ready or not sends))

    def _button(self, name: str, title: str, words: str, pressed: object) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(title)
        button.setObjectName(f"paintbridge_{name}")
        button.setToolTip(words)
        button.clicked.connect(lambda _checked: pressed())
        return button
