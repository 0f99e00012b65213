"""Which graphics cards there are, asked of the operating system and not of torch, and the torch build that suits them.

This is for the usual mishap: a GPU in the machine beside a torch that was built for CPUs only.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BUILDS", "Build", "Card", "find_cards", "install_command"]

_DISPLAY_CLASSES = ("0x03", "0x12")  # PCI base classes: display controllers, processing accelerators
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_WINDOWS_NAMES = (("nvidia", "NVIDIA"), ("radeon", "AMD"), ("amd", "AMD"), ("intel", "Intel"))
_SECONDS = 20


@dataclass(frozen=True)
class Card:
    """A graphics card: NVIDIA, AMD or Intel. ``driver`` says whether the system's driver for computing answers."""

    vendor: str
    name: str
    driver: bool


@dataclass(frozen=True)
class Build:
    """A build of torch: its kind as the bridge names devices, its local version, the systems that it exists for."""

    kind: str
    label: str
    systems: tuple[str, ...]

    @property
    def index(self) -> str:
        return f"https://download.pytorch.org/whl/{self.label}"


BUILDS = {
    "NVIDIA": Build("cuda", "cu130", ("linux", "win32")),
    "AMD": Build("rocm", "rocm7.2", ("linux",)),
    "Intel": Build("xpu", "xpu", ("linux", "win32")),
}
"""Builds of torch 2.13, by the cards that they are for. Macs need none: every build for them has MPS."""


def install_command(build: Build, torch_version: str, python: str = sys.executable) -> str:
    """What puts this build in place of the present one. The local version is named, for pip takes any other build of
    the same version for good enough.
    """
    plain = torch_version.partition("+")[0]
    quoted = f'"{python}"' if " " in python else python
    return f"{quoted} -m pip install torch=={plain}+{build.label} --index-url {build.index}"


def find_cards(*, root: Path = Path("/"), system: str = sys.platform) -> tuple[Card, ...]:
    """All cards, each once. ``root`` is where ``sys`` and ``proc`` lie."""
    found = {card.vendor + card.name: card for card in _nvidia(root, system)}
    vendors = {card.vendor for card in found.values()}
    others = _windows() if system == "win32" else _pci(root)
    found.update({card.vendor + card.name: card for card in others if card.vendor not in vendors})
    return tuple(found.values())


def _nvidia(root: Path, system: str) -> Iterator[Card]:
    # Windows' subsystem for Linux keeps it away from the path.
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path=str(root / "usr/lib/wsl/lib"))
    if program:
        listed = _output([program, "--query-gpu=name", "--format=csv,noheader"])
        names = [line.strip() for line in listed.splitlines() if line.strip()]
        if names:
            yield from (Card("NVIDIA", name, True) for name in names)
            return
    if system == "linux":
        for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
            model = re.search(r"Model:\s*(.+)", file.read_text(encoding="utf-8", errors="replace"))
            yield Card("NVIDIA", model.group(1).strip() if model else "NVIDIA GPU", True)


def _pci(root: Path) -> Iterator[Card]:
    has_kfd = any(root.glob("sys/class/kfd/kfd/topology/nodes/*/gpu_id"))
    for device in sorted(root.glob("sys/bus/pci/devices/*")):
        vendor = _VENDORS.get(_word(device / "vendor"))
        if vendor is None or not _word(device / "class").startswith(_DISPLAY_CLASSES):
            continue
        driver = (device / "driver").resolve().name if (device / "driver").exists() else ""
        ready = {"NVIDIA": False, "AMD": has_kfd and driver == "amdgpu", "Intel": driver in ("i915", "xe")}[vendor]
        yield Card(vendor, f"{vendor} GPU {_word(device / 'device')}", ready)


def _windows() -> Iterator[Card]:
    shell = shutil.which("powershell")
    query = "Get-CimInstance Win32_VideoController | ForEach-Object Name"
    for name in _output([shell, "-NoProfile", "-Command", query]).splitlines() if shell else ():
        for word, vendor in _WINDOWS_NAMES:
            if word in name.lower():
                yield Card(vendor, name.strip(), True)
                break


def _word(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
