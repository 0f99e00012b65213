"""Everything that the artist reads goes through here: English source, translated by the catalogues in ``locale``."""

from __future__ import annotations

from gi.repository import GLib

__all__ = ["DOMAIN", "_", "ngettext"]

DOMAIN = "paintbridge"


def _(text: str) -> str:
    """The text in the artist's language."""
    # libgimp has bound the domain (Paintbridge.do_set_i18n) and made it the default one.
    return str(GLib.dgettext(None, text))


def ngettext(one: str, many: str, count: int) -> str:
    """The text for a count."""
    return str(GLib.dngettext(None, one, many, count))
