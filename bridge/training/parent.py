"""The command line's hand in a child that trains or measures: one JSON object a line out, and a word to stop.

The child is given an order, one JSON object with an ``action``. It writes what it has to say (``said``), how far it is
(``step steps losses seconds_left``), and at last either ``done``, or ``code``, ``message`` and ``hint``. Standard input
is the parent's hand: when it lets go, the child should end at the next good moment.
"""

import contextlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from bridge.training.errors import TrainingError

__all__ = ["Action", "Order", "Parent", "obey"]

_SECONDS = 0.25

Order = dict[str, Any]


class Parent:
    """Whoever reads what this process writes, and may ask it to stop."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told = -math.inf
        self._gone = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        # Not by way of sys.stdin, whose lock would be in the way of this process's end.
        while os.read(sys.stdin.fileno(), 1 << 10):
            pass
        self._gone.set()

    def stopped(self) -> bool:
        """Whether the training should end after its step."""
        return self._gone.is_set()

    def tell(self, **words: Any) -> None:
        # Of several processes that train together, the first speaks; a parent that has died hears nothing.
        if os.environ.get("RANK", "0") == "0":
            with contextlib.suppress(OSError):
                print(json.dumps(words), file=self._out, flush=True)

    def say(self, words: str) -> None:
        self.tell(said=words)

    def report(self, step: Any) -> None:
        """At most four times a second."""
        now = time.monotonic()
        if now - self._told >= _SECONDS or step.step == step.steps:
            self._told = now
            self.tell(step=step.step, steps=step.steps, losses=step.losses, seconds_left=step.seconds_left)


Action = Callable[[Order, Parent], dict[str, Any]]


def obey(actions: Mapping[str, Action]) -> int:
    """Do what the order on the command line says; the process's exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    order = json.loads(sys.argv[1])
    parent = Parent(sys.stdout)
    # What libraries print is for people.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            parent.tell(done=actions[order["action"]](order, parent))
        except TrainingError as error:
            parent.tell(code=error.code, message=error.message, hint=error.hint)
            return 1
    return 0
