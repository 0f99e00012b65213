"""Estimators: told by content, chosen by what they tell, pulled whole or not at all."""

import json
import shutil

import pytest
from small_hub import SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1
from tiny_estimators import (
    build_depth,
    build_detector,
    build_hed,
    build_marigold,
    build_pose,
    build_segmenter,
)

from bridge.models import CheckpointUnreadable, EstimatorRegistry, EstimatorTask, Registry
from bridge.models.errors import EstimatorMissing, EstimatorUnsupported, NotAnEstimator
from bridge.models.estimators import ESTIMATED_BY, inspect_estimator
from bridge.models.pull import pull
from bridge.models.receipt import read_receipt


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return {
        "depth": build_depth(folder / "depth"),
        "segmenter": build_segmenter(folder / "segmenter"),
        "detector": build_detector(folder / "detector"),
        "pose": build_pose(folder / "pose"),
        "hed": build_hed(folder / "hed.safetensors"),
        "marigold": build_marigold(folder / "marigold"),
    }


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def put(made, home, *names):
    folder = home / "models" / "estimators"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = made[name]
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / source.name)
    return folder


@pytest.mark.parametrize(
    ("name", "task", "architecture"),
    [
        ("depth", EstimatorTask.DEPTH, "DepthAnythingForDepthEstimation"),
        ("segmenter", EstimatorTask.SEGMENTATION, "SegformerForSemanticSegmentation"),
        ("detector", EstimatorTask.DETECTION, "RTDetrForObjectDetection"),
        ("pose", EstimatorTask.POSE, "VitPoseForPoseEstimation"),
        ("hed", EstimatorTask.EDGES, "HED"),
        ("marigold", EstimatorTask.NORMALS, "MarigoldNormalsPipeline"),
    ],
)
def test_what_an_estimator_tells_is_told_by_its_content(made, name, task, architecture):
    found = inspect_estimator(made[name])
    assert (found.task, found.architecture) == (task, architecture)
    assert all(file.is_file() for file in found.files)
    assert len(found.content()) == 64


def changed(made, tmp_path, name, **config):
    copy = shutil.copytree(made[name], tmp_path / "changed")
    path = copy / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return copy


@pytest.mark.parametrize(
    ("name", "config", "error", "words"),
    [
        ("depth", {"architectures": ["GPT2LMHeadModel"]}, EstimatorUnsupported, "makes no maps with"),
        ("depth", {"architectures": []}, NotAnEstimator, "is no estimator"),
        ("detector", {"use_timm_backbone": True}, EstimatorUnsupported, "timm"),
        ("detector", {"id2label": {"0": "cat"}}, EstimatorUnsupported, "finds no people"),
        ("segmenter", {"id2label": {"0": "road", "1": "car"}}, EstimatorUnsupported, "ADE20K"),
        ("pose", {"id2label": {"0": "hand"}}, EstimatorUnsupported, "17 joints"),
    ],
)
def test_what_cannot_make_maps_is_refused(made, tmp_path, name, config, error, words):
    with pytest.raises(error, match=words):
        inspect_estimator(changed(made, tmp_path, name, **config))


def test_what_is_broken_or_something_else_is_refused(made, tmp_path):
    with pytest.raises(NotAnEstimator):
        inspect_estimator(build_tiny_sd1(tmp_path / "checkpoint", inpaint=False))
    pickled = changed(made, tmp_path, "depth")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(CheckpointUnreadable, match="pickle"):
        inspect_estimator(pickled)
    (pickled / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointUnreadable, match="preprocessor_config"):
        inspect_estimator(pickled)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointUnreadable, match="cannot be read"):
        inspect_estimator(tmp_path)


def test_without_any_only_drawn_maps_can_be_made_and_the_others_say_what_to_pull(home):
    registry = EstimatorRegistry()
    for kind, ways in ESTIMATED_BY.items():
        if ways == ((),):
            assert registry.choose(kind) == ()
        else:
            with pytest.raises(EstimatorMissing) as told:
                registry.choose(kind)
            pulled = "paintbridge models pull" in told.value.hint
            assert pulled or "ControlNetHED" in told.value.hint
    with pytest.raises(EstimatorMissing, match="No maps of the kind 'mood'"):
        registry.choose("mood")


def test_the_best_way_is_taken_and_a_named_one_before_it(made, home):
    put(made, home, "depth")
    assert [one.id for one in EstimatorRegistry().choose("normal")] == ["depth"]
    folder = put(made, home, "marigold", "detector", "pose")
    registry = EstimatorRegistry()
    assert [one.id for one in registry.choose("normal")] == ["marigold"]
    assert [one.id for one in registry.choose("normal", "depth")] == ["depth"]
    assert [one.task for one in registry.choose("pose")] == [EstimatorTask.DETECTION, EstimatorTask.POSE]
    shutil.copytree(made["pose"], folder / "another pose")
    assert [one.id for one in registry.choose("pose", "pose")] == ["detector", "pose"]
    with pytest.raises(EstimatorMissing, match="no estimator named 'detector' for maps of the kind depth"):
        registry.choose("depth", "detector")
    with pytest.raises(EstimatorMissing, match="'nobody'"):
        registry.choose("depth", "nobody")


def test_estimators_are_no_checkpoints_and_a_pickle_says_so(made, home):
    folder = put(made, home, "depth", "hed", "marigold")
    (folder / "ControlNetHED.pth").write_bytes(b"\x80\x02pickle")
    names = {entry.name: entry.found for entry in EstimatorRegistry().entries()}
    assert set(names) == {"depth", "hed", "marigold", "ControlNetHED.pth"}
    assert isinstance(names["ControlNetHED.pth"], CheckpointUnreadable)
    assert not {entry.name for entry in Registry().entries()} & set(names)


@pytest.mark.parametrize("name", ["depth", "marigold"])
def test_a_pull_brings_what_is_needed_among_the_estimators(made, home, tmp_path, monkeypatch, name):
    source = shutil.copytree(made[name], tmp_path / "source")
    (source / "README.md").write_text("A card.")
    (source / "pytorch_model.bin").write_bytes(b"\x80pickle")
    (source / "run.py").write_text("print('no')")
    with serve_hub(SmallHub("somebody/tiny", source)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        steps = []
        folder = pull("somebody/tiny", report=steps.append)
        assert pull("somebody/tiny") == folder
    assert folder == home / "models" / "estimators" / "tiny"
    assert steps[-1].done == steps[-1].total
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wanted = {path.relative_to(made[name]).as_posix() for path in made[name].rglob("*") if path.is_file()}
    assert there == wanted | {"README.md", ".paintbridge-pull.json"}
    assert read_receipt(folder).hub_id == "somebody/tiny"
    assert [entry.name for entry in EstimatorRegistry().entries()] == ["tiny"]


def test_a_network_that_makes_no_maps_is_refused_before_its_weights_come(made, home, tmp_path, monkeypatch):
    source = changed(made, tmp_path, "segmenter", id2label={"0": "cat"})
    with serve_hub(SmallHub("somebody/tiny", source)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(EstimatorUnsupported, match="ADE20K"):
            pull("somebody/tiny")
        assert hub.bytes_sent("model.safetensors") == []
    assert EstimatorRegistry().entries() == ()
