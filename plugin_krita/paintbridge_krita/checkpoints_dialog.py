"""The dialog *Recommended Checkpoints*: what the bridge can download."""

from __future__ import annotations

from bridge.client import Bridge
from bridge.protocol.messages import Pulled, Pulling, Recommended, Unpulled

from .error_text import error_text
from .fields import named
from .qt import Qt, QtWidgets
from .translation import _, said

__all__ = ["CheckpointsDialog"]

_GIB = 1 << 30


class CheckpointsDialog(QtWidgets.QDialog):
    """One row a checkpoint. It may stay open while the artist paints: the bridge does the downloads."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("paintbridge_checkpoints_dialog")
        self.setWindowTitle(_("Recommended Checkpoints"))
        self._bridge: Bridge | None = None
        self._rows: dict[str, _Row] = {}
        self._column = QtWidgets.QVBoxLayout()
        self._column.setSpacing(12)
        inner = QtWidgets.QWidget()
        inner.setLayout(self._column)
        scrolled = QtWidgets.QScrollArea()
        scrolled.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scrolled.setWidgetResizable(True)
        scrolled.setWidget(inner)
        self._column.addStretch(1)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(scrolled)
        self.resize(520, 560)

    def set_bridge(self, bridge: Bridge | None) -> None:
        """List what this bridge recommends; None: there is no bridge."""
        self._bridge = bridge
        self.setEnabled(bridge is not None)
        if bridge is None:
            return
        for recommended in bridge.checkpoints.recommended:
            row = self._rows.get(recommended.name)
            if row is None:
                row = self._rows[recommended.name] = _Row()
                row.button.clicked.connect(lambda _on, name=recommended.name: self._press(name))
                self._column.insertWidget(self._column.count() - 1, row)
            row.describe(recommended)

    def follow(self, message: Pulling | Pulled | Unpulled) -> None:
        """Progress of a download, also one that another client asked for."""
        row = self._rows.get(message.name)
        if row is not None:
            row.follow(message)

    def _press(self, name: str) -> None:
        row = self._rows[name]
        try:
            if self._bridge is not None and row.under_way:
                self._bridge.stop_pull(name)
            elif self._bridge is not None:
                row.begin()
                self._bridge.pull(name)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            row.fail(error_text(error))


class _Row(QtWidgets.QWidget):
    """One checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = False
        self._here = False
        self._words = QtWidgets.QLabel()
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._trouble = QtWidgets.QLabel()
        self._trouble.setWordWrap(True)
        self._bar = QtWidgets.QProgressBar()
        self.button = QtWidgets.QPushButton()
        self.button.setAutoDefault(False)
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self._words, 0, 0)
        grid.addWidget(self.button, 0, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._bar, 1, 0, 1, 2)
        grid.addWidget(self._trouble, 2, 0, 1, 2)
        self.fail("")

    def describe(self, checkpoint: Recommended) -> None:
        """What it is, and whether it is here."""
        named(self.button, f"pull_{checkpoint.name}")
        named(self._bar, f"pulling_{checkpoint.name}")
        facts = _("{family}, {size} GB to fetch, wants {memory} GB of graphics memory; licence: {licence}").format(
            family=checkpoint.family,
            size=f"{checkpoint.download_bytes / 1e9:.1f}",
            memory=round(checkpoint.memory_bytes / _GIB),
            licence=checkpoint.licence,
        )
        good_at = _("Good at {what}").format(what=_(checkpoint.good_at))
        self._words.setText(f"<b>{checkpoint.name}</b><br>{good_at}<br><small>{facts}</small>")
        self._here = checkpoint.checkpoint is not None
        self._show()

    def begin(self) -> None:
        self.fail("")
        self.follow(Pulling("", 0, 0))

    def follow(self, message: Pulling | Pulled | Unpulled) -> None:
        self.under_way = isinstance(message, Pulling)
        if isinstance(message, Pulling):
            # Bytes are more than Qt counts.
            self._bar.setRange(0, 1000 if message.total else 0)
            self._bar.setValue(1000 * message.done // message.total if message.total else 0)
            sizes = f"{message.done / 1e9:.2f} / {message.total / 1e9:.2f} GB"
            self._bar.setFormat(sizes if message.total else _("Asking the hub"))
        elif isinstance(message, Unpulled) and message.code != "pull_stopped":
            self.fail(f"{said(message.message)}\n{said(message.hint)}")
        self._show()

    def fail(self, words: str) -> None:
        """Say what went wrong; nothing: hide that."""
        self.under_way = False
        self._trouble.setText(words)
        self._trouble.setVisible(bool(words))
        self._show()

    def _show(self) -> None:
        self._bar.setVisible(self.under_way)
        self.button.setEnabled(not self._here)
        self.button.setText(_("Is Here") if self._here else _("Stop") if self.under_way else _("Fetch"))
