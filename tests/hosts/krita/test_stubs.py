"""The stubs that the plug-in is checked against name nothing that this Krita lacks."""

from __future__ import annotations

from krita_docker import KritaDocker
from stub_names import STUBS, stub_names

MISSING = """
def missing(name):
    first, *rest = name.split(".")
    found = {"krita": krita, "QtCore": QtCore, "QtGui": QtGui, "QtWidgets": QtWidgets}[first]
    if rest[0] == "QAction":
        # PyQt5 has it elsewhere, as `qt.py` knows.
        found = QtGui if hasattr(QtGui, "QAction") else QtWidgets
    for part in rest:
        if not hasattr(found, part):
            return True
        found = getattr(found, part)
        if part == "QStyleOptionViewItem":
            # sip gives a class its data members with its first object.
            found = found()
    return False
"""


def test_krita_has_all_that_the_stubs_declare(docker: KritaDocker) -> None:
    names = stub_names(STUBS / "krita.pyi", "krita")
    for module in ("QtCore", "QtGui", "QtWidgets"):
        names += stub_names(STUBS / "PyQt6" / f"{module}.pyi", module)
    assert len(names) > 400
    docker.ask(MISSING)
    assert docker.ask(f"[name for name in {names!r} if missing(name)]") == []
