"""What holds for every kind of job: alpha's reach, determinism, batches, cancelling, progress, refusals."""

import cv2
import numpy as np
import pytest
import torch
from job_forms import made_with, with_settings

from bridge.canvas.errors import EmptySelection, ModeUnsupported, ValueOutOfRange
from bridge.canvas.geometry import Rect
from bridge.models.errors import SamplerUnsupported
from bridge.painter import Cancelled, OutOfMemory, PictureMissing, paint

BOX = Rect(180, 120, 90, 70)
KINDS = [
    ("fill", "fill", 1.0),
    ("fill", "expand", 1.0),
    ("fill", "add", 0.8),
    ("fill", "remove", 0.5),
    ("fill", "background", 1.0),
    ("refine", "refine", 0.01),
    ("refine", "refine", 0.3),
    ("refine", "refine", 1.0),
    ("generate", "generate", 1.0),
]
kinds = pytest.mark.parametrize(("kind", "mode", "strength"), KINDS)
shapes = pytest.mark.parametrize("inpaint", [False, True], ids=["four channels", "nine channels"])


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph()


@pytest.fixture(scope="module")
def selection(studio, canvas):
    return studio.ellipse(canvas, BOX)


def distance_to(selection):
    return cv2.distanceTransform((selection == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


@shapes
@kinds
def test_the_selection_is_painted_and_nothing_beyond_reach(
    studio, hooks, canvas, selection, inpaint, kind, mode, strength
):
    request = studio.request(canvas, selection, kind=kind, mode=mode, strength=strength, prompt="a red flower")
    painted = paint(request, studio.model(inpaint=inpaint), hooks).layers[0]
    alpha = studio.on_canvas(painted, canvas)[..., 3]
    wanted = 1 - selection if mode == "background" else selection
    settings = made_with(painted)
    assert (settings["mode"], settings["steps"], settings["batched"]) == (mode, 4, False)
    assert np.all(alpha[wanted == 1] == 1)
    assert np.all(alpha[distance_to(wanted) > settings["grow"] + settings["feather"]] == 0)
    assert painted.layer.reach <= np.ceil(settings["grow"] + settings["feather"])
    changed = np.abs(studio.merged(painted, canvas) - canvas[..., :3]).max(axis=-1)
    assert np.all(changed[alpha == 0] == 0)
    assert (changed[wanted > 0] > 1 / 255).mean() > 0.5
    if kind != "generate":
        assert np.any(alpha[wanted == 0] > 0)


@shapes
@pytest.mark.parametrize(("kind", "mode"), [("fill", "fill"), ("fill", "background"), ("refine", "refine")])
def test_strict_keeps_to_the_selection(studio, hooks, canvas, selection, inpaint, kind, mode):
    request = studio.request(canvas, selection, kind=kind, mode=mode, prompt="a red flower", strict=True)
    painted = paint(request, studio.model(inpaint=inpaint), hooks).layers[0]
    alpha = studio.on_canvas(painted, canvas)[..., 3]
    wanted = 1 - selection if mode == "background" else selection
    assert np.array_equal(alpha, wanted)
    assert painted.layer.reach == 0


@shapes
@pytest.mark.parametrize(("kind", "mode", "strength"), [KINDS[0], KINDS[6], KINDS[8]])
def test_same_seed_same_pixels_and_alone_as_in_a_batch(studio, hooks, canvas, selection, inpaint, kind, mode, strength):
    model = studio.model(inpaint=inpaint)
    seeds = (3, 2**64 - 1, 4)

    def layers(*seeds):
        request = studio.request(
            canvas, selection, kind=kind, mode=mode, strength=strength, prompt="a red flower", seeds=seeds
        )
        return [painted.layer.pixels for painted in paint(request, model, hooks).layers]

    together = layers(*seeds)
    assert len({pixels.tobytes() for pixels in together}) == 3
    for first, again in zip(together, layers(*seeds), strict=True):
        assert np.array_equal(first, again)
    for seed, pixels in zip(seeds, together, strict=True):
        assert np.array_equal(layers(seed)[0], pixels)


def test_settings_sent_again_give_the_same_layer(studio, hooks, canvas, selection):
    model = studio.model()
    first = paint(studio.request(canvas, selection, prompt="a lake", strength=0.7, seeds=(5,)), model, hooks).layers[0]
    names = ("mode", "strength", "steps", "guidance", "sampler", "grow", "feather", "strict")
    again = studio.request(
        canvas, selection, prompt="a lake", seeds=(first.seed,), **{name: made_with(first)[name] for name in names}
    )
    assert np.array_equal(paint(again, model, hooks).layers[0].layer.pixels, first.layer.pixels)


def test_sampler_steps_guidance_and_prompts_count(studio, hooks, canvas, selection):
    base = {"prompt": "a red flower", "negative_prompt": "rock", "sampler": "DDIM", "steps": 4, "guidance": 3.0}
    changes = [{}, {"prompt": "a lake"}, {"negative_prompt": "sky"}, {"sampler": "DPM++ 2M"}, {"steps": 6}]
    results = []
    for change in [*changes, {"guidance": 5.0}, {"seeds": (9,)}, {"strength": 0.9}]:
        request = studio.request(canvas, selection, **{**base, **change})
        painted = paint(request, studio.model(), hooks).layers[0]
        results.append(painted.layer.pixels.tobytes())
        for name, value in {**base, **change}.items():
            assert made_with(painted).get(name, value) == value
    assert len(set(results)) == len(results)


@pytest.mark.parametrize("step", range(5))
def test_cancel_during_a_step(studio, canvas, selection, step, monkeypatch):
    model = studio.model()
    ran = []
    unet = model.load(lambda: None).unet
    real = unet.forward
    monkeypatch.setattr(unet, "forward", lambda *a, **k: (ran.append(1), real(*a, **k))[1])
    hooks = studio.Hooks(lambda stages: ("denoise", step, 5) in stages)
    with pytest.raises(Cancelled):
        paint(studio.request(canvas, selection, prompt="a lake", steps=5), model, hooks)
    assert len(ran) == step
    assert hooks.stages[-1] == ("denoise", step, 5)


def test_cancel_during_an_infill(studio, canvas, selection):
    """A large one can take minutes."""
    asks = iter(range(10))
    hooks = studio.Hooks(lambda stages: stages[-1:] == [("infill", 0, 1)] and next(asks, None) is None)
    with pytest.raises(Cancelled):
        paint(studio.request(canvas, selection, mode="remove"), studio.model(), hooks)
    assert hooks.stages[-1] == ("infill", 0, 1)
    assert next(asks, None) is None


@pytest.mark.parametrize("stage", ["load", "infill", "encode", "denoise", "decode"])
def test_cancel_after_a_stage_begins_no_other(studio, canvas, selection, stage):
    model = studio.model()
    hooks = studio.Hooks(lambda stages: any(name == stage and step == steps for name, step, steps in stages))
    with pytest.raises(Cancelled):
        paint(studio.request(canvas, selection, prompt="a lake"), model, hooks)
    assert hooks.stages[-1][0] == stage
    # The next job is as if nothing had been.
    assert paint(studio.request(canvas, selection, prompt="a lake"), model, studio.Hooks()).layers


def test_stages_come_in_order_and_count_up(studio, hooks, canvas, selection):
    painting = paint(studio.request(canvas, selection, prompt="a lake", seeds=(1, 2)), studio.model(), hooks)
    order = list(dict.fromkeys(name for name, _, _ in hooks.stages))
    assert order == ["load", "infill", "encode", "denoise", "decode", "compose"]
    assert list(painting.timings) == order
    assert all(seconds >= 0 for seconds in painting.timings.values())
    assert [entry[1:] for entry in hooks.stages if entry[0] == "denoise"] == [(step, 8) for step in range(9)]
    assert len(set(hooks.stages)) == len(hooks.stages)
    assert hooks.previews
    assert hooks.previews[0][0][2] == 3


@pytest.mark.parametrize("brightness", [1.0, 2.5])
def test_pictures_within_and_above_one(studio, hooks, canvas, selection, brightness):
    picture = canvas.copy()
    picture[..., :3] *= brightness
    painted = paint(studio.request(picture, selection, prompt="a lake"), studio.model(), hooks).layers[0]
    merged = studio.merged(painted, picture)
    assert np.isfinite(merged).all()
    untouched = studio.on_canvas(painted, picture)[..., 3] == 0
    assert np.array_equal(merged[untouched], picture[untouched][:, :3])


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (320, 480, Rect(200, 100, 1, 1)),
        (80, 100, Rect(30, 20, 40, 40)),
        (80, 100, Rect(0, 0, 100, 80)),
        (3, 2, Rect(0, 0, 1, 1)),
        (1, 1, Rect(0, 0, 1, 1)),
        (40, 800, Rect(10, 10, 780, 20)),
        (320, 480, Rect(0, 0, 480, 20)),
    ],
    ids=["one pixel", "small canvas", "all of a small canvas", "tiny canvas", "one-pixel canvas", "20:1", "top edge"],
)
@shapes
def test_sizes(studio, hooks, height, width, box, inpaint):
    canvas = studio.photograph(width=width, height=height)
    selection = np.zeros((height, width), np.float32)
    selection[box.slices] = 1
    painted = paint(studio.request(canvas, selection, prompt="a lake"), studio.model(inpaint=inpaint), hooks).layers[0]
    alpha = studio.on_canvas(painted, canvas)[..., 3]
    assert np.all(alpha[selection == 1] > 0.99)
    assert np.all(alpha[distance_to(selection) > made_with(painted)["grow"] + made_with(painted)["feather"]] == 0)


def test_soft_selection_blends_by_its_coverage(studio, hooks, canvas, selection):
    request = studio.request(canvas, 0.25 * selection, prompt="a lake", grow=0.0, feather=0.0)
    alpha = studio.on_canvas(paint(request, studio.model(), hooks).layers[0], canvas)[..., 3]
    assert np.allclose(alpha, 0.25 * selection, atol=1e-6)


def test_transparent_areas(studio, hooks, canvas, selection):
    picture = canvas.copy()
    picture[:, 220:] = 0
    fill = paint(studio.request(picture, selection, mode="fill", prompt="a lake"), studio.model(), hooks).layers[0]
    alpha = studio.on_canvas(fill, picture)[..., 3]
    assert np.all(alpha[:, 220:] == 0)
    assert alpha[:, :220].max() == 1
    expand = paint(studio.request(picture, selection, mode="expand", prompt="a lake"), studio.model(), hooks).layers[0]
    assert np.all(studio.on_canvas(expand, picture)[..., 3][selection == 1] == 1)
    picture[..., 3] = 0
    with pytest.raises(EmptySelection, match="transparent"):
        paint(studio.request(picture, selection, mode="fill", prompt="a lake"), studio.model(), hooks)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sampler": "Magic"}, SamplerUnsupported),
        ({"strength": 0.0}, ValueOutOfRange),
        ({"strength": float("nan")}, ValueOutOfRange),
        ({"steps": 0}, ValueOutOfRange),
        ({"guidance": -1.0}, ValueOutOfRange),
        ({"seeds": ()}, ValueOutOfRange),
        ({"seeds": (2**64,)}, ValueOutOfRange),
        ({"feather": -1.0}, ValueOutOfRange),
        ({"mode": "miracle"}, ModeUnsupported),
        ({"picture": None}, PictureMissing),
        ({"picture": np.zeros((5, 5, 4), np.float32)}, PictureMissing),
        ({"selection": np.zeros((5, 5), np.float32)}, PictureMissing),
    ],
)
def test_refusals_come_before_any_work(studio, hooks, canvas, selection, change, error):
    request = studio.request(canvas, selection, prompt="a lake")
    with pytest.raises(error) as caught:
        paint(with_settings(request, **change), studio.model(), hooks)
    assert caught.value.code != "internal"
    assert hooks.stages == []


@pytest.mark.parametrize(
    "failure",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_running_out_of_memory_is_said(studio, hooks, canvas, selection, failure, monkeypatch):
    model = studio.model()

    def fail(*args, **options):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(model.load(lambda: None).unet, "forward", fail)
        with pytest.raises(OutOfMemory, match="not enough memory") as caught:
            paint(studio.request(canvas, selection, prompt="a lake"), model, hooks)
    assert caught.value.code == "out_of_memory"
    assert paint(studio.request(canvas, selection, prompt="a lake"), model, hooks).layers
