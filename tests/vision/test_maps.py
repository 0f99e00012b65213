"""Maps of every kind through the real networks: shapes, ranges, meanings, the same pixels twice, and stopping."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bridge.canvas.errors import ValueOutOfRange
from bridge.canvas.geometry import Size
from bridge.canvas.guides import read_guide
from bridge.control_kinds import CONTROL_KINDS, map_kinds
from bridge.models import CheckpointUnreadable
from bridge.models.estimators import ESTIMATED_BY
from bridge.vision import MapOptions, Scene, make_map
from bridge.vision.depth import normals_from_depth
from bridge.vision.edges import drawn_lines_of
from bridge.vision.maps import MAKERS
from bridge.vision.skeleton import draw_skeletons, openpose_joints

PHOTOS = Path(__file__).parent.parent / "photos"

WAYS = [
    ("scribble", ()), ("line_art", ()), ("soft_edge", ("hed",)), ("canny", ()), ("depth", ("depth",)),
    ("normal", ("depth",)), ("normal", ("marigold",)), ("pose", ("detector", "pose")), ("label_map", ("segmenter",)),
    ("label_map", ("segmenter_of_queries",)), ("blur", ()),
]  # fmt: skip


def scene(bench, kind, names, rgb, check=lambda: None, **options):
    return Scene(kind, rgb, bench.networks(*names), MapOptions(**options), check)


def test_every_kind_is_made_and_told():
    assert set(MAKERS) == set(ESTIMATED_BY) == set(map_kinds())
    assert {kind for kind, _ in WAYS} == set(MAKERS)


@pytest.mark.parametrize(("kind", "names"), WAYS)
def test_maps_are_of_the_pictures_size_and_the_same_twice(bench, picture, kind, names):
    for rgb in (picture, picture[:, :37], picture[:1, :1]):
        made = make_map(scene(bench, kind, names, rgb, seed=3))
        assert made.pixels.shape[:2] == rgb.shape[:2]
        assert made.pixels.dtype == np.float32
        assert 0 <= made.pixels.min() <= made.pixels.max() <= 1
        again = make_map(scene(bench, kind, names, rgb.copy(), seed=3))
        assert np.array_equal(made.pixels, again.pixels)
        # What is made can be read as what it is.
        if made.pixels.ndim == 3:
            read_guide(made.pixels, CONTROL_KINDS[kind].reading, lambda array, resized: resized(array, Size(64, 64)))


@pytest.mark.parametrize(("kind", "names"), [way for way in WAYS if way[1]])
def test_a_map_can_be_stopped_in_the_middle_of_its_network(bench, picture, kind, names):
    class Stopped(Exception):
        pass

    calls = 0

    def check(last=None):
        nonlocal calls
        calls += 1
        if last is not None and calls == last:
            raise Stopped

    make_map(scene(bench, kind, names, picture, check))
    whole, calls = calls, 0
    assert whole > 2
    with pytest.raises(Stopped):
        make_map(scene(bench, kind, names, picture, lambda: check(whole)))
    # Nothing is left hanging on the networks.
    calls = 0
    make_map(scene(bench, kind, names, picture))
    assert calls == 0


def test_marigold_begins_from_its_seed(bench, picture):
    first, second = (make_map(scene(bench, "normal", ("marigold",), picture, seed=seed)).pixels for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_a_network_of_damaged_weights_is_told(bench, picture):
    network = bench.network("depth").module.head.conv3
    kept = network.bias.data.clone()
    network.bias.data.fill_(float("nan"))
    try:
        with pytest.raises(CheckpointUnreadable, match="no number"):
            make_map(scene(bench, "depth", ("depth",), picture))
    finally:
        network.bias.data.copy_(kept)


def test_canny_draws_the_edges_of_forms(bench):
    rgb = np.full((80, 90, 3), 0.2, np.float32)
    rgb[20:60, 30:70] = 0.9
    edges = make_map(scene(bench, "canny", (), rgb)).pixels
    assert set(np.unique(edges)) == {0, 1}
    near = cv2.dilate(edges, np.ones((3, 3)))
    assert near[20, 30:70].all()
    assert near[20:60, 69].all()
    assert edges[25:55, 35:65].max() == 0
    assert edges[:15].max() == 0
    # A fainter form is drawn where weaker contrasts count.
    faint = np.full((80, 90, 3), 0.5, np.float32)
    faint[20:60, 30:70] = 0.55
    assert make_map(scene(bench, "canny", (), faint)).pixels.max() == 0
    assert make_map(scene(bench, "canny", (), faint, weak_edge=20.0, strong_edge=40.0)).pixels.max() == 1
    with pytest.raises(ValueOutOfRange, match="above the strong one"):
        make_map(scene(bench, "canny", (), faint, weak_edge=300.0))


def test_lines_are_drawn_where_dark_lies_beside_light():
    rgb = np.full((100, 100, 3), 0.95, np.float32)
    rgb[48:52] = 0.1
    ink = drawn_lines_of(rgb, 4.0)
    assert ink[49:51].min() > 0.9
    assert ink[:40].max() < 0.01
    # An even dark area is paper as well.
    assert drawn_lines_of(np.full((50, 50, 3), 0.05, np.float32), 3.0).max() < 0.01


@pytest.mark.parametrize("name", ["tea-gardens", "perched-osprey"])
def test_lines_of_photographs_follow_their_edges(bench, name):
    photo = cv2.imread(str(PHOTOS / f"{name}.jpg"), cv2.IMREAD_COLOR_RGB)
    rgb = cv2.resize(photo, (480, 320), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    slope = cv2.GaussianBlur(rgb.mean(axis=2), (0, 0), 1)
    steep = np.hypot(cv2.Sobel(slope, cv2.CV_32F, 1, 0), cv2.Sobel(slope, cv2.CV_32F, 0, 1))
    for kind in ("canny", "line_art", "scribble"):
        drawn = make_map(scene(bench, kind, (), rgb)).pixels
        assert 0.001 < drawn.mean() < 0.3, kind
        assert steep[drawn > 0.5].mean() > 1.5 * steep.mean(), kind


def test_blur_loses_detail_and_keeps_colours(bench, picture):
    noisy = np.clip(picture + np.random.default_rng(1).normal(0, 0.2, picture.shape).astype(np.float32), 0, 1)
    soft = make_map(scene(bench, "blur", (), noisy, detail_size=12.0)).pixels
    assert np.abs(soft.mean(axis=(0, 1)) - noisy.mean(axis=(0, 1))).max() < 0.01
    assert np.abs(np.diff(soft, axis=1)).mean() < 0.1 * np.abs(np.diff(noisy, axis=1)).mean()


def test_normals_of_a_ball_are_those_that_controlnet_knows():
    """Red to the left, green up, blue towards us."""
    y, x = np.mgrid[-60:61, -60:61].astype(np.float32)
    ball = np.sqrt(np.clip(1 - (x**2 + y**2) / 50**2, 0, None)).astype(np.float32)
    normals = normals_from_depth(ball)
    left, right, above, below, middle = (
        normals[at] for at in ((60, 35), (60, 85), (35, 60), (85, 60), (60, 60))
    )  # fmt: skip
    assert left[0] > 0.65 > 0.35 > right[0]
    assert above[1] > 0.65 > 0.35 > below[1]
    assert middle[2] > 0.99
    assert np.allclose(np.linalg.norm(normals * 2 - 1, axis=2), 1, atol=1e-5)


def test_people_are_drawn_as_openpose_draws_them():
    coco = [(100.0, 40.0), *[None] * 4, (120.0, 80.0), (80.0, 80.0), *[None] * 10]
    joints = openpose_joints(coco)
    assert joints == {
        "nose": (100, 40), "neck": (100, 80), "right_shoulder": (80, 80), "left_shoulder": (120, 80),
    }  # fmt: skip
    drawn = draw_skeletons([joints], Size(200, 160))
    assert drawn.shape == (160, 200, 4)
    colours = {tuple((drawn[y, x] * 255).astype(int)) for y, x in ((40, 100), (80, 80), (60, 100), (80, 110))}
    # Nose and right shoulder, and the limbs from the neck to the nose and to the left shoulder, at 0.6.
    assert colours == {(255, 0, 0, 255), (255, 170, 0, 255), (0, 0, 153, 255), (153, 51, 0, 255)}
    assert drawn[0, 0].tolist() == [0, 0, 0, 0]
    assert not drawn[..., :3][drawn[..., 3] == 0].any()
    # Large pictures have thicker strokes.
    larger = draw_skeletons([{name: (4 * x, 4 * y) for name, (x, y) in joints.items()}], Size(1600, 1280))
    assert larger[..., 3].mean() < drawn[..., 3].mean()
