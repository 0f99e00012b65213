"""The bridge's home: the folder that holds what a bridge keeps, and where each thing lies in it.

This module travels with the client into the plug-ins: Python 3.9, standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CONTROLNETS",
    "EMBEDDINGS",
    "ESTIMATORS",
    "HOME_VARIABLE",
    "LORAS",
    "TEXT_ENCODERS",
    "TOKENIZERS",
    "VAES",
    "Home",
    "find_home",
]

HOME_VARIABLE = "PAINTBRIDGE_HOME"

LORAS, CONTROLNETS, VAES, EMBEDDINGS = "loras", "controlnet", "vae", "embeddings"
"""The folders of LoRAs, ControlNets, VAEs and textual inversions within any folder of checkpoints."""

TEXT_ENCODERS, TOKENIZERS = "text_encoders", "tokenizers"
"""Likewise those of text encoders that checkpoints share, and of their tokenizers."""

ESTIMATORS = "estimators"
"""Likewise that of the networks that make maps of pictures."""


@dataclass(frozen=True)
class Home:
    """The paths within a home. Nothing of it need exist."""

    folder: Path

    @property
    def runtime_file(self) -> Path:
        """Address and token of the bridge, and the command that starts it; mode 0600."""
        return self.folder / "runtime.json"

    @property
    def runtime_lock(self) -> Path:
        """Locked by the bridge that serves from this home."""
        return self.folder / "runtime.lock"

    @property
    def start_log(self) -> Path:
        """What a bridge said that a client has started."""
        return self.folder / "start.log"

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def open_page(self) -> Path:
        """What `paintbridge open` hands to the browser; mode 0600."""
        return self.folder / "open.html"

    @property
    def models(self) -> Path:
        """Where `paintbridge models pull` puts checkpoints, and where artists put theirs."""
        return self.folder / "models"

    @property
    def loras(self) -> Path:
        return self.models / LORAS

    @property
    def controlnets(self) -> Path:
        return self.models / CONTROLNETS

    @property
    def estimators(self) -> Path:
        return self.models / ESTIMATORS

    @property
    def vaes(self) -> Path:
        return self.models / VAES

    @property
    def text_encoders(self) -> Path:
        return self.models / TEXT_ENCODERS

    @property
    def tokenizers(self) -> Path:
        """A folder for each kind of text encoder."""
        return self.models / TOKENIZERS

    @property
    def embeddings(self) -> Path:
        return self.models / EMBEDDINGS

    @property
    def partial_pulls(self) -> Path:
        """Checkpoints that have not arrived whole."""
        return self.models / ".partial"

    @property
    def wildcards(self) -> Path:
        return self.folder / "wildcards"

    @property
    def checkpoint_settings(self) -> Path:
        """What an artist says of a checkpoint in place of its files."""
        return self.folder / "checkpoints.toml"

    @property
    def registered(self) -> Path:
        """The checkpoints, LoRAs and folders that the artist has named."""
        return self.folder / "models.json"

    @property
    def distances(self) -> Path:
        """How far denoisers are from their family's base, by their hashes."""
        return self.folder / "cache" / "distances.json"

    @property
    def hashes(self) -> Path:
        """Content hashes of weight files, by path, size and time."""
        return self.folder / "cache" / "hashes.json"

    @property
    def library(self) -> Path:
        """Results that are kept, mode 0700."""
        return self.folder / "library"

    @property
    def training(self) -> Path:
        """States of trainings, from which they go on."""
        return self.folder / "training"


def find_home(environ: Mapping[str, str] | None = None) -> Home:
    """The home that ``PAINTBRIDGE_HOME`` names, else ``~/.paintbridge``.

    A tilde is expanded, since not every program is started by a shell. A relative path begins at the user's home
    folder, for each program has a working directory of its own, and all must find the same bridge. Blanks around the
    path do not count; an empty one counts as none.

    Args:
        environ: in place of ``os.environ``.
    """
    named = (os.environ if environ is None else environ).get(HOME_VARIABLE, "").strip()
    return Home(Path.home() / os.path.expanduser(named or ".paintbridge"))
