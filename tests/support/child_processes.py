"""The running children of the test's own process."""

from __future__ import annotations

import contextlib

import psutil

__all__ = ["running_children"]


def running_children(word: str) -> list[psutil.Process]:
    """Those that have this word in their command line. A child of another test's may be a zombie, or end meanwhile."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # ZombieProcess is one
            if word in " ".join(child.cmdline()):
                found.append(child)
    return found
