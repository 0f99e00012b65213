"""The names that a stub file declares, to be looked up in the host that has the real module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["STUBS", "stub_names"]

STUBS = Path(__file__).parents[2] / "stubs"


def stub_names(path: Path, module: str) -> list[str]:
    """Dotted names of its classes, methods, attributes, enumeration members and functions, below ``module``."""
    return [f"{module}.{name}" for name in _names(ast.parse(path.read_text(encoding="utf-8")).body)]


def _names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found = node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found = node.targets[0].id
        else:
            continue
        if found.startswith("_"):
            continue
        yield found
        if isinstance(node, ast.ClassDef):
            yield from (f"{found}.{inner}" for inner in _names(node.body))
