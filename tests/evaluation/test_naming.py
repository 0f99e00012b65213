"""The test of names, on a painter that knows what it paints, and on one that mistakes a thing for another."""

import numpy as np
from PIL import Image

from bridge.evaluation.held_out import Heldout
from bridge.evaluation.naming import naming, ranks_of
from bridge.training.compose import compose, step_generator


class Pasting:
    """Paints a thing by laying its cut-out over the picture; ``mistaken`` for which other, by name."""

    def __init__(self, cutouts, mistaken):
        self.cutouts, self.mistaken = cutouts, mistaken

    def fill(self, rgb, mask, *, prompt, seed):
        cutout = self.cutouts[self.mistaken.get(prompt, prompt)]
        side = np.sqrt(mask.sum()) * (0.8 + 0.05 * seed)
        middle = (rgb.shape[1] / 2, rgb.shape[0] / 2)
        return compose(step_generator(seed, 1), rgb, cutout, middle, side, 3.0, mirrored=0.0).picture


def test_things_are_told_apart(cutouts, photograph, lpips, tmp_path):
    told = []
    light = Heldout("light", 255 - photograph.rgb // 2)
    painter = Pasting(cutouts, {})
    found = naming(painter, cutouts, [photograph, light], lpips, say=told.append, sheet=tmp_path / "names.png")
    assert found["ranks"] == {name: [1, 1, 1, 1] for name in cutouts}
    assert (found["nearest"], found["among_nearest_5"], found["pictures"]) == (1.0, 1.0, 12)
    assert len(told) == len(cutouts)
    with Image.open(tmp_path / "names.png") as sheet:
        assert np.asarray(sheet).std() > 10


def test_a_thing_that_is_painted_as_another_is_found_out(cutouts, photograph, lpips):
    found = naming(Pasting(cutouts, {"bar": "disc"}), cutouts, [photograph], lpips, say=lambda _: None)
    assert found["ranks"]["disc"] == [1, 1, 1, 1]
    assert min(found["ranks"]["bar"]) > 1
    assert found["nearest"] == 0.667


def test_the_least_distance_comes_first():
    assert ranks_of([0.3, 0.1, 0.2]) == [3, 1, 2]
