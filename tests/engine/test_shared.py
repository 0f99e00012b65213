"""Segments of shared memory: copied whole, reserved for real, freed by name."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from bridge.engine import shared
from bridge.protocol.errors import BridgeError


@pytest.fixture
def name() -> str:
    return f"pb{secrets.token_hex(6)}-1i"


def test_pictures_come_out_as_they_went_in(name: str) -> None:
    pictures = {"a": b"\x01" * 70, "b": bytearray(range(200)), "c": memoryview(b"\x07" * 4096), "empty": b""}
    segment, memory = shared.create(name, pictures)
    try:
        assert shared.read(segment) == {key: bytes(data) for key, data in pictures.items()}
        assert all(offset % 64 == 0 for offset, _ in segment.parts.values())
    finally:
        memory.close()
        shared.remove(name)
    with pytest.raises(OSError, match=name):
        shared.read(segment)


def test_views_are_read_only_and_can_be_released(name: str) -> None:
    segment, memory = shared.create(name, {"a": b"abc", "b": b"defg"})
    try:
        opened = shared.open_segment(segment)
        views = shared.slices(segment, opened)
        assert {key: bytes(view) for key, view in views.items()} == {"a": b"abc", "b": b"defg"}
        with pytest.raises(TypeError):
            views["a"][0] = 1
        for view in views.values():
            view.release()
        opened.close()
    finally:
        memory.close()
        shared.remove(name)


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="no tmpfs that could be full")
def test_no_room_is_told_before_anything_is_written(name: str) -> None:
    """Without reserving, this would end the process with SIGBUS."""
    room = os.statvfs("/dev/shm")
    with pytest.raises(BridgeError) as caught:
        shared._allocate(name, room.f_frsize * (room.f_blocks + 1))
    assert caught.value.code == "out_of_memory"
    assert "MiB" in caught.value.message
    assert not Path("/dev/shm", name).exists()


def test_removing_what_is_not_there(name: str) -> None:
    shared.remove(name)


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="seen on Linux only")
def test_removing_what_was_never_given_a_size(name: str) -> None:
    Path("/dev/shm", name).touch()
    shared.remove(name)
    assert not Path("/dev/shm", name).exists()
