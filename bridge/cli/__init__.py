"""The command line: ``paintbridge serve | open | fill | refine | generate | upscale | demo | doctor | token |
models | train | library | plugins``.

Arguments in, one call, words out: each command is a module with ``run(args)``, imported when it is asked for. An error
is one sentence and a hint on standard error; ``--json`` puts it on standard output as well.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import json
import sys
import tempfile
import traceback
from collections.abc import Sequence

from .arguments import build_parser
from .exits import CliError, Exit

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (:class:`.exits.Exit`)."""
    _print_any_name()
    args = build_parser().parse_args(argv)
    try:
        done = int(importlib.import_module(f".{args.module}", __name__).run(args) or Exit.DONE)
        # What cannot be written is an error here; at the interpreter's end it would be a traceback.
        sys.stdout.flush()
        return done
    except KeyboardInterrupt:
        return _complain(CliError("Interrupted.", exit_code=Exit.INTERRUPTED, code="interrupted"), args.json)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        sys.stdout = None
        return int(Exit.FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort: words for people, the traceback for the report
        # Imported here: it costs what a help text should not cost.
        from .failures import as_cli_error

        return _complain(as_cli_error(error) or _unforeseen(), args.json, getattr(error, "__notes__", ()))


def _print_any_name() -> None:
    """Have standard output give the bytes of file names that are not UTF-8, as other programs do, and never fail."""
    codecs.register_error("paintbridge-names", _name_bytes)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="paintbridge-names")


def _name_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    for handler in ("surrogateescape", "backslashreplace"):
        with contextlib.suppress(UnicodeError):
            return codecs.lookup_error(handler)(error)
    raise error


def _complain(error: CliError, as_json: bool, notes: Sequence[str] = ()) -> int:
    print(f"paintbridge: {error.message}", file=sys.stderr)
    for line in filter(None, (error.hint, *notes)):
        print(f"  {line}", file=sys.stderr)
    try:
        if as_json:
            words = {"code": error.code, "message": error.message, "hint": error.hint}
            print(json.dumps({"error": words, "exit_code": int(error.exit_code)}))
        sys.stdout.flush()
    except OSError:
        # It goes into a file on a full disk; standard error has it.
        sys.stdout = None
    return int(error.exit_code)


def _unforeseen() -> CliError:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="paintbridge-", suffix=".txt", delete=False, encoding="utf-8"
        ) as report:
            traceback.print_exc(file=report)
        where = f"is in {report.name}"
    except OSError:
        # No file can be written: the terminal is left.
        traceback.print_exc()
        where = "stands above"
    return CliError(
        "Something went wrong inside Paintbridge.",
        f"Please report it, with what {where}.",
        exit_code=Exit.FAILED,
        code="internal",
    )
