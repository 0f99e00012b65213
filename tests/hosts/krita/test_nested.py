"""Some of Krita's functions see to events before they return, more of them since 5.3. Nothing of ours that comes of an
event begins in the middle of such a call of ours.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from host_desktop import wait_for
from krita_docker import KritaDocker
from krita_scenes import KritaScene

# A timer that fires whenever Krita sees to events.
_FUNCTIONS = """
import sys
def seen_to(act):
    fired = []
    timer = QtCore.QTimer()
    timer.timeout.connect(lambda: fired.append(True))
    timer.start(0)
    act()
    timer.stop()
    return len(fired)
def look():
    docker._auto_mode._last_question = None
    docker._auto_mode.update()
def choose_all():
    rows = next(tree for tree in window.findChildren(QtWidgets.QTreeView) if tree.objectName() == "listLayers")
    rows.selectAll()
def add_layer():
    document().rootNode().addChildNode(document().createNode("added", "paintlayer"), None)
def adding():
    log.append("in")
    add_layer()
    log.append("out")
    yield None
def stepping():
    for _ in range(300):
        log.append("step")
        yield None
None
"""


@pytest.fixture
def scene(docker: KritaDocker) -> Iterator[KritaScene]:
    scene = KritaScene(docker)
    docker.ask(_FUNCTIONS)
    docker.ask("add_layer(); document().waitForDone()")
    docker.ask("select(120, 90, 60, 50)")
    yield scene
    docker.close_all()


@pytest.mark.parametrize("chosen", ["pass", "choose_all()"])
def test_looking_at_the_selection_sees_to_no_events(scene: KritaScene, chosen: str) -> None:
    """It is done twice a second, whatever else is under way: with one layer chosen, and with several."""
    ask = scene.docker.ask
    ask(chosen)
    assert ask("seen_to(QtWidgets.QApplication.processEvents)") > 0, "the timer tells"
    assert ask("seen_to(look)") == 0


def test_beginning_a_job_sees_to_no_events(scene: KritaScene) -> None:
    docker = scene.docker
    docker.ask("part('prompt').setPlainText('a red balloon')")
    assert docker.ask("seen_to(docker.generate)") == 0
    wait_for(lambda: docker.results() == 1, "the picture")


def test_no_step_begins_in_the_middle_of_another(scene: KritaScene) -> None:
    ask = scene.docker.ask
    ask(
        "log, ended = [], []\n"
        "task = sys.modules['paintbridge_krita.cooperative_task'].CooperativeTask\n"
        "tasks = [task(adding()), task(stepping())]\n"
        "for one in tasks:\n"
        "    one.done.connect(ended.append)\n"
        "    one.start()"
    )
    wait_for(lambda: ask("len(ended)") == 2, "both to end")
    log = ask("del tasks\nlog")
    assert log.count("step") == 300
    assert log.index("out") == log.index("in") + 1
