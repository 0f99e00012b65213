"""Every family and shape of checkpoint, through the real path: from its files to a layer, for each kind of job."""

from itertools import product

import numpy as np
import pytest
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.canvas.geometry import Rect
from bridge.models import inspect
from bridge.painter import paint

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}
SHAPES = list(product(BUILDERS, (False, True), ("epsilon", "v_prediction")))


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: "-".join(map(str, shape)))
def model(request, studio, tmp_path_factory):
    family, inpaint, prediction = request.param
    folder = tmp_path_factory.mktemp("family") / family
    found = inspect(BUILDERS[family](folder, inpaint=inpaint, prediction_type=prediction))
    assert (found.family.name, found.inpaint, found.prediction) == request.param
    return studio.cache.on_demand(found)


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_paints(studio, model, hooks, kind):
    canvas = studio.photograph(width=160, height=120)
    selection = studio.ellipse(canvas, Rect(50, 30, 60, 50))

    def painted(**options):
        asked = {"strength": 1.0 if kind == "generate" else 0.8, "seeds": (3,), "prompt": "a red flower", **options}
        request = studio.request(canvas, selection, kind=kind, **asked)
        return studio.on_canvas(paint(request, model, hooks).layers[0], canvas)

    first = painted()
    assert np.isfinite(first).all()
    assert first[55, 80, 3] == 1
    assert not first[selection_far(selection)].any()
    # What the UNet says is not a constant, and hears the seed and the prompt.
    assert float(first[40:70, 65:95, :3].std()) > 0.01
    assert np.array_equal(first, painted())
    assert np.abs(first - painted(seeds=(4,))).max() > 0.01
    assert np.abs(first - painted(prompt="blue sky")).max() > 1e-4


def selection_far(selection):
    """Where the layer must be empty: further from the selection than any feather here reaches."""
    rows, columns = np.nonzero(selection)
    far = np.ones(selection.shape, bool)
    far[max(0, rows.min() - 24) : rows.max() + 24, max(0, columns.min() - 24) : columns.max() + 24] = False
    return far
