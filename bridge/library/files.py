"""The library's files: whole or not there, and readable by their owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import zlib
from pathlib import Path

__all__ = ["BEGUN", "make_private_folder", "read_picture", "remove", "write_picture", "write_private"]

BEGUN = ".new-"
"""How the names of files begin that are being written."""


def make_private_folder(folder: Path) -> None:
    """Make a folder, or take what others may read or write from one that is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 that is there as a whole or, whatever happens, as it was before.

    Raises:
        OSError: it is as it was before.
    """
    begun = path.with_name(BEGUN + secrets.token_hex(8))
    try:
        with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(begun, path)
    except OSError:
        with contextlib.suppress(OSError):
            begun.unlink()
        raise
    _sync_folder(path.parent)


def write_picture(path: Path, data: bytes | bytearray | memoryview) -> int:
    """Write a picture's bytes, packed without loss; how many bytes it takes on the disk. One that is there stays."""
    if not path.exists():
        # The fastest level: most of what it saves, in a tenth of the time.
        write_private(path, zlib.compress(data, 1))
    return path.stat().st_size


def read_picture(path: Path, byte_count: int) -> bytes | None:
    """A picture's bytes, or None for one that is gone or damaged, or has not this length."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(path.read_bytes(), byte_count + 1)
    except (OSError, zlib.error):
        return None
    return data if len(data) == byte_count else None


def remove(path: Path) -> None:
    """Remove a file, which may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _sync_folder(folder: Path) -> None:
    # Windows has no such thing.
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
