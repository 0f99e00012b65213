"""Distillations: told by configs, else by words of the name, and overruled by a card."""

import json

import pytest
from tiny_checkpoints import build_tiny_sd1

from bridge.models import inspect
from bridge.models.distillation import distillation_of


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("sd_xl_turbo_1.0_fp16", "Turbo"),
        ("SDXLTurbo", "Turbo"),
        ("TurboVisionXL", "Turbo"),
        ("sdxl_lightning_4step", "Lightning"),
        ("dreamshaperXL_lightningDPMSDE", "Lightning"),
        ("juggernautXL_v9Rdphoto2Lightning", "Lightning"),
        ("LCM_Dreamshaper_v7", "LCM"),
        ("turbocharger", None),
        ("sd_xl_base_1.0", None),
        ("calcmodel", None),
    ],
)
def test_names(name, title):
    found = distillation_of(name)
    assert (found.title if found else None) == title
    if found:
        assert found.steps <= 8
        assert found.guidance == 1


@pytest.mark.parametrize(("scheduler", "sampler"), [("LCMScheduler", "LCM"), ("TCDScheduler", "TCD")])
def test_scheduler_of_a_folder(tmp_path, scheduler, sampler):
    folder = build_tiny_sd1(tmp_path / "plain", inpaint=False)
    said = folder / "scheduler" / "scheduler_config.json"
    said.write_text(json.dumps({**json.loads(said.read_text()), "_class_name": scheduler}))
    assert inspect(folder).card.default_sampler == "DDIM"
    (folder / "card.json").unlink()
    card = inspect(folder).card
    assert (card.default_sampler, card.default_guidance) == (sampler, 1)
    assert sampler in card.notes
    (folder / "card.json").write_text('{"default_steps": 3, "notes": "Mine."}')
    card = inspect(folder).card
    assert (card.default_steps, card.default_sampler, card.notes) == (3, sampler, "Mine.")


def test_unet_that_hears_the_guidance(tmp_path):
    folder = build_tiny_sd1(tmp_path / "plain", inpaint=False, guidance_embeds=True)
    (folder / "card.json").unlink()
    assert inspect(folder).card.default_guidance == 8
