"""Other programs' folders, on each system, laid out as those programs do; and what is seen in them."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_checkpoints import build_tiny_sd1

from bridge.models import CheckpointUnreadable, CheckpointUnsupported, Registry, registry
from bridge.models.locations import find_locations
from bridge.models.registered import read_registered, write_registered

UUIDS = ("0b1c2d3e-1111-4222-8333-444455556666", "1b1c2d3e-1111-4222-8333-444455556666")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=False)


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A home with nothing in it, no variables of other programs, and no mini."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(registry, "MINI", tmp_path / "no" / "mini")
    for name in list(os.environ):
        if name.startswith(("HF_", "XDG_", "INVOKEAI_", "PAINTBRIDGE_", "APPDATA", "LOCALAPPDATA")):
            monkeypatch.delenv(name)
    return tmp_path


def made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def found(home, system="linux", **environment):
    return [(location.program, location.folder) for location in find_locations(environment, home=home, system=system)]


def test_nothing_is_found_where_nothing_is(user):
    assert found(user) == []


@pytest.mark.parametrize(
    ("system", "folder", "program"),
    [
        ("linux", "ComfyUI/models/checkpoints", "ComfyUI"),
        ("linux", "Documents/ComfyUI/models/diffusers", "ComfyUI"),
        ("linux", "comfy/ComfyUI/models/checkpoints", "ComfyUI"),
        ("win32", "ComfyUI_windows_portable/ComfyUI/models/checkpoints", "ComfyUI"),
        ("linux", ".local/share/krita/ai_diffusion/server/ComfyUI/models/checkpoints", "Krita AI Diffusion"),
        ("linux", ".local/share/krita-ai-diffusion/server/models/checkpoints", "Krita AI Diffusion"),
        (
            "linux",
            ".var/app/org.kde.krita/data/krita/ai_diffusion/server/ComfyUI/models/checkpoints",
            "Krita AI Diffusion",
        ),
        ("win32", "AppData/Roaming/krita/ai_diffusion/server/ComfyUI/models/checkpoints", "Krita AI Diffusion"),
        ("win32", "AppData/Local/krita-ai-diffusion/server/ComfyUI/models/checkpoints", "Krita AI Diffusion"),
        (
            "darwin",
            "Library/Application Support/krita/ai_diffusion/server/ComfyUI/models/checkpoints",
            "Krita AI Diffusion",
        ),
        ("linux", "stable-diffusion-webui/models/Stable-diffusion", "Stable Diffusion WebUI"),
        ("win32", "sd.webui/webui/models/Stable-diffusion", "Stable Diffusion WebUI"),
        ("linux", "stable-diffusion-webui-forge/models/Stable-diffusion", "Forge"),
        ("win32", "webui_forge/webui/models/Stable-diffusion", "Forge"),
        ("linux", "invokeai/models", "InvokeAI"),
        ("linux", ".cache/huggingface/hub", "Hugging Face cache"),
    ],
)
def test_usual_locations(user, system, folder, program):
    made(user / folder)
    assert found(user, system) == [(program, user / folder)]


@pytest.mark.parametrize(
    ("variable", "value", "folder"),
    [
        ("HF_HOME", "elsewhere", "elsewhere/hub"),
        ("HF_HUB_CACHE", "elsewhere", "elsewhere"),
        ("XDG_CACHE_HOME", "cache", "cache/huggingface/hub"),
        ("XDG_DATA_HOME", "data", "data/krita/ai_diffusion/server/ComfyUI/models/checkpoints"),
        ("INVOKEAI_ROOT", "invoke", "invoke/models"),
        ("INVOKEAI_MODELS_DIR", "invoke-models", "invoke-models"),
    ],
)
def test_locations_named_by_variables(user, variable, value, folder):
    made(user / folder)
    assert [path for _, path in found(user, **{variable: str(user / value)})] == [user / folder]


@pytest.mark.parametrize(
    ("system", "file"),
    [
        ("linux", "ComfyUI/extra_model_paths.yaml"),
        ("linux", ".config/ComfyUI/extra_models_config.yaml"),
        ("win32", "AppData/Roaming/ComfyUI/extra_models_config.yaml"),
        ("darwin", "Library/Application Support/ComfyUI/extra_models_config.yaml"),
    ],
)
def test_folders_that_comfyui_was_told_of(user, system, file):
    shared, more = made(user / "shared" / "checkpoints"), made(user / "more")
    path = user / file
    path.parent.mkdir(parents=True)
    path.write_text(
        f"a:\n    base_path: {user}/shared\n    checkpoints: |\n        checkpoints/\n        {more}\n"
        "    loras: loras\n"
        "b:\n    base_path: ../nowhere\n    checkpoints: models\n"
    )
    assert found(user, system) == [("ComfyUI", shared), ("ComfyUI", more)]


@pytest.mark.parametrize("text", ["a: [", "just words", "a: 3\nb: {checkpoints: [1]}", "- list", "\0"])
def test_a_file_of_comfyui_that_says_nothing_sensible(user, text):
    made(user / "ComfyUI")
    (user / "ComfyUI" / "extra_model_paths.yaml").write_text(text)
    assert found(user) == []


def test_the_krita_plugins_server_was_moved(user):
    moved = made(user / "disk" / "server" / "ComfyUI" / "models" / "checkpoints")
    settings = made(user / ".local" / "share" / "krita" / "ai_diffusion") / "settings.json"
    settings.write_text("// a comment\n" + json.dumps({"server_path": str(user / "disk" / "server")}))
    assert found(user) == [("Krita AI Diffusion", moved)]


def test_invokeais_models_were_moved(user):
    moved = made(user / "disk" / "models")
    (made(user / "invokeai") / "invokeai.yaml").write_text(f"schema_version: 4.0.2\nmodels_dir: {moved}\n")
    assert found(user) == [("InvokeAI", moved)]


def seen(**options):
    return {entry.name: (entry.program, entry.found) for entry in Registry(**options).entries()}


def test_what_lies_in_comfyui_is_used_in_place_or_listed_with_a_reason(user, tiny):
    models = user / "ComfyUI" / "models"
    shutil.copytree(tiny, models / "diffusers" / "sd15")
    made(models / "checkpoints" / "deeper")
    save_file(
        {"double_blocks.0.img_attn.norm.key_norm.scale": np.zeros(3)},
        models / "checkpoints" / "deeper" / "flux.safetensors",
    )
    (models / "checkpoints" / "put_checkpoints_here").write_text("")
    (models / "checkpoints" / "old.ckpt").write_bytes(b"\x80")
    entries = seen()
    assert entries.keys() == {"sd15", "flux.safetensors", "old.ckpt"}
    assert entries["sd15"][0] == "ComfyUI"
    assert entries["sd15"][1].path == models / "diffusers" / "sd15"
    assert isinstance(entries["flux.safetensors"][1], CheckpointUnsupported)
    assert Registry().get("sd15").id == "sd15"


def test_the_hugging_face_cache(user, tiny):
    """As huggingface_hub lays it out: files are links to blobs, refs name commits."""
    repository = made(user / ".cache" / "huggingface" / "hub" / "models--somebody--painter")
    for commit in ("a" * 40, "b" * 40, "c" * 40):
        for path in tiny.rglob("*"):
            if path.is_file():
                link = repository / "snapshots" / commit / path.relative_to(tiny)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
    (made(repository / "refs") / "main").write_text("b" * 40)
    (made(repository / "refs" / "refs" / "pr") / "1").write_text("c" * 40)
    made(repository.parent / "models--somebody--language" / "snapshots" / ("d" * 40))
    assert seen().keys() == {"painter (aaaaaaaa)", "painter", "painter (refs/pr/1)"}
    assert Registry().get("painter").path.name == "b" * 40
    assert len(Registry().get("painter").hash) == 64


def test_invokeais_own_layouts(user, tiny):
    models = user / "invokeai" / "models"
    shutil.copytree(tiny, models / "sd-1" / "main" / "older")
    shutil.copytree(tiny, models / UUIDS[0])
    (made(models / "sd-1" / "lora") / "style.safetensors").write_bytes(b"")
    (made(models / UUIDS[1]) / "small.safetensors").write_bytes(b"")
    with (models / UUIDS[1] / "large.safetensors").open("wb") as file:
        file.truncate(1 << 30)
    entries = seen()
    assert entries.keys() == {"older", "invoke-0b1c2d3e", "large.safetensors"}
    assert isinstance(entries["large.safetensors"][1], CheckpointUnreadable)


def test_one_name_in_several_locations(user, tiny, tmp_path):
    own = user / ".paintbridge" / "models" / "sd15"
    shutil.copytree(tiny, own)
    for folder in ("ComfyUI/models/diffusers/x", "ComfyUI/models/diffusers/y"):
        shutil.copytree(tiny, user / folder / "sd15")
    entries = seen(folders=[own.parent])
    assert list(entries) == ["sd15", "sd15 (ComfyUI)", "sd15 (ComfyUI 2)"]
    assert entries["sd15"][1].path == own
    assert Registry().get("sd15 (ComfyUI)").id == "sd15 (ComfyUI)"


def test_one_checkpoint_by_several_ways_is_listed_once(user, tiny):
    made(user / "ComfyUI" / "models" / "diffusers")
    (user / "ComfyUI" / "models" / "diffusers" / "linked").symlink_to(tiny)
    write_registered([tiny])
    assert list(seen(folders=[tiny.parent])) == ["tiny"]


def test_what_was_registered_is_remembered_in_the_bridges_home(user, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "other-home"))
    write_registered([tiny, tmp_path / "gone"])
    assert read_registered() == (tiny, tmp_path / "gone")
    assert (tmp_path / "other-home" / "models.json").is_file()
    entries = seen()
    assert entries.keys() == {"tiny", "gone"}
    assert "nothing at" in str(entries["gone"][1])
    assert "disk" in entries["gone"][1].hint
    monkeypatch.delenv("PAINTBRIDGE_HOME")
    assert seen() == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"paths": 3}', '{"paths": [1]}', "\0"])
def test_a_list_of_registrations_that_cannot_be_read_is_told(user, text, tiny):
    made(user / ".paintbridge")
    (user / ".paintbridge" / "models.json").write_text(text)
    entries = seen(folders=[tiny])
    assert entries.keys() == {"tiny", "models.json"}
    assert isinstance(entries["models.json"][1], CheckpointUnreadable)


def test_half_a_pull_is_not_listed(user, tiny):
    shutil.copytree(tiny, user / ".paintbridge" / "models" / ".partial" / "somebody--tiny@0")
    assert seen() == {}
