"""Which checkpoints there are: mini, those in the folders named in the settings, and those in ~/.paintbridge/models."""

from collections.abc import Iterable
from pathlib import Path

from .checkpoint import Checkpoint, inspect
from .errors import CheckpointUnknown, ModelsError

__all__ = ["MINI", "Registry"]

MINI = Path(__file__).resolve().parent.parent / "mini"
"""The checkpoint that ships with the project."""


class Registry:
    """The installed checkpoints by name. Looks at the folders anew at every call, and only into what has changed."""

    def __init__(self, folders: Iterable[Path] = (), *, default: str | None = None) -> None:
        """`folders` each hold checkpoints, or are one; `default` names the one that is used when none is asked for."""
        self._folders = [Path(folder).expanduser() for folder in folders]
        self._default = default
        self._known: dict[Path, tuple[object, Checkpoint | ModelsError]] = {}

    def list(self) -> list[Checkpoint]:
        """All checkpoints that can be painted with, mini first, each id once (the first folder's wins)."""
        return [found for found in self._look().values() if isinstance(found, Checkpoint)]

    def problems(self) -> dict[str, ModelsError]:
        """What lies in the folders but cannot be painted with, by name, and why."""
        return {name: found for name, found in self._look().items() if isinstance(found, ModelsError)}

    def get(self, checkpoint_id: str | None = None) -> Checkpoint:
        """The checkpoint of that id; None is the default (the settings' choice, then mini, then the first).

        Raises CheckpointUnknown, or the error that says why the checkpoint of that name cannot be used.
        """
        found = self._look()
        wanted = checkpoint_id or self._default
        if wanted is None:
            usable = [name for name, entry in found.items() if isinstance(entry, Checkpoint)]
            wanted = MINI.name if MINI.name in found else next(iter(usable), None)
        if wanted is None:
            raise CheckpointUnknown(
                "No checkpoint is installed, so nothing can be painted.",
                hint="Put a Stable Diffusion 1 diffusers folder into ~/.paintbridge/models.",
            )
        if wanted not in found:
            names = ", ".join(name for name, entry in found.items() if isinstance(entry, Checkpoint)) or "none"
            raise CheckpointUnknown(f"No checkpoint named {wanted!r} is installed.", hint=f"Installed: {names}.")
        entry = found[wanted]
        if isinstance(entry, ModelsError):
            raise entry
        return entry

    def _look(self) -> dict[str, Checkpoint | ModelsError]:
        found: dict[str, Checkpoint | ModelsError] = {}
        for path in self._candidates():
            found.setdefault(path.name, self._inspect(path))
        return found

    def _candidates(self) -> Iterable[Path]:
        for folder in (MINI, *self._folders, Path.home() / ".paintbridge" / "models"):
            if (folder / "model_index.json").is_file() or folder.is_file():
                yield folder
            elif folder.is_dir():
                for child in sorted(folder.iterdir()):
                    if (child / "model_index.json").is_file() or (child.is_file() and child.suffix == ".safetensors"):
                        yield child

    def _inspect(self, path: Path) -> Checkpoint | ModelsError:
        signature = _signature(path)
        known = self._known.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        entry: Checkpoint | ModelsError
        try:
            entry = inspect(path)
        except ModelsError as error:
            entry = error
        self._known[path] = (signature, entry)
        return entry


def _signature(path: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = ((str(file), file.stat()) for file in files if file.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
