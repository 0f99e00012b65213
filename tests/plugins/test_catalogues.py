"""The bridge's words in the plug-ins' other languages."""

from __future__ import annotations

import ast
import gettext
import io
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

import bridge
import plugin_gimp
import plugin_krita
from bridge.errors import Sentence
from bridge.plugins.catalogues import SHARED, compiled
from bridge.protocol.errors import CODES

BRIDGE = Path(bridge.__file__).parent
OWN = [
    *(Path(plugin_krita.__file__).parent / "paintbridge_krita" / "locale").glob("*.po"),
    *(Path(plugin_gimp.__file__).parent / "paintbridge_gimp" / "locale").glob("*.po"),
]
# What an artist meets who paints or fetches a checkpoint. The others speak to those who write clients, or of files.
MET = (
    *("canvas/*.py", "client/*.py", "painter/*.py", "prompts/*.py", "diffusion/text_encoders/hints.py"),
    *("engine/local.py", "engine/process.py", "engine/pulls.py", "engine/shared.py", "engine/executor.py"),
    *("engine/parsed_prompts.py", "server/detached.py", "server/pictures.py", "server/queue.py"),
    *("diffusion/finite.py", "models/hub.py", "models/loras.py", "models/pull.py", "models/registry.py"),
    *("models/names.py", "models/samplers.py", "models/wildcards.py", "server/submission.py"),
    *("models/estimators.py", "models/pull_estimator.py", "engine/map_estimation.py", "vision/*.py"),
    "server/web.py",
)
# Python's own errors are for programmers, and so is the log.
UNSEEN = {
    *("AssertionError", "AttributeError", "KeyError", "RuntimeError", "TimeoutError", "TypeError", "ValueError"),
    "NotConverged",
    *("debug", "info", "warning", "error", "exception"),
}
SENTENCE = re.compile(r"""[A-Z`<{"][^ ]* .*(\.|\})""", re.DOTALL)
PLACE = re.compile(r"\{([a-z]\w*)\}")


def sentences(path: Path) -> set[str]:
    """The templates that a module holds. What an f-string is filled with has no name."""
    found, waiting = set(), [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            found.add("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif not is_unseen(node):
            waiting.extend(ast.iter_child_nodes(node))
    return {text for text in found if SENTENCE.fullmatch(text) and re.search("[a-z]{2}", text)}


def nameless(text: str) -> str:
    return PLACE.sub("{}", text)


def is_unseen(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return called(node) in UNSEEN


def called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return str(getattr(node.func, "id", None) or getattr(node.func, "attr", None) or "")


def parameters(classes: dict[str, ast.ClassDef], name: str) -> set[str] | None:
    """Those of an error class, by name, but for the values; None for a class that takes no values, or is no error."""
    if name not in classes:
        return None
    for item in classes[name].body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            takes_values = item.args.kwarg is not None and item.args.kwarg.arg == "values"
            return {arg.arg for arg in (*item.args.args, *item.args.kwonlyargs)} if takes_values else None
    bases = (parameters(classes, getattr(base, "id", "")) for base in classes[name].bases)
    return next((found for found in bases if found is not None), None)


def filled_calls(tree: ast.AST, takers: dict[str, set[str]]) -> Iterator[tuple[ast.Call, set[str], set[str]]]:
    """The calls that fill templates: which places these have, and which of the call's keywords are values."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in takers:
            own = takers[called(node)]
            given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in own)]
            literals = (arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, str))
            places = {place for text in literals for place in PLACE.findall(text)}
            yield node, places, {keyword.arg for keyword in node.keywords if keyword.arg} - own


def test_every_place_has_a_value_and_every_value_a_place() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(BRIDGE.rglob("*.py"))}
    nodes = (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    classes = {node.name: node for node in nodes}
    takers = {name: own for name in classes if (own := parameters(classes, name)) is not None}
    takers["Sentence"] = set()
    assert {"PaintbridgeError", "BridgeError", "LoraUnknown", "ClientError", "PromptUnreadable"} <= set(takers)
    wrong, filled = [], 0
    for path, tree in trees.items():
        for call, places, values in filled_calls(tree, takers):
            filled += bool(values)
            if places != values:
                wrong.append(f"{path.name}:{call.lineno} {sorted(places ^ values)}")
    assert wrong == []
    assert filled > 50


@pytest.fixture(scope="module")
def met() -> set[str]:
    """And the table of errors."""
    table = {words for code in CODES.values() for words in (code.message, code.hint)}
    return table.union(*(sentences(path) for pattern in MET for path in BRIDGE.glob(pattern)))


@pytest.mark.parametrize("path", list(SHARED.glob("*.po")), ids=lambda path: path.stem)
def test_whatever_an_artist_meets_is_there(path: Path, met: set[str]) -> None:
    entries = {entry.msgid: entry.msgstr for entry in polib.pofile(str(path), encoding="utf-8")}
    shapes = {nameless(text) for text in entries}
    assert sorted(text for text in met if text not in (shapes if "{}" in text else entries)) == []
    everything = set().union(*(sentences(path) for path in BRIDGE.rglob("*.py")))
    unsaid = (text for text in set(entries) - everything if PLACE.search(text) and nameless(text) not in everything)
    assert sorted(unsaid) == [], "nobody says it any more"
    for text, words in entries.items():
        assert words
        assert sorted(PLACE.findall(words)) == sorted(PLACE.findall(text)), text


def test_what_is_filled_in_has_a_name(met: set[str]) -> None:
    rooms = (path for pattern in MET for path in BRIDGE.glob(pattern))
    assert sorted({text for path in rooms for text in sentences(path) if "{}" in text}) == []
    assert any(PLACE.search(text) for text in met)


@pytest.mark.parametrize("path", OWN, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_plug_in_has_them_beside_its_own(path: Path) -> None:
    shared = {entry.msgid for entry in polib.pofile(str(SHARED / path.name), encoding="utf-8")}
    assert not shared & {entry.msgid for entry in polib.pofile(str(path), encoding="utf-8")}, "each word once"
    translations = gettext.GNUTranslations(io.BytesIO(compiled(path.read_bytes(), path.stem)))
    for words in ("Send the job again.", "Loading the checkpoint"):
        assert translations.gettext(words) != words
    filled = Sentence("{count} jobs are waiting, which is the bridge's limit.", count=8)
    said = filled.translated(translations.gettext)
    assert said != filled
    assert "8" in said
