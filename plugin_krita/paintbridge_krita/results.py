"""The list of pictures, until they are discarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import krita

from bridge.client import JobResult, Refused
from bridge.protocol.messages import JobSettings

from .applying import Applying
from .fields import named
from .icons import set_icon
from .message_widget import label
from .nodes import active_node, layer_of
from .painting import Order
from .placed_preview import PaintedPicture, PlacedPreview
from .qt import QtGui, QtWidgets, Signal
from .recipes import recipe_of
from .thumbnails import Thumbnails
from .translation import _

__all__ = ["Results"]

_BESIDE_WORDS = 16
# Of pictures that were applied so much is kept, to be applied again: they are in their documents.
_APPLIED_BYTES = 256 << 20


class Results(QtWidgets.QWidget):
    """Thumbnails, and buttons for those that are selected.

    Signals: ``again`` has an order to send; ``reuse`` a recipe whose values to take, and the values of its order;
    ``preview_changed`` what to show over the canvas, or None, and whether that is another picture than before;
    ``compare_held`` whether to hide that for now; ``refused`` the reason why something was not done, and for pictures
    that were not applied a function that adds them to a given document where they were computed.
    """

    again = Signal(object)
    reuse = Signal(object, object)
    preview_changed = Signal(object, bool)
    compare_held = Signal(bool)
    refused = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._connected = False
        self._document: krita.Document | None = None
        self._applying = Applying(self)
        self._preview = PlacedPreview(self)
        self._preview.changed.connect(self._show_preview)
        self._preview.said.connect(self._say)
        self._list = named(Thumbnails(), "results")
        self._list.itemSelectionChanged.connect(self._choose)
        self._list.itemDoubleClicked.connect(lambda _item: self.apply())
        self._list.apply_requested.connect(self.apply)
        self._list.discard_requested.connect(self.discard)
        self._applying.ended.connect(self._mark)
        self._applying.refused.connect(self._refuse)
        tip = _("Add as a layer above the active one (Enter)")
        self._apply = named(QtWidgets.QPushButton(_("Apply")), "apply", tip)
        # Not as wide as other buttons: six stand beside it.
        self._apply.setMinimumWidth(self._apply.fontMetrics().horizontalAdvance(self._apply.text()) + _BESIDE_WORDS)
        self._apply.clicked.connect(lambda _on: self.apply())
        self._group = _tool("apply_group", _("Add as a layer group above the active layer"), self.apply_as_group)
        self._again = _tool("again", _("Generate once more, with another seed"), self.send_again)
        self._reuse = _tool(
            "reuse", _("Take prompt, seed and all other values of the picture, or of the layer"), self._take_values
        )
        self._shown = _tool("shown", _("Show the chosen picture on the canvas"), self._choose)
        self._shown.setCheckable(True)
        self._shown.setChecked(True)
        self._compare = _tool("compare", _("Hold to see what was there before"))
        self._compare.pressed.connect(lambda: self.compare_held.emit(True))
        self._compare.released.connect(lambda: self.compare_held.emit(False))
        self._discard = _tool("discard", _("Take it off this list (Del)"), self.discard)
        self._words = label("place")
        self._on_top = named(QtWidgets.QPushButton(_("Put It on Top")), "on_top", _("Above all layers"))
        self._on_top.clicked.connect(lambda _on: self._preview.put_on_top())
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self._apply, 1)
        for button in (self._group, self._again, self._reuse, self._shown, self._compare, self._discard):
            row.addWidget(button)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._list)
        column.addLayout(row)
        column.addWidget(self._words)
        column.addWidget(self._on_top)
        self._say("", False)
        self._show_buttons()

    @property
    def is_previewing(self) -> bool:
        """Whether a picture is selected, and so shown over the canvas."""
        return bool(self._list.chosen()) and self._shown.isChecked()

    def waiting(self, document: krita.Document | None = None) -> int:
        """How many pictures have not been applied: those of a document, or all."""
        items = [item for item in self._list.all() if not self._list.is_applied(item)]
        documents = [self._list.picture(item).order.target.document for item in items]
        return len(documents) if document is None else sum(one == document for one in documents)

    def set_document(self, document: krita.Document | None) -> None:
        """The document that is looked at. Pictures of others are dimmed."""
        self._document = document
        for item in self._list.all():
            self._list.set_dimmed(item, self._list.picture(item).order.target.document != document)
        self._choose()

    def clear_selection(self) -> None:
        """Select none, so that the next result is shown."""
        self._list.clearSelection()
        self._choose()

    def set_connected(self, connected: bool) -> None:
        """Whether a job could be sent now."""
        self._connected = connected
        self._show_buttons()

    def add(self, order: Order, result: JobResult, images: Sequence[QtGui.QImage], *, at_once: bool) -> None:
        """Add a job's pictures, with their images; select the first, unless another one is shown. ``at_once``: they are
        applied as soon as the artist's hand is off the canvas, and the active layer stays the active one.
        """
        first, previewing = self._list.count(), self.is_previewing
        for layer, image in zip(result.layers, images):
            picture = PaintedPicture(order, layer, image)
            self._list.add(image, _tip(order, layer.recipe.settings), picture, layer.data.nbytes + image.sizeInBytes())
            self._list.set_dimmed(self._list.item(self._list.count() - 1), order.target.document != self._document)
        if at_once:
            self._put([self._list.item(row) for row in range(first, self._list.count())], grouped=False, at_once=True)
        elif not previewing:
            self._list.choose(first)

    def apply(self) -> None:
        """Add each selected picture as a layer; where they are of several documents, those of the first."""
        self._put(self._list.chosen(), grouped=False)

    def apply_as_group(self) -> None:
        """Add the selected pictures as one group."""
        self._put(self._list.chosen(), grouped=True)

    def send_again(self) -> None:
        """Send the same job again, with another seed."""
        if self._again.isEnabled():
            self.again.emit(self._chosen()[0].order.again())

    def discard(self) -> None:
        """Discard the selected pictures."""
        self._list.take(self._list.chosen())

    def step(self, by: int) -> None:
        """Choose the next picture, or the one before; from the last one the first follows."""
        count = self._list.count()
        if count:
            chosen = self._list.chosen()
            row = self._list.row(chosen[0]) + by if chosen else (0 if by > 0 else count - 1)
            self._list.choose(row % count)

    def _put(self, items: list[QtWidgets.QListWidgetItem], *, grouped: bool, at_once: bool = False) -> None:
        if not items:
            return
        target = self._list.picture(items[0]).order.target
        # Each goes to its own document; those of others stay in the list.
        items = [item for item in items if self._list.picture(item).order.target.document == target.document]
        place = partial(self._place, items, grouped=grouped, at_once=at_once)
        try:
            target.check()
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self.refused.emit(error, place)
        else:
            place(target.document)

    def _place(
        self, items: list[QtWidgets.QListWidgetItem], document: krita.Document, *, grouped: bool, at_once: bool
    ) -> None:
        chosen = not at_once and items[0].isSelected()
        self._applying.add(
            items,
            [self._list.picture(item).layer for item in items],
            document,
            self._preview.place_in(document) if chosen else None,
            grouped=grouped,
            at_once=at_once,
        )
        self._show_buttons()

    def _mark(self, items: list[QtWidgets.QListWidgetItem]) -> None:
        """They are applied, and stay in the list with a tick: one may undo that."""
        there = self._list.all()
        for item in items:
            if item in there:
                self._list.set_applied(item)
                item.setSelected(False)
        self._list.keep_applied(_APPLIED_BYTES)
        self._choose()

    def _refuse(self, error: Exception, place: Callable[[krita.Document], None]) -> None:
        self._show_buttons()
        self.refused.emit(error, place)

    def _take_values(self) -> None:
        """Of the chosen picture; where none is chosen, of the active layer."""
        chosen = self._chosen()
        if chosen:
            self.reuse.emit(chosen[0].layer.recipe, chosen[0].order.values)
        elif self._document is not None:
            try:
                recipe = recipe_of(self._document, layer_of(active_node(self._document)))
            except Refused as error:
                self.refused.emit(error, None)
            else:
                self.reuse.emit(recipe, {})

    def _chosen(self) -> list[PaintedPicture]:
        return [self._list.picture(item) for item in self._list.chosen()]

    def _choose(self) -> None:
        self._show_buttons()
        chosen = self._chosen()
        self._preview.show(chosen[0] if chosen else None)

    def _show_preview(self, image: object, is_other: bool) -> None:
        self.preview_changed.emit(image if self.is_previewing else None, is_other)

    def _say(self, words: str, offers_top: bool) -> None:
        """What to know before the chosen picture is applied."""
        chosen = self._chosen()
        lines = [words] if words else []
        target = chosen[0].order.target if chosen else None
        if target is not None and target.document != self._document:
            lines.insert(0, _("It belongs to “{name}”.").format(name=target.name))
        if target is not None and target.is_animated:
            lines.append(_("It is still: one layer for all frames of the animation."))
        self._words.setText("\n".join(lines))
        self._words.setVisible(bool(lines))
        self._on_top.setVisible(offers_top)

    def _show_buttons(self) -> None:
        set_icon(self._shown, "shown" if self._shown.isChecked() else "hidden")
        chosen = len(self._list.chosen())
        for button in (self._apply, self._group, self._discard):
            button.setEnabled(chosen > 0 and not self._applying.is_busy)
        self._compare.setEnabled(self.is_previewing)
        self._reuse.setEnabled(chosen <= 1 and self._document is not None)
        self._again.setEnabled(chosen == 1 and self._connected)


def _tip(order: Order, settings: JobSettings) -> str:
    lines = [
        settings.conditioning.prompt,
        _("Of “{name}”").format(name=order.target.name),
        _("Seed {seed}").format(seed=settings.sampling.seed),
    ]
    return "\n".join(filter(None, lines))


def _tool(name: str, tip: str, pressed: Callable[[], None] | None = None) -> QtWidgets.QToolButton:
    button = named(QtWidgets.QToolButton(), name, tip)
    set_icon(button, name)
    button.setAutoRaise(True)
    if pressed is not None:
        button.clicked.connect(lambda _on: pressed())
    return button
