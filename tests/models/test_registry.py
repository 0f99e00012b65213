"""Which checkpoints are listed, which one is the default, and what is said of those that are missing or broken."""

import itertools
import os
import shutil
import sys
import unicodedata

import pytest
from tiny_checkpoints import build_tiny_sd1

from bridge.models import MINI, CheckpointUnknown, CheckpointUnreadable, Registry, inspect, registry


class Clock:
    """Goes on by two seconds whenever it is read, or by `step`."""

    def __init__(self, step=2.0):
        self._reads = itertools.count(0.0, step)

    def __call__(self):
        return next(self._reads)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and no mini: just what the test puts there."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr(registry, "MINI", tmp_path / "no" / "mini")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=False)


def test_nothing_installed(home):
    assert Registry().list() == []
    with pytest.raises(CheckpointUnknown, match="No checkpoint is installed"):
        Registry().get()


def test_folder_of_folders_and_folder_itself(home, tiny):
    assert [found.id for found in Registry([tiny.parent]).list()] == ["tiny"]
    assert [found.id for found in Registry([tiny]).list()] == ["tiny"]


def test_models_folder_in_the_home_is_looked_at_anew(home, tiny):
    known = Registry(clock=Clock())
    assert known.list() == []
    shutil.copytree(tiny, home / ".paintbridge" / "models" / "mine")
    assert known.get("mine").family.name == "SD1"
    shutil.rmtree(home / ".paintbridge" / "models" / "mine")
    assert known.list() == []


def test_a_look_is_remembered_for_a_second(home, tiny, tmp_path):
    known = Registry([tmp_path / "models"], clock=Clock(step=0.3))
    shutil.copytree(tiny, tmp_path / "models" / "one")
    assert [found.id for found in known.list()] == ["one"]
    shutil.copytree(tiny, tmp_path / "models" / "two")
    assert [found.id for found in known.list()] == ["one"]
    assert [found.id for found in known.list()] == ["one"]
    assert [found.id for found in known.list()] == ["one"]
    assert [found.id for found in known.list()] == ["one", "two"]


def test_a_name_that_is_not_remembered_is_looked_for_at_once(home, tiny, tmp_path):
    known = Registry([tmp_path / "models"], clock=Clock(step=0.0))
    (tmp_path / "models").mkdir()
    assert known.list() == []
    shutil.copytree(tiny, tmp_path / "models" / "new")
    assert known.get("new").id == "new"
    assert [found.id for found in known.list()] == ["new"]


def test_the_models_folder_moves_with_the_bridges_home(home, tiny, tmp_path, monkeypatch):
    shutil.copytree(tiny, tmp_path / "elsewhere" / "models" / "mine")
    assert Registry().list() == []
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "elsewhere"))
    assert [found.id for found in Registry().list()] == ["mine"]
    assert [found.id for found in Registry([tmp_path / "elsewhere" / "models"]).list()] == ["mine"]


def test_a_folder_of_the_settings_that_is_gone_is_told(home, tmp_path):
    known = Registry([tmp_path / "unplugged"])
    assert known.list() == []
    assert "nothing at" in str(known.problems()["unplugged"])


def test_default_is_the_settings_choice_then_mini_then_the_first(home, tiny, tmp_path, monkeypatch):
    for name in ("alpha", "zeta", "mini"):
        shutil.copytree(tiny, tmp_path / "models" / name)
    models = tmp_path / "models"
    monkeypatch.setattr(registry, "MINI", models / "mini")
    assert Registry([models]).list()[0].id == "mini"
    assert Registry([models]).get().id == "mini"
    assert Registry([models], default="zeta").get().id == "zeta"
    monkeypatch.setattr(registry, "MINI", tmp_path / "no")
    shutil.rmtree(models / "mini")
    assert Registry([models]).get().id == "alpha"


def test_unknown_name_says_what_is_installed(home, tiny):
    with pytest.raises(CheckpointUnknown, match="nothing-like-it") as caught:
        Registry([tiny]).get("nothing-like-it")
    assert "tiny" in caught.value.hint
    assert caught.value.code == "checkpoint_unknown"


def test_a_name_is_found_in_whatever_form_it_is_written(home, tiny, tmp_path):
    nfc, nfd = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    shutil.copytree(tiny, tmp_path / "models" / nfd)
    known = Registry([tmp_path / "models"], default=nfd)
    assert [found.id for found in known.list()] == [nfc]
    assert known.get(nfd).id == known.get(nfc).id == known.get().id == nfc


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_a_name_that_is_not_utf8_is_told_and_harms_no_other(home, tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "models" / "one")
    shutil.copytree(tiny, os.fsdecode(bytes(tmp_path) + b"/models/caf\xe9"))
    known = Registry([tmp_path / "models"])
    assert [found.id for found in known.list()] == ["one"]
    [(name, error)] = known.problems().items()
    assert "\ufffd" in name
    assert "not UTF-8" in error.message
    error.message.encode()


def test_broken_one_is_not_listed_and_says_why(home, tiny, tmp_path):
    broken = tmp_path / "models" / "broken"
    shutil.copytree(tiny, broken)
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    known = Registry([tmp_path / "models"], clock=Clock())
    assert known.list() == []
    assert list(known.problems()) == ["broken"]
    with pytest.raises(CheckpointUnreadable, match="truncated"):
        known.get("broken")
    weights.write_bytes(whole)
    assert known.get("broken").id == "broken"


def test_mini_is_a_checkpoint():
    mini = inspect(MINI)
    assert mini.inpaint
    assert mini.card.empty_prompt == "infill"
    assert mini.card.known_names
