"""Every family and shape of checkpoint, through the real path: from its files to a layer, for each kind of job."""

from itertools import product

import numpy as np
import pytest
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.canvas.geometry import Rect
from bridge.models import inspect
from bridge.painter import paint

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}
SHAPES = list(product(BUILDERS, (False, True), ("epsilon", "v_prediction")))


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: "-".join(map(str, shape)))
def models(request, studio, tmp_path_factory):
    """One checkpoint as a folder and as a single file."""
    family, inpaint, prediction = request.param
    folder = tmp_path_factory.mktemp("family") / "folder"
    BUILDERS[family](folder, inpaint=inpaint, prediction_type=prediction)
    single = save_single_file(folder, folder.with_name("single.safetensors"))
    for path, layout in ((folder, "folder"), (single, "file")):
        found = inspect(path)
        assert (found.family.name, found.inpaint, found.prediction, found.layout) == (*request.param, layout)
    return [studio.cache.on_demand(inspect(path)) for path in (folder, single)]


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_paints(studio, models, hooks, kind):
    canvas = studio.photograph(width=120, height=90)
    selection = studio.ellipse(canvas, Rect(40, 25, 40, 40))

    def painted(model, **options):
        asked = {"strength": 1.0 if kind == "generate" else 0.8, "seeds": (3,), "prompt": "a red flower", **options}
        request = studio.request(canvas, selection, kind=kind, steps=2, **asked)
        return studio.on_canvas(paint(request, model, hooks).layers[0], canvas)

    folder, single = models
    first = painted(folder)
    assert np.isfinite(first).all()
    assert first[45, 60, 3] == 1
    assert not first[:4].any()
    assert not first[-4:].any()
    # What the UNet says is not a constant, and hears the seed and the prompt.
    assert float(first[35:55, 50:70, :3].std()) > 0.01
    assert np.abs(first - painted(folder, seeds=(4,))).max() > 0.01
    assert np.abs(first - painted(folder, prompt="blue sky")).max() > 1e-4
    assert np.array_equal(first, painted(single))
