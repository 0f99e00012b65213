"""SHA-256 of files, remembered by size and time, so that gigabytes are hashed once and not at every start."""

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ..home import find_home
from .errors import CheckpointUnreadable

__all__ = ["content_hash", "file_hash", "known_hash"]

_CHUNK = 4 * 1024 * 1024
_lock = threading.Lock()
_memory: dict[str, str] = {}
# Size and modification time that a cache's file had when it was read last.
_cache_stamps: dict[Path, tuple[int, int]] = {}


def _cache_path() -> Path:
    return find_home().hashes


def _key(path: Path) -> str:
    stat = path.stat()
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def file_hash(path: Path, *, check: Callable[[], None] | None = None) -> str:
    """SHA-256 of the file's bytes as 64 hex digits, computed once for a path, size and modification time.

    `check` is called every few megabytes and may raise to end the reading.
    """
    key = _key(path)
    with _lock:
        if key not in _memory:
            _memory.update(_read_cache())
        if key not in _memory:
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    if check is not None:
                        check()
            _memory[key] = digest.hexdigest()
            _write_cache(_memory)
        return _memory[key]


def content_hash(root: Path, files: Sequence[Path], *, check: Callable[[], None] | None = None) -> str:
    """SHA-256 of a checkpoint: of the file itself, or of the sorted lines `hash  relative/path` of several files.

    Paths are relative to the folder, or to the one beside a single file, whose own name does not count. Raises
    CheckpointUnreadable when one of them has gone since it was listed.
    """
    try:
        return _combined(root, {path: file_hash(path, check=check) for path in files})
    except OSError as error:
        raise CheckpointUnreadable(
            "{name} cannot be read.", hint="Was it moved, or is its disk not connected?", name=root.name
        ) from error


def known_hash(root: Path, files: Sequence[Path]) -> str | None:
    """As `content_hash`, but without reading the files: None until something has hashed all of them, in this process or
    another.
    """
    try:
        with _lock:
            _update_memory()
            hashes = {path: _memory.get(_key(path)) for path in files}
    except OSError:
        return None
    known = {path: value for path, value in hashes.items() if value is not None}
    return _combined(root, known) if len(known) == len(hashes) else None


def _combined(root: Path, hashes: Mapping[Path, str]) -> str:
    if tuple(hashes) == (root,):
        return hashes[root]
    names = {path: path.relative_to(root).as_posix() for path in hashes} if root.is_dir() else _beside(root, hashes)
    lines = sorted(f"{hashes[path]}  {name}\n" for path, name in names.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _beside(root: Path, files: Iterable[Path]) -> dict[Path, str]:
    return {path: "/".join(path.relative_to(root.parent).parts[1:]) for path in files}


def _update_memory() -> None:
    """Add what other processes have hashed since the cache was read last."""
    path = _cache_path()
    try:
        stat = path.stat()
    except OSError:
        return
    stamp = (stat.st_size, stat.st_mtime_ns)
    if _cache_stamps.get(path) != stamp:
        _memory.update(_read_cache())
        _cache_stamps[path] = stamp


def _read_cache() -> dict[str, str]:
    try:
        known = json.loads(_cache_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write_cache(known: dict[str, str]) -> None:
    # A cache that cannot be written costs time at the next start, nothing else.
    with contextlib.suppress(OSError):
        path = _cache_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="hashes-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file)
        os.replace(temporary, path)
