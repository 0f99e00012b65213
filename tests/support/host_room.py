"""Where the real hosts run for the tests: a Debian of their own in a chroot, or else whatever is installed here.

A chroot is built once, into the user's cache folder, in a minute or two. It is never changed afterwards: each
:class:`~host_desktop.Desktop` lays its own mounts over it, which end with it. ``TEST_HOSTS_FOLDER`` names another
folder, ``TEST_HOSTS_RELEASE`` one of the :class:`Release`: others have newer hosts.
"""

from __future__ import annotations

import enum
import fcntl
import hashlib
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HostRoom", "NoHosts", "Release", "chosen_release", "find_host_room"]


class Release(enum.Enum):
    """Debian's suites, by the hosts that they have."""

    TRIXIE = "trixie"
    """Krita 5.2, GIMP 3.0."""
    SID = "sid"
    """Krita 5.3, GIMP 3.2."""
    EXPERIMENTAL = "experimental"
    """Krita 6, with a compositor for Wayland; no GIMP. Debian's sid, and of experimental nothing but Krita."""


_MIRROR = "http://deb.debian.org/debian"
_DESKTOP = (
    *("xvfb", "xauth", "xdotool", "imagemagick", "dbus-x11"),
    # Letters, Chinese ones too.
    *("fonts-dejavu-core", "fonts-wqy-microhei"),
)
_QT5_HOSTS = ("krita", "python3-pyqt5", "gimp", "gir1.2-gimp-3.0", "gir1.2-gtk-3.0", "python3-gi", *_DESKTOP)
_PACKAGES = {
    Release.TRIXIE: _QT5_HOSTS,
    Release.SID: _QT5_HOSTS,
    # Krita only recommends PyQt6, and without the plug-in for SVG it has no icons.
    Release.EXPERIMENTAL: (
        *("krita/experimental", "krita-data/experimental", "python3-pyqt6", "qt6-svg-plugins", "qt6-wayland"),
        *("sway", "grim"),
        *_DESKTOP,
    ),
}
_NEEDED = ("krita", "gimp", "Xvfb", "xdotool", "import")
# All mounts of the build are in a namespace of its own, so none is left whatever happens.
_ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--")
_BUILD = """
set -eu
root=$1 mirror=$2 release=$3 debootstrap=$4 keyring=$5
shift 5
base=$release
[ "$release" != experimental ] || base=sid
DEBOOTSTRAP_DIR=${debootstrap%/usr/sbin/debootstrap}/usr/share/debootstrap \
    sh "$debootstrap" --variant=minbase --keyring="$keyring" "$base" "$root" "$mirror"
printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d"  # nothing of it may start as a service
chmod +x "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
if [ "$release" != "$base" ]; then
    echo "deb $mirror $release main" > "$root/etc/apt/sources.list.d/$release.list"
    # A mirror may be weeks behind.
    chroot "$root" apt-get update --quiet --option Acquire::Check-Valid-Until=false
fi
chroot "$root" apt-get install --yes --quiet --no-install-recommends "$@"
chroot "$root" apt-get clean
"""


class NoHosts(Exception):
    """There is no host to test with, and none could be had. Says why."""


@dataclass(frozen=True)
class HostRoom:
    """Where hosts run: below ``root``, or, with None, right here."""

    root: Path | None

    def which(self, program: str) -> bool:
        """Whether it is there."""
        if self.root is None:
            return shutil.which(program) is not None
        return any((self.root / folder / program).exists() for folder in ("usr/bin", "usr/games"))


def chosen_release() -> Release:
    """The one that the environment names, or else the oldest."""
    return Release(os.environ.get("TEST_HOSTS_RELEASE", Release.TRIXIE.value))


def find_host_room() -> HostRoom:
    """The chroot of the chosen release, built now if need be; else, for the oldest, what is installed here.

    Raises:
        NoHosts: neither is to be had.
    """
    release = chosen_release()
    reason = _why_no_chroot()
    if reason is None:
        root = _cache() / f"hosts-{release.value}-{_recipe(release)}"
        with _locked(root.with_suffix(".lock")):
            if not root.is_dir():
                _build(root, release)
        return HostRoom(root)
    if release is not Release.TRIXIE:
        raise NoHosts(f"A chroot of Debian's {release.value} cannot be made here ({reason}).")
    room = HostRoom(None)
    missing = [program for program in _NEEDED if not room.which(program)]
    if not missing:
        return room
    raise NoHosts(f"A chroot cannot be made here ({reason}), and {', '.join(missing)} is not installed.")


def _why_no_chroot() -> str | None:
    if sys.platform != "linux":
        return "this is not Linux"
    if os.geteuid() != 0:
        return "only root can"
    if platform.machine() not in ("x86_64", "aarch64"):
        return f"not on {platform.machine()}"
    if shutil.which("apt-get") is None and shutil.which("debootstrap") is None:
        return "debootstrap is not installed"
    if subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode != 0:
        return "mounting is forbidden"
    return None


def _cache() -> Path:
    named = os.environ.get("TEST_HOSTS_FOLDER")
    # Not the environment's HOME: the tests have one of their own.
    return Path(named) if named else Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "paintbridge"


def _recipe(release: Release) -> str:
    """A chroot of another recipe is another one."""
    return hashlib.sha256(repr((release.value, _PACKAGES[release], _BUILD)).encode()).hexdigest()[:8]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(root: Path, release: Release) -> None:
    """Build beside, and rename at the end, so that a half-built one is never taken for a whole one."""
    print(f"\nBuilding Debian's {release.value} with hosts for the tests, in {root}: once, 1.6 GB.", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="paintbridge-debootstrap-") as tools:
        debootstrap, keyring = _debootstrap(Path(tools))
        half = root.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        log = root.with_suffix(".log")
        arguments = [str(half), _MIRROR, release.value, str(debootstrap), str(keyring), *_PACKAGES[release]]
        with log.open("w") as output:
            done = subprocess.run(
                [*_ALONE, "sh", "-c", _BUILD, "sh", *arguments], stdout=output, stderr=output, check=False
            )
        if done.returncode != 0:
            shutil.rmtree(half, ignore_errors=True)
            last = log.read_text(errors="replace").splitlines()[-5:]
            raise NoHosts(f"The chroot could not be built; {log} ends with:\n" + "\n".join(last))
        half.rename(root)


def _debootstrap(tools: Path) -> tuple[Path, Path]:
    """debootstrap and Debian's keys: those of this system, or fetched and unpacked, never installed."""
    script, keyring = Path("/usr/sbin/debootstrap"), Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if script.exists() and keyring.exists():
        return script, keyring
    for package in ("debootstrap", "debian-archive-keyring"):
        done = subprocess.run(["apt-get", "download", package], cwd=tools, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoHosts(f"{package} could not be fetched: {done.stderr.strip()}")
    for archive in tools.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(tools)], check=True)
    return tools / "usr/sbin/debootstrap", tools / "usr/share/keyrings/debian-archive-keyring.gpg"
