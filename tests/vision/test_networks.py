"""What is made of the networks' numbers, beside transformers' own processors; and what cannot be loaded."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from bridge.models import CheckpointUnreadable
from bridge.models.errors import EstimatorUnsupported
from bridge.models.estimators import inspect_estimator
from bridge.protocol.messages import OPENPOSE_JOINTS
from bridge.vision import load_estimator
from bridge.vision.depth import estimate_depth
from bridge.vision.networks import Prepared
from bridge.vision.pose import find_people, find_poses
from bridge.vision.preprocessing import read_preprocessor
from bridge.vision.segmentation import label_map
from bridge.vision.skeleton import openpose_joints


def tensor(picture):
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def eight_bits(picture):
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)


PROCESSORS = {
    "depth": transformers.DPTImageProcessorPil,
    "segmenter": transformers.SegformerImageProcessorPil,
    "segmenter_of_queries": transformers.Mask2FormerImageProcessorPil,
    "detector": transformers.RTDetrImageProcessorPil,
}


@pytest.mark.parametrize("name", list(PROCESSORS))
@pytest.mark.parametrize("shape", [(97, 131), (200, 64)])
def test_pictures_are_prepared_as_by_transformers(bench, picture, name, shape):
    folder = bench.files(name).path
    whole = np.tile(picture, (3, 1, 1))[: shape[0], : shape[1]]
    wanted = PROCESSORS[name].from_pretrained(folder)(eight_bits(whole), return_tensors="pt")["pixel_values"]
    got = read_preprocessor(folder)(tensor(whole))
    assert got.shape == wanted.shape
    # Theirs rounds to 8 bits in between.
    assert float((got - wanted).abs().mean()) < 0.02
    assert float((got - wanted).abs().max()) < 0.2


def test_depth_is_the_networks_within_its_range(bench, picture):
    network = bench.network("depth")
    with torch.inference_mode():
        near = estimate_depth(network, tensor(picture))
        output = network.module(pixel_values=network.prepare(tensor(picture)))
    theirs = transformers.DPTImageProcessorPil().post_process_depth_estimation(output, [(97, 131)])[0]
    wanted = np.asarray(theirs["predicted_depth"], np.float32)
    wanted = (wanted - wanted.min()) / (wanted.max() - wanted.min())
    assert near.shape == (97, 131)
    assert (near.min(), near.max()) == (0, 1)
    assert np.abs(near - wanted).max() < 1e-4


def test_metres_are_told_as_nearness(bench, picture, tmp_path):
    """Depth Anything's metric networks tell how far things are."""
    from tiny_estimators import build_depth

    files = inspect_estimator(build_depth(tmp_path / "metric", depth_estimation_type="metric", max_depth=10))
    network = load_estimator(files).eval()
    with torch.inference_mode():
        far = network.module(pixel_values=network.prepare(tensor(picture))).predicted_depth
        near = estimate_depth(network, tensor(picture))
    wanted = torch.nn.functional.interpolate(1 / far[None], (97, 131), mode="bicubic")[0, 0].numpy()
    wanted = (wanted - wanted.min()) / (wanted.max() - wanted.min())
    assert np.abs(near - wanted).max() < 1e-3
    assert float(far.max()) <= 10


@pytest.mark.parametrize("name", ["segmenter", "segmenter_of_queries"])
def test_label_maps_are_those_of_transformers(bench, picture, name):
    from bridge.vision.ade20k import ADE20K

    network = bench.network(name)
    with torch.inference_mode():
        got = label_map(network, tensor(picture))
        output = network.module(pixel_values=network.prepare(tensor(picture)))
    (labels,) = PROCESSORS[name]().post_process_semantic_segmentation(output, [(97, 131)])
    colours = np.array([colour for _, colour in ADE20K], np.float32) / 255
    same = (got == colours[labels.numpy()]).all(axis=2).mean()
    # Two classes share a colour; where two are as likely the last bits decide.
    assert same > 0.98
    assert len(np.unique(got.reshape(-1, 3), axis=0)) > 1


def test_people_are_those_of_transformers(bench, picture):
    detector, rgb = bench.network("detector"), tensor(picture)
    with torch.inference_mode():
        boxes = find_people(detector, rgb)
        output = detector.module(pixel_values=detector.prepare(rgb))
    (found,) = transformers.RTDetrImageProcessorPil().post_process_object_detection(output, 0.4, [(97, 131)])
    theirs = found["boxes"][found["labels"] == 0].numpy()
    ours = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes])
    assert ours.shape == theirs.shape == (6, 4)
    assert np.abs(ours - theirs).max() < 1e-3


BOXES = [(20.0, 10.0, 60.0, 80.0), (-9.0, 30.0, 40.0, 20.0), (100.0, 5.0, 31.0, 92.0)]


class Heats(nn.Module):
    """A ViTPose that sees joint i of each person at a place of its own, between the pixels of its heat map."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        y, x = np.mgrid[0:16, 0:12]
        places = [(3.2 + 0.35 * joint, 4.1 + 0.5 * joint) for joint in range(17)]
        heats = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in places]
        self.heats = torch.tensor(np.stack(heats), dtype=torch.float32)
        self.seen = []

    def forward(self, pixel_values):
        self.seen.append(pixel_values)
        return SimpleNamespace(heatmaps=self.heats[None])


def test_joints_are_those_of_transformers(bench, picture):
    """What the network is shown of each person, and where the tops of its heat maps lie in the picture."""
    folder, real = bench.files("pose").path, bench.network("pose")
    poser = Prepared(Heats(real.module.config), real.prepare)
    people = find_poses(poser, tensor(picture), BOXES, lambda: None)
    processor = transformers.VitPoseImageProcessorPil.from_pretrained(folder)
    boxes = [[list(box) for box in BOXES]]
    shown = processor(eight_bits(picture), boxes=boxes, return_tensors="pt")["pixel_values"]
    assert float((torch.cat(poser.module.seen) - shown).abs().mean()) < 0.03
    heats = SimpleNamespace(heatmaps=poser.module.heats[None].repeat(3, 1, 1, 1))
    (poses,) = processor.post_process_pose_estimation(heats, boxes=boxes, threshold=0.3)
    for person, pose in zip(people, poses, strict=True):
        joints: list[tuple[float, float] | None] = [None] * 17
        for label, place in zip(pose["labels"].tolist(), pose["keypoints"].tolist(), strict=True):
            joints[label] = (place[0], place[1])
        wanted = openpose_joints(joints)
        assert wanted.keys() == person.keys() == set(OPENPOSE_JOINTS)
        for name, place in wanted.items():
            assert np.hypot(*(np.array(place) - person[name])) < 0.3, name


def test_nobody_is_found_where_nobody_is(picture, tmp_path):
    from tiny_estimators import build_detector

    network = load_estimator(inspect_estimator(build_detector(tmp_path / "blind", finds=False))).eval()
    with torch.inference_mode():
        assert find_people(network, tensor(picture)) == []


@pytest.fixture
def copied(bench, tmp_path):
    return shutil.copytree(bench.files("segmenter").path, tmp_path / "copied")


def test_weights_that_are_missing_or_too_many_are_told(copied):
    weights = load_file(copied / "model.safetensors")
    gone = next(iter(weights))
    save_file({name: one for name, one in weights.items() if name != gone}, copied / "model.safetensors")
    with pytest.raises(CheckpointUnreadable, match="1 are missing or too many"):
        load_estimator(inspect_estimator(copied))
    save_file({**weights, "more": torch.zeros(1)}, copied / "model.safetensors")
    with pytest.raises(CheckpointUnreadable, match="such as more"):
        load_estimator(inspect_estimator(copied))


def test_half_of_a_hed_is_told(bench, tmp_path):
    weights = load_file(bench.files("hed").path)
    save_file(
        {name: one for name, one in weights.items() if not name.startswith("block3")}, tmp_path / "half.safetensors"
    )
    with pytest.raises(CheckpointUnreadable, match="is not HED"):
        load_estimator(inspect_estimator(tmp_path / "half.safetensors"))


def test_a_step_of_preparation_that_is_not_known_is_refused(copied):
    path = copied / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "do_flip_channel_order": True}))
    with pytest.raises(EstimatorUnsupported, match="do_flip_channel_order"):
        load_estimator(inspect_estimator(copied))
