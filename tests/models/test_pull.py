"""Pulling from a small hub: just what is needed, checked, resumed, and never half a checkpoint."""

import itertools
import json
import shutil
import socket
from pathlib import Path

import pytest
from small_hub import COMMIT, SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl

from bridge.models import CheckpointUnreadable, CheckpointUnsupported, Registry, inspect
from bridge.models.hub import DiskFull, DownloadDamaged, HubGated, HubNotFound, HubOffline
from bridge.models.pull import FolderUnwritable, PullBusy, PullConflict, pull
from bridge.models.receipt import delete_fetched, read_receipt

HUB_ID = "somebody/tiny-inpainting"
UNET = "unet/diffusion_pytorch_model.safetensors"
UNET_HALF = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=True)


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(home))
    return home


@pytest.fixture
def hub(tiny, tmp_path, monkeypatch, home):
    """A repository as they are: the checkpoint, and much that is not needed."""
    source = Path(shutil.copytree(tiny, tmp_path / "source"))
    (source / "README.md").write_text("---\nlicense: creativeml-openrail-m\n---\nA model card.\n")
    (source / "pickled.ckpt").write_bytes(b"\x80pickle")
    (source / "whole.safetensors").write_bytes(bytes(100))
    (source / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80pickle")
    (source / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(bytes(100))
    (source / "safety_checker").mkdir()
    (source / "safety_checker" / "model.safetensors").write_bytes(bytes(100))
    (source / "tokenizer" / "run.py").write_text("print('no')")
    with serve_hub(SmallHub(HUB_ID, source)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def fetched(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_pull_brings_just_what_is_needed_and_is_listed(hub, home, tiny):
    steps = []
    folder = pull(HUB_ID, report=steps.append)
    assert folder == home / "models" / "tiny-inpainting"
    assert fetched(folder) == fetched(tiny) | {"README.md", ".paintbridge-pull.json"}
    assert inspect(folder).hash == inspect(tiny).hash
    assert Registry().get("tiny-inpainting").inpaint
    receipt = read_receipt(folder)
    assert (receipt.hub_id, receipt.commit, receipt.licence) == (HUB_ID, COMMIT, "creativeml-openrail-m")
    assert steps[-1].done == steps[-1].total == sum(len(hub.files[name]) for name in receipt.files)
    assert all(before.done <= after.done for before, after in itertools.pairwise(steps))


def test_half_precision_is_preferred(hub, tiny):
    hub.files[UNET_HALF] = hub.files[UNET]
    assert UNET_HALF in fetched(pull(HUB_ID))
    assert not hub.bytes_sent(UNET)


def test_two_text_encoders(home, tmp_path, monkeypatch):
    source = build_tiny_sdxl(tmp_path / "xl", inpaint=False)
    with serve_hub(SmallHub("somebody/xl", source)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        assert inspect(pull("somebody/xl")).hash == inspect(source).hash
    assert Registry().get("xl").family.name == "SDXL"


def test_a_cut_connection_is_taken_up_where_it_broke(hub, tiny):
    hub.cut[UNET] = [1000, 50_000]
    folder = pull(HUB_ID)
    assert hub.bytes_sent(UNET) == [0, 1000, 51_000]
    assert inspect(folder).hash == inspect(tiny).hash


def test_a_later_pull_goes_on_where_the_first_was_interrupted(hub, home, tiny):
    def interrupt(step):
        if step.file == UNET and step.done > 70_000:
            raise KeyboardInterrupt

    hub.cut[UNET] = [65_536]
    with pytest.raises(KeyboardInterrupt):
        pull(HUB_ID, report=interrupt)
    assert "tiny-inpainting" not in [entry.name for entry in Registry().entries()]
    before = len(hub.downloads)
    folder = pull(HUB_ID)
    again = hub.downloads[before:]
    assert again[0][0] == UNET
    assert again[0][1] > 0
    assert {name.partition("/")[0] for name, _ in again} <= {"unet", "vae", "text_encoder"}
    assert inspect(folder).hash == inspect(tiny).hash
    assert not list((home / "models" / ".partial").glob("*@*"))


def test_a_hub_that_ignores_ranges_sends_all_again(hub, tiny):
    hub.deaf = True
    hub.cut[UNET] = [1000, 2000]
    steps = []
    assert inspect(pull(HUB_ID, report=steps.append)).hash == inspect(tiny).hash
    assert hub.bytes_sent(UNET) == [0, 0, 0]
    assert steps[-1].done == steps[-1].total


def test_a_hub_that_goes_silent(hub, home, tiny):
    hub.cut[UNET] = [1000, 0]
    with pytest.raises(HubOffline, match="connection") as caught:
        pull(HUB_ID)
    assert "goes on where it stopped" in caught.value.hint
    assert inspect(pull(HUB_ID)).hash == inspect(tiny).hash
    assert hub.bytes_sent(UNET) == [0, 1000, 1000]


@pytest.mark.parametrize("name", [UNET, "tokenizer/vocab.json"])
def test_what_arrives_damaged_is_refused(hub, home, tiny, name):
    hub.damaged.add(name)
    with pytest.raises(DownloadDamaged, match="hash"):
        pull(HUB_ID)
    assert "tiny-inpainting" not in Registry().problems()
    hub.damaged.clear()
    assert inspect(pull(HUB_ID)).hash == inspect(tiny).hash
    assert hub.bytes_sent(name) == [0, 0]


def test_a_file_that_was_changed_since_is_fetched_again(hub, home, tiny):
    hub.cut["vae/diffusion_pytorch_model.safetensors"] = [0]
    with pytest.raises(HubOffline):
        pull(HUB_ID)
    (partial,) = (home / "models" / ".partial").glob("*@*")
    content = bytearray((partial / UNET).read_bytes())
    content[-1] ^= 1
    (partial / UNET).write_bytes(content)
    with pytest.raises(DownloadDamaged):
        pull(HUB_ID)
    assert inspect(pull(HUB_ID)).hash == inspect(tiny).hash


def test_gated(hub):
    hub.gated = True
    with pytest.raises(HubGated, match="licence") as caught:
        pull(HUB_ID)
    assert "token" in caught.value.hint
    assert HUB_ID in caught.value.hint


def test_the_users_token_is_shown_to_the_hub(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_user")
    pull(HUB_ID)
    assert hub.tokens == {"Bearer hf_of_the_user"}


def test_not_found(hub):
    with pytest.raises(HubNotFound, match="somebody/else"):
        pull("somebody/else")
    with pytest.raises(HubNotFound, match="revision"):
        pull(HUB_ID, revision="v9")
    for wrong in ("tiny", "../tiny", "a/../b", "a/b/c", "https://example.org/a/b", "a/.."):
        with pytest.raises(HubNotFound, match="no name"):
            pull(wrong)


def test_no_network(home, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(HubOffline, match="cannot be reached"):
            pull(HUB_ID)
    assert not (home / "models").exists()


def test_what_answers_is_no_hub(hub, monkeypatch):
    hub.commit = "../../../elsewhere"
    with pytest.raises(HubOffline, match="not the hub"):
        pull(HUB_ID)


def test_the_hub_is_broken(hub):
    hub.status = 500
    with pytest.raises(HubOffline, match="500"):
        pull(HUB_ID)


def test_no_room_is_said_before_the_weights_are_fetched(hub, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match="no room"):
        pull(HUB_ID)
    assert not hub.bytes_sent(UNET)


def edit_json(hub, name, **changes):
    hub.files[name] = json.dumps({**json.loads(hub.files[name]), **changes}).encode()


def test_a_folder_that_cannot_be_written_is_said(hub, home):
    home.mkdir()
    (home / "models").write_text("in the way")
    with pytest.raises(FolderUnwritable, match="cannot be written") as refused:
        pull(HUB_ID)
    assert str(home / "models") in refused.value.message
    assert refused.value.hint == "Correct its permissions, then pull again."


def test_what_cannot_be_painted_with_is_told_by_its_configs(hub):
    edit_json(hub, "unet/config.json", in_channels=8)
    with pytest.raises(CheckpointUnsupported, match="8 channels"):
        pull(HUB_ID)
    edit_json(hub, "unet/config.json", _class_name="UNetMotionModel")
    with pytest.raises(CheckpointUnsupported, match="UNetMotionModel"):
        pull(HUB_ID)
    assert not hub.bytes_sent(UNET)


def test_pickles_are_never_fetched(hub):
    for name in [name for name in hub.files if name.startswith("unet/") and name.endswith(".safetensors")]:
        del hub.files[name]
    with pytest.raises(CheckpointUnreadable, match="pickle"):
        pull(HUB_ID)
    assert all(name.endswith(".json") for name, _ in hub.downloads)


@pytest.mark.parametrize("lost", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_no_diffusers_folder(hub, lost):
    del hub.files[lost]
    with pytest.raises(CheckpointUnsupported, match=lost):
        pull(HUB_ID)


def test_what_is_there_already(hub, home, tiny):
    folder = pull(HUB_ID)
    before = len(hub.downloads)
    assert pull(HUB_ID, revision="main") == folder
    assert len(hub.downloads) == before
    hub.commit = "f" * 40
    with pytest.raises(PullConflict, match="Another revision"):
        pull(HUB_ID)
    (folder / ".paintbridge-pull.json").unlink()
    with pytest.raises(PullConflict, match="did not come from"):
        pull(HUB_ID)


def test_two_pulls_of_the_same(hub):
    others = []

    def pull_too(step):
        if not others:
            others.append(step)
            with pytest.raises(PullBusy):
                pull(HUB_ID)

    pull(HUB_ID, report=pull_too)
    assert others


def test_only_what_was_fetched_is_deleted(hub, home):
    folder = pull(HUB_ID)
    (folder / "unet" / "mine.txt").write_text("notes")
    assert not delete_fetched(folder, read_receipt(folder))
    assert fetched(folder) == {"unet/mine.txt"}
    shutil.rmtree(folder)
    folder = pull(HUB_ID)
    assert delete_fetched(folder, read_receipt(folder))
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "C:/outside", "a\\b"])
def test_a_receipt_that_names_files_elsewhere_is_none(hub, name):
    folder = pull(HUB_ID)
    path = folder / ".paintbridge-pull.json"
    said = json.loads(path.read_text())
    said["files"][name] = "0" * 64
    path.write_text(json.dumps(said))
    assert read_receipt(folder) is None
