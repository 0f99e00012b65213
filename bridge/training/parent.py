"""How the command line talks to a child process that trains or measures.

The child's only argument is its order, a JSON object with an ``action``. It writes one JSON object a line: text for the
user (``said``), progress (``step steps losses seconds_left``), and last either ``done``, or ``code``, ``message`` and
``hint``. When the parent closes the child's standard input, the child stops after the step that it is in.
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

from .errors import TrainingError

__all__ = ["Action", "Order", "Parent", "run_child"]

_SECONDS = 0.25

Order = dict[str, Any]


class Parent:
    """The process that reads what this one writes, and may ask it to stop."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told = -math.inf
        self._gone = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        # Not by sys.stdin: its lock would block this process's exit.
        while os.read(sys.stdin.fileno(), 1 << 10):
            pass
        self._gone.set()

    def stopped(self) -> bool:
        """Whether the training should end after its step."""
        return self._gone.is_set()

    def tell(self, **words: Any) -> None:
        # Of several processes that train together only the first writes; the parent may have died.
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


def run_child(actions: Mapping[str, Action]) -> int:
    """Run the action of the order on the command line; returns the process's exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    order = json.loads(sys.argv[1])
    parent = Parent(sys.stdout)
    # Libraries print to standard output, which is the parent's.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            parent.tell(done=actions[order["action"]](order, parent))
        except TrainingError as error:
            parent.tell(code=error.code, message=error.message, hint=error.hint)
            return 1
    return 0
