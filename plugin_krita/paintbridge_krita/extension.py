"""What Krita is told when it starts: an extension with actions, and the docker."""

from __future__ import annotations

from collections.abc import Callable

import krita

from .docker import DOCKER_ID, PaintbridgeDocker
from .qt import QtWidgets
from .translation import _

__all__ = ["register"]


def register(application: krita.Krita) -> None:
    """Called once, while Krita starts."""
    right = krita.DockWidgetFactoryBase.DockPosition.DockRight
    application.addDockWidgetFactory(krita.DockWidgetFactory(DOCKER_ID, right, PaintbridgeDocker))
    application.addExtension(_Actions(application))


class _Actions(krita.Extension):
    """What can be given a key in Krita's settings. Their keys at first stand in ``paintbridge_krita.action``."""

    def setup(self) -> None:
        """Krita asks every extension for it."""

    def createActions(self, window: krita.Window) -> None:
        titles = {
            "generate": _("Paintbridge: Generate"),
            "four": _("Paintbridge: Generate Four"),
            "again": _("Paintbridge: Generate Again"),
            "remove": _("Paintbridge: Remove"),
            "expand": _("Paintbridge: Expand Canvas..."),
            "cancel": _("Paintbridge: Cancel"),
            "apply": _("Paintbridge: Apply"),
            "next": _("Paintbridge: Next Picture"),
            "previous": _("Paintbridge: Previous Picture"),
            "compare": _("Paintbridge: Compare"),
            "discard": _("Paintbridge: Discard"),
        }
        for name, title in titles.items():
            action = window.createAction(f"paintbridge_{name}", title, "tools/scripts")
            # Krita's own object for a window does not outlive this call.
            action.triggered.connect(_of_the_docker(window.qwindow(), name))


def _of_the_docker(window: QtWidgets.QMainWindow, name: str) -> Callable[[bool], None]:
    """What one of the docker's own functions does, in the window that the action is of."""

    def act(_on: bool) -> None:
        getattr(window.findChild(QtWidgets.QDockWidget, DOCKER_ID), name)()

    return act
