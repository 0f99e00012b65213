"""The log: one line for what an operator wants to know, as text or JSON, on standard error.

Lines are an event's name and fields. What clients say is quoted, so that it cannot forge a line. Neither the token nor
a prompt ever is a field.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import IO, Any

__all__ = ["configure_logs", "log", "log_fault"]

_logger = logging.getLogger("bridge.server")

_PLAIN = re.compile(r"[\w.:/+@-]+", re.ASCII)


def log(level: int, event: str, **values: Any) -> None:
    """Log an event with its fields."""
    _logger.log(level, "%s", event, extra={"fields": values})


def log_fault(event: str, error: BaseException | None = None, **values: Any) -> None:
    """Log an unforeseen error with its traceback; None: the one that is being handled."""
    _logger.error("%s", event, exc_info=error or True, extra={"fields": values})


def configure_logs(*, level: str, form: str, stream: IO[str] | None = None) -> None:
    """Send the log to ``stream`` (standard error), in the form ``text`` or ``json``."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines() if form == "json" else _TextLines())
    root = logging.getLogger("bridge")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
    # uvicorn's debug lines show the beginnings of frames, and with them the token.
    framework = logging.getLogger("uvicorn.error")
    framework.handlers[:] = [handler]
    framework.setLevel(logging.WARNING)
    framework.propagate = False


class _Lines(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002
        moment = time.gmtime(record.created)
        return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{int(record.msecs):03d}Z"


class _TextLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        words = [self.formatTime(record), record.levelname.lower(), record.getMessage()]
        words += [f"{key}={_word(value)}" for key, value in fields.items()]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "event": record.getMessage()}
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
