"""Krita: its resource folders on each system, and its settings file, where a Python plug-in is enabled."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from .catalogues import compiled
from .errors import PluginError
from .target import Bundle, Machine, Place
from .vendor import package_files

__all__ = ["Krita"]

_PACKAGE = "paintbridge_krita"
_GROUP, _KEY = "[python]", f"enable_{_PACKAGE}"


class Krita:
    """Krita 5.2 to 6."""

    name = "krita"
    title = "Krita"
    home = f"pykrita/{_PACKAGE}"
    path_hint = "Krita shows it under Settings > Manage Resources > Open Resource Folder."

    def places(self, machine: Machine) -> tuple[Place, ...]:
        """Those that Krita has used, and the usual one of a Krita that has not been started yet."""
        found = []
        for place, program in _usual(machine):
            place = _moved(place)
            assert place.settings is not None
            if place.folder.is_dir() or place.settings.is_file() or _is_there(program, machine):
                found.append(place)
        return tuple(found)

    def at(self, folder: Path) -> Place:
        """A resource folder by its path. It has no settings file that could be known: Krita's own plug-in manager
        enables the plug-in there.
        """
        for place, _ in _usual(Machine()):
            if _moved(place).folder == folder:
                return _moved(place)
        return Place("the folder that was named", folder)

    def bundle(self) -> Bundle:
        files = {f"{self.home}/{path}": content for path, content in package_files("plugin_krita", _PACKAGE).items()}
        # Where Krita's own importer puts them, too.
        for suffix, folder in ((".desktop", "pykrita"), (".action", "actions")):
            files[f"{folder}/{_PACKAGE}{suffix}"] = files.pop(f"{self.home}/{_PACKAGE}{suffix}")
        for path in [path for path in files if path.startswith(f"{self.home}/locale/")]:
            catalogue = PurePosixPath(path)
            files[str(catalogue.with_suffix(".mo"))] = compiled(files.pop(path), catalogue.stem)
        return Bundle(self.home, files)

    def enable(self, place: Place) -> None:
        if place.settings is not None:
            _write(place.settings, with_entry(_read(place.settings), "true"))

    def disable(self, place: Place) -> None:
        if place.settings is not None and place.settings.is_file():
            _write(place.settings, with_entry(_read(place.settings), None))

    def after_install(self, place: Place) -> str:
        if place.settings is None:
            return "Enable Paintbridge under Settings > Configure Krita > Python Plugin Manager, then restart Krita."
        return "Restart Krita, and find it under Settings > Dockers > Paintbridge."


def with_entry(text: str, value: str | None) -> str:
    """Krita's settings with the plug-in's entry set, or, with None, without it. All other lines stay as they are."""
    lines = text.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if line.strip() == _GROUP), None)
    if start is None:
        if value is None:
            return text
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}{_GROUP}\n{_KEY}={value}\n"
    end = next((index for index in range(start + 1, len(lines)) if lines[index].startswith("[")), len(lines))
    group = [line for line in lines[start + 1 : end] if line.split("=")[0].strip() != _KEY]
    if value is not None:
        group.insert(0, f"{_KEY}={value}\n")
    return "".join([*lines[: start + 1], *group, *lines[end:]])


def _usual(machine: Machine) -> list[tuple[Place, str | Path]]:
    """Places with the program or folder that tells of a Krita that has never run."""
    home = machine.home
    if machine.system == "win32":
        roaming, local = (
            machine.folder(variable, "AppData", name)
            for variable, name in (("APPDATA", "Roaming"), ("LOCALAPPDATA", "Local"))
        )
        programs = Path(machine.environ.get("PROGRAMFILES", "C:/Program Files")) / "Krita (x64)"
        places: list[tuple[Place, str | Path]] = [
            (Place("Krita", roaming / "krita", local / "kritarc"), programs),
        ]
        for store in sorted(local.glob("Packages/*Krita_*/LocalCache")):
            windows_store = Place("Krita from the store", store / "Roaming" / "krita", store / "Local" / "kritarc")
            places.append((windows_store, store))
        return places
    if machine.system == "darwin":
        library = home / "Library"
        place = Place("Krita", library / "Application Support" / "krita", library / "Preferences" / "kritarc")
        return [(place, Path("/Applications/krita.app"))]
    data = machine.folder("XDG_DATA_HOME", ".local", "share")
    config = machine.folder("XDG_CONFIG_HOME", ".config")
    flatpak, snap = home / ".var" / "app" / "org.kde.krita", home / "snap" / "krita" / "current"
    return [
        (Place("Krita (package or AppImage)", data / "krita", config / "kritarc"), "krita"),
        (Place("Krita (Flatpak)", flatpak / "data" / "krita", flatpak / "config" / "kritarc"), flatpak),
        (Place("Krita (Snap)", snap / ".local" / "share" / "krita", snap / ".config" / "kritarc"), snap),
    ]


def _moved(place: Place) -> Place:
    """Krita's users can move its resource folder; its settings say where to."""
    assert place.settings is not None
    if place.settings.is_file():
        named = re.search(r"^ResourceDirectory=(.+)$", _read(place.settings), re.MULTILINE)
        if named:
            return Place(place.words, Path(named[1].strip().strip('"')), place.settings)
    return place


def _is_there(program: str | Path, machine: Machine) -> bool:
    if isinstance(program, Path):
        return program.exists()
    return shutil.which(program, path=machine.environ.get("PATH", os.defpath)) is not None


def _read(path: Path) -> str:
    try:
        # As bytes may be in any encoding: whatever is not ours goes back as it came.
        return path.read_bytes().decode("utf-8", errors="surrogateescape") if path.exists() else ""
    except OSError as error:
        raise _refused(path, error) from error


def _write(path: Path, text: str) -> None:
    """In one piece: Krita's settings must survive whatever happens here."""
    content = text.encode("utf-8", errors="surrogateescape")
    try:
        if path.exists() and path.read_bytes() == content:
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="kritarc-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> PluginError:
    return PluginError(f"Krita's settings {path} cannot be used ({error.strerror}).", "Correct its permissions.")
