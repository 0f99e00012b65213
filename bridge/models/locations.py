"""The folders of checkpoints and their parts, LoRAs, ControlNets, embeddings and wildcards: other programs'.

Their files are used in place, never copied or changed. The layouts are those that the programs document:
ComfyUI's extra_model_paths.yaml (https://docs.comfy.org), InvokeAI's root folder
(https://invoke-ai.github.io/InvokeAI/configuration), the models folder of Stable Diffusion WebUI and Forge, the Krita
plug-in krita-ai-diffusion's server folder, and the Hugging Face cache (https://huggingface.co/docs/huggingface_hub).
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "INVOKEAI",
    "MODEL_PATCHES",
    "OWN",
    "Location",
    "find_locations",
]

INVOKEAI = "InvokeAI"
"""The name of the program that has one folder for models of all kinds."""

OWN = "Paintbridge"
"""The program's name for what Paintbridge itself was given."""

MODEL_PATCHES = "model_patches"
"""ComfyUI's folder of what it lays beside a model's blocks: Z-Image's ControlNets, and others."""

# What programs call the folders of each kind of thing. ComfyUI's lie in its `models`.
_COMFYUI: dict[str, tuple[str, ...]] = {
    "checkpoint": ("checkpoints", "diffusers", "diffusion_models", "unet"),
    "component": ("text_encoders", "clip", "vae"),
    "lora": ("loras",),
    "controlnet": ("controlnet", MODEL_PATCHES, "ipadapter"),
    "embedding": ("embeddings",),
    "estimator": (),
    "wildcards": (),
}
_WEBUI = {
    "checkpoint": ("models/Stable-diffusion",),
    "component": ("models/text_encoder", "models/VAE"),
    "lora": ("models/Lora", "models/LyCORIS"),
    "controlnet": ("models/ControlNet",),
    "embedding": ("embeddings",),
    "estimator": ("models/ControlNetPreprocessor", "extensions/sd-webui-controlnet/annotator/downloads"),
    # Of its two extensions that know wildcards.
    "wildcards": ("extensions/sd-dynamic-prompts/wildcards", "extensions/stable-diffusion-webui-wildcards/wildcards"),
}


_SWARMUI: dict[str, tuple[str, ...]] = {
    "checkpoint": ("Stable-Diffusion", "diffusion_models", "unet"),
    "component": ("text_encoders", "clip", "VAE"),
    "lora": ("Lora",),
    "controlnet": ("controlnet",),
    "embedding": ("Embeddings",),
    "estimator": (),
    "wildcards": (),
}


@dataclass(frozen=True)
class Location:
    """A folder with models of one kind.

    `program` is whose it is, in words. `layout` says how to scan it: "deep" (itself, or anywhere below), "invoke"
    (below, by InvokeAI's rules) or "hub" (the Hugging Face cache). Its children of the names in `without` are left out.
    """

    program: str
    folder: Path
    layout: str = "deep"
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Machine:
    """What tells where programs keep their files; `kind` is the kind of model to find."""

    kind: str
    environment: Mapping[str, str]
    home: Path
    system: str

    def variable(self, name: str) -> Path | None:
        value = self.environment.get(name)
        return Path(os.path.expandvars(value)).expanduser() if value else None

    @property
    def data(self) -> Path:
        """Where programs keep their data: roaming on Windows."""
        if self.system == "win32":
            return self.variable("APPDATA") or self.home / "AppData" / "Roaming"
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return self.variable("XDG_DATA_HOME") or self.home / ".local" / "share"

    @property
    def local_data(self) -> Path:
        if self.system == "win32":
            return self.variable("LOCALAPPDATA") or self.home / "AppData" / "Local"
        return self.data

    @property
    def config(self) -> Path:
        if self.system in ("win32", "darwin"):
            return self.data
        return self.variable("XDG_CONFIG_HOME") or self.home / ".config"

    @property
    def cache(self) -> Path:
        return self.variable("XDG_CACHE_HOME") or self.home / ".cache"

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where people unpack or clone programs."""
        drives = (Path("C:/"),) if self.system == "win32" else (Path("/opt"),)
        return (self.home, self.home / "Documents", *drives)


def find_locations(
    environment: Mapping[str, str] | None = None,
    *,
    kind: str = "checkpoint",
    home: Path | None = None,
    system: str = sys.platform,
) -> tuple[Location, ...]:
    """The folders of other programs that exist on this machine, each once.

    `kind` is what is in them: "checkpoint" (with files of a denoiser alone), "component" (text encoders and VAEs),
    "lora", "controlnet", "embedding" (textual inversions), "estimator" or "wildcards".
    `environment`, `home` and `system` stand in for this machine's own.
    """
    machine = _Machine(kind, os.environ if environment is None else environment, home or Path.home(), system)
    found: dict[str, Location] = {}
    # The last two have one folder for all models.
    finders = (
        _krita,
        _comfyui,
        _swarmui,
        _webui,
        *(() if kind in ("embedding", "wildcards") else (_invokeai, _hugging_face)),
    )
    for find in finders:
        for location in find(machine):
            if location.folder.is_dir():
                found.setdefault(os.path.realpath(location.folder), location)
    return tuple(found.values())


def _comfyui(machine: _Machine) -> Iterator[Location]:
    names = ("ComfyUI", "comfyui", "comfy/ComfyUI", "ComfyUI_windows_portable/ComfyUI")
    for root in machine.roots:
        for name in names:
            yield from _comfyui_folder(machine, root / name, "ComfyUI")
    yield from _extra_paths(machine, machine.config / "ComfyUI" / "extra_models_config.yaml", "ComfyUI")


def _swarmui(machine: _Machine) -> Iterator[Location]:
    for root in machine.roots:
        folder = root / "SwarmUI"
        for name in _SWARMUI[machine.kind]:
            yield Location("SwarmUI", folder / "Models" / name)
        yield from _comfyui_folder(machine, folder / "dlbackend" / "comfy" / "ComfyUI", "SwarmUI")
        yield from _comfyui_folder(machine, folder / "dlbackend" / "ComfyUI", "SwarmUI")


def _comfyui_folder(machine: _Machine, folder: Path, program: str) -> Iterator[Location]:
    for name in _COMFYUI[machine.kind]:
        yield Location(program, folder / "models" / name)
    yield from _extra_paths(machine, folder / "extra_model_paths.yaml", program)


def _extra_paths(machine: _Machine, file: Path, program: str) -> Iterator[Location]:
    """The folders that ComfyUI was told of: `base_path`, and folders relative to it, one a line."""
    for group in _read_yaml(file).values():
        if not isinstance(group, dict):
            continue
        base = file.parent / _expanded(group.get("base_path"))
        for name in _COMFYUI[machine.kind]:
            lines = group.get(name)
            for line in lines.splitlines() if isinstance(lines, str) else ():
                if line.strip():
                    yield Location(program, base / _expanded(line.strip()))


def _krita(machine: _Machine) -> Iterator[Location]:
    program = "Krita AI Diffusion"
    flatpak = machine.home / ".var" / "app" / "org.kde.krita" / "data"
    folders = [machine.data / "krita" / "ai_diffusion", machine.local_data / "krita-ai-diffusion"]
    folders += [flatpak / "krita" / "ai_diffusion", flatpak / "krita-ai-diffusion"]
    for folder in folders:
        moved = _read_json(folder / "settings.json").get("server_path")
        for server in (folder / "server", Path(moved) if isinstance(moved, str) and moved else None):
            if server is not None:
                yield from _comfyui_folder(machine, server / "ComfyUI", program)
                yield from _comfyui_folder(machine, server, program)


def _webui(machine: _Machine) -> Iterator[Location]:
    programs = {
        "stable-diffusion-webui": "Stable Diffusion WebUI",
        "sd.webui/webui": "Stable Diffusion WebUI",
        "stable-diffusion-webui-forge": "Forge",
        "webui_forge/webui": "Forge",
        "sd-webui-forge-neo": "Forge",
        "sd-webui-forge-classic": "Forge",
    }
    for root in machine.roots:
        for name, program in programs.items():
            for folder in _WEBUI[machine.kind]:
                yield Location(program, root / name / folder)


def _invokeai(machine: _Machine) -> Iterator[Location]:
    root = machine.variable("INVOKEAI_ROOT") or machine.home / "invokeai"
    said = _read_yaml(root / "invokeai.yaml").get("models_dir")
    models = machine.variable("INVOKEAI_MODELS_DIR") or Path(_expanded(said) or "models")
    yield Location(INVOKEAI, root / models, "invoke")


def _hugging_face(machine: _Machine) -> Iterator[Location]:
    home = machine.variable("HF_HOME") or machine.cache / "huggingface"
    yield Location("Hugging Face cache", machine.variable("HF_HUB_CACHE") or home / "hub", "hub")


def _expanded(value: Any) -> str:
    return os.path.expanduser(os.path.expandvars(value)) if isinstance(value, str) else ""


# A file of another program that cannot be read tells of no folders; mending it is that program's business.


def _read_json(file: Path) -> dict[str, Any]:
    try:
        # The Krita plug-in's settings may hold lines of comment.
        found = json.loads(re.sub(r"(?m)^\s*//.*$", "", file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    import yaml  # type: ignore[import-untyped]  # here, for most machines have no such file

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
