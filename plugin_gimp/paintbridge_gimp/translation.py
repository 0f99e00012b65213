"""Everything that the artist reads goes through here: English source, translated by the catalogues in ``locale``."""

from __future__ import annotations

from gi.repository import GLib

from bridge.errors import Sentence

__all__ = ["DOMAIN", "_", "ngettext", "said"]

DOMAIN = "paintbridge"


def _(text: str) -> str:
    """The text in the artist's language."""
    # libgimp has bound the domain (Paintbridge.do_set_i18n) and made it the default one.
    return str(GLib.dgettext(None, text))


def ngettext(one: str, many: str, count: int) -> str:
    """The text for a count."""
    return str(GLib.dngettext(None, one, many, count))


def said(sentence: str) -> str:
    """A sentence of the bridge's, or of its client's, in the artist's language; any other text as it is."""
    return Sentence(sentence).translated(_)
