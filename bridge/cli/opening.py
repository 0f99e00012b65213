"""``paintbridge open``: the page in the browser, with the token handed over; and a bridge for it, where none runs.

A browser that is started with an address shows it to everybody on the machine, in the list of processes. Hence it is
started with a file of the bridge's own home, which only this user can read, and which sends it on; the token stands in
the address's fragment, which no server is sent.
"""

from __future__ import annotations

import argparse
import html
import os
import sys
import threading
import webbrowser
from pathlib import Path
from urllib.parse import quote, urlsplit

from ..client import Address, BridgeNotFound, discover
from ..home import find_home
from ..server.app import serve
from ..server.settings import load_settings
from .exits import CliError, Exit, unwritable

__all__ = ["run"]


def run(args: argparse.Namespace) -> Exit:
    """Open the page of the bridge that runs, or of one that is started here and runs until it is stopped.

    Raises:
        ClientError: what names the bridge is of no use; with ``--print``, none runs.
        StartError: none runs, and none could be started.
        CliError: there is no browser here, or the bridge's folder cannot be written.
    """
    try:
        address = discover()
    except BridgeNotFound:
        if args.print:
            raise
        print("No bridge is running, so one is started here. Ctrl-C stops it.", file=sys.stderr)
        # Beside the bridge: a browser that is a program of the terminal returns when it is closed.
        serve(load_settings(), lambda _: threading.Thread(target=_open_beside, daemon=True).start())
        return Exit.DONE
    if args.print:
        print(_page_url(address))
        return Exit.DONE
    _open(address)
    return Exit.DONE


def _open_beside() -> None:
    try:
        _open(discover())
    except CliError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)


def _open(address: Address) -> None:
    door = _write_door(find_home().open_page, _page_url(address))
    if not webbrowser.open(door.as_uri()):
        raise CliError(
            "No browser could be started here.",
            "`paintbridge open --print` prints the page's address, with the token in it.",
        )
    print(f"The page of {_origin(address)} opens in the browser.", flush=True)


def _origin(address: Address) -> str:
    parts = urlsplit(address.url)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"


def _page_url(address: Address) -> str:
    return f"{_origin(address)}/#token={quote(address.token, safe='')}"


def _write_door(path: Path, url: str) -> Path:
    target = html.escape(url, quote=True)
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Paintbridge</title>'
        f'<meta http-equiv="refresh" content="0; url={target}">'
        f'<p><a href="{target}">Open Paintbridge</a></p></html>\n'
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise unwritable(path, error) from None
    return path
