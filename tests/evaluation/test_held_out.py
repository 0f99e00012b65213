"""What is measured on was never trained on, and is the same on every machine."""

import numpy as np
import pytest

from bridge.evaluation.held_out import HELD_OUT, MASKS, SIDE, draw_mask
from bridge.training.mini_dataset import HELD_OUT_PHOTOGRAPHS, may_be_trained_on
from bridge.training.sources import SOURCES


def test_nothing_that_is_measured_on_is_trained_on():
    trained_on = set(SOURCES.values())
    shared = [name for name, source in HELD_OUT.items() if source in trained_on]
    assert sorted(shared) == sorted(HELD_OUT_PHOTOGRAPHS)
    assert not any(may_be_trained_on(f"{name}.jpg") for name in shared)
    assert len(HELD_OUT) - len(shared) >= 6


@pytest.mark.parametrize("kind", MASKS)
def test_masks_are_drawn_the_same_again_and_leave_surroundings(kind):
    masks = [draw_mask(kind, number) for number in range(len(HELD_OUT))]
    assert all(np.array_equal(mask, draw_mask(kind, number)) for number, mask in enumerate(masks))
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    for mask in masks:
        assert mask.shape == (SIDE, SIDE)
        assert 0.02 < mask.mean() < 0.25
        assert not mask[[0, -1]].any()
        assert not mask[:, [0, -1]].any()
