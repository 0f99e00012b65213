"""What a host is to its plug-in: where it keeps plug-ins, what goes there, and how it is told of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

__all__ = ["Bundle", "Machine", "Place", "Target"]


@dataclass(frozen=True)
class Machine:
    """The machine and the user, as far as hosts' folders depend on them."""

    system: str = sys.platform
    home: Path = field(default_factory=Path.home)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def folder(self, variable: str, *default: str) -> Path:
        """What an environment variable names; else that folder below the home."""
        named = self.environ.get(variable)
        return Path(named) if named else self.home.joinpath(*default)


@dataclass(frozen=True)
class Place:
    """A folder in which one installation of a host keeps what users add.

    ``settings``: the host's settings file, where the plug-in is enabled; None where there is none to write.
    """

    words: str
    folder: Path
    settings: Path | None = None


@dataclass(frozen=True)
class Bundle:
    """A plug-in as it is put into a place.

    ``home`` is the folder that is the plug-in's own, and ``files`` are contents by path, all relative to the place's
    folder, with forward slashes. ``programs`` are the files that the host runs as programs.
    """

    home: str
    files: Mapping[str, bytes]
    programs: frozenset[str] = frozenset()


class Target(Protocol):
    """One host. ``name`` is its name on the command line, ``title`` its name for people."""

    name: str
    title: str
    home: str
    """The folder of a place that is the plug-in's own, as in :class:`Bundle`."""
    path_hint: str
    """Where the artist finds the folder for ``--path``."""

    def places(self, machine: Machine) -> tuple[Place, ...]:
        """Those of this machine, whether or not the plug-in is there."""

    def at(self, folder: Path) -> Place:
        """The place at a folder that the artist names."""

    def bundle(self) -> Bundle:
        """The plug-in with all that it needs."""

    def enable(self, place: Place) -> None:
        """Tell the host that the plug-in is to be loaded."""

    def disable(self, place: Place) -> None:
        """Take back what :meth:`enable` said."""

    def after_install(self, place: Place) -> str:
        """What is left for the artist to do, in a sentence."""
