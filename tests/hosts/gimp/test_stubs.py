"""The stubs that the plug-in is checked against name nothing that this GIMP lacks."""

from __future__ import annotations

from stub_names import STUBS, stub_names


def test_gimp_has_all_that_the_stubs_declare(gimp):
    files = [path for path in (STUBS / "gi" / "repository").glob("*.pyi") if path.stem != "__init__"]
    names = [name for path in files for name in stub_names(path, path.stem)]
    assert len(names) > 200
    assert gimp.call("missing", names=names) == []
