"""Fills as a host asks for them, by the checkpoint that ships."""

import cv2
import numpy as np
import pytest

from bridge.evaluation.held_out import draw_mask


def test_exact_fills_change_the_mask_alone(mini, photograph):
    mask = draw_mask("ellipse", 1)
    filled = mini.fill(photograph.rgb, mask, mode="remove", exact=True)
    assert np.array_equal(filled[~mask], photograph.rgb[~mask])
    assert (filled[mask] != photograph.rgb[mask]).mean() > 0.9


def test_other_fills_reach_a_little_beyond_it_as_a_host_s_do(mini, photograph):
    mask = draw_mask("ellipse", 1)
    changed = (mini.fill(photograph.rgb, mask, mode="remove") != photograph.rgb).any(axis=-1)
    assert (changed & ~mask).any()
    near = cv2.dilate(mask.astype(np.uint8), np.ones((65, 65), np.uint8)) > 0
    assert not changed[~near].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_name_is_painted_differently_by_every_seed_and_the_same_again(mini, photograph, seed):
    mask = np.zeros(photograph.rgb.shape[:2], bool)
    mask[192:320, 192:320] = True
    filled = mini.fill(photograph.rgb, mask, prompt="strawberry", seed=seed)
    assert np.array_equal(filled, mini.fill(photograph.rgb, mask, prompt="strawberry", seed=seed))
    assert not np.array_equal(filled, mini.fill(photograph.rgb, mask, prompt="strawberry", seed=seed + 1))
