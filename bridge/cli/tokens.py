"""``paintbridge token``: print the token, or the address that holds it, or make a new one."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from ..home import find_home
from ..server.runtime import RuntimeFile
from .exits import CliError, Exit

__all__ = ["run"]


def run(args: argparse.Namespace) -> Exit:
    """Print the token, or its address, on standard output, alone.

    Raises:
        CliError: there is none yet.
        HomeUnwritable: the bridge's folder cannot be written, so the token is the old one.
    """
    runtime = RuntimeFile(find_home().folder)
    if args.rotate:
        runtime.rotate_token()
    said = runtime.read()
    token, url = said.get("token"), said.get("url")
    if not isinstance(token, str) or not token or (args.base_url and not url):
        raise CliError(
            "There is no token yet: no bridge has been started on this machine.",
            "Start one with `paintbridge serve`.",
            exit_code=Exit.NO_BRIDGE,
            code="no_bridge",
        )
    # With a slash at the end: without it urljoin and aiohttp take the token for a file's name, and leave it out.
    print(f"{_http_address(str(url))}/key/{token}/" if args.base_url else token)
    return Exit.DONE


def _http_address(url: str) -> str:
    """Where the bridge of a websocket's address speaks HTTP."""
    parts = urlsplit(url)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"
