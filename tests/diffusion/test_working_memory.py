"""The families' figures of what computing takes are what their real sizes take, counted on tensors without content.

A denoiser's blocks come one after the other, so that two of each kind tell what all of them take.
"""

import contextlib
import warnings

import diffusers
import pytest
import torch
from live_memory import LiveMemory
from torch._subclasses.fake_tensor import FakeTensorMode

from bridge.models.families import CONFIGS, FAMILIES

EDGE = 1024
HALF = torch.float16


@contextlib.contextmanager
def made_in(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def peak_of(family, part, kind, dtype, compute, **changes):
    """Bytes for each pixel of what `compute` takes at most, beside weights."""
    config = kind.load_config(CONFIGS / family / part, local_files_only=True)
    with FakeTensorMode(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        with made_in(dtype):
            module = kind.from_config({**config, **changes}).eval()
        with LiveMemory([*module.parameters(), *module.buffers()]) as live:
            compute(module)
    return live.peak / EDGE**2


def check(figure, found):
    assert found <= figure * 1.02
    # Not so much more that a card would be thought too small.
    assert found >= figure * 0.8


@pytest.mark.parametrize("family", ["SD1", "SDXL"])
def test_unets(family):
    side = EDGE // 8

    def compute(unet):
        added = {}
        if family == "SDXL":
            added = {"text_embeds": torch.zeros(1, 1280, dtype=HALF), "time_ids": torch.zeros(1, 6, dtype=HALF)}
        text = torch.zeros(1, 77, unet.config.cross_attention_dim, dtype=HALF)
        unet(torch.zeros(1, 4, side, side, dtype=HALF), torch.tensor(1.0), text, added_cond_kwargs=added)

    found = peak_of(family, "unet", diffusers.UNet2DConditionModel, HALF, compute)
    check(FAMILIES[family].working_memory.denoiser, found)


@pytest.mark.parametrize("family", ["Flux2Klein4B", "Flux2Klein9B"])
def test_flux2_with_a_reference_of_the_same_size(family):
    tokens, half = (EDGE // 16) ** 2, torch.bfloat16

    def compute(transformer):
        width = transformer.config.joint_attention_dim
        transformer(
            hidden_states=torch.zeros(1, 2 * tokens, 128, dtype=half),
            encoder_hidden_states=torch.zeros(1, 512, width, dtype=half),
            timestep=torch.ones(1),
            img_ids=torch.zeros(2 * tokens, 4),
            txt_ids=torch.zeros(512, 4),
        )

    kind = diffusers.Flux2Transformer2DModel
    found = peak_of(family, "transformer", kind, half, compute, num_layers=2, num_single_layers=2)
    check(FAMILIES[family].working_memory.denoiser, found)


def test_flux1():
    tokens, half = (EDGE // 16) ** 2, torch.bfloat16

    def compute(transformer):
        transformer(
            hidden_states=torch.zeros(1, tokens, transformer.config.in_channels, dtype=half),
            encoder_hidden_states=torch.zeros(1, 512, transformer.config.joint_attention_dim, dtype=half),
            pooled_projections=torch.zeros(1, transformer.config.pooled_projection_dim, dtype=half),
            timestep=torch.ones(1, dtype=half),
            guidance=torch.ones(1, dtype=half),
            img_ids=torch.zeros(tokens, 3),
            txt_ids=torch.zeros(512, 3),
        )

    kind = diffusers.FluxTransformer2DModel
    found = peak_of("Flux1", "transformer", kind, half, compute, num_layers=2, num_single_layers=2)
    check(FAMILIES["Flux1"].working_memory.denoiser, found)


def test_z_image():
    side, half = EDGE // 8, torch.bfloat16

    def compute(transformer):
        text = torch.zeros(200, transformer.config.cap_feat_dim, dtype=half)
        transformer([torch.zeros(16, 1, side, side, dtype=half)], torch.ones(1, dtype=half), [text])

    kind = diffusers.ZImageTransformer2DModel
    found = peak_of("ZImage", "transformer", kind, half, compute, n_layers=2)
    check(FAMILIES["ZImage"].working_memory.denoiser, found)


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("SD1", diffusers.AutoencoderKL),
        ("Flux2Klein4B", diffusers.AutoencoderKLFlux2),
        ("ZImage", diffusers.AutoencoderKL),
    ],
)
def test_autoencoders(family, kind):
    side = EDGE // 8

    def compute(vae):
        vae.decode(torch.zeros(1, vae.config.latent_channels, side, side))

    check(FAMILIES[family].working_memory.vae, peak_of(family, "vae", kind, torch.float32, compute))
