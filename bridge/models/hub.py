"""What Paintbridge asks of the Hugging Face hub: which files a repository has, and their bytes.

Imports huggingface_hub, so it is imported by `pull` alone. huggingface_hub 2 starts every file anew in each process;
the bytes are therefore fetched here, by HTTP ranges (RFC 9110, section 14), so that gigabytes survive a lost
connection.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2  # what huggingface_hub speaks HTTP with
from huggingface_hub import HfApi, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from ..errors import Sentence
from .errors import NO_ROOM, ModelsError

__all__ = [
    "DiskFull",
    "DownloadDamaged",
    "Hub",
    "HubFile",
    "HubGated",
    "HubNotFound",
    "HubOffline",
    "Listing",
]

_ADDRESS = "https://huggingface.co"
_SECONDS = 30.0
_CHUNK = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_AGAIN = Sentence("Pull again: it goes on where it stopped.")


class HubOffline(ModelsError):
    """The hub cannot be reached, or does not answer as it should."""

    code = "hub_offline"


class HubNotFound(ModelsError):
    """The hub knows no such repository, or not that revision of it, or shows it to its owner only."""

    code = "hub_not_found"


class HubGated(ModelsError):
    """The repository's licence must be accepted on its page first."""

    code = "hub_gated"


class DownloadDamaged(ModelsError):
    """What arrived is not what the hub announced."""

    code = "download_damaged"


class DiskFull(ModelsError):
    """The checkpoint does not fit onto the disk."""

    code = "disk_full"


@dataclass(frozen=True)
class HubFile:
    """A file of a repository: its name with slashes, its bytes, and its SHA-256, or the SHA-1 that git gives to small
    files (that of `blob LENGTH\\0` and the content).
    """

    name: str
    size: int
    sha256: str
    git_sha1: str


@dataclass(frozen=True)
class Listing:
    """A repository at one commit. `licence` is as the hub names it, "" if it does not."""

    hub_id: str
    commit: str
    licence: str
    files: tuple[HubFile, ...]


class Hub:
    """The hub, or what `HF_ENDPOINT` names in its place; with the user's own token, if there is one."""

    def __init__(self) -> None:
        self.endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _ADDRESS
        self._headers = {**build_hf_headers(library_name="paintbridge"), "Accept-Encoding": "identity"}

    def listing(self, hub_id: str, revision: str | None) -> Listing:
        """The repository's files. Raises HubOffline, HubNotFound or HubGated."""
        try:
            with self._told(hub_id):
                info = HfApi(endpoint=self.endpoint).model_info(
                    hub_id, revision=revision, files_metadata=True, timeout=_SECONDS
                )
            commit = info.sha or ""
            if not _COMMIT.fullmatch(commit):
                raise ValueError(commit)
        except (ValueError, KeyError, TypeError) as error:
            raise HubOffline(
                "What answers at {endpoint} is not the hub.",
                hint="Does the network ask you to sign in first? Open a web page to see.",
                endpoint=self.endpoint,
            ) from error
        licence = getattr(info.card_data, "license", None)
        files = tuple(
            HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "", file.blob_id or "")
            for file in info.siblings or ()
        )
        return Listing(hub_id, commit, licence if isinstance(licence, str) else "", files)

    def fetch(self, listing: Listing, file: HubFile, target: Path, tell: Callable[[int], None]) -> str:
        """Put the file at `target`, whole and checked, or raise; gives its SHA-256.

        What arrived before an error stays beside it, and the next call goes on from there. `tell` hears of bytes:
        those that lay there already, then each that arrives. Raises HubOffline, HubGated, HubNotFound,
        DownloadDamaged or DiskFull.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        url = hf_hub_url(listing.hub_id, file.name, revision=listing.commit, endpoint=self.endpoint)
        if not part.exists() or part.stat().st_size > file.size:
            part.write_bytes(b"")
        tell(part.stat().st_size)
        while (before := part.stat().st_size) < file.size:
            with self._told(listing.hub_id):
                try:
                    self._receive(url, part, file, tell)
                except httpx2.TransportError:
                    # A cut connection is taken up again as long as each brings something.
                    if part.stat().st_size <= before:
                        raise
            if part.stat().st_size <= before:
                raise HubOffline("The hub stopped sending {name}.", hint=_AGAIN, name=file.name)
        digest = _checked(part, file)
        os.replace(part, target)
        return digest

    def _receive(self, url: str, part: Path, file: HubFile, tell: Callable[[int], None]) -> None:
        have = part.stat().st_size
        headers = {**self._headers, "Range": f"bytes={have}-"} if have else self._headers
        with get_session().stream("GET", url, headers=headers, timeout=_SECONDS) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            with part.open("ab" if response.status_code == httpx2.codes.PARTIAL_CONTENT else "wb", 0) as out:
                tell(out.tell() - have)
                for chunk in response.iter_bytes():
                    if out.tell() + len(chunk) > file.size:
                        out.truncate(0)
                        raise DownloadDamaged(
                            "The hub sent more of {name} than it announced.", hint=_AGAIN, name=file.name
                        )
                    out.write(chunk)
                    tell(len(chunk))

    @contextmanager
    def _told(self, hub_id: str) -> Iterator[None]:
        """Turns what goes wrong with the hub or the disk into words."""
        try:
            yield
        except GatedRepoError as error:
            raise HubGated(
                "{hub_id} is given only to those who have accepted its licence.",
                hint="Sign in at {endpoint}, open the page {hub_id} and accept the licence; then "
                "make an access token in your settings there, run `hf auth login` or set "
                "HF_TOKEN, and pull again.",
                hub_id=hub_id,
                endpoint=self.endpoint,
            ) from error
        except RevisionNotFoundError as error:
            raise HubNotFound(
                "{hub_id} has no such revision.", hint="Leave --revision out for the newest.", hub_id=hub_id
            ) from error
        except (RepositoryNotFoundError, HFValidationError) as error:
            raise HubNotFound(
                "The hub has no checkpoint {hub_id}, or it is private.",
                hint="Check the spelling: owner/name, as on its page.",
                hub_id=hub_id,
            ) from error
        except OfflineModeIsEnabled as error:
            raise HubOffline("HF_HUB_OFFLINE forbids asking the hub.", hint="Unset it, then pull again.") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            raise HubOffline(
                "The hub answered with error {status}.", hint="Wait a while. {again}", status=status, again=_AGAIN
            ) from error
        except httpx2.HTTPError as error:
            raise HubOffline(
                "The hub at {endpoint} cannot be reached, or the connection broke.",
                hint="Check the network. {again}",
                endpoint=self.endpoint,
                again=_AGAIN,
            ) from error
        except OSError as error:
            if error.errno in NO_ROOM:
                raise DiskFull("The disk is full.", hint="Make room. {again}", again=_AGAIN) from error
            raise


def _checked(part: Path, file: HubFile) -> str:
    """SHA-256 of the file. Raises DownloadDamaged, and deletes it, when it is not what the hub announced."""
    sha256, git = hashlib.sha256(), hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    with part.open("rb") as content:
        while chunk := content.read(_CHUNK):
            sha256.update(chunk)
            if not file.sha256:
                git.update(chunk)
    announced, found = (file.sha256, sha256) if file.sha256 else (file.git_sha1, git)
    if found.hexdigest() != announced:
        part.unlink()
        raise DownloadDamaged(
            "{name} arrived damaged: its hash is not the one that the hub announced. It was deleted.",
            hint="Pull again. If it happens twice, something between here and the hub changes files.",
            name=file.name,
        )
    return sha256.hexdigest()
