"""What Krita is told when it starts: an extension with actions, and the docker."""

from __future__ import annotations

import krita

from .docker import DOCKER_ID, PaintbridgeDocker

__all__ = ["register"]


def register(application: krita.Krita) -> None:
    """Called once, while Krita starts."""
    right = krita.DockWidgetFactoryBase.DockPosition.DockRight
    application.addDockWidgetFactory(krita.DockWidgetFactory(DOCKER_ID, right, PaintbridgeDocker))
