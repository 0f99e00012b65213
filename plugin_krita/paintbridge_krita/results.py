"""The list of results, until they are applied or discarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import krita

from bridge.client import JobResult, ResultLayer

from .cooperative_task import CooperativeTask
from .fields import named
from .icons import set_icon
from .layers import add_layers, layer_name
from .painting import Order
from .preview import overlay_of_result
from .qt import Qt, QtGui, QtWidgets, Signal
from .thumbnails import Thumbnails
from .translation import _

__all__ = ["PaintedPicture", "Results"]

_PICTURE_ROLE = Qt.ItemDataRole.UserRole
_BESIDE_WORDS = 16


@dataclass(frozen=True)
class PaintedPicture:
    """One picture of a job's result, with its order and as a QImage."""

    order: Order
    layer: ResultLayer
    image: QtGui.QImage


class Results(QtWidgets.QWidget):
    """Thumbnails, and buttons for those that are selected.

    Signals: ``again`` has an order to send; ``reuse`` a picture whose values to take; ``preview_changed`` what to show
    over the canvas, or None; ``compare_held`` whether to hide that for now; ``refused`` the reason why pictures
    were not applied, and a function that adds them to a given document where they were computed.
    """

    again = Signal(object)
    reuse = Signal(object)
    preview_changed = Signal(object)
    compare_held = Signal(bool)
    refused = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._connected = False
        self._placing: CooperativeTask | None = None
        self._list = named(Thumbnails(), "results")
        self._list.itemSelectionChanged.connect(self._update_preview)
        self._list.itemDoubleClicked.connect(lambda _item: self.apply())
        self._list.apply_requested.connect(self.apply)
        self._list.discard_requested.connect(self.discard)
        tip = _("Add as a layer above the active one (Enter)")
        self._apply = named(QtWidgets.QPushButton(_("Apply")), "apply", tip)
        # Not as wide as other buttons: six stand beside it.
        self._apply.setMinimumWidth(self._apply.fontMetrics().horizontalAdvance(self._apply.text()) + _BESIDE_WORDS)
        self._apply.clicked.connect(lambda _on: self.apply())
        self._group = _tool("apply_group", _("Add as a layer group above the active layer"), self.apply_as_group)
        self._again = _tool("again", _("Generate once more, with another seed"), self.send_again)
        self._reuse = _tool("reuse", _("Take its prompt, seed and all other values"), self._take_values)
        self._shown = _tool("shown", _("Show the chosen picture on the canvas"), self._update_preview)
        self._shown.setCheckable(True)
        self._shown.setChecked(True)
        self._compare = _tool("compare", _("Hold to see what was there before"))
        self._compare.pressed.connect(lambda: self.compare_held.emit(True))
        self._compare.released.connect(lambda: self.compare_held.emit(False))
        self._discard = _tool("discard", _("Take it off this list (Del)"), self.discard)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self._apply, 1)
        for button in (self._group, self._again, self._reuse, self._shown, self._compare, self._discard):
            row.addWidget(button)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._list)
        column.addLayout(row)
        self._show_buttons()

    @property
    def is_previewing(self) -> bool:
        """Whether a picture is selected, and so shown over the canvas."""
        return bool(self._list.chosen()) and self._shown.isChecked()

    def clear_selection(self) -> None:
        """Select none, so that the next result is shown."""
        self._list.clearSelection()
        self._update_preview()

    def set_connected(self, connected: bool) -> None:
        """Whether a job could be sent now."""
        self._connected = connected
        self._show_buttons()

    def add(self, order: Order, result: JobResult, images: Sequence[QtGui.QImage]) -> None:
        """Add a job's pictures, with their images; select the first, unless another one is shown."""
        first, previewing = self._list.count(), self.is_previewing
        for layer, image in zip(result.layers, images):
            tip = f"{layer.recipe.settings.conditioning.prompt}\n" + _("Seed {seed}").format(
                seed=layer.recipe.settings.sampling.seed
            )
            self._list.add(image, tip.strip(), PaintedPicture(order, layer, image))
        if not previewing:
            self._list.choose(first)

    def apply(self) -> None:
        """Add each selected picture as a layer; where they are of several documents, those of the first."""
        self._put(grouped=False)

    def apply_as_group(self) -> None:
        """Add the selected pictures as one group."""
        self._put(grouped=True)

    def send_again(self) -> None:
        """Send the same job again, with another seed."""
        if self._again.isEnabled():
            self.again.emit(self._chosen()[0].order.again())

    def discard(self) -> None:
        """Discard the selected pictures."""
        self._list.take(self._list.chosen())

    def _put(self, *, grouped: bool) -> None:
        items = self._list.chosen()
        if not items or self._placing is not None:
            return
        target = items[0].data(_PICTURE_ROLE).order.target
        # Each goes to its own document; those of others stay in the list.
        items = [item for item in items if item.data(_PICTURE_ROLE).order.target.document == target.document]
        try:
            target.check()
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self.refused.emit(error, lambda document: self._place(items, document, grouped))
        else:
            self._place(items, target.document, grouped)

    def _place(self, items: list[QtWidgets.QListWidgetItem], document: krita.Document, grouped: bool) -> None:
        layers = [item.data(_PICTURE_ROLE).layer for item in items]
        names = [layer_name(layer.recipe.settings.conditioning.prompt, _("Paintbridge")) for layer in layers]
        self._placing = CooperativeTask(add_layers(document, layers, names, names[0] if grouped else None))
        self._placing.done.connect(lambda _nothing: self._end(items))
        self._placing.failed.connect(lambda error: self._fail(error, items, grouped))
        self._placing.start()
        self._show_buttons()

    def _end(self, items: list[QtWidgets.QListWidgetItem]) -> None:
        self._placing = None
        self._list.take(items)
        self._show_buttons()

    def _fail(self, error: Exception, items: list[QtWidgets.QListWidgetItem], grouped: bool) -> None:
        self._placing = None
        self._show_buttons()
        self.refused.emit(error, lambda document: self._place(items, document, grouped))

    def _take_values(self) -> None:
        self.reuse.emit(self._chosen()[0])

    def _chosen(self) -> list[PaintedPicture]:
        return [item.data(_PICTURE_ROLE) for item in self._list.chosen()]

    def _update_preview(self) -> None:
        self._show_buttons()
        if self.is_previewing:
            chosen = self._chosen()[0]
            self.preview_changed.emit(overlay_of_result(chosen.order, chosen.layer, chosen.image))
        else:
            self.preview_changed.emit(None)

    def _show_buttons(self) -> None:
        set_icon(self._shown, "shown" if self._shown.isChecked() else "hidden")
        chosen = len(self._list.chosen())
        for button in (self._apply, self._group, self._discard):
            button.setEnabled(chosen > 0 and self._placing is None)
        self._compare.setEnabled(self.is_previewing)
        self._reuse.setEnabled(chosen == 1)
        self._again.setEnabled(chosen == 1 and self._connected)


def _tool(name: str, tip: str, pressed: Callable[[], None] | None = None) -> QtWidgets.QToolButton:
    button = named(QtWidgets.QToolButton(), name, tip)
    set_icon(button, name)
    button.setAutoRaise(True)
    if pressed is not None:
        button.clicked.connect(lambda _on: pressed())
    return button
