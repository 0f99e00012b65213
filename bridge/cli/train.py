"""``paintbridge train``: a training in a process of its own, with a bar; Ctrl-C ends it after its step, saved."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..home import find_home
from .exits import CliError, Exit

__all__ = ["run"]

_FAILED = ("disk_full", "loss_not_finite", "data_unavailable", "out_of_memory", "training_failed")
_NOT_OF_THE_ORDER = ("command", "json", "module", "child")
# Ctrl-C in a terminal is for this process, which lets the child finish its step.
_ALONE: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _ALONE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


def run(args: argparse.Namespace) -> Exit:
    """Train as ``args.action`` says, and say where the result lies; with ``--json`` print one object.

    Raises:
        CliError: it cannot be done, or was interrupted.
    """
    order = {name: _plain(value) for name, value in vars(args).items() if name not in _NOT_OF_THE_ORDER}
    if args.action == "lora":
        order |= _places(args)
    done, interrupted = _follow(args.child, order)
    if interrupted and not done.get("finished", True):
        raise CliError(f"Interrupted. {done['words']}", exit_code=Exit.INTERRUPTED, code="interrupted")
    print(json.dumps({name: said for name, said in done.items() if name != "words"}) if args.json else done["words"])
    return Exit.DONE


def _places(args: argparse.Namespace) -> dict[str, str]:
    """Which checkpoint, and where what is made goes."""
    # Imported here: other actions need no settings.
    from ..models import ModelsError
    from .models import registry

    try:
        checkpoint = registry().get(args.checkpoint)
    except ModelsError as error:
        raise CliError(error.message, error.hint, code=error.code) from error
    return {
        "checkpoint": checkpoint.id,
        "checkpoint_path": str(checkpoint.path),
        "to": str((args.to or find_home().loras).expanduser().absolute()),
        "work": str((args.work or find_home().training).expanduser().absolute()),
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it; paths whole, for the child may stand elsewhere."""
    if isinstance(value, Path):
        return str(value.expanduser().absolute())
    return value


def _follow(module: str, order: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Run the child to its end; what it has done, and whether Ctrl-C came."""
    # Waiting threads must not spin: see the engine's worker.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1", **os.environ}
    command = [sys.executable, "-m", *_launcher(order), module, json.dumps(order)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, **_ALONE)
    assert child.stdin is not None
    interrupted = False
    with _Bar() as bar:
        try:
            end = _listen(child, bar)
        except KeyboardInterrupt:
            interrupted = True
            bar.say("Finishing the step and saving; Ctrl-C again ends at once, at the last state that was saved.")
            child.stdin.close()
            try:
                end = _listen(child, bar)
            except KeyboardInterrupt:
                child.kill()
                raise
        finally:
            child.stdin.close()
            child.wait()
    if "done" in end:
        return dict(end["done"]), interrupted
    if "code" in end:
        exit_code = Exit.OUT_OF_MEMORY if end["code"] == "out_of_memory" else Exit.REFUSED
        exit_code = Exit.FAILED if end["code"] in _FAILED and exit_code == Exit.REFUSED else exit_code
        raise CliError(end["message"], end["hint"], exit_code=exit_code, code=end["code"])
    raise CliError(
        f"The process that trains ended unexpectedly (exit code {child.returncode}).",
        "Start the same command again: it goes on from the last state that was saved.",
        exit_code=Exit.FAILED,
        code="training_failed",
    )


def _launcher(order: dict[str, Any]) -> list[str]:
    """What starts several processes that train together, if they are wanted."""
    processes = order.get("processes", 1)
    if processes == 1:
        return []
    return ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "--module"]


def _listen(child: subprocess.Popen[bytes], bar: _Bar) -> dict[str, Any]:
    """What the child says last."""
    assert child.stdout is not None
    said: dict[str, Any] = {}
    for line in child.stdout:
        said = json.loads(line)
        if "said" in said:
            bar.say(said["said"])
        elif "step" in said:
            bar.show(said)
    return said


class _Bar:
    """How far the training is, on standard error: a bar where that is a terminal."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[left]}"),
        )
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("Training", total=None, loss="", left="")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, words: str) -> None:
        """A line that stays."""
        self._console.print(words, markup=False)

    def show(self, said: dict[str, Any]) -> None:
        """A step."""
        loss = f"loss {said['losses']['loss']:.4f}"
        left = f"{_time(said['seconds_left'])} left"
        self._bar.update(self._task, completed=said["step"], total=said["steps"], loss=loss, left=left)


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 120 else f"{minutes // 60} h {minutes % 60:02} min"
