"""The library's files and index: what is kept, what expires, what is found, and what damage does."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.library import Library, Origin, files
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import (
    Browse,
    Document,
    Extent,
    Layer,
    LibraryEntry,
    Mark,
    Picture,
    Recipe,
    Rect,
    UnfinishedJob,
    job_settings,
)
from bridge.protocol.pixels import describe

DAY = 86400.0
ORIGIN = Origin("test 1", Extent(64, 64), Document("doc-1", "Harbour.kra"))


class Clock:
    """A test's own time."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(folder: Path, clock: Clock, **limits: Any) -> Library:
    given = {"most_bytes": 1 << 20, "most_seconds": 30 * DAY, "thumbnail_seconds": 365 * DAY, **limits}
    return Library(folder / "library", clock=clock, **given)


def picture_of(seed: int, side: int = 8) -> tuple[Picture, bytes]:
    # Noise, so that it takes on the disk what it has.
    data = bytes((seed * 7919 + index * index * 31 + index // 7) % 251 for index in range(side * side * 4))
    return describe(data, width=side, height=side, channels=4), data


def keep(library: Library, seed: int, prompt: str = "a boat", origin: Origin = ORIGIN) -> str:
    picture, data = picture_of(seed)
    thumbnail = describe(data[:16], width=2, height=2, channels=4)
    settings = job_settings({"prompt": prompt, "seed": seed})
    recipe = Recipe(settings, Rect(0, 0, 8, 8), "0" * 64, 64, 64, False, "cpu", {})
    layer = Layer(3, 4, picture, recipe)
    kept = library.keep(origin, (layer,), {picture.hash: data}, {picture.hash: (thumbnail, data[:16])})
    return kept[0] if kept else ""


def entries(library: Library, **asked: Any) -> tuple[LibraryEntry, ...]:
    return library.browse(Browse(1, **asked)).entries


def test_a_result_is_kept_whole_and_private_and_is_there_when_opened_again(tmp_path: Path, clock: Clock) -> None:
    name = keep(opened(tmp_path, clock), 1)
    library = opened(tmp_path, clock)
    (entry,) = entries(library)
    picture, data = picture_of(1)
    assert (entry.id, entry.document, entry.client, entry.made) == (name, ORIGIN.document, "test 1", clock.now)
    assert entry.layer is not None
    assert (entry.layer.x, entry.layer.y, entry.layer.picture) == (3, 4, picture)
    assert library.read(picture.hash) == data
    assert entry.thumbnail is not None
    assert library.read(entry.thumbnail.hash) == data[:16]
    assert library.read("../" * 20 + "etc/x") is None
    for folder, _, names in os.walk(tmp_path / "library"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600 for name in names)


def test_entries_are_found_by_words_document_and_star_page_by_page(tmp_path: Path, clock: Clock) -> None:
    library = opened(tmp_path, clock)
    names = [keep(library, seed, f"{'Red' if seed % 2 else 'blue'} boat {seed}") for seed in range(7)]
    other = keep(library, 9, "red car", replace(ORIGIN, document=Document("doc-2", "Street_100%.xcf")))
    assert [entry.id for entry in entries(library, text="RED boat")] == [names[5], names[3], names[1]]
    assert [entry.id for entry in entries(library, text="100%")] == [other]
    assert [entry.id for entry in entries(library, document="doc-2")] == [other]
    assert entries(library, text="' OR 1=1 --") == ()
    library.mark(Mark(1, names[2], starred=True))
    assert [entry.id for entry in entries(library, starred=True)] == [names[2]]
    found: list[str] = []
    more = True
    while more:
        page = library.browse(Browse(1, limit=3, before=found[-1] if found else ""))
        found += [entry.id for entry in page.entries]
        more = page.more
    assert found == [other, *reversed(names)]


def test_pictures_expire_by_age_but_not_what_is_starred_or_applied(tmp_path: Path, clock: Clock) -> None:
    library = opened(tmp_path, clock)
    plain, starred, applied = (keep(library, seed) for seed in range(3))
    library.mark(Mark(1, starred, starred=True))
    library.mark(Mark(1, applied, applied=True))
    clock.now += 31 * DAY
    library = opened(tmp_path, clock)
    assert {entry.id: entry.expired for entry in entries(library)} == {plain: True, starred: False, applied: False}
    assert [library.read(picture_of(seed)[0].hash) is None for seed in range(3)] == [True, False, False]
    (gone,) = (entry for entry in entries(library) if entry.expired)
    assert gone.thumbnail is not None
    assert library.read(gone.thumbnail.hash) is not None
    clock.now += 365 * DAY
    assert {entry.id for entry in entries(opened(tmp_path, clock))} == {starred, applied}


def test_pictures_expire_by_size_earliest_first(tmp_path: Path, clock: Clock) -> None:
    sizes = opened(tmp_path / "measured", clock)
    keep(sizes, 0)
    (file,) = (tmp_path / "measured" / "library" / "pictures").iterdir()
    library = opened(tmp_path, clock, most_bytes=int(3.5 * file.stat().st_size))
    names = [keep(library, seed) for seed in range(2)]
    library.mark(Mark(1, names[0], starred=True))
    names += [keep(library, seed) for seed in range(2, 5)]
    assert [entry.id for entry in entries(library) if not entry.expired] == [names[4], names[3], names[0]]


def test_one_picture_of_two_entries_stays_until_both_are_gone(tmp_path: Path, clock: Clock) -> None:
    library = opened(tmp_path, clock)
    one, two = keep(library, 1), keep(library, 1)
    library.forget([one])
    assert library.read(picture_of(1)[0].hash) is not None
    library.forget([two, "unheard of"])
    assert library.read(picture_of(1)[0].hash) is None
    assert [list((tmp_path / "library" / part).iterdir()) for part in ("entries", "pictures", "thumbnails")] == [[]] * 3
    with pytest.raises(BridgeError, match="no such entry"):
        library.mark(Mark(1, one, starred=True))


def test_a_document_that_is_not_kept_leaves_nothing(tmp_path: Path, clock: Clock) -> None:
    library = opened(tmp_path, clock)
    library.keep_document("doc-1", False)
    library = opened(tmp_path, clock)
    assert keep(library, 1) == ""
    assert library.begin(ORIGIN, UnfinishedJob(Rect(0, 0, 8, 8), job_settings({}))) is None
    assert list((tmp_path / "library" / "entries").iterdir()) == []
    library.keep_document("doc-1", True)
    assert keep(library, 1)


def test_jobs_are_offered_by_the_next_library_only(tmp_path: Path, clock: Clock) -> None:
    library = opened(tmp_path, clock)
    job = UnfinishedJob(Rect(1, 2, 8, 8), job_settings({"prompt": "a lamp", "seed": 5}))
    done, left = library.begin(ORIGIN, job), library.begin(ORIGIN, job)
    assert done is not None
    library.end(done)
    assert entries(library) == ()
    library = opened(tmp_path, clock)
    (entry,) = entries(library, unfinished=True, text="lamp")
    assert (entry.id, entry.unfinished, entry.layer) == (left, job, None)
    library.forget([entry.id])
    assert entries(library) == ()


@pytest.mark.parametrize("damage", ["bytes", "gone", "while open"])
def test_a_damaged_index_is_made_anew_from_the_files(tmp_path: Path, clock: Clock, damage: str) -> None:
    library = opened(tmp_path, clock)
    name = keep(library, 1)
    library.mark(Mark(1, name, starred=True))
    index = tmp_path / "library" / "index.sqlite3"
    if damage != "while open":
        library.close()
    if damage == "gone":
        index.unlink()
    else:
        index.write_bytes(b"no database" * 1000)
    if damage != "while open":
        library = opened(tmp_path, clock)
    (entry,) = entries(library)
    assert (entry.id, entry.starred) == (name, True)


def test_what_a_crash_leaves_behind_is_mended(tmp_path: Path, clock: Clock) -> None:
    library = opened(tmp_path, clock)
    keep(library, 1)
    lost = keep(library, 2)
    library.close()
    folder = tmp_path / "library"
    (folder / "pictures" / picture_of(2)[0].hash).unlink()
    (folder / "pictures" / ("f" * 64)).write_bytes(b"of no entry")
    (folder / "entries" / f"{files.BEGUN}1").write_bytes(b"{")
    (folder / "entries" / "broken.json").write_bytes(b"{")
    # Starred by somebody who died before the index heard of it.
    path = folder / "entries" / f"{lost}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "starred": True}))
    library = opened(tmp_path, clock)
    assert [(entry.starred, entry.expired) for entry in entries(library)] == [(True, True), (False, False)]
    assert {file.name for file in (folder / "pictures").iterdir()} == {picture_of(1)[0].hash}
    assert not (folder / "entries" / f"{files.BEGUN}1").exists()


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_full_disk_leaves_no_half_of_an_entry(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    library = opened(tmp_path, clock)
    keep(library, 1)
    left = written
    sync = os.fsync

    def full(handle: int) -> None:
        nonlocal left
        if not os.path.isdir(f"/proc/self/fd/{handle}"):
            left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            keep(library, 2)
    assert len(entries(library)) == 1
    assert [len(list((tmp_path / "library" / part).iterdir())) for part in ("entries", "pictures", "thumbnails")] == [
        1, 1, 1,
    ]  # fmt: skip
    assert keep(library, 2)
