"""The bridge's words in the plug-ins' other languages."""

from __future__ import annotations

import ast
import gettext
import io
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

import bridge.client
import plugin_gimp
import plugin_krita
from bridge.plugins.catalogues import SHARED, compiled
from bridge.protocol.errors import CODES

CLIENT = Path(bridge.client.__file__).parent
OWN = [
    *(Path(plugin_krita.__file__).parent / "paintbridge_krita" / "locale").glob("*.po"),
    *(Path(plugin_gimp.__file__).parent / "paintbridge_gimp" / "locale").glob("*.po"),
]


def of_the_client() -> Iterator[str]:
    """Sentences that its errors are made with; those with something to fill in are not known beforehand."""
    for path in CLIENT.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                name = getattr(call.func, "id", None) or getattr(call.func, "attr", None)
                if name in ("translate", "__init__", *bridge.client.errors.__all__):
                    words = [one.value for one in call.args if isinstance(one, ast.Constant)]
                    yield from (one for one in words if isinstance(one, str) and " " in one)


@pytest.mark.parametrize("path", list(SHARED.glob("*.po")), ids=lambda path: path.stem)
def test_whatever_the_bridge_and_the_client_say_is_there(path: Path) -> None:
    said = {words for code in CODES.values() for words in (code.message, code.hint)} | set(of_the_client())
    entries = {entry.msgid: entry.msgstr for entry in polib.pofile(str(path), encoding="utf-8")}
    assert said - set(entries) == set()
    assert all(entries.values())


@pytest.mark.parametrize("path", OWN, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_plug_in_has_them_beside_its_own(path: Path) -> None:
    shared = {entry.msgid for entry in polib.pofile(str(SHARED / path.name), encoding="utf-8")}
    assert not shared & {entry.msgid for entry in polib.pofile(str(path), encoding="utf-8")}, "each word once"
    translations = gettext.GNUTranslations(io.BytesIO(compiled(path.read_bytes(), path.stem)))
    for words in ("Send the job again.", "Loading the checkpoint"):
        assert translations.gettext(words) != words
