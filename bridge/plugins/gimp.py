"""GIMP 3: the plug-in folders of each minor version on each system, and what its plug-ins must look like to be seen."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .catalogues import compiled
from .target import Bundle, Machine, Place
from .vendor import package_files

__all__ = ["Gimp"]

_PACKAGE = "paintbridge_gimp"
# The oldest GIMP 3 that there is, then those that came after it.
_MINORS = ("3.0", "3.2")


class Gimp:
    """GIMP 3.0 and later. Each minor version has a folder of its own."""

    name = "gimp"
    title = "GIMP 3"
    home = "paintbridge"
    path_hint = "GIMP lists its plug-in folders under Edit > Preferences > Folders > Plug-ins."

    def places(self, machine: Machine) -> tuple[Place, ...]:
        """Those that GIMP has used, and the usual one of a GIMP that has not been started yet."""
        found = []
        for words, folder in _usual(machine):
            minors = {path.name for path in folder.glob("3.*") if re.fullmatch(r"3\.\d+", path.name)}
            if words == "GIMP" and not minors:
                minors = _never_started(machine)
            found += [Place(f"{words} {minor}", folder / minor / "plug-ins") for minor in sorted(minors)]
        return tuple(found)

    def at(self, folder: Path) -> Place:
        """One of GIMP's plug-in folders by its path."""
        return Place("the folder that was named", folder)

    def bundle(self) -> Bundle:
        files = package_files("plugin_gimp", _PACKAGE)
        # GIMP starts only what is a program, named like the folder that it lies in.
        program = f"{self.home}/paintbridge.py"
        outside = {program: files.pop("paintbridge.py")}
        for path in list(files):
            if path.startswith("locale/") and path.endswith(".po"):
                language = Path(path).stem
                catalogue = f"{self.home}/locale/{language}/LC_MESSAGES/paintbridge.mo"
                outside[catalogue] = compiled(files.pop(path), language)
            elif path.startswith("help/"):
                outside[f"{self.home}/{path}"] = files.pop(path)
        inside = {f"{self.home}/{_PACKAGE}/{path}": content for path, content in files.items()}
        return Bundle(self.home, {**inside, **outside}, frozenset((program,)))

    def enable(self, place: Place) -> None:
        """GIMP loads whatever lies there."""

    def disable(self, place: Place) -> None:
        """As :meth:`enable`."""

    def after_install(self, place: Place) -> str:  # noqa: ARG002 - the same everywhere
        return "Restart GIMP, and find it under Filters > Paintbridge."


def _usual(machine: Machine) -> list[tuple[str, Path]]:
    """Folders that hold one folder for each minor version."""
    home = machine.home
    if machine.system == "win32":
        return [("GIMP", machine.folder("APPDATA", "AppData", "Roaming") / "GIMP")]
    if machine.system == "darwin":
        return [("GIMP", home / "Library" / "Application Support" / "GIMP")]
    return [
        ("GIMP", machine.folder("XDG_CONFIG_HOME", ".config") / "GIMP"),
        ("GIMP (Flatpak)", home / ".var" / "app" / "org.gimp.GIMP" / "config" / "GIMP"),
        ("GIMP (Snap)", home / "snap" / "gimp" / "current" / ".config" / "GIMP"),
    ]


def _never_started(machine: Machine) -> set[str]:
    """The minor versions of the programs that are there."""
    if machine.system == "win32":
        programs = Path(machine.environ.get("PROGRAMFILES", "C:/Program Files")) / "GIMP 3"
        return {minor for minor in _MINORS if (programs / "bin" / f"gimp-{minor}.exe").exists()}
    path = machine.environ.get("PATH", os.defpath)
    if machine.system == "darwin":
        path = "/Applications/GIMP.app/Contents/MacOS"
    return {minor for minor in _MINORS if shutil.which(f"gimp-{minor}", path=path)}
