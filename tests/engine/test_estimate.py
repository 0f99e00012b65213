"""Estimates of the time left, on a clock of the test's own."""

from __future__ import annotations

from bridge.engine.estimate import TimeLeft


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_told_before_the_first_step() -> None:
    left = TimeLeft(clock=Clock())
    assert left("load", 0, 1) is None
    assert left("load", 1, 1) is None
    assert left("denoise", 0, 10) is None


def test_the_first_step_is_a_guess_and_then_left_out() -> None:
    clock = Clock()
    left = TimeLeft(clock=clock)
    left("denoise", 0, 10)
    clock.now += 5
    assert left("denoise", 1, 10) == 5 * 9
    clock.now += 2
    assert left("denoise", 2, 10) == 2 * 8
    clock.now += 4
    assert left("denoise", 3, 10) == 3 * 7


def test_what_follows_is_taken_from_the_job_before() -> None:
    clock = Clock()
    first = TimeLeft(clock=clock)
    assert first.tail() is None
    for step in range(4):
        first("denoise", step, 3)
        clock.now += 1
    assert first("decode", 0, 1) is None
    clock.now += 5
    assert first.tail() == 6

    second = TimeLeft(first.tail(), clock=clock)
    for step in range(4):
        clock.now += 1
        left = second("denoise", step, 3)
    assert left == 6
    clock.now += 2
    assert second("decode", 0, 1) == 4
    clock.now += 10
    assert second("compose", 1, 1) == 0


def test_a_stage_that_ends_twice() -> None:
    clock = Clock()
    left = TimeLeft(clock=clock)
    for step in range(4):
        left("denoise", step, 3)
        clock.now += 1
    assert left("denoise", 3, 3) == 0


def test_a_job_that_begins_again() -> None:
    clock = Clock()
    left = TimeLeft(clock=clock)
    left("denoise", 0, 10)
    clock.now += 60
    left("load", 0, 1)
    assert left("denoise", 0, 10) is None
    clock.now += 2
    assert left("denoise", 1, 10) == 2 * 9
    clock.now += 1
    assert left("denoise", 2, 10) == 8
    clock.now += 60
    assert left("denoise", 0, 10) is None
    clock.now += 3
    assert left("denoise", 1, 10) == 3 * 9
