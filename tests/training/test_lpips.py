"""LPIPS: the unpickler that reads its weights, and the measure itself, against a plain calculation."""

import io
import os
import pickle

import numpy as np
import pytest
import torch

from bridge.training.lpips import Lpips, _NumpyOnly, weights
from bridge.training.sources import default_folder


class _Harmful:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_pickle_that_calls_anything_is_refused():
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        _NumpyOnly(io.BytesIO(pickle.dumps(_Harmful()))).load()


def test_equal_pictures_are_at_no_distance_and_more_noise_is_farther(lpips_weights):
    lpips = Lpips(lpips_weights)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    assert float(lpips(picture, picture)) == 0
    near, far = (float(lpips(picture, picture + amount * noise)) for amount in (0.05, 0.4))
    assert 0 < near < far
    assert float(lpips(picture + 0.4 * noise, picture)) == pytest.approx(far, rel=1e-5)


def test_the_first_level_agrees_with_a_plain_calculation(lpips_weights):
    tensors = lpips_weights
    lpips = Lpips(tensors)
    picture = torch.rand(1, 3, 11, 11, generator=torch.Generator().manual_seed(1)) * 2 - 1
    scaled = (picture[0].numpy() - [[[-0.030]], [[-0.088]], [[-0.188]]]) / [[[0.458]], [[0.448]], [[0.450]]]
    padded = np.pad(scaled, ((0, 0), (2, 2), (2, 2)))[:, :11, :11]
    kernel = tensors["convolutions.0.weight"].numpy()
    plain = np.maximum((kernel * padded).sum((1, 2, 3)) + tensors["convolutions.0.bias"].numpy(), 0)
    plain /= np.sqrt((plain**2).sum() + 1e-10)
    assert lpips.features(torch.nn.functional.pad(picture, (0, 60, 0, 60)))[0][0, :, 0, 0].numpy() == pytest.approx(
        plain, abs=1e-4
    )


@pytest.mark.skipif(
    not (default_folder() / "lpips-alexnet.safetensors").exists(), reason="the LPIPS weights have not been fetched"
)
def test_the_real_weights_rank_blur_as_people_do():
    """Zhang et al., figure 1: a blurred picture is nearer in pixels than a shifted one, and farther to the eye."""
    lpips = Lpips(weights(default_folder()))
    rng = np.random.default_rng(0)
    picture = torch.from_numpy(rng.random((1, 3, 96, 96), np.float32)) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(picture, 9, 1, 4)
    shifted = torch.roll(picture, 1, 3)
    assert (picture - blurred).square().mean() < (picture - shifted).square().mean()
    assert float(lpips(picture, blurred)) > float(lpips(picture, shifted))
