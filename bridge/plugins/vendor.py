"""A plug-in with all that it needs inside its own package: the client's half of the bridge, websockets and msgpack.

A host's plug-ins share one interpreter, so nothing may lie there under a name that another plug-in could bring too. The
sources say ``from bridge.client import Bridge``, ``import msgpack``, and so on, as everywhere; on the way into the
bundle each such import becomes a relative one into the package's own ``_vendor``.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["package_files", "relative_imports"]

_FOLDER = "_vendor"
_VENDORED = ("bridge", "websockets", "msgpack")
# Of the bridge, and its modules for all rooms; and what nothing in it imports of websockets.
_ROOMS = ("protocol", "client", "__init__.py", "control_kinds.py", "errors.py", "home.py")
_LEFT_OUT = ("legacy", "sync", "cli.py", "__main__.py")


def package_files(source: str, package: str) -> dict[str, bytes]:
    """All files of a plug-in's package, by path relative to the package.

    Args:
        source: the importable folder that holds it, such as ``plugin_krita``.
        package: its name in there.
    """
    files = {str(path): content for path, content in _tree(_folder(source) / package)}
    for name in _VENDORED:
        root = _folder(name)
        for path, content in _tree(root):
            wanted = path.parts[0] in _ROOMS if name == "bridge" else _travels(path)
            if wanted:
                files[f"{_FOLDER}/{name}/{path}"] = content
    for name in ("websockets", "msgpack"):
        files[f"{_FOLDER}/{name}/LICENSE"] = _licence(name)
    files[f"{_FOLDER}/__init__.py"] = b'"""What the plug-in brings along, each under its own licence."""\n'
    return {
        path: relative_imports(content.decode(), PurePosixPath(path)).encode() if path.endswith(".py") else content
        for path, content in files.items()
    }


def relative_imports(text: str, path: PurePosixPath) -> str:
    """The source of a module at ``path`` in the package, with what is vendored imported from the package itself.

    Raises:
        ValueError: an import that cannot be written as a relative one.
    """
    lines = text.splitlines(keepends=True)
    here = "." * len(path.parts) + _FOLDER
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _root(node.module) in _VENDORED:
            old, new = f"from {node.module} import", f"from {here}.{node.module} import"
        elif isinstance(node, ast.Import) and any(_root(alias.name) in _VENDORED for alias in node.names):
            (alias, *others) = node.names
            if others or "." in alias.name or alias.asname:
                raise ValueError(f"{path}, line {node.lineno}: write it as `from {alias.name} import ...`")
            old, new = f"import {alias.name}", f"from {here} import {alias.name}"
        else:
            continue
        line = lines[node.lineno - 1]
        if old not in line:
            raise ValueError(f"{path}, line {node.lineno}: write it on one line as `{old}`")
        lines[node.lineno - 1] = line.replace(old, new, 1)
    return "".join(lines)


def _root(module: str | None) -> str:
    return (module or "").split(".")[0]


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def _tree(root: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield PurePosixPath(path.relative_to(root).as_posix()), path.read_bytes()


def _travels(path: PurePosixPath) -> bool:
    # No compiled helpers: they fit one Python on one system, and both packages do without.
    return path.suffix == ".py" and not set(path.parts) & set(_LEFT_OUT)


def _licence(distribution: str) -> bytes:
    for path in importlib.metadata.files(distribution) or ():
        if path.stem.upper() in ("LICENSE", "COPYING"):
            return Path(str(path.locate())).read_bytes()
    raise FileNotFoundError(f"{distribution} has come without its licence")
