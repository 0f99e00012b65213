"""The docker in Krita's window: its first place, and words on the canvas while it is not seen."""

from __future__ import annotations

import krita

from . import settings
from .qt import Qt, QtGui, QtWidgets

__all__ = ["place_once", "say_on_canvas"]

_SETTING = "placed"
_BESIDE = "PresetDocker"
# All that is needed for each picture.
_HEIGHT = 310
_SHOWN_MS = 8000
_MEDIUM = 1


def place_once(docker: QtWidgets.QDockWidget) -> None:
    """The first time that the docker is shown, make it a tab of *Brush Presets*: a docker more in that column would
    leave all of them too low. The Layers stay in sight. Later it is where the artist has put it.
    """
    window = docker.parentWidget()
    if settings.load(_SETTING, False) or not isinstance(window, QtWidgets.QMainWindow):
        return
    if krita.Krita.instance().activeDocument() is None:
        # Krita hides its dockers then.
        return
    settings.save(_SETTING, True)
    presets = window.findChild(QtWidgets.QDockWidget, _BESIDE)
    if presets is not None and presets.isVisible() and not presets.isFloating() and not docker.isFloating():
        window.tabifyDockWidget(presets, docker)
        docker.raise_()
        window.resizeDocks([docker], [_HEIGHT], Qt.Orientation.Vertical)


def say_on_canvas(words: str) -> None:
    """In the way that Krita itself says things over the canvas."""
    window = krita.Krita.instance().activeWindow()
    view = None if window is None else window.activeView()
    if view is not None:
        view.showFloatingMessage(words, QtGui.QIcon(), _SHOWN_MS, _MEDIUM)
