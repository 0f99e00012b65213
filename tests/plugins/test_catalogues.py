"""The bridge's words in the plug-ins' other languages."""

from __future__ import annotations

import ast
import gettext
import io
import json
import re
from pathlib import Path

import polib
import pytest

import bridge
import plugin_gimp
import plugin_krita
from bridge.client.sentences import Sentences
from bridge.plugins.catalogues import SHARED, compiled, templates
from bridge.protocol.errors import CODES

BRIDGE = Path(bridge.__file__).parent
OWN = [
    *(Path(plugin_krita.__file__).parent / "paintbridge_krita" / "locale").glob("*.po"),
    *(Path(plugin_gimp.__file__).parent / "paintbridge_gimp" / "locale").glob("*.po"),
]
# What an artist meets who paints or fetches a checkpoint. The others speak to those who write clients, or of files.
MET = (
    *("canvas/*.py", "client/*.py", "painter/*.py", "prompts/*.py", "diffusion/text_encoders/hints.py"),
    *("engine/local.py", "engine/process.py", "engine/pulls.py", "engine/shared.py", "engine/studio.py"),
    *("engine/wordings.py", "server/detached.py", "server/pictures.py", "server/queue.py", "server/submission.py"),
    *("diffusion/finite.py", "models/hub.py", "models/loras.py", "models/pull.py", "models/registry.py"),
    *("models/samplers.py", "models/wildcards.py", "server/web.py"),
)
# Python's own errors are for programmers, and so is the log.
UNSEEN = {
    *("AssertionError", "AttributeError", "KeyError", "RuntimeError", "TimeoutError", "TypeError", "ValueError"),
    "NotConverged",
    *("debug", "info", "warning", "error", "exception"),
}
SENTENCE = re.compile(r"""[A-Z`<{"][^ ]* .*(\.|\})""", re.DOTALL)
GAP = re.compile(r"\{\d\}")


def sentences(path: Path) -> set[str]:
    """Those that a module says, as the catalogue has them: what is filled in is a numbered gap."""
    found, waiting = set(), [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            found.add(template(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif not is_unseen(node):
            waiting.extend(ast.iter_child_nodes(node))
    return {text for text in found if SENTENCE.fullmatch(text) and re.search("[a-z]{2}", text)}


def template(node: ast.JoinedStr) -> str:
    parts, gaps = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("{", "{{").replace("}", "}}"))
        else:
            parts.append(f"{{{gaps}}}")
            gaps += 1
    return "".join(parts)


def is_unseen(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    name = getattr(node.func, "id", None) or getattr(node.func, "attr", None) if isinstance(node, ast.Call) else None
    return name in UNSEEN


@pytest.fixture(scope="module")
def met() -> set[str]:
    """And the table of errors."""
    table = {words for code in CODES.values() for words in (code.message, code.hint)}
    return table.union(*(sentences(path) for pattern in MET for path in BRIDGE.glob(pattern)))


@pytest.mark.parametrize("path", list(SHARED.glob("*.po")), ids=lambda path: path.stem)
def test_whatever_an_artist_meets_is_there(path: Path, met: set[str]) -> None:
    entries = {entry.msgid: entry.msgstr for entry in polib.pofile(str(path), encoding="utf-8")}
    assert sorted(met - set(entries)) == []
    everything = set().union(*(sentences(path) for path in BRIDGE.rglob("*.py")))
    assert sorted(text for text in set(entries) - everything if GAP.search(text)) == [], "nobody says it any more"
    for text, words in entries.items():
        assert words
        assert sorted(GAP.findall(words)) == sorted(GAP.findall(text)), text


@pytest.mark.parametrize("path", OWN, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_plug_in_has_them_beside_its_own(path: Path) -> None:
    shared = {entry.msgid for entry in polib.pofile(str(SHARED / path.name), encoding="utf-8")}
    assert not shared & {entry.msgid for entry in polib.pofile(str(path), encoding="utf-8")}, "each word once"
    translations = gettext.GNUTranslations(io.BytesIO(compiled(path.read_bytes(), path.stem)))
    for words in ("Send the job again.", "Loading the checkpoint"):
        assert translations.gettext(words) != words
    said = Sentences(json.loads(templates()), translations.gettext)
    filled = "8 jobs are waiting, which is the bridge's limit."
    assert said(filled) != filled
    assert "8" in said(filled)
