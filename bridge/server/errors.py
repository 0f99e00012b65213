"""What can keep a bridge from starting, in words for whoever starts it, and refusals that name what they are about."""

from __future__ import annotations

from pathlib import Path

from ..errors import PaintbridgeError
from ..models.errors import NO_ROOM
from ..protocol.errors import BridgeError

__all__ = [
    "AddressUnavailable",
    "AlreadyRunning",
    "HomeUnwritable",
    "PictureRefused",
    "SettingsError",
    "StartError",
    "TlsRequired",
]


class StartError(PaintbridgeError):
    """The bridge cannot start."""

    code = "no_bridge"


class SettingsError(StartError):
    """A setting cannot be used. ``source`` and ``key`` say which one."""

    code = "settings"

    def __init__(self, source: str, key: str, problem: str, hint: str = "") -> None:
        super().__init__(
            "{source}: {key}: {problem}",
            hint or "Correct it, then start the bridge again.",
            source=source,
            key=key,
            problem=problem,
        )
        self.source = source
        self.key = key


class TlsRequired(StartError):
    """The bridge would listen beyond this machine without encryption."""


class AddressUnavailable(StartError):
    """The bridge cannot listen at the address."""


class AlreadyRunning(StartError):
    """Another bridge serves from the same home. ``url`` is its address, if it has said one."""

    def __init__(self, url: str, pid: int | None) -> None:
        process = f" (process {pid})" if pid else ""
        super().__init__(
            "A bridge runs already, at {url}{process}.",
            "Use that one, or stop it first.",
            url=url or "an address that it has not said yet",
            process=process,
        )
        self.url = url
        self.pid = pid


class HomeUnwritable(StartError):
    """Nothing can be written into the bridge's folder."""

    def __init__(self, home: Path, error: OSError) -> None:
        full = error.errno in NO_ROOM
        super().__init__(
            "The bridge's folder {home} cannot be written ({reason}).",
            ("Make room on its disk" if full else "Correct its permissions")
            + ", or name another one in PAINTBRIDGE_HOME.",
            home=home,
            reason=error.strerror,
        )


class PictureRefused(BridgeError):
    """A refusal that is about one picture, by its hash."""

    def __init__(self, code: str, picture_hash: str, message: str = "", hint: str = "", **values: object) -> None:
        super().__init__(code, message, hint, **values)
        self.picture_hash = picture_hash
