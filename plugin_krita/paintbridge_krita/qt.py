"""The one module that knows which Qt this is: PyQt5 in Krita 5, PyQt6 in Krita 6.

Krita has loaded one of them already; where both are installed, importing the other one would crash it.
Enumerations are written in full everywhere (``Qt.AlignmentFlag.AlignLeft``), which both understand. Types are those of
our own stubs of PyQt6 (``stubs/``).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "PyQt6.QtCore" in sys.modules:
    from PyQt6 import QtCore, QtGui, QtWidgets, sip

    QAction = QtGui.QAction
else:
    from PyQt5 import QtCore, QtGui, QtWidgets, sip

    QAction = QtWidgets.QAction

Qt = QtCore.Qt
Signal = QtCore.pyqtSignal
BoundSignal = QtCore.pyqtBoundSignal

if TYPE_CHECKING:
    WidgetMixin = QtWidgets.QWidget
else:
    # PyQt allows one Qt class among the bases. The methods of a mixin call those of the widget that it is mixed into.
    WidgetMixin = object

__all__ = ["BoundSignal", "QAction", "Qt", "QtCore", "QtGui", "QtWidgets", "Signal", "WidgetMixin", "sip"]
