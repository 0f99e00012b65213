"""Everything that the artist reads goes through here: English source, translated by the catalogues in ``locale``, and
where they lack a text, as Krita translates its own.
"""

from __future__ import annotations

import gettext
from pathlib import Path

import krita

from bridge.errors import Sentence

from .qt import QtCore

__all__ = ["_", "said"]

_LOCALES = Path(__file__).parent / "locale"


def _catalogue() -> gettext.NullTranslations:
    """That of the language that Krita speaks. They are compiled when the plug-in is bundled."""
    name = QtCore.QLocale().name()
    for language in (name, name.split("_")[0]):
        path = _LOCALES / f"{language}.mo"
        if path.is_file():
            with path.open("rb") as file:
                return gettext.GNUTranslations(file)
    return gettext.NullTranslations()


_OURS = _catalogue()


def _(text: str) -> str:
    """The text in the artist's language."""
    found = _OURS.gettext(text) if text else ""
    return str(krita.Krita.krita_i18n(text)) if text and found == text else found


def said(sentence: str) -> str:
    """A sentence of the bridge's, or of its client's, in the artist's language; any other text as it is."""
    return Sentence(sentence).translated(_)
