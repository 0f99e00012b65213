"""Composites and masks."""

import numpy as np
import pytest

from bridge.training.compose import background, compose, step_generator
from bridge.training.examples import example
from bridge.training.masks import MASK_KINDS, mask_around


def test_a_step_s_numbers_depend_on_seed_step_and_stream_alone():
    first = step_generator(1, 2, 3).random(4)
    assert (first == step_generator(1, 2, 3).random(4)).all()
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert (first != step_generator(*other).random(4)).all()


def test_a_thing_is_where_it_was_put_and_the_background_stays_around_it(things):
    behind = np.full((64, 64, 3), 128, np.uint8)
    for seed in range(8):
        placed = compose(np.random.default_rng(seed), behind, things[0], (20, 20), 30, 0.0)
        assert placed.coverage[20, 20] > 0.99
        assert placed.coverage[40:, 40:].max() == 0
        assert (placed.picture[48:, 48:] == 128).all()
        red, _, blue = placed.picture[20, 20].astype(int)
        assert red > 150 > 80 > blue


def test_backgrounds_have_the_size_asked_for(photographs):
    for seed in range(6):
        picture = background(np.random.default_rng(seed), 64, photographs)
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == np.uint8


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_a_mask_holds_nearly_all_of_its_thing(kind, things):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        coverage = compose(rng, np.zeros((64, 64, 3), np.uint8), things[seed % 2], (32, 32), 36, 0.0).coverage
        mask = mask_around(rng, coverage, kind)
        assert mask.dtype == bool
        assert mask[coverage > 0.5].mean() > 0.95
        assert mask.all() == (kind == "all")


def test_an_example_repeats_under_the_same_numbers(things, photographs):
    one, other = (example(step_generator(3, 9), 64, things, photographs, (0.5, 0.9)) for _ in range(2))
    assert (one.picture == other.picture).all()
    assert (one.mask == other.mask).all()
    assert one.thing == other.thing
