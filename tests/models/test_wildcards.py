"""Wildcard files: found by name in their folders and nowhere else, read as UTF-8, or refused in words."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from bridge.models import WildcardRegistry
from bridge.models.wildcards import WildcardUnknown, WildcardUnreadable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, with that of the bridge in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "bridge"))
    return tmp_path


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def registry(*folders: Path) -> WildcardRegistry:
    """One that looks anew each time."""
    seconds = iter(range(10_000))
    return WildcardRegistry(folders, clock=lambda: 2.0 * next(seconds))


def test_lines_comments_and_empty_lines(home: Path) -> None:
    write(home / "bridge/wildcards/colour.txt", "# colours\nred\n\n  dark blue  \r\n\t# more\ngreen # leaf\rgrün\n2::x")
    assert registry().options("colour") == ("red", "dark blue", "green # leaf", "grün", "2::x")


def test_names_are_paths_below_the_folder_whatever_the_case(home: Path) -> None:
    write(home / "bridge/wildcards/Animals/Big Cats/lions.txt", "lion")
    write(home / "bridge/wildcards/.hidden.txt", "no")
    found = registry()
    assert found.names() == ("Animals/Big Cats/lions",)
    for name in ("Animals/Big Cats/lions", "animals/big cats/LIONS", "animals/big cats/lions.txt"):
        assert found.options(name) == ("lion",)
    for name in ("lions", "Big Cats/lions", "animals//big cats/lions", ".hidden"):
        with pytest.raises(WildcardUnknown):
            found.options(name)


def test_names_in_either_form_of_unicode(home: Path) -> None:
    write(home / "bridge/wildcards/Gro\u0308\u00dfe.txt", "tall")
    for name in ("gr\u00f6\u00dfe", "Gro\u0308\u00dfe"):
        assert registry().options(name) == ("tall",)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_passed_over(home: Path) -> None:
    write(home / "bridge/wildcards/colour.txt", "red")
    write(Path(os.fsdecode(os.fsencode(home / "bridge/wildcards") + b"/colo\xfcr.txt")), "no")
    assert registry().names() == ("colour",)
    with pytest.raises(WildcardUnknown) as refused:
        registry().options("color")
    assert refused.value.hint == "Close to it: colour."


def test_an_asterisk_gives_those_of_all_files_that_fit(home: Path) -> None:
    write(home / "bridge/wildcards/colour-warm.txt", "red")
    write(home / "bridge/wildcards/colour-cold.txt", "blue")
    write(home / "bridge/wildcards/colours/more/grey.txt", "ash")
    write(home / "bridge/wildcards/other[1].txt", "no")
    assert registry().options("colour-*") == ("blue", "red")
    assert registry().options("colours/*") == ("ash",)
    assert registry().options("*colour*") == ("blue", "red", "ash")
    with pytest.raises(WildcardUnknown):
        registry().options("other[*]*x")


@pytest.mark.parametrize(
    "name", ["../secret", "../../secret", "/etc/passwd", "..", ".", "*/../secret", "sub/../../secret", "C:/secret", ""]
)
def test_no_name_leads_out_of_the_folder(home: Path, name: str) -> None:
    write(home / "bridge/secret.txt", "the token")
    write(home / "secret.txt", "the token")
    write(home / "bridge/wildcards/sub/one.txt", "1")
    with pytest.raises(WildcardUnknown):
        registry().options(name.replace("/secret", f"/{home}/secret") if name == "/secret" else name)
    with pytest.raises(WildcardUnknown):
        registry().options(str(home / "secret"))


def test_which_folder_counts_first(home: Path) -> None:
    webui = home / "stable-diffusion-webui/extensions/sd-dynamic-prompts/wildcards"
    write(webui / "theirs.txt", "c")
    write(webui / "both.txt", "theirs")
    write(home / "models/wildcards/both.txt", "given")
    write(home / "models/wildcards/given.txt", "b")
    assert registry(home / "models").options("both") == ("given",)
    write(home / "bridge/wildcards/both.txt", "own")
    found = registry(home / "models")
    assert found.options("both") == ("own",)
    assert (found.options("given"), found.options("theirs")) == (("b",), ("c",))
    assert set(found.names()) == {"both", "given", "theirs"}


def test_an_unknown_name_is_told_what_there_is(home: Path) -> None:
    with pytest.raises(WildcardUnknown, match="no wildcard named 'colour'") as none:
        registry().options("colour")
    assert str(home / "bridge/wildcards") in none.value.hint
    write(home / "bridge/wildcards/Colours.txt", "red")
    with pytest.raises(WildcardUnknown) as close:
        registry().options("colour")
    assert close.value.hint == "Close to it: Colours."
    with pytest.raises(WildcardUnknown) as other:
        registry().options("zebra")
    assert other.value.hint == "There are: Colours."
    write(home / "bridge/wildcards/hair.yaml", "hair: [red]")
    with pytest.raises(WildcardUnknown, match=r"hair\.yaml is not a text file") as structured:
        registry().options("hair")
    assert "hair.txt" in structured.value.hint
    assert structured.value.code == "wildcard_unknown"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"red\nbl\xfctengelb\n", "not UTF-8 text, in line 2"),
        ("red\nblue".encode("utf-16"), "not UTF-8 text, in line 1"),
        ("red\nblue".encode("utf-16-le"), "not UTF-8 text, in line 1"),
        (b"red\x00", "not UTF-8 text"),
        (b"", "has no options"),
        (b"# nothing\n\n \n", "has no options"),
        (b"x\n" * (2 << 20) + b"x", "more than 4 MiB"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(home: Path, content: bytes, words: str) -> None:
    write(home / "bridge/wildcards/colour.txt", content)
    with pytest.raises(WildcardUnreadable, match=words) as refused:
        registry().options("colour")
    assert refused.value.code == "wildcard_unreadable"
    assert refused.value.hint


def test_a_byte_order_mark_is_no_part_of_the_first_option(home: Path) -> None:
    write(home / "bridge/wildcards/colour.txt", b"\xef\xbb\xbfred\r\nblue")
    assert registry().options("colour") == ("red", "blue")


def test_changes_count_at_once(home: Path) -> None:
    found = WildcardRegistry(clock=lambda: 0.0)
    path = write(home / "bridge/wildcards/colour.txt", "red")
    assert found.options("colour") == ("red",)
    write(path, "blue")
    os.utime(path, ns=(1, time.time_ns() + 1))
    assert found.options("colour") == ("blue",)
    write(home / "bridge/wildcards/new.txt", "fresh")
    assert found.options("new") == ("fresh",)
    shutil.rmtree(home / "bridge/wildcards")
    with pytest.raises(WildcardUnreadable, match="cannot be read"):
        found.options("colour")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read, also by root")
def test_a_file_that_cannot_be_read_is_told(home: Path) -> None:
    write(home / "bridge/wildcards/fine.txt", "red")
    (home / "bridge/wildcards/bad.txt").symlink_to("/proc/self/mem")
    assert registry().options("fine") == ("red",)
    with pytest.raises(WildcardUnreadable, match="cannot be read"):
        registry().options("bad")
