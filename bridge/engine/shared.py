"""Pixels between the engine and its worker: named shared memory, one segment for all the pictures of one direction.

Segments are named by whoever may have to clean up (see :func:`remove`): a worker that is killed leaves no list of what
it made. macOS allows 30 characters. Memory is reserved when a segment is made: where /dev/shm is small (containers
give it 64 MiB), writing to more than it has would otherwise end the process with SIGBUS.

Python's resource tracker, shared by both processes, counts names, not openings: a segment is removed exactly once, by
the engine, after the worker has opened it. If the engine is killed, the tracker removes what is left, and says so.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

from ..protocol.errors import BridgeError
from ..protocol.pixels import Buffer

__all__ = ["Segment", "create", "open_segment", "read", "remove", "slices"]

_ALIGNMENT = 64
_LINUX_FOLDER = "/dev/shm"


@dataclass(frozen=True)
class Segment:
    """Where pictures lie: the segment's name, and offset and length of each picture's bytes by its hash."""

    name: str
    parts: Mapping[str, tuple[int, int]]


def create(name: str, pictures: Mapping[str, Buffer]) -> tuple[Segment, SharedMemory]:
    """Copy pictures into a new segment. The caller closes it.

    Raises:
        BridgeError: ``out_of_memory`` when there is no room; ``internal`` when this machine has no shared memory.
    """
    parts: dict[str, tuple[int, int]] = {}
    size = 0
    for key, data in pictures.items():
        parts[key] = (size, memoryview(data).nbytes)
        size += -(-memoryview(data).nbytes // _ALIGNMENT) * _ALIGNMENT
    memory = _allocate(name, max(size, 1))
    with _view(memory) as view:
        for key, data in pictures.items():
            offset, length = parts[key]
            view[offset : offset + length] = memoryview(data).cast("B")
    return Segment(name, parts), memory


def _allocate(name: str, size: int) -> SharedMemory:
    try:
        memory = SharedMemory(name, create=True, size=size)
    except OSError as error:
        raise _no_memory(error, size) from error
    try:
        _reserve(name, size)
    except OSError as error:
        memory.close()
        memory.unlink()
        raise _no_memory(error, size) from error
    return memory


def _reserve(name: str, size: int) -> None:
    """Have the pages now rather than at the first write to each, where that is possible."""
    path = os.path.join(_LINUX_FOLDER, name)
    if hasattr(os, "posix_fallocate") and os.path.exists(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)


def _no_memory(error: OSError, size: int) -> BridgeError:
    if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG):
        return BridgeError(
            "out_of_memory",
            "The pictures of this job need {size} MiB of shared memory, and there is not that much.",
            "Select a smaller area. In a container, give it more shared memory (docker run --shm-size=2g).",
            size=-(-size >> 20),
        )
    return BridgeError(
        "internal",
        "This machine gives the bridge no shared memory, so no picture can reach the process that paints.",
        "See that {folder} exists and may be written to, then start the bridge again.",
        folder=_LINUX_FOLDER,
    )


def open_segment(segment: Segment) -> SharedMemory:
    """Open a segment that the other side has made. The caller closes it.

    Raises:
        OSError: it is gone.
    """
    return SharedMemory(segment.name)


def slices(segment: Segment, memory: SharedMemory) -> dict[str, memoryview]:
    """The pictures in an open segment, read-only and not copied; release them all before closing it."""
    with _view(memory).toreadonly() as view:
        return {key: view[offset : offset + length] for key, (offset, length) in segment.parts.items()}


def read(segment: Segment) -> dict[str, bytes]:
    """Copy the pictures out of a segment that the other side has made.

    Raises:
        OSError: it is gone.
    """
    memory = open_segment(segment)
    try:
        with _view(memory) as view:
            return {key: bytes(view[offset : offset + length]) for key, (offset, length) in segment.parts.items()}
    finally:
        memory.close()


def _view(memory: SharedMemory) -> memoryview:
    view = memory.buf
    assert view is not None, "closed"
    return memoryview(view)


def remove(name: str) -> None:
    """Free a segment if it is there, whoever made it."""
    try:
        memory = SharedMemory(name)
    except (OSError, ValueError):
        # Not there; or made by somebody who was killed before giving it a size, which only Linux's folder shows.
        _remove_empty(name)
        return
    memory.close()
    memory.unlink()


def _remove_empty(name: str) -> None:
    path = os.path.join(_LINUX_FOLDER, name)
    if os.path.exists(path):
        os.unlink(path)
