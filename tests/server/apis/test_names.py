"""Checkpoints by the names that clients of other programs' APIs have for them."""

from __future__ import annotations

import unicodedata

import pytest

from bridge.protocol.messages import CheckpointInfo
from bridge.server.apis.a1111.options import Options
from bridge.server.apis.openai.orders import find_checkpoint

NAME = "Aquarelle é.safetensors"
INSTALLED = [
    CheckpointInfo(name, "SD1", False, 512 * 512, 20, 7.0, "DDIM", False, (), ()) for name in ("other", NAME, "Other")
]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (unicodedata.normalize("NFD", NAME), NAME),
        (NAME.upper(), NAME),
        (NAME.removesuffix(".safetensors"), NAME),
        ("other", "other"),
        ("Other", "Other"),
        ("Other.safetensors", "Other"),
    ],
)
def test_accents_case_and_endings_do_not_matter(asked: str, meant: str) -> None:
    assert Options().override({"sd_model_checkpoint": asked}, INSTALLED)[0] == meant
    assert Options().override({"sd_model_checkpoint": f"{asked} [0123456789]"}, INSTALLED)[0] == meant
    assert find_checkpoint(asked, INSTALLED) == meant
