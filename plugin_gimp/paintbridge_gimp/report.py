"""What there is to say about a connection."""

from __future__ import annotations

from typing import Optional

from bridge.protocol.messages import CheckpointInfo, DeviceInfo

from .connection import Connection
from .translation import _, ngettext

__all__ = ["report", "summary"]


def summary(checkpoint: CheckpointInfo) -> str:
    """What is painted with, in a line or two."""
    if not checkpoint.demo:
        return _("Connected. Checkpoint: {name}").format(name=checkpoint.name)
    known = ", ".join(checkpoint.known_names)
    return _("Connected. {name} is a demo model: by name it paints {known}, and nothing else.").format(
        name=checkpoint.name, known=known
    )


def report(connection: Connection, device: Optional[DeviceInfo]) -> str:
    """Bridge, protocol, checkpoint, device and memory, a line each."""
    welcome = connection.welcome
    first = welcome.checkpoints[0] if welcome.checkpoints else None
    others = len(welcome.checkpoints) - 1
    lines = [
        _("Bridge: version {version}, at {url}").format(version=welcome.bridge, url=connection.address.url),
        _("Protocol: version {version}").format(version=welcome.version),
    ]
    if first is None:
        lines.append(_("Checkpoint: none"))
    else:
        words = _("Checkpoint: {name} ({family})").format(name=first.name, family=first.family)
        if others:
            words += ngettext(", and {count} other", ", and {count} others", others).format(count=others)
        lines.append(words)
    if device is None:
        lines.append(_("Device: not known yet"))
    else:
        lines.append(
            _("Device: {kind}, {name}, {precision}").format(
                kind=device.kind, name=device.name, precision=device.precision
            )
        )
        memory = f"{device.memory_bytes / (1 << 30):.1f} GiB" if device.memory_bytes else _("not known")
        lines.append(_("Memory: {memory}").format(memory=memory))
    return "\n".join(lines)
