"""What can be done with a selection: the protocol's kinds of jobs and their modes, in the artist's words."""

from __future__ import annotations

from typing import Any

from bridge.client import Refused
from bridge.protocol.messages import MODES

from .translation import _

__all__ = ["AUTOMATIC", "REMOVE", "check_selected", "job_of", "mode_of", "modes", "name_of"]

AUTOMATIC = "auto"
REMOVE = "remove"
"""The mode that asks for nothing: no prompt is sent with it."""
_EXPAND = "expand"
# These make a layer of the canvas as it is; an upscale makes another canvas.
KINDS = ("fill", "refine", "generate")


def modes() -> dict[str, tuple[str, str]]:
    """Their titles and what they do, by name. A kind of job that has no modes is one itself."""
    words = {
        AUTOMATIC: (_("Automatic"), _("What suits the selection and the strength")),
        "fill": (_("Fill"), _("Put something new in place of what is selected")),
        _EXPAND: (_("Expand"), _("Go on painting beyond the edge of the picture")),
        "add": (_("Add"), _("Put something new on top of what is selected")),
        REMOVE: (_("Remove"), _("Let the surroundings grow together over what is selected; no prompt is needed")),
        "background": (_("Background"), _("Repaint everything but what is selected")),
        "refine": (_("Refine"), _("Repaint what is selected and keep its forms: the lower the strength, the more")),
        "generate": (_("Generate"), _("Paint anew from the prompt alone, whatever is there")),
    }
    offered = dict.fromkeys(str(mode) for kind in KINDS for mode in (*MODES[kind], kind))
    return {mode: words[mode] for mode in offered}


def name_of(mode: str) -> str:
    """A mode's title. One that this plug-in has never heard of is its own."""
    title, _tip = modes().get(mode, (mode, ""))
    return title


def job_of(mode: str, *, strength: float, selected: bool) -> dict[str, Any]:
    """Kind and mode on the wire. Automatic: less than the full strength refines, and nothing selected is generated;
    whatever is left the bridge decides by the selection.
    """
    if mode == AUTOMATIC:
        if strength < 1.0:
            return {"kind": "refine", "mode": AUTOMATIC}
        return {"kind": "fill" if selected else "generate", "mode": AUTOMATIC}
    if mode in MODES["fill"]:
        return {"kind": "fill", "mode": mode}
    return {"kind": mode, "mode": AUTOMATIC}


def check_selected(mode: str) -> None:
    """To be asked where nothing is selected. Other modes take that for all of the canvas; these would have nothing left
    to go by.

    Raises:
        Refused: the mode needs a selection.
    """
    if mode == REMOVE:
        raise Refused(
            _("Nothing is selected, so there is nothing to remove."), _("Select what is to go, then try again.")
        )
    if mode == _EXPAND:
        raise Refused(
            _("Nothing is selected, so it is not known where the picture is to go on."),
            _("Make the canvas larger with Image > Resize Canvas, select what is new, then try again."),
        )


def mode_of(kind: str, mode: str) -> str:
    """The name here of what a recipe was painted as."""
    return str(mode if kind == "fill" else kind)
