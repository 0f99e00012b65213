"""Keys, choosing among pictures, what the docker remembers, and its settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from host_bridge import HostBridge
from host_desktop import wait_for
from krita_docker import KritaDocker

# Of the screen: an empty place beside the canvas's picture.
BESIDE = (300, 930)


@pytest.fixture
def opened(docker: KritaDocker) -> Iterator[KritaDocker]:
    """The docker, with a small document that is selected in its middle. Few steps: how it looks does not count."""
    docker.open("made(300, 200, 'RGBA', 'U8', SRGB)")
    docker.ask("select(100, 60, 80, 80); part('steps').setValue(3)")
    yield docker
    docker.close_all()


def prompt(docker: KritaDocker) -> str:
    return str(docker.ask("part('prompt').toPlainText()"))


def tree(docker: KritaDocker) -> list[list[str]]:
    """The document's layers, lowest first, each with the names in it."""
    return [list(one) for one in docker.ask("[[n.name(), *[c.name() for c in n.childNodes()]] for n in tops()]")]


def test_keys_alone_from_generating_to_undoing(opened: KritaDocker) -> None:
    """Those of Krita's settings, wherever the focus is: here, not in the docker."""
    docker = opened
    docker.type("prompt", "a star")
    docker.desktop.xdotool("mousemove", *BESIDE)
    docker.ask("window.setFocus()")
    docker.desktop.xdotool("key", "F9")
    wait_for(lambda: docker.results() == 1, "a picture")
    docker.desktop.xdotool("key", "shift+F9")
    wait_for(lambda: docker.results() == 2, "another one")
    docker.desktop.xdotool("key", "ctrl+F9")
    wait_for(lambda: len(tree(docker)) == 2, "its layer")
    wait_for(lambda: docker.results() == 1, "it to be gone from the list")


def test_pictures_by_the_keyboard(opened: KritaDocker) -> None:
    """Arrows choose, Delete discards, Enter applies; and Krita, which has these keys too, does not hear of them."""
    docker = opened
    docker.ask("part('batch').setValue(3)")
    docker.type("prompt", "a star")
    docker.generate(pictures=3)
    seeds = docker.ask("[part('results').item(row).toolTip().split()[-1] for row in range(3)]")
    assert len(set(seeds)) == 3
    before = docker.ask("projection()")
    docker.click("results")
    docker.desktop.xdotool("key", "Home", "Right", "Delete")
    wait_for(lambda: docker.results() == 2, "the second to be gone")
    left = docker.ask("[part('results').item(row).toolTip().split()[-1] for row in range(2)]")
    assert left == [seeds[0], seeds[2]]
    assert docker.ask("projection()") == before, "Krita's own Delete clears what is selected"
    docker.desktop.xdotool("key", "Home", "Return")
    wait_for(lambda: len(tree(docker)) == 2, "the first as a layer")


FIELDS = {"prompt": "a red star", "negative_prompt": "a blue tree", "seed": "12", "steps": "17"}


@pytest.mark.parametrize("name", FIELDS)
def test_keys_of_text_are_the_fields(opened: KritaDocker, name: str) -> None:
    """Krita has them too: it fills the layer, adds one, goes to another one, and merges two."""
    docker = opened
    if name == "steps":
        docker.click("advanced")
        wait_for(lambda: docker.ask("part('steps').isVisible()"), "the advanced values")
    docker.ask("document().rootNode().addChildNode(document().createNode('second', 'paintlayer'), None)")
    docker.ask("document().waitForDone()")
    written = f"part({name!r}).toPlainText() if {name!r} == 'prompt' else part({name!r}).text()"
    state = (
        "[[node.name() for node in layers(document())], Krita.activeWindow().activeView().selectedNodes()[0].name(),"
        " Krita.action('edit_undo').text(), window.isFullScreen(), window.menuBar().isVisible()]"
    )
    before, pixels = docker.ask(state), docker.ask("projection()")
    docker.type(name, FIELDS[name])
    docker.desktop.xdotool("key", "Insert", "ctrl+e", "Prior", "Next", "ctrl+d", "ctrl+u", "ctrl+Delete")
    docker.type(name, FIELDS[name])
    wait_for(lambda: docker.ask(written) == FIELDS[name], "the words")
    docker.desktop.xdotool("key", "End", "ctrl+BackSpace")
    left = FIELDS[name].removesuffix(FIELDS[name].split()[-1])
    wait_for(lambda: docker.ask(written) == left, "the last word to be deleted", 60)
    docker.desktop.xdotool("key", "Tab")
    wait_for(lambda: not docker.ask(f"part({name!r}).hasFocus()"), "the next field to have the focus")
    docker.ask("document().waitForDone()")
    assert docker.ask(state) == before
    assert docker.ask("projection()") == pixels
    if name == "steps":
        docker.click("advanced")


def test_a_group_of_all_is_one_step(opened: KritaDocker) -> None:
    docker = opened
    docker.ask("part('batch').setValue(2)")
    docker.type("prompt", "a star")
    docker.generate(pictures=2)
    docker.click("results")
    docker.desktop.xdotool("key", "ctrl+a")
    wait_for(lambda: docker.ask("len(part('results').selectedItems())") == 2, "all to be chosen")
    docker.click("apply_group")
    wait_for(lambda: docker.results() == 0, "the group")
    assert tree(docker)[1] == ["a star", "a star", "a star"]
    docker.desktop.xdotool("mousemove", *BESIDE)
    docker.edit("ctrl+z")
    wait_for(lambda: len(tree(docker)) == 1, "the undo")
    docker.edit("ctrl+shift+z")
    wait_for(lambda: len(tree(docker)) == 2, "the redo")
    assert tree(docker)[1] == ["a star", "a star", "a star"]


def test_a_picture_is_made_again_from_its_values(opened: KritaDocker) -> None:
    docker = opened
    docker.type("prompt", "a star")
    docker.ask("part('strength').setValue(80); choose('mode', 'fill')")
    docker.generate()
    docker.type("prompt", "a tree")
    docker.ask("part('strength').setValue(100); choose('mode', 'auto')")
    docker.click("reuse")
    wait_for(lambda: docker.ask("part('seed').text()"), "the seed")
    assert prompt(docker) == "a star"
    assert docker.ask("[part('strength').value(), part('mode').currentData()]") == [80, "fill"]
    docker.generate()
    docker.click("results")
    docker.desktop.xdotool("key", "ctrl+a")
    docker.click("apply")
    wait_for(lambda: len(tree(docker)) == 3, "two layers")
    first, second = (docker.pixels(f"pixels({index}, 80, 40, 120, 120)", (120, 120, 4)) for index in (-1, -2))
    assert first[..., 3].any()
    assert (first == second).all()


def test_jobs_wait_for_their_turn_and_are_counted(opened: KritaDocker) -> None:
    docker = opened
    docker.ask("choose('checkpoint', 'slow'); part('steps').setValue(0)")
    docker.type("prompt", "a star")
    for _ in range(3):
        docker.click("generate")
    wait_for(lambda: docker.words("progress").endswith("(+2)"), "all three to be counted")
    docker.click("cancel")
    wait_for(lambda: docker.words("progress").endswith("(+1)"), "the oldest to be gone")
    for _ in range(2):
        docker.click("cancel")
    wait_for(lambda: not docker.enabled("cancel"), "all to be gone")
    assert docker.results() == 0


def test_prompts_come_back(opened: KritaDocker) -> None:
    docker = opened
    for words in ("a star", "a tree"):
        docker.type("prompt", words)
        docker.desktop.xdotool("key", "ctrl+Return")
        wait_for(lambda: docker.ask("part('cancel').isEnabled()") or docker.results(), "the job")
    docker.type("prompt", "a dra")
    docker.desktop.xdotool("key", "ctrl+Up", "ctrl+Up")
    wait_for(lambda: prompt(docker) == "a star", "the one before the last")
    docker.desktop.xdotool("key", "ctrl+Down", "ctrl+Down")
    wait_for(lambda: prompt(docker) == "a dra", "what was being written")
    docker.click("history")
    wait_for(lambda: docker.ask("part('history').menu().isVisible()"), "the list of them")
    docker.desktop.xdotool("key", "Down", "Return")
    wait_for(lambda: prompt(docker) == "a tree", "the newest")


def test_automatic_says_what_it_comes_to(opened: KritaDocker) -> None:
    docker = opened
    said = "part('mode').itemText(0)"
    wait_for(lambda: docker.ask(said) == "Automatic: Fill", "the bridge's answer")
    docker.ask("select(0, 0, 30, 200)")
    wait_for(lambda: docker.ask(said) == "Automatic: Expand", "a strip along the edge")
    docker.ask("part('strength').setValue(60)")
    wait_for(lambda: docker.ask(said) == "Automatic: Refine", "less than the full strength")
    docker.ask("part('strength').setValue(100); document().setSelection(None)")
    wait_for(lambda: docker.ask(said) == "Automatic: Generate", "nothing selected")


def test_a_narrow_and_low_docker_holds_everything(opened: KritaDocker, output: Path) -> None:
    """Nothing of it is cut off, and who scrolls past a field does not change it."""
    docker = opened
    wait_for(lambda: docker.ask("part('demo_model').isVisible()"), "the widest row")
    docker.ask("docker.setFloating(True); docker.resize(260, 420)")
    wait_for(lambda: docker.ask("[docker.width(), docker.height()]") == [260, 420], "so small a docker")
    docker.desktop.screenshot(output / "narrow.png")
    cut = (
        "[one.objectName() for one in docker.findChildren(QtWidgets.QWidget) if one.isVisible()"
        " and one.objectName().startswith('paintbridge_')"
        " and one.mapTo(docker, one.rect().topRight()).x() >= docker.width()]"
    )
    assert docker.ask(cut) == []
    assert docker.ask("docker.minimumSizeHint().height()") < 200, "or Krita's window is higher than a small screen"
    x, y = docker.ask("part('prompt').setFocus()\ncentre('mode')")
    docker.desktop.xdotool("mousemove", x, y, "click", 5)
    scrolled = (
        "max(one.verticalScrollBar().value() for one in docker.findChildren(QtWidgets.QScrollArea)"
        " if one.isAncestorOf(part('mode')))"
    )
    wait_for(lambda: docker.ask(scrolled), "the fields to scroll")
    assert docker.ask("part('mode').currentIndex()") == 0
    docker.show()


def test_a_way_of_working_is_kept_by_its_name(opened: KritaDocker) -> None:
    docker = opened
    docker.type("prompt", "a star")
    docker.click("advanced")
    wait_for(lambda: docker.ask("part('steps').isVisible()"), "the advanced values")
    docker.type("steps", "7")
    docker.ask("part('strength').setValue(60)")
    docker.click("preset_menu")
    wait_for(lambda: docker.ask("part('preset_menu').menu().isVisible()"), "the menu")
    docker.desktop.xdotool("key", "Down", "Return")
    wait_for(lambda: docker.ask("bool(window.findChildren(QtWidgets.QInputDialog))"), "the question for a name")
    docker.desktop.xdotool("type", "gently")
    docker.desktop.xdotool("key", "Return")
    wait_for(lambda: docker.ask("part('preset').currentText()") == "gently", "the preset")
    docker.type("prompt", "a tree")
    values = "[part('steps').value(), part('strength').value(), part('prompt').toPlainText()]"
    docker.click("preset")
    docker.desktop.xdotool("key", "Home", "Return")
    wait_for(lambda: docker.ask(values)[:2] == [0, 100], "the values of the start")
    docker.click("preset")
    docker.desktop.xdotool("key", "End", "Return")
    wait_for(lambda: docker.ask(values)[:2] == [7, 60], "its values")
    assert docker.ask(values)[2] == "a tree", "what is painted is no way of working"
    docker.ask("choose('preset', ''); part('preset').activated.emit(0)")
    docker.click("advanced")


def test_another_bridge_in_the_settings(opened: KritaDocker, bridge: HostBridge, output: Path) -> None:
    """A wrong token is said as the bridge says it, and the way to mend it is a button."""
    docker = opened
    address = bridge.address()
    shown = "part('address') is not None and part('address').isVisible()"
    docker.click("settings")
    wait_for(lambda: docker.ask(shown), "the settings")
    docker.desktop.screenshot(output / "settings.png")
    docker.type("address", address.url)
    docker.type("token", "wrong")
    docker.desktop.xdotool("key", "Return")
    wait_for(lambda: "refused the token" in docker.words("disconnected"), "the bridge's refusal")
    assert docker.words("state") == "Not connected."
    docker.desktop.screenshot(output / "wrong-token.png")
    docker.click("disconnected_settings")
    wait_for(lambda: docker.ask(shown), "the settings")
    for name in ("address", "token"):
        docker.click(name)
        docker.desktop.xdotool("key", "ctrl+a", "Delete")
    docker.desktop.xdotool("key", "Return")
    wait_for(lambda: docker.words("state") == "Connected to the bridge.", "the bridge that is found by itself")


def test_icons_suit_the_theme(opened: KritaDocker, output: Path) -> None:
    docker = opened
    docker.ask(
        "themes = {one.text().replace('&', ''): one for one in Krita.action('theme_menu').menu().actions()}\n"
        "chosen = next(one for one in themes.values() if one.isChecked())"
    )
    bright = "themes[next(name for name in themes if 'bright' in name.lower())]"
    assert brightness(docker) > 150, "on a dark ground"
    docker.ask(f"{bright}.trigger()")
    wait_for(lambda: brightness(docker) < 100, "dark icons on a light ground")
    docker.desktop.screenshot(output / "light-theme.png")
    docker.ask("chosen.trigger()")
    wait_for(lambda: brightness(docker) > 150, "them to be light again")


def brightness(docker: KritaDocker) -> float:
    """Of a button's icon, where it is opaque."""
    return float(docker.ask("bright('settings')"))
