"""Bodies of requests: counted as they arrive, and read off the event loop."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ...protocol.errors import BridgeError

__all__ = ["BadBody", "BodyTooLarge", "decode_base64", "read_form", "read_json"]

_MOST_PARTS = 64


class BadBody(Exception):
    """The body is not what it should be; the message says how."""


class BodyTooLarge(Exception):
    """The body has more bytes than the settings allow."""


async def read_json(request: Request, *, most_bytes: int) -> dict[str, Any]:
    """A body that is a JSON object; {} for none.

    Raises:
        BadBody, BodyTooLarge
    """
    body = await _read(request, most_bytes)
    try:
        found = await asyncio.to_thread(json.loads, body) if body else {}
    except (ValueError, RecursionError):
        raise BadBody("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BadBody("The body is not a JSON object.")
    return found


async def read_form(request: Request, *, most_bytes: int) -> dict[str, list[str | bytes]]:
    """A multipart form: for each field its texts, or its files' bytes. Nothing of it goes to the disk.

    Raises:
        BadBody, BodyTooLarge
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise BadBody("The body is not multipart/form-data.")
    body = await _read(request, most_bytes)

    async def stream() -> Any:
        yield body

    parser = MultiPartParser(
        request.headers, stream(), max_files=_MOST_PARTS, max_fields=_MOST_PARTS, max_part_size=most_bytes
    )
    parser.spool_max_size = most_bytes + 1
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError, KeyError, ValueError):
        raise BadBody("The body is not a form that can be read.") from None
    fields: dict[str, list[str | bytes]] = {}
    for name, value in form.multi_items():
        fields.setdefault(name, []).append(await value.read() if isinstance(value, UploadFile) else value)
    await form.close()
    return fields


def decode_base64(text: str) -> bytes:
    """A picture's bytes from Base64, perhaps behind ``data:...;base64,``.

    Raises:
        BridgeError: ``picture_unreadable``.
    """
    if text.startswith(("http://", "https://", "file:")):
        raise BridgeError(
            "picture_unreadable",
            "The picture is named by an address, which the bridge does not follow.",
            "Send the picture itself, as Base64.",
        )
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        # Encoders that write for mail break lines.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BridgeError(
            "picture_unreadable", "The picture is not Base64, or a part of it is missing.", "Send it whole."
        ) from None


async def _read(request: Request, most_bytes: int) -> bytes:
    if int(request.headers.get("content-length", "0") or 0) > most_bytes:
        raise BodyTooLarge
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most_bytes:
            raise BodyTooLarge
        body += part
    return bytes(body)
