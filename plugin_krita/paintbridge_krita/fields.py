"""Widgets for the fields of a job's settings. Ranges are the protocol's own. Each is a
:class:`Field`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from bridge.protocol.fields import StrEnum
from bridge.protocol.messages import JobField, job_fields

from .qt import BoundSignal, Qt, QtCore, QtGui, QtWidgets, Signal, WidgetMixin
from .shortcut_override import TextShortcutOverride
from .translation import _

__all__ = [
    "CheckBox",
    "Choice",
    "Field",
    "NumberField",
    "OptionalChoice",
    "OptionalNumber",
    "Percent",
    "SeedField",
    "TextField",
    "align",
    "named",
    "plain_field",
]


# What a spin box counts up to where the protocol has no bound.
_LARGEST = (1 << 31) - 1

W = TypeVar("W", bound=QtWidgets.QWidget)


class Field(Protocol):
    """A widget for one value."""

    @property
    def changed(self) -> BoundSignal:
        """Emitted when there is another value."""

    def field_value(self) -> Any:
        """The value, as on the wire."""

    def set_field_value(self, value: Any) -> None:
        """Show a value."""


def _range_of(field: str) -> tuple[Any, Any]:
    """The least and the largest value that a field takes."""
    limits = job_fields()[field].spec.metadata
    return limits.get("min", -_LARGEST), limits.get("max", _LARGEST)


def named(widget: W, name: str, tip: str = "") -> W:
    """The widget, with an object name and a tool tip."""
    widget.setObjectName(f"paintbridge_{name}")
    widget.setToolTip(tip)
    return widget


def plain_field(field: JobField) -> Field:
    """A widget by a field's type and range alone, for one that has none of its own."""
    core, default = field.spec.core, field.spec.default
    widget: Any
    if core is bool:
        widget = CheckBox(_(field.title))
    elif core in (int, float):
        widget = OptionalNumber(field.name, decimals=0 if core is int else 2)
        if not field.spec.optional:
            widget.suggest(default)
    elif issubclass(core, StrEnum):
        widget = Choice()
        for value in core:
            widget.add(value.value, value.value)
    else:
        widget = OptionalText() if field.spec.optional else TextField()
    if core not in (int, float):
        # Qt tells a text that is an enum's member from the same text.
        widget.set_field_value(str(default) if isinstance(default, StrEnum) else default)
    made: Field = named(widget, field.name, _(field.spec.metadata["doc"]))
    return made


def align(*forms: QtWidgets.QFormLayout) -> None:
    """Fields of several forms in one column."""
    rows = [(form, row) for form in forms for row in range(form.rowCount())]
    found = [form.itemAt(row, QtWidgets.QFormLayout.ItemRole.LabelRole) for form, row in rows]
    widgets = [item.widget() for item in found if item is not None]
    labels = [widget for widget in widgets if widget is not None]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


class _WheelNeedsFocus(WidgetMixin):
    """A mixin: the mouse wheel changes the value only while the widget has the focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Choice(_WheelNeedsFocus, QtWidgets.QComboBox):
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

    def field_value(self) -> Any:
        return self.currentData()

    def set_field_value(self, value: Any) -> None:
        """A value that is not there any more gives way to the first."""
        self.setCurrentIndex(max(self.findData(value), 0))


class OptionalChoice(Choice):
    """One of what the bridge offers, or None: its own choice. What is chosen stays so where it is not offered: the
    bridge says so when it is asked for it.
    """

    def __init__(self, default: str) -> None:
        super().__init__()
        self._default = default
        self.add(None, default)

    def offer(self, names: Mapping[str, str], default_tip: str = "") -> None:
        """Names, each with its tool tip."""
        chosen = self.field_value()
        blocked = self.blockSignals(True)
        self.clear()
        self.add(None, self._default, default_tip)
        for name, tip in names.items():
            self.add(name, name, tip)
        self.set_field_value(chosen)
        self.blockSignals(blocked)

    def set_field_value(self, value: Any) -> None:
        if value is not None and self.findData(value) < 0:
            self.add(value, value)
        super().set_field_value(value)


class OptionalNumber(_WheelNeedsFocus, TextShortcutOverride, QtWidgets.QDoubleSpinBox):
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
        self.set_field_value(None)

    def suggest(self, value: float | None) -> None:
        """What suits is this, if it is known."""
        words = _("Automatic")
        self.setSpecialValueText(words if value is None else f"{words} ({self.textFromValue(value)})")

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(float(value), "f", self.decimals())

    def field_value(self) -> Any:
        """The value as the protocol has it."""
        value = self.value()
        if value == self.minimum():
            return None
        return value if self.decimals() else round(value)

    def set_field_value(self, value: float | None) -> None:
        self.setValue(self.minimum() if value is None else value)


class TextField(TextShortcutOverride, QtWidgets.QLineEdit):
    """A line of text."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.textChanged.connect(lambda _text: self.changed.emit())

    def field_value(self) -> Any:
        return self.text()

    def set_field_value(self, value: Any) -> None:
        self.setText(value)


class OptionalText(TextField):
    """A line of text, or None where nothing is written."""

    def field_value(self) -> Any:
        return self.text() or None

    def set_field_value(self, value: Any) -> None:
        self.setText(value or "")


class SeedField(TextField):
    """A whole number of any size, or None where nothing is written."""

    def __init__(self) -> None:
        super().__init__()
        self.setClearButtonEnabled(True)
        self.setValidator(QtGui.QRegularExpressionValidator(QtCore.QRegularExpression("[0-9]{0,20}"), self))

    def field_value(self) -> Any:
        return int(self.text()) if self.text() else None

    def set_field_value(self, value: Any) -> None:
        self.setText("" if value is None else str(value))


class NumberField(_WheelNeedsFocus, TextShortcutOverride, QtWidgets.QSpinBox):
    """A number that always stands there."""

    changed = Signal()

    def __init__(self, field: str) -> None:
        super().__init__()
        self.setRange(*_range_of(field))
        self.valueChanged.connect(lambda _value: self.changed.emit())

    def field_value(self) -> int:
        return self.value()

    def set_field_value(self, value: int) -> None:
        self.setValue(value)


class CheckBox(QtWidgets.QCheckBox):
    """Yes or no."""

    changed = Signal()

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.toggled.connect(lambda _on: self.changed.emit())

    def field_value(self) -> bool:
        return self.isChecked()

    def set_field_value(self, value: bool) -> None:
        self.setChecked(value)


class _Slider(_WheelNeedsFocus, QtWidgets.QSlider):
    pass


class _Number(_WheelNeedsFocus, TextShortcutOverride, QtWidgets.QSpinBox):
    pass


class Percent(QtWidgets.QWidget):
    """A share, by a slider and a number beside it."""

    changed = Signal()

    def __init__(self, field: str) -> None:
        super().__init__()
        least, most = (round(100 * limit) for limit in _range_of(field))
        self._slider = _Slider()
        self._slider.setOrientation(Qt.Orientation.Horizontal)
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
        self.set_field_value(1.0)

    def field_value(self) -> float:
        return self._number.value() / 100

    def set_field_value(self, value: float) -> None:
        self._number.setValue(round(100 * value))
