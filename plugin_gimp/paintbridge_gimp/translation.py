"""Everything that the artist reads goes through here: English source, translated by the catalogues in ``locale``."""

from __future__ import annotations

import json
from pathlib import Path

from gi.repository import GLib

from bridge.client.sentences import Sentences

__all__ = ["DOMAIN", "_", "ngettext", "said"]

DOMAIN = "paintbridge"


def _(text: str) -> str:
    """The text in the artist's language."""
    # libgimp has bound the domain (Paintbridge.do_set_i18n) and made it the default one.
    return str(GLib.dgettext(None, text))


def ngettext(one: str, many: str, count: int) -> str:
    """The text for a count."""
    return str(GLib.dngettext(None, one, many, count))


# A sentence of the bridge's in the artist's language. The templates are put beside the catalogues when the plug-in is
# bundled.
_TEMPLATES = Path(__file__).parents[1] / "locale" / "templates.json"
said = Sentences(json.loads(_TEMPLATES.read_text(encoding="utf-8")), _)
