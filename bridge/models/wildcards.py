"""Which wildcards there are: text files, one option a line, in the artist's own folders and the WebUI's.

A wildcard is found by its name among the files that lie there; a name never becomes a path.
"""

import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import Sentence
from ..home import find_home
from .errors import ModelsError
from .locations import find_locations
from .names import about_names
from .scan import files_below

__all__ = ["WildcardRegistry", "WildcardUnknown", "WildcardUnreadable"]

_ENDING = ".txt"
# Other programs read these too.
_STRUCTURED = (".json", ".yaml", ".yml")
_MOST_BYTES = 4 << 20
_MOST_FILES_KEPT = 256
_REMEMBERED_SECONDS = 1.0
_LINES = re.compile(r"\r\n|\r|\n")


class WildcardUnknown(ModelsError):
    """No wildcard of that name is there."""

    code = "wildcard_unknown"


class WildcardUnreadable(ModelsError):
    """The wildcard's file is no text, too large, or empty."""

    code = "wildcard_unreadable"


class WildcardRegistry:
    """The wildcards by name, which is the path of a file below its folder, without its ending.

    The bridge's own folder comes first, then the `wildcards` in the folders given, then other programs'; of two of one
    name the first counts. Upper and lower case do not matter.
    """

    def __init__(self, folders: Iterable[Path] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """`folders` hold checkpoints; the wildcards are those in their `wildcards`. `clock` gives seconds."""
        self._folders = [Path(folder).expanduser() / "wildcards" for folder in folders]
        self._clock = clock
        self._looked: tuple[float, dict[str, tuple[str, Path]]] | None = None
        self._problem: WildcardUnreadable | None = None
        self._read: dict[Path, tuple[tuple[int, int], tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """All that there are, as they were within the last second."""
        with self._lock:
            return tuple(name for name, path in self._files().values() if path.suffix.lower() == _ENDING)

    def options(self, name: str) -> tuple[str, ...]:
        """The options of the wildcard of that name, as they stand in its file, each of its lines that is not empty and
        does not begin with `#`. With a `*`, which stands for any characters, those of all files that fit.

        Raises WildcardUnknown with the names that are close, or WildcardUnreadable.
        """
        with self._lock:
            paths = self._find(name, self._files()) or self._find(name, self._files(fresh=True))
            if not paths:
                raise self._problem or self._unknown(name)
            found = tuple(option for path in paths for option in self._options(path))
        if not found:
            raise WildcardUnreadable(
                "The wildcard __{name}__ has no options: {paths} is empty.",
                hint="Write one into each line.",
                name=name,
                paths=paths[0],
            )
        return found

    # ------------------------------------------------------------ inside

    def _files(self, *, fresh: bool = False) -> dict[str, tuple[str, Path]]:
        """Names and paths, by what names are compared by."""
        if not fresh and self._looked is not None and 0 <= self._clock() - self._looked[0] < _REMEMBERED_SECONDS:
            return self._looked[1]
        files: dict[str, tuple[str, Path]] = {}
        self._problem = None
        for folder in self._locations():
            for path in self._files_in(folder):
                name = path.relative_to(folder).with_suffix("").as_posix()
                if not _can_be_said(name):
                    continue
                key = _key(name) + ("" if path.suffix.lower() == _ENDING else path.suffix.lower())
                files.setdefault(key, (name, path))
        self._looked = (self._clock(), files)
        return files

    def _locations(self) -> Iterator[Path]:
        yield find_home().wildcards
        yield from self._folders
        yield from (location.folder for location in find_locations(kind="wildcards"))

    def _files_in(self, folder: Path) -> list[Path]:
        """A folder that cannot be read is told to whoever asks for a name that is found nowhere else."""
        try:
            return list(files_below(folder, (_ENDING, *_STRUCTURED))) if folder.is_dir() else []
        except OSError as error:
            self._problem = WildcardUnreadable(
                "The folder {folder} cannot be read ({reason}).",
                hint="Check its permissions.",
                folder=folder,
                reason=error.strerror,
            )
            return []

    def _find(self, name: str, files: dict[str, tuple[str, Path]]) -> list[Path]:
        key = _key(name)
        if "*" not in key:
            return [files[key][1]] if key in files else []
        texts = ((known, path) for known, (_, path) in files.items() if path.suffix.lower() == _ENDING)
        return [path for known, path in texts if fnmatchcase(known, key.replace("[", "[[]").replace("?", "[?]"))]

    def _options(self, path: Path) -> tuple[str, ...]:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._read.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            if status.st_size > _MOST_BYTES:
                raise WildcardUnreadable(
                    "The wildcard file {path} has more than {most} MiB.",
                    hint="Part it into several.",
                    path=path,
                    most=_MOST_BYTES >> 20,
                )
            options = tuple(_lines(path, path.read_bytes()))
        except OSError as error:
            raise WildcardUnreadable(
                "The wildcard file {path} cannot be read ({reason}).",
                hint="Check its permissions.",
                path=path,
                reason=error.strerror,
            ) from None
        if len(self._read) >= _MOST_FILES_KEPT:
            self._read.clear()
        self._read[path] = (stamp, options)
        return options

    def _unknown(self, name: str) -> WildcardUnknown:
        key, files = _key(name), self._files()
        other = next((files[key + ending][1] for ending in _STRUCTURED if key + ending in files), None)
        if other is not None:
            return WildcardUnknown(
                "There is no wildcard named {name}: {other} is not a text file.",
                hint="Save its options as {stem}{ending} in that folder, one a line.",
                name=repr(name),
                other=other,
                stem=other.stem,
                ending=_ENDING,
            )
        texts = {known: said for known, (said, path) in files.items() if path.suffix.lower() == _ENDING}
        close = [texts[known] for known in get_close_matches(key, texts, n=3)]
        hint = about_names(tuple(texts.values()), close)
        if not texts:
            folder = find_home().wildcards
            hint = Sentence("There are none yet. Put text files into {folder}, one option a line.", folder=folder)
        return WildcardUnknown("There is no wildcard named {name}.", hint=hint, name=repr(name))


def _key(name: str) -> str:
    """What names are compared by. macOS writes accents as characters of their own."""
    return unicodedata.normalize("NFC", name).casefold().removesuffix(_ENDING)


def _can_be_said(name: str) -> bool:
    """Whether the name is text, so that a prompt could have it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lines(path: Path, content: bytes) -> Iterator[str]:
    """The options. A file of another encoding would give other words than those that its author sees."""
    try:
        if b"\0" in content:
            raise UnicodeDecodeError("utf-8", content, content.index(b"\0"), content.index(b"\0") + 1, "no text")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise WildcardUnreadable(
            "The wildcard file {path} is not UTF-8 text, in line {number}.",
            hint="Open it in a text editor, and save it with the encoding UTF-8.",
            path=path,
            number=number,
        ) from None
    for line in _LINES.split(text):
        option = line.strip()
        if option and not option.startswith("#"):
            yield option
