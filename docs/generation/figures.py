"""The figures that the guide names, out of the code that holds to them."""

from __future__ import annotations

from bridge.canvas.context import (
    EXPAND_DEPTH,
    EXPAND_LENGTH,
    FEATHER_RANGE,
    FEATHER_SHARE,
    GROW,
    LEAST_ROOM,
    UPSCALE_ROOM,
)
from bridge.protocol.errors import CODES, CloseCode
from bridge.protocol.messages import CHUNK_BYTES
from bridge.protocol.wire import FRAME_BYTES
from bridge.server.app import PING_SECONDS, PONG_SECONDS
from bridge.server.connection import HELLO_BYTES, STALLED_SECONDS
from bridge.server.session import MOST_WAITING_EVENTS
from bridge.server.settings import Settings

__all__ = ["close_codes", "figures"]

_MIB = 1 << 20


def figures() -> dict[str, str]:
    """By the names that the template has for them. What a setting decides is given by its default."""
    defaults = Settings()
    return {
        "frame_bytes": f"{FRAME_BYTES:,}",
        "chunk_bytes": f"{CHUNK_BYTES:,}",
        "hello_bytes": f"{HELLO_BYTES:,}",
        "hello_seconds": f"{defaults.hello_seconds:g}",
        "connections": str(defaults.connections),
        "ping_seconds": f"{PING_SECONDS:g}",
        "pong_seconds": f"{PONG_SECONDS:g}",
        "stalled_seconds": f"{STALLED_SECONDS:g}",
        "upload_mib": f"{defaults.upload_bytes // _MIB:,}",
        "replay_mib": f"{defaults.replay_bytes // _MIB:,}",
        "resume_seconds": f"{defaults.resume_seconds:g}",
        "kept_sessions": str(defaults.kept_sessions),
        "kept_mib": f"{defaults.kept_bytes // _MIB:,}",
        "waiting_events": f"{MOST_WAITING_EVENTS:,}",
        "grow": f"{GROW:g}",
        "feather_percent": f"{100 * FEATHER_SHARE:g}",
        "feather_least": f"{FEATHER_RANGE[0]:g}",
        "feather_most": f"{FEATHER_RANGE[1]:g}",
        "least_room": str(LEAST_ROOM),
        "upscale_room": str(UPSCALE_ROOM),
        "expand_percent": f"{100 * EXPAND_LENGTH:g}",
        "expand_depth_percent": f"{100 * EXPAND_DEPTH:g}",
        "closing_codes": ", ".join(f"`{entry.code}`" for entry in CODES.values() if entry.closes),
    }


def close_codes() -> str:
    """With which codes the bridge closes a connection."""
    return "\n".join(["| code | meaning |", "| --- | --- |", *(f"| {code:d} | {code.meaning} |" for code in CloseCode)])
