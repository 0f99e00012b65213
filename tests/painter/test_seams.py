"""No step along the selection's outline, by figures on photographs.

Random weights paint random colours, so that only the outline can be judged: the layer's own edge, where those colours
pass into the photograph's, is as steep as they differ. That needs trained weights.
"""

import cv2
import numpy as np
import pytest

from bridge.canvas.geometry import Rect
from bridge.painter import paint

BOX = Rect(190, 110, 90, 70)


def selections(studio, canvas, name):
    ellipse = studio.ellipse(canvas, BOX)
    if name == "ellipse":
        return ellipse
    if name == "soft":
        soft = cv2.GaussianBlur(ellipse, (0, 0), 8)
        return np.where(soft < 0.01, 0, soft).astype(np.float32)
    rectangle = np.zeros_like(ellipse)
    rectangle[BOX.slices] = 1
    return rectangle


def steps_across(picture, inside):
    """Mean step of luminance between neighbours, in levels: across the outline, and across contours beside it."""
    luminance = picture @ np.array([0.2126, 0.7152, 0.0722], np.float32) * 255
    kinds = inside.astype(np.uint8), (~inside).astype(np.uint8)
    distance = np.subtract(*(cv2.distanceTransform(kind, cv2.DIST_L2, 5) for kind in kinds))

    def step(level):
        within = distance > level
        return float(
            np.concatenate([np.abs(np.diff(luminance, axis=a))[np.diff(within, axis=a)] for a in (0, 1)]).mean()
        )

    return step(0), float(np.mean([step(level) for level in (-6, -5, -4, 4, 5, 6)]))


@pytest.mark.parametrize("name", ["canyon-wren", "lake-sherburne"])
@pytest.mark.parametrize("shape", ["ellipse", "rectangle", "soft"])
@pytest.mark.parametrize("strength", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("kind", ["fill", "refine"])
def test_no_step_across_the_outline(studio, hooks, name, shape, strength, kind):
    canvas = studio.photograph(name)
    selection = selections(studio, canvas, shape)
    request = studio.request(canvas, selection, kind=kind, strength=strength, prompt="a lake", steps=2)
    painted = paint(request, studio.model(inpaint=True), hooks).layers[0]
    merged = studio.merged(painted, canvas)
    across, beside = steps_across(merged, selection >= 0.5)
    assert across <= 1.1 * beside
    untouched = studio.on_canvas(painted, canvas)[..., 3] == 0
    assert np.array_equal(merged[untouched], canvas[untouched][:, :3])
