"""The one place that knows which Qt this is: PyQt5 in Krita 5, PyQt6 in Krita 6.

Told by what Krita has loaded already: where both are installed, the other one would crash it. Enumerations are written
in full everywhere (``Qt.AlignmentFlag.AlignLeft``), which both understand.
"""

from __future__ import annotations

import sys

if "PyQt6.QtCore" in sys.modules:
    from PyQt6 import QtCore, QtGui, QtWidgets, sip

    QAction = QtGui.QAction
else:
    from PyQt5 import QtCore, QtGui, QtWidgets, sip

    QAction = QtWidgets.QAction

Qt = QtCore.Qt
Signal = QtCore.pyqtSignal

__all__ = ["QAction", "Qt", "QtCore", "QtGui", "QtWidgets", "Signal", "sip"]
