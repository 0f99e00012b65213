"""What is found and listed of each kind, wherever it lies and whatever its name is made of; and by which names."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1
from tiny_controlnets import build_tiny_controlnet, save_single_controlnet
from tiny_loras import build_tiny_lora

from bridge.models import ControlNetRegistry, LoraRegistry, ModelsError, Registry, inspect, registry
from bridge.models.names import find_name, written_name

NFC, NFD = "Aquarelle é".strip(), unicodedata.normalize("NFD", "Aquarelle é")
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".PT")


@dataclass(frozen=True)
class Kind:
    """One kind of things: a file of it, where it lies below a models' folder, and in other programs' folders."""

    file: Path
    registry: Callable
    below: str
    elsewhere: tuple[str, ...]
    find: Callable
    stems: bool = True

    def put(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.file, path)
        beside = self.file.with_name(f"{self.file.stem}.config")
        if beside.is_dir():
            shutil.copytree(beside, path.with_name(f"{path.stem}.config"))
        return path

    def name(self, path: Path) -> str:
        return path.stem if self.stems else path.name


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    root = tmp_path_factory.mktemp("kinds")
    checkpoint = build_tiny_sd1(root / "checkpoint", inpaint=False)
    file = save_single_file(checkpoint, root / "file.safetensors")
    lora = build_tiny_lora(checkpoint, root / "lora.safetensors", parts=("text_encoder",))
    net = save_single_controlnet(build_tiny_controlnet(checkpoint, root / "net"), root / "scribble.safetensors")
    programs = ("ComfyUI/models/checkpoints", "stable-diffusion-webui/models/Stable-diffusion")
    return {
        "checkpoint": Kind(file, Registry, ".", programs, lambda known, name: known.get(name), stems=False),
        "lora": Kind(
            lora,
            LoraRegistry,
            "loras",
            ("ComfyUI/models/loras", "stable-diffusion-webui/models/Lora"),
            lambda known, name: known.find(name),
        ),
        "controlnet": Kind(
            net,
            ControlNetRegistry,
            "controlnet",
            ("ComfyUI/models/controlnet", "stable-diffusion-webui/models/ControlNet"),
            lambda known, name: known.choose("scribble", inspect(checkpoint), name),
        ),
    }


@pytest.fixture(params=["checkpoint", "lora", "controlnet"])
def kind(request, kinds):
    return kinds[request.param]


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


def listed(kind, folders=()):
    return {entry.name: entry.found for entry in kind.registry(folders).entries()}


def places(kind, user):
    own = user / ".paintbridge" / "models" / kind.below
    return {"own": own, "settings": user / "disk" / kind.below, **{name: user / name for name in kind.elsewhere}}


def test_files_in_subfolders_and_with_loud_endings_are_found_everywhere(kind, user):
    put = [
        kind.put(folder / "style" / "ink" / f"{number}{ending}")
        for number, folder in enumerate(places(kind, user).values())
        for ending in (".safetensors", "b.SAFETENSORS", "c.SafeTensors")
    ]
    found = listed(kind, [user / "disk"])
    assert {name for name, one in found.items() if not isinstance(one, ModelsError)} == {
        kind.name(path) for path in put
    }
    assert len(found) == len(put)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"", b"anything at all", b"\x80\x02cos\nsystem\n"])
def test_pickles_are_listed_with_their_reason_everywhere(kind, user, content):
    put = []
    for number, folder in enumerate(places(kind, user).values()):
        for ending in PICKLES:
            put.append(folder / "old" / f"{number}{'upper' if ending.isupper() else ''}{ending}")
            put[-1].parent.mkdir(parents=True, exist_ok=True)
            put[-1].write_bytes(content)
    found = listed(kind, [user / "disk"])
    assert found.keys() == {path.name for path in put}
    for problem in found.values():
        assert "is a pickle" in str(problem)
        assert ".safetensors" in problem.hint


def test_a_pickle_takes_no_name_from_the_file_beside_it(kind, user):
    folder = places(kind, user)["own"]
    kind.put(folder / "ink.safetensors")
    for ending in PICKLES[:4]:
        (folder / f"ink{ending}").write_bytes(b"\x80")
    known = kind.registry()
    for name in ("ink", "INK", "ink.safetensors", "Ink.SAFETENSORS"):
        assert kind.find(known, name).path.name == "ink.safetensors"
    with pytest.raises(ModelsError, match="is a pickle"):
        kind.find(known, "ink.pt")
    (folder / "old.ckpt").write_bytes(b"\x80")
    with pytest.raises(ModelsError, match="is a pickle"):
        kind.find(known, "old")


@pytest.mark.parametrize(
    ("stored", "asked"), [(NFD, NFC), (NFC, NFD), (NFD, NFD), (NFC, NFC.upper()), (NFD, NFC.lower())]
)
def test_accents_and_case_do_not_matter(kind, user, stored, asked):
    path = kind.put(places(kind, user)["own"] / f"{stored}.safetensors")
    known = kind.registry()
    assert kind.find(known, asked).path == path
    assert kind.find(known, asked).id == kind.name(Path(f"{NFC}.safetensors"))
    assert kind.find(known, f"{asked}.safetensors").path == path


def test_the_very_same_name_comes_first(kind, user):
    folder = places(kind, user)["own"]
    for name in ("Ink", "ink", NFD, NFC):
        kind.put(folder / f"{name}.safetensors")
    known = kind.registry()
    names = [entry.name for entry in known.entries()]
    assert len(set(names)) == 4
    for name in names:
        assert kind.find(known, name).id == name
    assert kind.find(known, "ink").path.stem == "ink"
    assert kind.find(known, "Ink").path.stem == "Ink"


@pytest.mark.skipif(os.name == "nt", reason="Names of files are text there.")
def test_a_name_that_is_no_text_is_listed_as_text(kind, user):
    kind.put(places(kind, user)["own"] / os.fsdecode(b"encre-\xe9.safetensors"))
    (entry,) = kind.registry().entries()
    assert entry.name == kind.name(Path("encre-\ufffd.safetensors"))
    # The library that reads weights takes no such names.
    with pytest.raises(ModelsError, match="is not UTF-8") as refused:
        kind.find(kind.registry(), entry.name)
    assert "encre-\ufffd" in refused.value.message


def test_a_folder_that_cannot_be_read_hides_no_others(kind, user, monkeypatch):
    folder = places(kind, user)["own"]
    for name in ("a", "lost+found", "z"):
        kind.put(folder / name / f"{name}.safetensors")

    def refusing(real):
        def refuse(path, *more):
            if Path(path).name == "lost+found":
                raise PermissionError(13, "Permission denied")
            return real(path, *more)

        return refuse

    # The tests may run as somebody who may read everything.
    monkeypatch.setattr(Path, "iterdir", refusing(Path.iterdir))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    found = listed(kind)
    assert {name.partition(".")[0] for name, one in found.items() if not isinstance(one, ModelsError)} == {"a", "z"}
    (problem,) = (one for one in found.values() if isinstance(one, ModelsError))
    assert "cannot be read (Permission denied)" in str(problem)


def test_a_folder_of_the_settings_lists_each_thing_once_and_as_what_it_is(kinds, user):
    disk = user / "disk"
    for name, kind in kinds.items():
        kind.put(disk / kind.below / "deeper" / f"{name}.safetensors")
        (disk / kind.below / f"{name}.pt").write_bytes(b"\x80")
    for name, kind in kinds.items():
        found = listed(kind, [disk])
        assert found.keys() == {kind.name(Path(f"{name}.safetensors")), f"{name}.pt"}


def test_names_that_are_not_there_are_not_found():
    assert find_name("ink", ["inkwash", "in", "k"]) is None
    assert find_name("ink", []) is None
    assert written_name("a\ud800b") == "a\ufffdb"
