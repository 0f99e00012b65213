"""Maps as layers: their place, memory that runs out, and what is asked in vain."""

from pathlib import Path

import numpy as np
import pytest
from job_forms import request_of
from tiny_estimators import build_hed

from bridge.canvas.errors import ContextInvalid, NothingKnown
from bridge.canvas.geometry import Rect, Size
from bridge.diffusion import Device, ModelCache
from bridge.models.estimators import inspect_estimator
from bridge.painter import Cancelled, OutOfMemory, PictureMissing, estimate
from bridge.vision import load_estimator

CONTEXT = Rect(5, 7, 40, 30)


class Source:
    """One network in a real cache; `short` times memory does not suffice."""

    def __init__(self, cache: ModelCache, path: Path | None, short: int = 0) -> None:
        self.cache = cache
        self.files = [] if path is None else [inspect_estimator(path)]
        self.short = short
        self.freed = 0

    def load(self, check):
        networks = self.cache.networks(self.files, load_estimator, check=check)
        if self.short:
            self.short -= 1
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return {files.task: network for files, network in zip(self.files, networks, strict=True)}

    def free(self) -> None:
        self.freed += 1
        self.cache.free()


@pytest.fixture
def cache():
    return ModelCache(Device("cpu", "test", 1 << 30, "float32", "Tests run on the CPU."))


@pytest.fixture(scope="module")
def hed(tmp_path_factory):
    return build_hed(tmp_path_factory.mktemp("hed") / "hed.safetensors")


def asked(kind="canny", **fields):
    picture = np.random.default_rng(3).random((30, 40, 4)).astype(np.float32)
    picture[..., 3] = 1
    values = {"canvas": Size(100, 80), "context": CONTEXT, "picture": picture, "selection": None, **fields}
    return request_of(kind="estimate", control_kind=kind, **values)


def test_a_layer_lies_where_the_context_does(cache, studio):
    painting = estimate(asked(), Source(cache, None), studio.Hooks())
    (painted,) = painting.layers
    assert painted.layer.rect == CONTEXT
    assert painted.layer.pixels.shape == (30, 40, 4)
    assert list(painting.timings) == ["load", "estimate", "compose"]
    assert painted.settings.job.mode == "estimate"


def test_networks_are_held_by_content_and_evicted_by_size(cache, hed, studio):
    source = Source(cache, hed)
    first = estimate(asked("soft_edge"), source, studio.Hooks())
    held = cache.size
    assert held > 0
    again = estimate(asked("soft_edge"), source, studio.Hooks())
    assert cache.size == held
    assert np.array_equal(first.layers[0].layer.pixels, again.layers[0].layer.pixels)
    (network,) = cache.networks(source.files, load_estimator, check=lambda: None)
    assert cache.networks(source.files, load_estimator, check=lambda: None)[0] is network
    cache.evict_unused()
    assert cache.size == 0


def test_where_memory_is_short_all_else_is_let_go_and_it_is_tried_once_more(cache, hed, studio):
    plain = estimate(asked("soft_edge"), Source(cache, hed), studio.Hooks())
    source = Source(cache, hed, short=1)
    made = estimate(asked("soft_edge"), source, studio.Hooks())
    assert source.freed == 1
    assert np.array_equal(made.layers[0].layer.pixels, plain.layers[0].layer.pixels)
    with pytest.raises(OutOfMemory, match="not enough memory to make this map"):
        estimate(asked("soft_edge"), Source(cache, hed, short=2), studio.Hooks())


def test_it_is_cancelled_between_its_stages(cache, hed, studio):
    for stage in ("load", "estimate"):
        hooks = studio.Hooks(lambda stages, stage=stage: any(name == stage for name, _, _ in stages))
        with pytest.raises(Cancelled):
            estimate(asked("soft_edge"), Source(cache, hed), hooks)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"picture": None}, PictureMissing),
        ({"picture": np.zeros((30, 41, 4), np.float32)}, PictureMissing),
        ({"picture": np.zeros((30, 40, 4), np.float32)}, NothingKnown),
        ({"selection": np.ones((3, 4), np.float32)}, PictureMissing),
        ({"canvas": Size(20, 20)}, ContextInvalid),
    ],
)
def test_what_no_map_can_be_made_of_is_refused(cache, studio, fields, error):
    with pytest.raises(error):
        estimate(asked(**fields), Source(cache, None), studio.Hooks())


def test_the_picture_is_seen_on_paper_and_a_soft_selection_softens_the_map(cache, studio):
    picture = asked().picture.copy()
    picture[:, :20] = (0, 0, 0, 0)
    white = picture.copy()
    white[:, :20] = 1
    selection = np.linspace(0, 1, 40, dtype=np.float32)[None].repeat(30, axis=0)
    made = [
        estimate(asked("blur", picture=one, selection=selection), Source(cache, None), studio.Hooks()).layers[0].layer
        for one in (picture, white)
    ]
    assert np.array_equal(made[0].pixels, made[1].pixels)
    assert np.abs(made[0].pixels[..., 3] - selection).max() < 0.01
    assert not made[0].pixels[:, 0].any()
