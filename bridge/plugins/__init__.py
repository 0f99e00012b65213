"""Plug-ins into their hosts: found per system, vendored whole, put there, enabled, and taken out again.

A host is a :class:`.target.Target` in :data:`TARGETS`. This room imports nothing of the others: it moves their files.
"""

from .errors import PluginError
from .gimp import Gimp
from .krita import Krita
from .target import Bundle, Machine, Place, Target

__all__ = ["TARGETS", "Bundle", "Machine", "Place", "PluginError", "Target"]

TARGETS: tuple[Target, ...] = (Krita(), Gimp())
