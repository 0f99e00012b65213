"""Names of checkpoints, LoRAs and ControlNets: how they are written, and which count as the same.

The same letters may be stored in several ways: macOS takes accents off their letters in file names (NFD), and keyboards
write them as one (NFC). Unicode's rules: https://www.unicode.org/reports/tr15/.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from ..errors import Sentence, text_only

__all__ = ["ENDING", "ENDINGS", "PICKLES", "about_names", "find_name", "is_pickle", "same_name", "written_name"]

ENDING = ".safetensors"
"""What the names of files end in that all kinds of models come in; the case does not matter."""

ENDINGS = (ENDING, ".gguf")
"""Likewise those of checkpoints and their parts."""

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
"""What the names of pickles end in, which can run code when they are opened. They are listed, and never loaded."""

_NAMES_SHOWN = 12


def is_pickle(file_name: str) -> bool:
    """Whether it ends as pickles' names do."""
    return file_name.lower().endswith(PICKLES)


def written_name(name: str) -> str:
    """A name as it is shown and sent: composed (NFC), and text all through."""
    return unicodedata.normalize("NFC", text_only(name))


def same_name(name: str) -> str:
    """What two names have in common that count as the same: composed, and regardless of case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def find_name(name: str, known: Iterable[str]) -> str | None:
    """Which of the `known` names is meant; None where there is none.

    The very same one is looked for first, then regardless of accents' form, of a file's ending, and of case.
    """
    names = list(known)
    if name in names:
        return name
    return next((one for form in _FORMS for one in names if form(one) == form(name)), None)


def about_names(names: Sequence[str], close: Sequence[str]) -> Sentence:
    """What to tell of a name that there is not: those `close` to it, else some of the `names` that there are."""
    if close:
        return Sentence("Close to it: {close}.", close=", ".join(close))
    shown, more = ", ".join(names[:_NAMES_SHOWN]), len(names) - _NAMES_SHOWN
    if more > 0:
        return Sentence("There are: {shown} and {more} others.", shown=shown, more=more)
    return Sentence("There are: {shown}.", shown=shown)


def _without_ending(name: str) -> str:
    return next((name[: -len(end)] for end in ENDINGS if name.lower().endswith(end)), name)


def _without_any_ending(name: str) -> str:
    return next((name[: -len(end)] for end in (*ENDINGS, *PICKLES) if name.lower().endswith(end)), name)


_FORMS: tuple[Callable[[str], str], ...] = (
    written_name,
    lambda name: written_name(_without_ending(name)),
    same_name,
    lambda name: same_name(_without_ending(name)),
    lambda name: same_name(_without_any_ending(name)),
)
