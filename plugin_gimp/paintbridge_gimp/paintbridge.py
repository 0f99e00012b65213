#!/usr/bin/env python3
"""Paintbridge for GIMP 3. GIMP starts this file for each call; the package beside it does the work."""

import sys

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Babl", "0.1")
gi.require_version("Gegl", "0.4")
gi.require_version("Gtk", "3.0")

from gi.repository import Gimp  # noqa: E402 - the versions come first
from paintbridge_gimp.plugin import Paintbridge  # noqa: E402

Gimp.main(Paintbridge.__gtype__, sys.argv)
