"""Bodies of requests: counted as they arrive, and read off the event loop."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ...protocol.errors import BridgeError
from .fields import FieldsRefused, Problem

__all__ = ["BadBody", "BodyTooLarge", "decode_base64", "read_form", "read_json"]

_MOST_PARTS = 64
# Answers repeat what was asked, and the encoder gives up where the decoder has not yet.
_DEEPEST = 64


class BadBody(Exception):
    """The body is not what it should be; the message says how."""


class BodyTooLarge(Exception):
    """The body has more bytes than the settings allow."""


async def read_json(request: Request, *, most_bytes: int) -> dict[str, Any]:
    """A body that is a JSON object; {} for none.

    Raises:
        BadBody, BodyTooLarge
        FieldsRefused: something in it cannot be written down again: half a character, a number without end.
    """
    body = await _read(request, most_bytes)
    return await asyncio.to_thread(_parsed, body) if body else {}


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadBody("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BadBody("The body is not a JSON object.")
    problems = [problem for name, value in found.items() if (problem := _fault(name, value))]
    if problems:
        raise FieldsRefused(problems)
    return found


def _fault(name: str, value: Any) -> Problem | None:
    """What is wrong with a field whatever it means."""
    name_shown = name.encode("ascii", "backslashreplace").decode()
    left: list[tuple[Any, int]] = [(name, 0), (value, 0)]
    while left:
        found, depth = left.pop()
        if isinstance(found, str):
            if not _is_text(found):
                return Problem(name_shown, "it has half of a character in it (a lone surrogate).", "value")
        elif isinstance(found, float):
            if not math.isfinite(found):
                return Problem(name_shown, "it must be a number, and one that ends.", "float")
        elif isinstance(found, dict | list):
            if depth == _DEEPEST:
                return Problem(name_shown, f"it is nested more than {_DEEPEST} times.", "value")
            parts = (part for pair in found.items() for part in pair) if isinstance(found, dict) else found
            left += [(part, depth + 1) for part in parts]
    return None


def _is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8. Python's JSON lets halves of surrogate pairs pass."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


async def read_form(request: Request, *, most_bytes: int) -> dict[str, list[str | bytes]]:
    """A multipart form: for each field its texts, or its files' bytes. Nothing of it goes to the disk.

    Raises:
        BadBody, BodyTooLarge, FieldsRefused: as :func:`read_json`.
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
    faults = [_fault(name, [value for value in values if isinstance(value, str)]) for name, values in fields.items()]
    problems = [problem for problem in faults if problem is not None]
    if problems:
        raise FieldsRefused(problems)
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
