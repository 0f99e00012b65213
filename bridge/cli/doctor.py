"""``paintbridge doctor``: what was found on this machine, what is used and why, and what would mend it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from ..client import Bridge, discover
from ..client.errors import ClientError
from ..home import find_home
from ..models import ModelsError
from ..models.memory import WHOLE, device_memory, memory_needs, place_on
from ..protocol.errors import BridgeError
from ..protocol.messages import PROTOCOL_VERSION
from ..server.errors import StartError
from ..server.runtime import check_home
from .exits import Exit
from .graphics import BUILDS, Card, find_cards, install_command
from .models import registry

__all__ = ["advice", "placement_words", "placements", "run"]

# In a process of its own: torch takes seconds and hundreds of megabytes, and a broken one can end the process.
_PROBE = """
import json, torch
from bridge.diffusion.device import find_device
found = find_device()
print(json.dumps({
    "torch": torch.__version__, "threads": torch.get_num_threads(), "kind": found.kind, "name": found.name,
    "precision": found.dtype, "memory_bytes": found.memory_bytes, "own_memory": found.has_memory,
    "reason": found.reason,
}))
"""
_PROBE_SECONDS = 300
_OFFLOADED = {
    "nothing": "",
    "all_but_denoiser": "; its text encoders and VAE wait in the machine's memory until they are used",
    "all": "; all of it waits in the machine's memory, and each step takes longer",
}
_GIB = 1 << 30


def run(args: argparse.Namespace) -> Exit:
    """Print the findings. Not usable: :attr:`.Exit.FAILED`."""
    findings: dict[str, Any] = {
        "paintbridge": version("paintbridge"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "memory_bytes": psutil.virtual_memory().total,
        "memory_available_bytes": psutil.virtual_memory().available,
        "device": _device(),
        "cards": [vars(card) for card in find_cards()],
        "checkpoints": _checkpoints(),
        "bridge": _bridge(),
        "home": str(find_home().folder),
        "home_problem": _home_problem(),
        "disk_free_bytes": shutil.disk_usage(_existing(find_home().folder)).free,
    }
    findings["placements"] = placements(findings["device"])
    findings["advice"] = advice(findings["device"], find_cards(), findings["checkpoints"])
    if findings["home_problem"]:
        findings["advice"].append(
            f"{findings['home_problem']} Until then no bridge can be kept running, so that plug-ins find none, and no "
            "checkpoint can be fetched."
        )
    usable = "error" not in findings["device"] and findings["checkpoints"]["default"] is not None
    findings["usable"] = usable and not findings["home_problem"]
    print(json.dumps(findings, indent=2) if args.json else _words(findings))
    return Exit.DONE if findings["usable"] else Exit.FAILED


def advice(device: dict[str, Any], cards: tuple[Card, ...], checkpoints: dict[str, Any]) -> list[str]:
    """What would make things better, each a sentence and perhaps a command on a line of its own."""
    words = []
    torch_version = device.get("torch") or _torch_version()
    if device.get("kind", "cpu") == "cpu":
        for card in cards:
            build = BUILDS[card.vendor]
            if sys.platform not in build.systems:
                words.append(f"{card.name} is not used: torch has no build for it on this system.")
            elif not card.driver:
                words.append(f"{card.name} is not used: install its driver first, then run this again.")
            elif f"+{build.label[:2]}" in torch_version:
                words.append(f"{card.name} is not used, though torch is built for it: update its driver.")
            else:
                command = install_command(build, torch_version)
                words.append(
                    f"{card.name} is not used, since this torch is not built for it. This mends it:\n{command}"
                )
    if "error" in device:
        words.append(
            f"torch does not work here. Install Paintbridge again:\n{sys.executable} -m pip install paintbridge"
        )
    if checkpoints["default"] is None:
        words.append(checkpoints["problem"])
    return words


def _device() -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": str(error)}
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"it ended with {done.returncode}"}
    return found


def _checkpoints() -> dict[str, Any]:
    try:
        found = registry()
        names = [entry.id for entry in found.list()]
        broken = {name: error.message for name, error in found.problems().items()}
    except StartError as error:
        return {"default": None, "names": [], "broken": {}, "problem": f"{error.message} {error.hint}"}
    try:
        return {"default": found.get().id, "names": names, "broken": broken}
    except ModelsError as error:
        return {"default": None, "names": names, "broken": broken, "problem": f"{error.message} {error.hint}"}


def placements(device: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each checkpoint takes in memory, and where its weights will be, by its name."""
    if "error" in device:
        return {}
    try:
        found = registry().list()
    except StartError:
        return {}
    told = {}
    for checkpoint in found:
        needs = memory_needs(checkpoint)
        if needs is not None:
            apart, room = device["own_memory"], device["memory_bytes"]
            placement = place_on(needs, room) if apart else WHOLE
            told[checkpoint.id] = {
                "memory_bytes": device_memory(needs.whole()),
                "least_memory_bytes": device_memory(needs.least()),
                "offload": placement.offload.name.lower(),
                "fits": not apart or device_memory(needs.least()) <= room,
            }
    return told


def placement_words(name: str, told: dict[str, Any]) -> str:
    words = f"             {name}: {told['memory_bytes'] / _GIB:.1f} GiB while it paints, in half precision"
    if not told["fits"]:
        return f"{words}; this device is too small for it, which begins at {told['least_memory_bytes'] / _GIB:.1f} GiB"
    return words + _OFFLOADED[told["offload"]]


def _home_problem() -> str:
    """Why nothing can be written into the bridge's folder, and what to do; empty: it can."""
    try:
        check_home(find_home().folder)
    except StartError as error:
        return f"{error.message} {error.hint}"
    return ""


def _bridge() -> dict[str, Any]:
    try:
        address = discover()
        with Bridge(address, client=f"paintbridge doctor {version('paintbridge')}") as bridge:
            welcome = bridge.welcome
            return {"running": True, "url": address.url, "version": welcome.bridge, "protocol": welcome.version}
    except (ClientError, BridgeError) as error:
        return {"running": False, "reason": error.message, "hint": error.hint}


def _words(findings: dict[str, Any]) -> str:
    device, checkpoints, bridge = findings["device"], findings["checkpoints"], findings["bridge"]
    lines = [
        f"Paintbridge  {findings['paintbridge']}, protocol {PROTOCOL_VERSION}, Python {findings['python']}",
        f"System       {findings['system']}",
        f"Memory       {findings['memory_bytes'] / _GIB:.1f} GiB, "
        f"{findings['memory_available_bytes'] / _GIB:.1f} GiB of it available",
        f"Home         {findings['home']}, {findings['disk_free_bytes'] / _GIB:.1f} GiB free"
        + (", and cannot be written" if findings["home_problem"] else ""),
    ]
    if "error" in device:
        lines.append(f"Device       none: {device['error']}")
    else:
        lines += [
            f"Device       {device['kind']}: {device['name']}, {device['memory_bytes'] / _GIB:.1f} GiB, "
            f"{device['precision']}",
            f"             {device['reason']}",
            f"torch        {device['torch']}, {device['threads']} threads",
        ]
    for card in findings["cards"]:
        lines.append(f"Card         {card['name']}" + ("" if card["driver"] else ", without a driver for computing"))
    lines.append(
        f"Checkpoints  {', '.join(checkpoints['names']) or 'none'}; default: {checkpoints['default'] or 'none'}"
    )
    lines += [placement_words(name, told) for name, told in findings["placements"].items()]
    lines += [f"             {name} cannot be used: {problem}" for name, problem in checkpoints["broken"].items()]
    if bridge["running"]:
        lines.append(f"Bridge       running at {bridge['url']}, version {bridge['version']}")
    else:
        lines.append(f"Bridge       {bridge['reason']} {bridge['hint']}")
    lines += ["", *findings["advice"]] if findings["advice"] else []
    lines += ["", "All is well." if findings["usable"] else "Paintbridge cannot paint here yet."]
    return "\n".join(lines)


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path if os.access(path, os.R_OK) else Path.home()
