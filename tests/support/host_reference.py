"""The same job without the host: planned and submitted by a plain client, from pixels that the host has dumped."""

from __future__ import annotations

from typing import Any

import numpy as np
from host_bridge import HostBridge

from bridge.client import Bridge, JobResult, Pixels
from bridge.protocol.messages import Extent, Rect

__all__ = ["reference"]

_PATIENCE = 180.0


def reference(bridge: HostBridge, picture: np.ndarray | None, selection: np.ndarray | None, **fields: Any) -> JobResult:
    """What the bridge makes of a whole canvas, (h, w, 4) u8, and a selection on it, (h, w) u8; None: all of it."""
    planning = {key: fields[key] for key in ("kind", "mode", "grow", "feather", "checkpoint", "scale") if key in fields}
    bounds = None
    if selection is not None:
        rows, columns = np.flatnonzero(selection.any(axis=1)), np.flatnonzero(selection.any(axis=0))
        left, top = int(columns[0]), int(rows[0])
        bounds = Rect(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
    shape = picture.shape if picture is not None else fields.pop("shape")
    canvas = Extent(shape[1], shape[0])
    with Bridge(bridge.address(), client="tests/hosts") as connected:
        context = connected.plan(canvas=canvas, selection=bounds, timeout=_PATIENCE, **planning).context
        area = (slice(context.y, context.y + context.height), slice(context.x, context.x + context.width))

        def cut(array: np.ndarray | None, channels: int) -> Pixels | None:
            if array is None:
                return None
            return Pixels(np.ascontiguousarray(array[area]).data, context.width, context.height, channels)

        job = connected.submit(
            canvas=canvas, context=context, picture=cut(picture, 4), selection=cut(selection, 1), **fields
        )
        return job.result(_PATIENCE)
