"""What can be done with a selection: the protocol's kinds of jobs and their modes, in the artist's words."""

from __future__ import annotations

import enum
from typing import Any

from bridge.protocol.messages import MODES

from .translation import _

__all__ = ["AUTOMATIC", "EXPAND", "Repaints", "job_of", "mode_of", "modes", "name_of"]

AUTOMATIC = "auto"
EXPAND = "expand"
# These make a layer of the canvas as it is; an upscale makes another canvas.
KINDS = ("fill", "refine", "generate")
# A command of its own, which asks for nothing.
_REMOVE = "remove"


class Repaints(enum.Enum):
    """What a job repaints."""

    SELECTION = "selection"
    STRIPS = "strips"
    """Nothing is selected, and the canvas is transparent beside the picture, as after it has grown."""
    CANVAS = "canvas"


def modes() -> dict[str, tuple[str, str]]:
    """Their titles and what they do, by name. A kind of job that has no modes is one itself."""
    words = {
        AUTOMATIC: (_("Automatic"), _("What suits the selection and the strength")),
        "fill": (_("Fill"), _("Put something new in place of what is selected")),
        EXPAND: (_("Expand"), _("Go on painting beyond the edge of the picture")),
        "add": (_("Add"), _("Put something new on top of what is selected")),
        "background": (_("Background"), _("Repaint everything but what is selected")),
        "refine": (_("Refine"), _("Repaint what is selected and keep its forms: the lower the strength, the more")),
        "generate": (_("Generate"), _("Paint anew from the prompt alone, whatever is there")),
    }
    offered = dict.fromkeys(str(mode) for kind in KINDS for mode in (*MODES[kind], kind))
    return {mode: words[mode] for mode in offered if mode != _REMOVE}


def name_of(mode: str) -> str:
    """A mode's title. One that this plug-in has never heard of is its own."""
    title, _tip = modes().get(mode, (mode, ""))
    return title


def job_of(mode: str, *, strength: float, repaints: Repaints) -> dict[str, Any]:
    """Kind and mode on the wire. Automatic: less than the full strength refines; strips are expanded into, and all of
    the canvas is generated; whatever is left the bridge decides by the selection.
    """
    if mode == AUTOMATIC:
        if strength < 1.0:
            return {"kind": "refine", "mode": AUTOMATIC}
        if repaints is Repaints.CANVAS:
            return {"kind": "generate", "mode": AUTOMATIC}
        return {"kind": "fill", "mode": EXPAND if repaints is Repaints.STRIPS else AUTOMATIC}
    if mode in MODES["fill"]:
        return {"kind": "fill", "mode": mode}
    return {"kind": mode, "mode": AUTOMATIC}


def mode_of(kind: str, mode: str) -> str:
    """The name here of what a recipe was painted as. A removal has none: it is no mode here."""
    if mode == _REMOVE:
        return AUTOMATIC
    return str(mode if kind == "fill" else kind)
