"""A pull in a process of its own, for an engine that must neither wait nor grow: ``python -m bridge.engine.pull_process
OWNER/NAME``.

It writes one JSON object a line: ``done`` and ``total`` bytes, at most four times a second, and at last either
``folder``, or ``code``, ``message`` and ``hint`` (as :meth:`bridge.errors.Sentence.plain` has them). Standard input is
the parent's hand: when it lets go, the pull stops, and another one goes on from there.
"""

import json
import os
import sys
import threading

from ..models import ModelsError
from ..models.pull import Step, pull

__all__: list[str] = []

_SECONDS = 0.25
_STOPPED = 3


class _Progress:
    """How far the pull is, said now and then by a thread of its own, so that the last step is said too."""

    def __init__(self) -> None:
        self._latest: Step | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Progress":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def report(self, step: Step) -> None:
        self._latest = step

    def _run(self) -> None:
        told = None
        ended = False
        while not ended:
            ended = self._ended.wait(_SECONDS)
            latest = self._latest
            if latest is not None and latest is not told:
                told = latest
                _say(done=told.done, total=told.total)


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


def _stop_with_parent() -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    # At once, wherever the pull is: what it has written stays, and is checked again.
    os._exit(_STOPPED)


def _main(hub_id: str) -> None:
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        with _Progress() as progress:
            folder = pull(hub_id, report=progress.report)
    except ModelsError as error:
        _say(code=error.code, message=error.message.plain(), hint=error.hint.plain())
    else:
        _say(folder=str(folder))


if __name__ == "__main__":
    _main(sys.argv[1])
