"""The small commands: demo, doctor, token, models; and how the bridge ends."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli import graphics
from bridge.cli.doctor import advice, placement_words, placements
from bridge.cli.exits import Exit
from bridge.cli.graphics import BUILDS, Card, find_cards, install_command

SOUND = {"default": "mini", "names": ["mini"], "broken": {}}


def test_the_demo_shows_two_fills_and_checks_them(
    home: Path, run: Any, load: Callable[..., Any], tmp_path: Path
) -> None:
    # A home of its own: a bridge that runs at the shared one would be used as it is, with another checkpoint.
    own, folder = tmp_path / "home", tmp_path / "shown"
    shutil.copytree(home / "models" / "small", own / "models" / "small")
    done = run("demo", "--output", folder, home=own, PAINTBRIDGE_DEFAULT_CHECKPOINT="small")
    assert done.code == 0, done.err
    assert done.out.count("identical there, pixel by pixel") == 2
    assert "'balloon'" in done.out
    names = [
        "before.png",
        *(f"{job}-{part}.png" for job in ("1-remove", "2-paint") for part in ("layer", "result", "selection")),
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    before, removed, painted = (
        load(folder / name) for name in ("before.png", "1-remove-result.png", "2-paint-result.png")
    )
    # The bird was dark on a light sky: its place is as light as the sky now.
    bird = np.s_[290:430, 740:800]
    assert before[bird].mean() < 150
    assert removed[bird].mean() > 200
    assert np.array_equal(removed[bird], painted[bird])
    assert (removed != painted)[200:420, 1340:1500].any(axis=2).mean() > 0.9


def test_doctor_finds_what_is_used(running: Path, run: Any) -> None:
    found = run("doctor", "--json", home=running)
    assert found.code == 0, found.err
    report = found.json
    assert report["usable"] is True
    assert report["device"]["torch"].startswith("2.")
    assert report["device"]["precision"] in ("float32", "float16", "bfloat16")
    assert report["device"]["reason"].endswith(".")
    assert report["checkpoints"]["default"] == "tiny"
    assert report["bridge"]["running"] is True
    told = report["placements"]["tiny"]
    assert 0 < told["least_memory_bytes"] <= told["memory_bytes"] < 1 << 30
    words = run("doctor", home=running).out
    assert "All is well." in words
    assert f"tiny: {told['memory_bytes'] / (1 << 30):.1f} GiB while it paints" in words
    assert report["device"]["kind"] in words


def test_doctor_says_where_weights_will_be(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(home))
    found = set()
    for mebibytes in range(480, 1024, 8):
        device = {"kind": "cuda", "own_memory": True, "memory_bytes": mebibytes << 20}
        told = placements(device)["mini"]
        assert told["fits"] == (told["least_memory_bytes"] <= device["memory_bytes"])
        found.add((told["offload"], told["fits"]))
        words = placement_words("mini", told)
        assert ("too small" in words) != told["fits"]
        assert ("wait" in words) == (told["fits"] and told["offload"] != "nothing")
    assert {("nothing", True), ("all", False)} <= found
    shared = {"kind": "cpu", "own_memory": False, "memory_bytes": 1 << 20}
    assert placements(shared)["mini"]["offload"] == "nothing"
    assert placements({"error": "broken"}) == {}


def test_doctor_without_a_checkpoint_or_a_bridge(run: Any, tmp_path: Path) -> None:
    report = run("doctor", "--json", home=tmp_path, PAINTBRIDGE_DEFAULT_CHECKPOINT="unheard-of")
    assert report.code == Exit.FAILED
    assert report.json["checkpoints"]["default"] is None
    assert report.json["bridge"]["running"] is False
    assert "unheard-of" in report.json["advice"][0]


def test_doctor_says_which_setting_is_wrong(run: Any, tmp_path: Path) -> None:
    report = run("doctor", "--json", home=tmp_path, PAINTBRIDGE_PORT="many")
    assert report.code == Exit.FAILED
    assert any("PAINTBRIDGE_PORT" in words for words in report.json["advice"])


@pytest.mark.parametrize("vendor", BUILDS)
def test_a_gpu_beside_a_torch_for_cpus_gets_the_command_that_mends_it(
    vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    words = advice({"kind": "cpu", "torch": "2.13.0+cpu"}, (Card(vendor, "A card", True),), SOUND)
    assert len(words) == 1
    command = words[0].splitlines()[1]
    label = BUILDS[vendor].label
    assert command.endswith(
        f"-m pip install torch==2.13.0+{label} --index-url https://download.pytorch.org/whl/{label}"
    )


def test_no_advice_where_none_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("NVIDIA", "A card", True)
    assert advice({"kind": "cuda", "torch": "2.13.0+cu130"}, (card,), SOUND) == []
    assert advice({"kind": "cpu", "torch": "2.13.0+cpu"}, (), SOUND) == []
    monkeypatch.setattr(sys, "platform", "linux")
    assert "driver" in advice({"kind": "cpu", "torch": "2.13.0"}, (Card("AMD", "A card", False),), SOUND)[0]
    assert "driver" in advice({"kind": "cpu", "torch": "2.13.0+cu130"}, (card,), SOUND)[0]
    monkeypatch.setattr(sys, "platform", "win32")
    assert "no build" in advice({"kind": "cpu", "torch": "2.13.0+cpu"}, (Card("AMD", "A card", True),), SOUND)[0]


def test_a_python_with_a_space_in_its_path_is_quoted() -> None:
    assert install_command(BUILDS["Intel"], "2.13.0", "C:\\Program Files\\python.exe").startswith('"C:\\Program Files')


def system_with(root: Path, *cards: tuple[str, str, str, str]) -> None:
    """Lay out ``/sys`` as Linux does: PCI class, vendor, device, driver."""
    for index, (kind, vendor, device, driver) in enumerate(cards):
        folder = root / "sys/bus/pci/devices" / f"0000:0{index}:00.0"
        folder.mkdir(parents=True)
        (folder / "class").write_text(kind + "\n")
        (folder / "vendor").write_text(vendor + "\n")
        (folder / "device").write_text(device + "\n")
        if driver:
            (root / "drivers" / driver).mkdir(parents=True, exist_ok=True)
            (folder / "driver").symlink_to(root / "drivers" / driver)


def test_cards_are_found_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics.shutil, "which", lambda *_args, **_options: None)
    system_with(
        tmp_path,
        ("0x030000", "0x1002", "0x744c", "amdgpu"),
        ("0x030000", "0x8086", "0x56a0", "xe"),
        ("0x030000", "0x10de", "0x2684", "nouveau"),
        ("0x020000", "0x8086", "0x15f3", "igc"),
    )
    found = find_cards(root=tmp_path, system="linux")
    assert [(card.vendor, card.driver) for card in found] == [("AMD", False), ("Intel", True), ("NVIDIA", False)]
    node = tmp_path / "sys/class/kfd/kfd/topology/nodes/1"
    node.mkdir(parents=True)
    (node / "gpu_id").write_text("1234\n")
    information = tmp_path / "proc/driver/nvidia/gpus/0000:02:00.0/information"
    information.parent.mkdir(parents=True)
    information.write_text("Model: \t\t NVIDIA GeForce RTX 4090\nIRQ: 1\n")
    found = find_cards(root=tmp_path, system="linux")
    assert Card("NVIDIA", "NVIDIA GeForce RTX 4090", True) in found
    assert [(card.vendor, card.driver) for card in found] == [("NVIDIA", True), ("AMD", True), ("Intel", True)]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_nvidia_smi_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA RTX 6000\necho NVIDIA T400\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert [card.name for card in find_cards(root=tmp_path, system="linux")] == ["NVIDIA RTX 6000", "NVIDIA T400"]


def test_a_second_bridge_and_a_wrong_setting_are_told_apart(running: Path, run: Any, tmp_path: Path) -> None:
    second = run("serve", "--port", 0, home=running)
    assert second.code == Exit.NO_BRIDGE
    assert "runs already" in second.err
    wrong = run("serve", "--port", 99999, home=tmp_path)
    assert wrong.code == Exit.REFUSED
    assert "--port" in wrong.err
    beyond = run("serve", "--host", "0.0.0.0", "--port", 0, home=tmp_path)
    assert beyond.code == Exit.NO_BRIDGE
    assert "Traceback" not in second.err + wrong.err + beyond.err


def test_the_address_for_clients_that_take_nothing_else(run: Any, running: Path, tmp_path: Path) -> None:
    assert run("token", "--base-url", home=tmp_path).code == Exit.NO_BRIDGE
    said = json.loads((running / "runtime.json").read_text())
    address = said["url"].replace("ws://", "http://").removesuffix("/ws")
    assert run("token", "--base-url", home=running).out == f"{address}/key/{said['token']}/\n"


def test_the_token(run: Any, tmp_path: Path) -> None:
    none = run("token", home=tmp_path)
    assert none.code == Exit.NO_BRIDGE
    assert "paintbridge serve" in none.err
    first = run("token", "--rotate", home=tmp_path)
    assert first.code == 0
    assert run("token", home=tmp_path).out == first.out
    second = run("token", "--rotate", home=tmp_path).out
    assert second != first.out
    assert len(second.strip()) >= 32
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "runtime.json").stat().st_mode) == 0o600


def test_models(home: Path, run: Any) -> None:
    found = run("models", "list", "--json", home=home)
    names = {entry["name"]: entry for entry in found.json["checkpoints"]}
    assert names.keys() >= {"tiny", "slow", "small"}
    assert names["tiny"]["default"]
    assert names["small"]["knows"] == ["balloon", "star"]
    words = run("models", "list", home=home).out
    assert "* tiny: Stable Diffusion 1, inpainting" in words
    assert "balloon, star" in words


def test_an_unforeseen_error_leaves_no_traceback_but_a_report(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.cli.models.registry", lambda: json.loads("nonsense"))
    done = run("models", "list", "--json", home=tmp_path)
    assert done.code == Exit.FAILED
    assert "Traceback" not in done.err
    report = Path(done.json["error"]["hint"].split()[-1].rstrip("."))
    assert "JSONDecodeError" in report.read_text()
    report.unlink()
