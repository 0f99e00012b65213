"""Where the bridge is: ``PAINTBRIDGE_URL`` and ``PAINTBRIDGE_TOKEN``, then the host's settings, then the runtime file.

The runtime file is written by a running bridge, into the home and not into XDG folders, so that Flatpaks and chroots
see it (:mod:`bridge.home`).
"""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit, urlunsplit

from ..errors import Sentence
from ..home import find_home
from .errors import BadAddress, BridgeNotFound, InsecureAddress, NotRunning

__all__ = ["DEFAULT_START_COMMAND", "Address", "discover", "start_hint"]

DEFAULT_START_COMMAND = ("paintbridge", "serve")

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True)
class Address:
    """Where to connect to.

    ``url`` is a websocket address; ``source`` says in words where it was found; ``start_command`` starts the bridge.

    Raises:
        BadAddress: the URL is none.
        InsecureAddress: plain ``ws://`` to anything but this machine.
    """

    url: str
    token: str
    source: str = "the caller"
    start_command: tuple[str, ...] = DEFAULT_START_COMMAND

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _websocket_url(self.url))

    def __repr__(self) -> str:
        # The token must not end up in a log.
        return f"Address(url={self.url!r}, source={self.source!r})"


@dataclass(frozen=True)
class _Runtime:
    url: str
    token: str
    start_command: tuple[str, ...]
    running: bool


def discover(
    *, url: Optional[str] = None, token: Optional[str] = None, environ: Optional[Mapping[str, str]] = None
) -> Address:
    """Find the bridge.

    Args:
        url: from the host's settings; counts when ``PAINTBRIDGE_URL`` is not set. Empty is the same as None.
        token: from the host's settings; counts when ``PAINTBRIDGE_TOKEN`` is not set.
        environ: in place of ``os.environ``.

    The runtime file's token goes to the runtime file's own address only.

    Raises:
        BridgeNotFound: nothing names a bridge; as :class:`NotRunning` when there is one that has been stopped.
        BadAddress: a URL, or the runtime file, cannot be read; or an address is known, but no token for it.
        InsecureAddress: plain ``ws://`` to anything but this machine.
    """
    env = os.environ if environ is None else environ
    path = find_home(env).runtime_file
    given_url, url_source = _first((env.get("PAINTBRIDGE_URL"), "PAINTBRIDGE_URL"), (url, "the settings"))
    given_token, _ = _first((env.get("PAINTBRIDGE_TOKEN"), ""), (token, ""))
    if given_url and given_token:
        return Address(given_url, given_token, url_source)
    runtime = _read_runtime(path)
    if given_url:
        wanted = Address(given_url, "", url_source)
        if runtime is None or not runtime.url or _websocket_url(runtime.url) != wanted.url:
            raise BadAddress(
                "{source} names a bridge at {url}, but there is no token for it.",
                "Set PAINTBRIDGE_TOKEN, or enter the token in the settings; `paintbridge token` prints it.",
                source=url_source,
                url=wanted.url,
            )
        return Address(wanted.url, runtime.token, url_source, runtime.start_command)
    if runtime is None:
        raise BridgeNotFound(
            "No bridge was found: none has been started on this machine yet.",
            start_hint(DEFAULT_START_COMMAND),
            DEFAULT_START_COMMAND,
        )
    if not runtime.running:
        raise NotRunning("The bridge is not running.", start_hint(runtime.start_command), runtime.start_command)
    return Address(runtime.url, given_token or runtime.token, str(path), runtime.start_command)


def start_hint(command: Sequence[str]) -> str:
    """What to tell the artist."""
    return Sentence("Start it with: {command}", command=" ".join(shlex.quote(word) for word in command))


def _first(*candidates: tuple[Optional[str], str]) -> tuple[str, str]:
    return next(((value.strip(), source) for value, source in candidates if value and value.strip()), ("", ""))


def _read_runtime(path: Path) -> Optional[_Runtime]:
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    if not isinstance(plain, dict) or not all(isinstance(plain.get(key), str) for key in ("url", "token")):
        raise _unreadable(path)
    # A stopped bridge leaves the file, with its pid null: it keeps the token, and knows how to start.
    running = bool(plain["url"]) and plain.get("pid") is not None
    return _Runtime(plain["url"], plain["token"], _command(plain.get("start_command"), path), running)


def _command(value: Any, path: Path) -> tuple[str, ...]:
    if value is None:
        return DEFAULT_START_COMMAND
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise _unreadable(path)
    return tuple(value)


def _unreadable(path: Path) -> BadAddress:
    return BadAddress(
        "The bridge's runtime file {path} cannot be read.",
        "Start the bridge again: it writes the file anew.",
        path=path,
    )


def _websocket_url(url: str) -> str:
    """``http://host:port`` and ``ws://host:port/ws`` are the same bridge."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in _SCHEMES or parts.username is not None:
        raise BadAddress("The bridge's address is not a URL.", "It looks like this: http://127.0.0.1:8765")
    scheme = _SCHEMES[parts.scheme]
    if scheme == "ws" and not _is_loopback(host):
        raise InsecureAddress(
            "The bridge at {host} is on another machine, and the address is not encrypted.",
            "Use an https:// address; `paintbridge serve` says how to set up TLS.",
            host=host,
        )
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") or "/ws", "", ""))


def _is_loopback(host: str) -> bool:
    """Told by the literal name: what DNS says may change."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
