"""The data that is trained on: told by hash, and never a held-out photograph."""

import io
import tarfile

import pytest

from bridge.training import mini_dataset, sources
from bridge.training.errors import DataHashMismatch, DataUnavailable


def deb(files: dict[str, bytes]) -> bytes:
    """A Debian package as deb(5) describes it, with these files in it."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": inner.getvalue()}
    package = b"!<arch>\n"
    for name, content in parts.items():
        package += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        package += content + b"\n" * (len(content) % 2)
    return package


def test_a_package_that_is_not_the_named_one_is_refused(tmp_path):
    source = sources.SOURCES["@lobehub/fluent-emoji-3d"]
    (tmp_path / source.file).write_bytes(b"something else")
    with pytest.raises(DataHashMismatch, match=source.sha256):
        sources.fetch(source, tmp_path)


def test_pictures_are_not_read_from_a_package_that_is_not_the_named_one(tmp_path):
    (tmp_path / sources.SOURCES["budgie-backgrounds"].file).write_bytes(deb({"a.jpg": b"x"}))
    with pytest.raises(DataHashMismatch):
        mini_dataset.photographs(tmp_path)


def test_files_come_out_of_a_debian_package_as_they_went_in(tmp_path):
    path = tmp_path / "some.deb"
    path.write_bytes(deb({"./usr/a.jpg": b"one", "./usr/b.jpg": b"twoo"}))
    assert dict(sources.deb_members(path)) == {"./usr/a.jpg": b"one", "./usr/b.jpg": b"twoo"}


def test_a_debian_package_without_files_is_told(tmp_path):
    path = tmp_path / "some.deb"
    path.write_bytes(b"!<arch>\n")
    with pytest.raises(DataUnavailable):
        list(sources.deb_members(path))


@pytest.mark.parametrize("name", mini_dataset.HELD_OUT_PHOTOGRAPHS)
def test_held_out_photographs_may_not_be_trained_on(name):
    assert not mini_dataset.may_be_trained_on(f"./usr/share/backgrounds/budgie/{name}.jpg")


def test_the_held_out_photographs_are_those_that_the_tests_use(request):
    photos = {path.stem for path in (request.config.rootpath / "tests" / "photos").glob("*.jpg")}
    assert photos
    assert photos <= set(mini_dataset.HELD_OUT_PHOTOGRAPHS)


def test_other_photographs_may_be_trained_on():
    assert mini_dataset.may_be_trained_on("./usr/share/backgrounds/budgie/ocean-waves.jpg")
