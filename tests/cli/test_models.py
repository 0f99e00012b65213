"""``paintbridge models``: what is listed, added, pulled and removed, in words and as JSON."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from single_files import save_single_file
from small_hub import COMMIT, SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1
from tiny_embeddings import build_tiny_embedding
from tiny_loras import build_tiny_lora

from bridge.cli.exits import Exit
from bridge.models import MINI

HUB_ID = "somebody/tiny"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=True)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, for the bridge and for other programs."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "XDG_CACHE_HOME", "XDG_DATA_HOME", "INVOKEAI_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def hub(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    with serve_hub(SmallHub(HUB_ID, tiny)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def names(run: Any, home: Path) -> set[str]:
    said = run("models", "list", "--json", home=home).json
    return {entry["name"] for entry in said["checkpoints"]} | said["problems"].keys()


def test_list_says_whose_they_are_how_large_and_what_is_wrong(run: Any, alone: Path, tiny: Path) -> None:
    comfyui = alone.parent / "user" / "ComfyUI" / "models"
    shutil.copytree(tiny, comfyui / "diffusers" / "theirs")
    (comfyui / "checkpoints").mkdir()
    (comfyui / "checkpoints" / "broken.safetensors").write_bytes(b"no such thing")
    done = run("models", "list", "--json", home=alone, PAINTBRIDGE_DEFAULT_CHECKPOINT="theirs")
    assert done.code == 0, done.err
    rows = {entry["name"]: entry for entry in done.json["checkpoints"]}
    weights = sum(path.stat().st_size for path in tiny.rglob("*.safetensors"))
    assert rows["theirs"]["program"] == "ComfyUI"
    assert rows["theirs"]["default"]
    assert rows["theirs"]["kind"] == "inpainting"
    assert weights < rows["theirs"]["size_bytes"] < weights + 200_000
    assert rows["theirs"]["path"] == str(comfyui / "diffusers" / "theirs")
    problem = done.json["problems"]["broken.safetensors"]
    assert (problem["code"], problem["program"], problem["size_bytes"]) == ("checkpoint_unreadable", "ComfyUI", 13)
    words = run("models", "list", home=alone, PAINTBRIDGE_DEFAULT_CHECKPOINT="theirs").out
    assert "* theirs: Stable Diffusion 1, inpainting, " in words
    assert "MB [ComfyUI]; " in words
    assert "! broken.safetensors [ComfyUI]: broken.safetensors is neither safetensors nor GGUF." in words


def test_recommended(run: Any, alone: Path) -> None:
    said = run("models", "list", "--recommended", "--json", home=alone).json["recommended"]
    assert said[0]["hub_id"] == "stable-diffusion-v1-5/stable-diffusion-inpainting"
    words = run("models", "list", "--recommended", home=alone).out
    for entry in said:
        assert entry["hub_id"].count("/") == 1
        assert entry["kind"] in ("base", "inpainting")
        assert f"{entry['hub_id']}: " in words
        assert entry["licence"] in words
        assert entry["good_at"] in words


def test_info(run: Any, alone: Path, tiny: Path) -> None:
    own = Path(shutil.copytree(tiny, alone / "models" / "own"))
    (own / "README.md").write_text("---\ntags:\n- art\nlicense: openrail\n---\nA card.\n")
    (own / "LICENSE").write_text("Words.")
    said = run("models", "info", "own", "--json", home=alone).json
    expected = {
        "name": "own",
        "layout": "folder",
        "prediction": "epsilon",
        "native_size": "64 x 64",
        "default_steps": 4,
        "default_sampler": "DDIM",
        "licence": "openrail",
        "licence_file": str(own / "LICENSE"),
        "model_card": str(own / "README.md"),
        "hub_id": "",
        "path": str(own),
    }
    assert {key: said[key] for key in expected} == expected
    assert len(said["hash"]) == 64
    words = run("models", "info", "own", home=alone).out
    for value in (said["hash"], "64 x 64 pixels", "openrail", "DDIM", str(own)):
        assert value in words
    assert "pulled from" not in words


def test_info_on_a_single_file_of_another_program(run: Any, alone: Path, tiny: Path) -> None:
    folder = alone.parent / "user" / "ComfyUI" / "models" / "checkpoints"
    folder.mkdir(parents=True)
    file = save_single_file(tiny, folder / "one.safetensors")
    said = run("models", "info", "one.safetensors", "--json", home=alone)
    assert said.code == 0, said.err
    assert (said.json["layout"], said.json["program"], said.json["path"]) == ("file", "ComfyUI", str(file))
    assert said.json["size_bytes"] >= file.stat().st_size


def test_info_on_what_is_not_there_or_broken(run: Any, alone: Path) -> None:
    (alone / "models").mkdir(parents=True)
    (alone / "models" / "bad.safetensors").write_bytes(b"\x80")
    missing = run("models", "info", "nobody", "--json", home=alone)
    assert missing.code == Exit.REFUSED
    assert missing.json["error"]["code"] == "checkpoint_unknown"
    broken = run("models", "info", "bad.safetensors", "--json", home=alone)
    assert broken.code == Exit.REFUSED
    assert "pickle" in broken.json["error"]["message"]


def test_a_checkpoint_is_added_in_place_and_taken_off_the_list_again(run: Any, alone: Path, tiny: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    added = run("models", "add", tiny, "--json", home=alone)
    assert added.code == 0, added.err
    assert added.json == {"names": ["tiny"], "added": True}
    assert run("models", "info", "tiny", "--json", home=alone).json["path"] == str(tiny)
    again = run("models", "add", tiny, home=alone)
    assert again.code == 0
    assert "known already" in again.out
    removed = run("models", "remove", "tiny", "--json", home=alone)
    assert removed.json == {"names": ["tiny"], "deleted": False}
    assert "tiny" not in names(run, alone)
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_a_folder_of_checkpoints_is_added_as_a_whole(run: Any, alone: Path, tiny: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(tiny, tmp_path / "all" / name)
    assert run("models", "add", tmp_path / "all", "--json", home=alone).json["names"] == ["one", "two"]
    part = run("models", "remove", "one", home=alone)
    assert part.code == Exit.REFUSED
    assert str(tmp_path / "all") in part.err
    shutil.copytree(tiny, tmp_path / "all" / "three")
    assert names(run, alone) >= {"one", "two", "three"}
    assert run("models", "remove", tmp_path / "all", home=alone).code == 0
    assert not names(run, alone) & {"one", "two", "three"}
    assert (tmp_path / "all" / "one" / "model_index.json").is_file()


def test_what_was_added_and_is_gone_can_be_taken_off_the_list(
    run: Any, alone: Path, tiny: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny, tmp_path / "unplugged")
    run("models", "add", tmp_path / "unplugged", home=alone)
    shutil.rmtree(tmp_path / "unplugged")
    assert "unplugged" in names(run, alone)
    assert run("models", "remove", "unplugged", home=alone).code == 0
    assert "unplugged" not in names(run, alone)


def test_what_cannot_be_used_is_not_added(run: Any, alone: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.safetensors").write_bytes(b"\x80")
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    shutil.rmtree(broken / "vae")
    cases = {
        "gone": "nothing at",
        "empty": "no checkpoint and no LoRA in",
        "bad.safetensors": "pickle",
        "broken": "vae",
    }
    for name, words in cases.items():
        done = run("models", "add", tmp_path / name, home=alone)
        assert done.code == Exit.REFUSED, name
        assert words in done.err
    assert not (alone / "models.json").exists()


def test_only_what_was_pulled_is_deleted(run: Any, alone: Path, tiny: Path) -> None:
    shutil.copytree(tiny, alone / "models" / "mine")
    shutil.copytree(tiny, alone.parent / "user" / "ComfyUI" / "models" / "diffusers" / "theirs")
    cases = {"mine": "It is yours", "theirs": "belongs to ComfyUI"}
    if (MINI / "model_index.json").is_file():
        cases["mini"] = "did not fetch"
    for name, words in cases.items():
        done = run("models", "remove", name, "--yes", home=alone)
        assert done.code == Exit.REFUSED
        assert words in done.err
    assert names(run, alone) >= cases.keys()
    assert run("models", "remove", "nobody", "--yes", home=alone).code == Exit.REFUSED


def test_pull_info_and_remove(run: Any, alone: Path, hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("models", "pull", HUB_ID, "--json", home=alone)
    assert done.code == 0, done.err
    assert done.json == {"name": "tiny", "path": str(alone / "models" / "tiny")}
    said = run("models", "info", "tiny", "--json", home=alone).json
    assert (said["hub_id"], said["commit"], said["licence"]) == (HUB_ID, COMMIT, "creativeml-openrail-m")
    assert run("models", "pull", HUB_ID, home=alone).code == 0
    asked = run("models", "remove", "tiny", home=alone)
    assert asked.code == Exit.REFUSED
    assert "--yes" in asked.err
    assert "tiny" in names(run, alone)
    terminal = io.StringIO("no\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    assert run("models", "remove", "tiny", home=alone).code == Exit.REFUSED
    removed = run("models", "remove", "tiny", "--yes", "--json", home=alone)
    assert removed.json == {"names": ["tiny"], "deleted": True}
    assert not (alone / "models" / "tiny").exists()
    assert "tiny" not in names(run, alone)


def test_a_pull_that_fails_says_why(run: Any, alone: Path, hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.gated = True
    gated = run("models", "pull", HUB_ID, "--json", home=alone)
    assert gated.code == Exit.REFUSED
    assert gated.json["error"]["code"] == "hub_gated"
    assert "token" in gated.json["error"]["hint"]
    assert run("models", "pull", "nobody/nothing", "--json", home=alone).json["error"]["code"] == "hub_not_found"
    hub.gated, hub.status = False, 503
    offline = run("models", "pull", HUB_ID, "--json", home=alone)
    assert offline.code == Exit.FAILED
    assert offline.json["error"]["code"] == "hub_offline"
    assert "Traceback" not in gated.err + offline.err
    assert "tiny" not in names(run, alone)


def test_without_any_checkpoint_the_way_to_one_is_told(run: Any, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.models.registry.MINI", alone / "no-mini")
    done = run("models", "list", home=alone)
    assert done.code == 0
    assert "models pull" in done.out
    assert json.loads(run("models", "list", "--json", home=alone).out) == {
        "checkpoints": [],
        "loras": [],
        "controlnets": [],
        "embeddings": [],
        "estimators": [],
        "problems": {},
    }


def test_pickles_are_listed_as_what_they_are_and_not_added(run: Any, alone: Path, tiny: Path, tmp_path: Path) -> None:
    folder = alone / "models"
    for path in (folder / "deeper" / "old.ckpt", folder / "loras" / "old.ckpt", folder / "controlnet" / "old.pth"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PK\x03\x04")
    problems = run("models", "list", "--json", home=alone).json["problems"]
    assert problems.keys() == {"old.ckpt", "old.ckpt (2)", "old.pth"}
    assert all("is a pickle" in problem["message"] for problem in problems.values())
    assert "! old.pth: old.pth is a pickle" in run("models", "list", home=alone).out
    mixed = tmp_path / "mixed"
    build_tiny_lora(tiny, mixed / "ink.safetensors")
    for name in ("a.pt", "b.pt"):
        (mixed / name).write_bytes(b"PK\x03\x04")
    (tmp_path / "pickles").mkdir()
    shutil.copy(mixed / "a.pt", tmp_path / "pickles")
    shutil.copy(mixed / "b.pt", tmp_path / "pickles")
    assert "is a pickle" in run("models", "add", tmp_path / "pickles", home=alone).err
    assert sorted(run("models", "add", mixed, "--json", home=alone).json["names"]) == ["a.pt", "b.pt", "ink"]
    assert run("models", "list", "--json", home=alone).json["problems"].keys() >= {"a.pt", "b.pt"}


@pytest.mark.skipif(os.name == "nt", reason="Names of files are text there.")
def test_names_that_are_no_text_are_printed_all_the_same(run: Any, alone: Path, tiny: Path) -> None:
    folder = alone / "models" / "loras"
    build_tiny_lora(tiny, folder / "ink.safetensors")
    (folder / "ink.safetensors").rename(folder / os.fsdecode(b"encre-\xe9.safetensors"))
    (folder / os.fsdecode(b"vieux-\xe9.pt")).write_bytes(b"\x80")
    words = run("models", "list", home=alone).out
    # The library that reads weights takes no such names.
    problems = run("models", "list", "--json", home=alone).json["problems"]
    for name in ("encre-\ufffd", "vieux-\ufffd.pt"):
        assert f"! {name}: The name of " in words
        assert "is not UTF-8" in problems[name]["message"]


def test_a_lora_is_told_about_by_any_form_of_its_name(run: Any, alone: Path, tiny: Path) -> None:
    build_tiny_lora(tiny, alone / "models" / "loras" / "Encre e\u0301.safetensors")
    for name in ("Encre \xe9", "encre e\u0301", "ENCRE \xc9.safetensors"):
        assert run("models", "info", name, "--json", home=alone).json["name"] == "Encre \xe9"


def test_loras_are_listed_and_told_about(run: Any, alone: Path, tiny: Path) -> None:
    folder = alone.parent / "user" / "ComfyUI" / "models" / "loras"
    file = build_tiny_lora(tiny, folder / "ink.safetensors", metadata={"modelspec.trigger_phrase": "inkwash, paper"})
    (folder / "broken.safetensors").write_bytes(b"\x80\x04")
    said = run("models", "list", "--json", home=alone).json
    assert said["loras"] == [
        {
            "name": "ink",
            "family": "Stable Diffusion 1",
            "trigger_words": ["inkwash", "paper"],
            "size_bytes": file.stat().st_size,
            "program": "ComfyUI",
            "path": str(file),
        }
    ]
    assert said["problems"]["broken"]["code"] == "lora_unreadable"
    words = run("models", "list", home=alone).out
    assert "+ ink: LoRA for Stable Diffusion 1, " in words
    assert "trigger words: inkwash, paper" in words
    details = run("models", "info", "ink", "--json", home=alone).json
    assert (details["layout"], details["rank"], details["parts"]) == ("kohya", 4, ["unet", "text_encoder"])
    assert details["hash"] == hashlib.sha256(file.read_bytes()).hexdigest()
    words = run("models", "info", "ink", home=alone).out
    for value in (details["hash"], "<lora:ink:0.8>", "inkwash, paper", "LoRA of rank 4", "kohya"):
        assert value in words
    assert "sampler" not in words
    assert run("models", "info", "broken", home=alone).code == Exit.REFUSED


def test_textual_inversions_are_listed_and_told_about(run: Any, alone: Path) -> None:
    folder = alone.parent / "user" / "ComfyUI" / "models" / "embeddings"
    file = build_tiny_embedding(folder / "Easy.safetensors", "SDXL", vectors=3)
    (folder / "old.pt").write_bytes(b"\x80\x04")
    said = run("models", "list", "--json", home=alone).json
    assert said["embeddings"] == [
        {
            "name": "Easy",
            "family": "Stable Diffusion XL",
            "vectors": 3,
            "size_bytes": file.stat().st_size,
            "program": "ComfyUI",
            "path": str(file),
        }
    ]
    assert "pickle" in said["problems"]["old.pt"]["message"]
    words = run("models", "list", home=alone).out
    assert ": Easy: textual inversion for Stable Diffusion XL, 3 vectors [ComfyUI]" in words
    details = run("models", "info", "easy", "--json", home=alone).json
    assert (details["names"], details["hash"]) == (["Easy"], hashlib.sha256(file.read_bytes()).hexdigest())
    assert "Easy or embedding:Easy" in run("models", "info", "Easy", home=alone).out
    assert run("models", "info", "old", home=alone).code == Exit.REFUSED
    assert run("models", "info", "nowhere", home=alone).code == Exit.REFUSED


def test_a_lora_is_added_in_place_and_taken_off_the_list_again(
    run: Any, alone: Path, tiny: Path, tmp_path: Path
) -> None:
    file = build_tiny_lora(tiny, tmp_path / "mine" / "lcm-ink.safetensors")
    added = run("models", "add", file, "--json", home=alone)
    assert added.code == 0, added.err
    assert added.json == {"names": ["lcm-ink"], "added": True}
    assert "known already" in run("models", "add", file, home=alone).out
    details = run("models", "info", "lcm-ink", "--json", home=alone).json
    assert (details["path"], details["default_sampler"]) == (str(file), "LCM")
    assert run("models", "remove", "lcm-ink", "--json", home=alone).json == {"names": ["lcm-ink"], "deleted": False}
    assert file.is_file()
    assert run("models", "info", "lcm-ink", home=alone).code == Exit.REFUSED


def test_a_folder_of_both_is_added_as_a_whole(run: Any, alone: Path, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "all" / "one")
    build_tiny_lora(tiny, tmp_path / "all" / "deeper" / "ink.safetensors")
    assert run("models", "add", tmp_path / "all", "--json", home=alone).json["names"] == ["one", "ink"]
    said = run("models", "list", "--json", home=alone).json
    assert [entry["name"] for entry in said["loras"]] == ["ink"]
    assert said["problems"] == {}
    assert run("models", "remove", tmp_path / "all", home=alone).code == 0
    said = run("models", "list", "--json", home=alone).json
    assert said["loras"] == []
    assert "one" not in [entry["name"] for entry in said["checkpoints"]]


def test_a_lora_that_cannot_be_used_is_not_added(run: Any, alone: Path, tmp_path: Path) -> None:
    save_file({"lora_unet_a.oft_blocks": np.zeros((2, 2))}, tmp_path / "oft.safetensors")
    refused = run("models", "add", tmp_path / "oft.safetensors", home=alone)
    assert refused.code == Exit.REFUSED
    assert "OFT" in refused.err
    assert not (alone / "models.json").exists()
