"""What `pull` fetched: a small file in the checkpoint's folder, so that just that can be removed again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

__all__ = ["Receipt", "delete_fetched", "read_receipt", "write_receipt"]

_NAME = ".paintbridge-pull.json"


@dataclass(frozen=True)
class Receipt:
    """Where a checkpoint came from: hub id, asked revision, commit, licence as the hub names it ("" if it does not),
    and SHA-256 by file name.
    """

    hub_id: str
    revision: str
    commit: str
    licence: str
    files: dict[str, str]


def read_receipt(folder: Path) -> Receipt | None:
    """The folder's receipt; None where Paintbridge did not fetch it, or that cannot be told."""
    try:
        said = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        receipt = Receipt(**said)
        texts = (receipt.hub_id, receipt.revision, receipt.commit, receipt.licence, *receipt.files.values())
        sound = all(isinstance(text, str) for text in texts) and all(map(_inside, receipt.files))
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return receipt if sound else None


def write_receipt(folder: Path, receipt: Receipt) -> None:
    """Leave the receipt in the folder."""
    (folder / _NAME).write_text(json.dumps(asdict(receipt), indent=2), encoding="utf-8")


def delete_fetched(folder: Path, receipt: Receipt) -> bool:
    """Delete what was fetched into the folder, and the folder if nothing else lies there; whether it is gone.

    model_index.json goes first, so that half a checkpoint is never listed.
    """
    for name in sorted(receipt.files, key=lambda name: name != "model_index.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / _NAME).unlink(missing_ok=True)
    parents = {folder / parent for name in receipt.files for parent in PurePosixPath(name).parents}
    for parent in sorted(parents, key=lambda path: len(path.parts), reverse=True):
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
    return not folder.exists()


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
