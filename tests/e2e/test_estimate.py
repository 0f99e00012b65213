"""Maps, end to end: made of a picture by the real worker, and used as conditions by a real ControlNet."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from job_forms import said
from tiny_checkpoints import build_tiny_sd1
from tiny_controlnets import build_tiny_controlnet
from tiny_estimators import build_depth, build_detector, build_hed, build_marigold, build_pose, build_segmenter
from whole_bridge import PATIENCE, serving

from bridge.client import Bridge, ConditionPixels, JobCancelled, JobResult, Pixels
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import (
    OPENPOSE_JOINTS,
    ContextChoice,
    ContextKind,
    Depth,
    Extent,
    Progress,
    Rect,
    ResultFormat,
)

WIDTH, HEIGHT = 117, 83


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a checkpoint, ControlNets for it, and estimators."""
    home = tmp_path_factory.mktemp("estimating")
    tiny = build_tiny_sd1(home / "models" / "tiny", inpaint=False)
    for kind in ("canny", "depth"):
        build_tiny_controlnet(tiny, home / "models" / "controlnet" / f"tiny_{kind}", speaks=0.3)
    folder = home / "models" / "estimators"
    folder.mkdir()
    for build in (build_depth, build_detector, build_pose, build_segmenter, build_marigold):
        build(folder / build.__name__.removeprefix("build_"))
    shutil.rmtree(folder / "marigold-base")
    build_hed(folder / "hed.safetensors")
    return home


@pytest.fixture(scope="module")
def bridge(home: Path) -> Iterator[Bridge]:
    with serving(home, "--default-checkpoint", "tiny") as process, process.connect() as connected:
        yield connected


def photo(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + y / 21), np.sin(x / 17 - y / 13), np.cos(x / 25 + y / 11)]
    return ((np.dstack(waves) / 2.2 + 0.5) * 255).astype(np.uint8)


def pixels(result: JobResult) -> np.ndarray:
    return np.asarray(result.layers[0])


@pytest.mark.parametrize(
    "kind", ["scribble", "line_art", "soft_edge", "canny", "depth", "normal", "pose", "label_map", "blur"]
)
def test_every_kind_of_map_is_a_layer_of_the_pictures_size(bridge: Bridge, kind: str) -> None:
    assert kind in bridge.checkpoints.maps
    result = bridge.estimate(photo(), kind, seed=4, timeout=PATIENCE)
    (layer,) = result.layers
    made = pixels(result)
    assert made.shape == (HEIGHT, WIDTH, 4)
    assert (layer.x, layer.y, result.reach) == (0, 0, 0)
    assert not made[..., :3][made[..., 3] == 0].any()
    recipe = layer.recipe
    form = said(recipe)
    assert (form.kind, form.mode, form.control_kind, form.checkpoint) == ("estimate", "estimate", kind, None)
    assert (recipe.model_width, recipe.checkpoint_hash) == (0, "")
    named = {"soft_edge": "hed", "depth": "depth", "normal": "marigold", "pose": "pose", "label_map": "segmenter"}
    assert form.estimator == named.get(kind)
    assert len(recipe.estimator_hashes) == (2 if kind == "pose" else int(kind in named))
    again = bridge.estimate(photo(), kind, seed=4, estimator=form.estimator, timeout=PATIENCE)
    assert np.array_equal(pixels(again), made)
    assert again.layers[0].recipe == recipe
    assert (len(layer.people) > 0) == (kind == "pose")
    for person in layer.people:
        assert {joint.name for joint in person.joints} <= set(OPENPOSE_JOINTS)


def test_lines_lie_on_nothing_and_other_maps_are_opaque(bridge: Bridge) -> None:
    ink = pixels(bridge.estimate(photo(), "canny", weak_edge=10.0, strong_edge=20.0, timeout=PATIENCE))
    assert set(np.unique(ink[..., 3])) == {0, 255}
    assert not ink[..., :3].any()
    depth = pixels(bridge.estimate(photo(), "depth", timeout=PATIENCE))
    assert (depth[..., 3] == 255).all()
    assert (depth[..., 0] == depth[..., 2]).all()
    assert (depth[..., 0].min(), depth[..., 0].max()) == (0, 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_maps_come_in_the_pictures_own_depth(bridge: Bridge, dtype: type) -> None:
    most = 1 if dtype is np.float32 else np.iinfo(dtype).max
    picture = (photo().astype(np.float64) / 255 * most).astype(dtype)
    made = pixels(bridge.estimate(picture, "depth", timeout=PATIENCE))
    assert made.dtype == dtype
    if dtype is not np.uint8:
        assert len(np.unique(made[..., 0])) > 300


def test_a_selection_cuts_the_map_and_a_rectangle_is_its_place(bridge: Bridge) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:61, 30:71] = 255
    mask[20:30, 30:40] = 0
    result = bridge.estimate(photo(), "blur", mask, timeout=PATIENCE)
    (layer,) = result.layers
    assert (layer.x, layer.y, layer.picture.width, layer.picture.height) == (30, 20, 41, 41)
    assert np.array_equal(pixels(result)[..., 3], mask[20:61, 30:71])
    rect = Rect(7, 5, 50, 33)
    choice = ContextChoice(ContextKind.RECT, rect)
    result = bridge.estimate(photo(), "canny", context=choice, timeout=PATIENCE)
    assert result.layers[0].recipe.context == rect
    assert pixels(result).shape == (33, 50, 4)
    with pytest.raises(BridgeError, match="beyond the canvas"):
        bridge.plan(
            canvas=Extent(40, 40), kind="estimate", context=ContextChoice(ContextKind.RECT, rect), timeout=PATIENCE
        )


@pytest.mark.parametrize("kind", ["canny", "depth"])
def test_a_photographs_map_guides_what_is_painted(bridge: Bridge, kind: str) -> None:
    made = bridge.estimate(photo(96, 64), kind, weak_edge=10.0, strong_edge=20.0, timeout=PATIENCE)
    fields = {"prompt": "a lake", "seed": 7, "steps": 2, "timeout": PATIENCE}
    plain = bridge.generate((96, 64), **fields)  # type: ignore[arg-type]
    guided = bridge.generate((96, 64), conditions=[ConditionPixels(kind, pixels(made))], **fields)  # type: ignore[arg-type]
    assert not np.array_equal(pixels(plain), pixels(guided))
    (condition,) = said(guided.layers[0].recipe).conditions
    assert (condition.kind, condition.controlnet) == (kind, f"tiny_{kind}")
    again = bridge.generate((96, 64), conditions=[ConditionPixels(kind, pixels(made))], **fields)  # type: ignore[arg-type]
    assert np.array_equal(pixels(guided), pixels(again))


def test_what_has_no_effect_is_said(bridge: Bridge) -> None:
    result = bridge.estimate(photo(), "blur", prompt="a lake", batch=3, timeout=PATIENCE)
    assert len(result.layers) == 1
    assert any("prompt" in hint and "batch" in hint for hint in result.hints)


def test_a_map_is_stopped_and_the_next_one_is_made(bridge: Bridge) -> None:
    job = bridge.start("estimate", photo(), control_kind="normal")
    for event in job.events():
        if isinstance(event, Progress) and event.stage == "estimate":
            job.cancel()
    # It may have been done already.
    with contextlib.suppress(JobCancelled):
        job.result(PATIENCE)
    assert pixels(bridge.estimate(photo(), "normal", timeout=PATIENCE)).shape == (HEIGHT, WIDTH, 4)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"control_kind": "mood"}, "estimator_missing", "No maps of the kind 'mood'"),
        ({"control_kind": "depth", "estimator": "hed"}, "estimator_missing", "no estimator named 'hed'"),
        ({"control_kind": "canny", "weak_edge": 300.0}, "out_of_range", "above the strong one"),
        ({"control_kind": "canny", "detail_size": 0.1}, "out_of_range", ""),
        ({"control_kind": "canny", "scale": 2}, "out_of_range", "enlarges nothing"),
        ({"control_kind": "canny", "mode": "fill"}, "unsupported_mode", ""),
    ],
)
def test_what_nobody_can_estimate_is_refused(bridge: Bridge, fields: dict, code: str, words: str) -> None:
    with pytest.raises(BridgeError, match=words) as told:
        send(bridge, Pixels(photo().tobytes(), WIDTH, HEIGHT, 3), **fields)
    assert told.value.code == code


def test_empty_layers_and_wrong_channels_are_refused(bridge: Bridge) -> None:
    empty = Pixels(bytes(WIDTH * HEIGHT * 4), WIDTH, HEIGHT, 4)
    with pytest.raises(BridgeError, match="layer is empty") as told:
        send(bridge, empty, control_kind="canny")
    assert told.value.code == "nothing_known"
    with pytest.raises(BridgeError, match="channels") as told:
        send(bridge, Pixels(bytes(WIDTH * HEIGHT), WIDTH, HEIGHT, 1), control_kind="canny")
    assert told.value.code == "picture_mismatch"
    with pytest.raises(BridgeError, match="needs the pixels"):
        send(bridge, None, control_kind="canny")
    with pytest.raises(BridgeError, match="the context has"):
        send(bridge, Pixels(bytes(30 * 20 * 3), 30, 20, 3), control_kind="canny")


def send(bridge: Bridge, picture: Pixels | None, **fields: object) -> JobResult:
    job = bridge.submit(
        canvas=Extent(WIDTH, HEIGHT),
        context=Rect(0, 0, WIDTH, HEIGHT),
        picture=picture,
        result=ResultFormat(Depth.U8, previews=False),
        kind="estimate",
        **fields,  # type: ignore[arg-type]
    )
    return job.result(PATIENCE)
