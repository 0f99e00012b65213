"""Walls that import-linter's contracts (pyproject.toml) do not hold: no circles, and the table of rooms is true."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bridge", "plugin_krita", "plugin_gimp")
# Modules that every room may import.
GROUND = {"bridge", "control_kinds", "errors", "home"}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each module imports, also within functions and for type checkers alone."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def circle(imports: dict[str, set[str]]) -> list[str]:
    """One circle of imports, in their order; empty: there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_one_another_in_a_circle(imports: dict[str, set[str]]) -> None:
    assert circle(imports) == []


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


def room(module: str) -> str:
    first, *rest = module.split(".")
    return rest[0] if first == "bridge" and rest else first


def test_the_table_of_rooms_says_who_imports_whom(imports: dict[str, set[str]]) -> None:
    rooms = {room(module) for module in imports} - GROUND
    imported = {name: set[str]() for name in rooms}
    for module, others in imports.items():
        if room(module) in rooms:
            imported[room(module)] |= {room(other) for other in others} - {room(module)} - GROUND
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| room \| imports \|\n\| --- \| --- \|\n((?:\|.*\n)+)", page)
    told = {}
    for row in table.splitlines():
        named, others = row.strip("| ").split(" | ")
        for name in re.findall(r"`(\w+)`", named):
            told[name] = set(re.findall(r"`(\w+)`", others))
    assert told == {name: others for name, others in imported.items() if others or name in told}


def test_rooms_import_one_another_by_relative_imports() -> None:
    """They travel inside plug-ins under other names; and one style everywhere."""
    paths = list((ROOT / "bridge").rglob("*.py"))
    assert len(paths) > 100
    assert [path for path in paths if imports_itself_absolutely(path)] == []


def imports_itself_absolutely(path: Path) -> bool:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return any(name.split(".")[0] == "bridge" for name in named)


def test_code_in_texts_imports_by_absolute_names() -> None:
    """It runs in a process of its own, and belongs to no package there."""
    relative = re.compile(r"^from \.", re.MULTILINE)
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    constants = {
        path: [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant)
        ]
        for path in paths
    }
    assert [
        path
        for path, values in constants.items()
        if any(isinstance(one, str) and relative.search(one) for one in values)
    ] == []
