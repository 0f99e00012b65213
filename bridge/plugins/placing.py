"""A bundle into a folder, and out of it again. A manifest in the plug-in's own folder says what is ours; nothing else
is ever replaced or removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from .errors import PluginError
from .target import Bundle

__all__ = ["MANIFEST", "archive", "installed", "put", "remove"]

MANIFEST = "manifest.json"


def put(bundle: Bundle, folder: Path) -> None:
    """Put a plug-in into a folder, in place of an older one.

    Raises:
        PluginError: the folder cannot be written, or something that is not ours is in the way.
    """
    own = folder / bundle.home
    if own.is_symlink() or (own.exists() and installed(bundle.home, folder) is None):
        raise PluginError(f"{own} is in the way, and is not Paintbridge's.", "Move it elsewhere, then try again.")
    remove(bundle.home, folder)
    try:
        for path, content in _with_manifest(bundle).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if path in bundle.programs:
                target.chmod(0o755)
    except OSError as error:
        raise _refused(folder, error) from error


def remove(home: str, folder: Path) -> bool:
    """Take a plug-in out of a folder, leaving what else lies there. Returns whether there was one.

    Raises:
        PluginError: the folder cannot be written.
    """
    listed = _manifest(home, folder)
    if listed is None:
        return False
    try:
        parents = {folder / home}
        for path in listed["files"]:
            target = folder / path
            target.unlink(missing_ok=True)
            parents.update(parent for parent in target.parents if folder / home in parent.parents)
        for parent in sorted(parents, key=lambda path: -len(path.parts)):
            shutil.rmtree(parent / "__pycache__", ignore_errors=True)
            with contextlib.suppress(OSError):
                parent.rmdir()
    except OSError as error:
        raise _refused(folder, error) from error
    return True


def installed(home: str, folder: Path) -> str | None:
    """The version of the plug-in in a folder; None: none of ours is there."""
    listed = _manifest(home, folder)
    return None if listed is None else str(listed["version"])


def archive(bundle: Bundle, path: Path) -> None:
    """The plug-in as a zip, the same byte for byte whenever its files are the same."""
    files = _with_manifest(bundle)
    folders = {str(parent) + "/" for name in files for parent in PurePosixPath(name).parents if str(parent) != "."}
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        # Krita's importer finds a package by its folder's own entry.
        for name in sorted(folders | files.keys()):
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o40755 if name in folders else 0o100755 if name in bundle.programs else 0o100644
            entry.external_attr = mode << 16
            zipped.writestr(entry, files.get(name, b""))


def _with_manifest(bundle: Bundle) -> dict[str, bytes]:
    path = f"{bundle.home}/{MANIFEST}"
    listed = {"version": version("paintbridge"), "files": sorted([*bundle.files, path])}
    return {**bundle.files, path: json.dumps(listed, indent=1).encode()}


def _manifest(home: str, folder: Path) -> dict[str, list[str]] | None:
    try:
        listed = json.loads((folder / home / MANIFEST).read_text(encoding="utf-8"))
        paths = [PurePosixPath(path) for path in listed["files"]]
        # Whoever wrote it: nothing outside the folder is touched.
        if any(path.is_absolute() or ".." in path.parts or os.path.isabs(path) for path in paths):
            return None
        return {"version": listed["version"], "files": [str(path) for path in paths]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refused(folder: Path, error: OSError) -> PluginError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "Make room on its disk, then try again." if full else "Correct its permissions, then try again."
    return PluginError(f"{folder} cannot be written ({error.strerror}).", hint)
