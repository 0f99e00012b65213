"""Widgets for the fields of ``submit``. Ranges are the protocol's own. Each tells its value by ``wanted``, as it goes
over the wire, and takes one by ``choose``; ``changed`` says that there is another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.protocol.messages import Submit

from .keys import Typed
from .qt import Qt, QtCore, QtGui, QtWidgets, Signal
from .words import _

__all__ = ["Choice", "Count", "Digits", "Offered", "Percent", "Suited", "Tick", "Words", "align", "named"]


def _range_of(field: str) -> tuple[Any, Any]:
    """The least and the largest value that a field takes."""
    limits = Submit.__dataclass_fields__[field].metadata
    return limits["min"], limits["max"]


def named(widget: Any, name: str, tip: str = "") -> Any:
    """The widget, with a name and a tool tip."""
    widget.setObjectName(f"paintbridge_{name}")
    widget.setToolTip(tip)
    return widget


def align(*forms: QtWidgets.QFormLayout) -> None:
    """Fields of several forms in one column."""
    rows = [(form, row) for form in forms for row in range(form.rowCount())]
    found = [form.itemAt(row, QtWidgets.QFormLayout.ItemRole.LabelRole) for form, row in rows]
    labels = [item.widget() for item in found if item is not None]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


class _Still:
    """The wheel turns it only while it has the focus: who scrolls past it changes nothing."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Choice(_Still, QtWidgets.QComboBox):
    """One of several values."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())
        # Long names must not make the docker wide.
        self.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def add(self, value: Any, title: str, tip: str = "") -> None:
        self.addItem(title, value)
        self.setItemData(self.count() - 1, tip or title, Qt.ItemDataRole.ToolTipRole)

    def wanted(self) -> Any:
        return self.currentData()

    def choose(self, value: Any) -> None:
        """A value that is not there any more gives way to the first."""
        self.setCurrentIndex(max(self.findData(value), 0))


class Offered(Choice):
    """One of what the bridge offers, or None: its own choice. What is chosen stays so where it is not offered: the
    bridge says so when it is asked for it.
    """

    def __init__(self, default: str) -> None:
        super().__init__()
        self._default = default
        self.add(None, default)

    def offer(self, names: Mapping[str, str], default_tip: str = "") -> None:
        """Names, each with its tool tip."""
        chosen = self.wanted()
        blocked = self.blockSignals(True)
        self.clear()
        self.add(None, self._default, default_tip)
        for name, tip in names.items():
            self.add(name, name, tip)
        self.choose(chosen)
        self.blockSignals(blocked)

    def choose(self, value: Any) -> None:
        if value is not None and self.findData(value) < 0:
            self.add(value, value)
        super().choose(value)


class Suited(_Still, Typed, QtWidgets.QDoubleSpinBox):
    """A number, or, one step below its range, None: "what suits"."""

    changed = Signal()

    def __init__(self, field: str, *, step: float = 1.0, decimals: int = 0) -> None:
        super().__init__()
        least, most = _range_of(field)
        self.setDecimals(decimals)
        self.setSingleStep(step)
        self.setRange(least - step, most)
        self.setMinimumWidth(60)
        self.valueChanged.connect(lambda _value: self.changed.emit())
        self.suggest(None)
        self.choose(None)

    def suggest(self, value: float | None) -> None:
        """What suits is this, if it is known."""
        words = _("Automatic")
        self.setSpecialValueText(words if value is None else f"{words} ({self.textFromValue(value)})")

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(float(value), "f", self.decimals())

    def wanted(self) -> Any:
        """The value as the protocol has it."""
        value = self.value()
        if value == self.minimum():
            return None
        return value if self.decimals() else round(value)

    def choose(self, value: float | None) -> None:
        self.setValue(self.minimum() if value is None else value)


class Words(Typed, QtWidgets.QLineEdit):
    """A line of text."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.textChanged.connect(lambda _text: self.changed.emit())

    def wanted(self) -> Any:
        return self.text()

    def choose(self, value: Any) -> None:
        self.setText(value)


class Digits(Words):
    """A whole number of any size, or None where nothing is written."""

    def __init__(self) -> None:
        super().__init__()
        self.setClearButtonEnabled(True)
        self.setValidator(QtGui.QRegularExpressionValidator(QtCore.QRegularExpression("[0-9]{0,20}"), self))

    def wanted(self) -> Any:
        return int(self.text()) if self.text() else None

    def choose(self, value: Any) -> None:
        self.setText("" if value is None else str(value))


class Count(_Still, Typed, QtWidgets.QSpinBox):
    """A number that always stands there."""

    changed = Signal()

    def __init__(self, field: str) -> None:
        super().__init__()
        self.setRange(*_range_of(field))
        self.valueChanged.connect(lambda _value: self.changed.emit())

    def wanted(self) -> int:
        return int(self.value())

    def choose(self, value: int) -> None:
        self.setValue(value)


class Tick(QtWidgets.QCheckBox):
    """Yes or no."""

    changed = Signal()

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.toggled.connect(lambda _on: self.changed.emit())

    def wanted(self) -> bool:
        return bool(self.isChecked())

    def choose(self, value: bool) -> None:
        self.setChecked(value)


class _Slider(_Still, QtWidgets.QSlider):
    pass


class _Number(_Still, Typed, QtWidgets.QSpinBox):
    pass


class Percent(QtWidgets.QWidget):
    """A share, by a slider and a number beside it."""

    changed = Signal()

    def __init__(self, field: str) -> None:
        super().__init__()
        least, most = (round(100 * limit) for limit in _range_of(field))
        self._slider = _Slider(Qt.Orientation.Horizontal)
        self._slider.setRange(least, most)
        self._number = named(_Number(), field)
        self._number.setRange(least, most)
        self._number.setSuffix(" %")
        self._slider.valueChanged.connect(self._number.setValue)
        self._number.valueChanged.connect(self._slider.setValue)
        self._number.valueChanged.connect(lambda _value: self.changed.emit())
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._number)
        self.choose(1.0)

    def wanted(self) -> float:
        return float(self._number.value() / 100)

    def choose(self, value: float) -> None:
        self._number.setValue(round(100 * value))
