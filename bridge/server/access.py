"""Who may come in: pure functions on a request's Host and Origin, the token, and the address to listen at.

A page in the artist's browser can reach loopback, under its own origin or, by DNS rebinding, under its own host name.
Hence the Host header must be a literal loopback name or one from the settings (no name is looked up), and the Origin
absent, the bridge's own, or one from the settings. Both are judged before a websocket is accepted. The token is
required all the same.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection

from .errors import TlsRequired

__all__ = ["check_listening", "host_allowed", "is_loopback", "origin_allowed", "token_matches"]

# A name or IPv4 address, or an IPv6 address in brackets; then perhaps a port.
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def is_loopback(name: str) -> bool:
    """Whether this is a literal name of this machine: localhost, 127.0.0.0/8, ::1 (also in brackets)."""
    if name.lower() == "localhost":
        return True
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def host_allowed(host: str | None, allowed: Collection[str] = ()) -> bool:
    """Whether a request with this Host header is for us. ``allowed`` holds names without ports."""
    matched = _HOST.fullmatch(host or "")
    if matched is None:
        return False
    name = matched["name"].lower()
    return is_loopback(name) or name in {entry.lower() for entry in allowed}


def origin_allowed(origin: str | None, host: str, *, tls: bool, allowed: Collection[str] = ()) -> bool:
    """Whether a page of this origin may connect. ``host`` is the Host header, and was found allowed."""
    if origin is None:
        return True
    own = f"{'https' if tls else 'http'}://{host}"
    return origin.lower() in {own.lower(), *(entry.lower().rstrip("/") for entry in allowed)}


def token_matches(given: str, token: str) -> bool:
    """Compare in a time that tells nothing about where the two differ."""
    return hmac.compare_digest(given.encode(), token.encode())


def check_listening(host: str, *, tls: bool) -> None:
    """See that the bridge does not leave this machine unencrypted.

    Raises:
        TlsRequired: the address is not a loopback one, and there is no TLS.
    """
    if not tls and not is_loopback(host):
        raise TlsRequired(
            "Listening at {host} would send pictures and the token unencrypted over the network.",
            "Set tls_certificate and tls_key, or listen at 127.0.0.1.",
            host=host,
        )
