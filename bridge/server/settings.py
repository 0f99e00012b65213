"""All settings: one frozen dataclass, filled from the settings file, then the environment, then flags.

The fields' metadata is the only source of their documentation, ranges and names; :func:`settings_table` prints it.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from ..home import HOME_VARIABLE, find_home
from .errors import SettingsError

__all__ = ["A1111_PORT", "Settings", "SettingsRow", "add_flags", "load_settings", "settings_table"]

A1111_PORT = 7860
"""Where that server listens, and its clients look."""

MIB = 1 << 20
_PREFIX = "PAINTBRIDGE_"
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# Other schemes: extensions of browsers, and the shells that editors bring. A page from a file has the origin null.
_ORIGIN = re.compile(r"null|[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")
# Browsers leave a scheme's own port out.
_OWN_PORT = re.compile(r"(?i:http://.*:80|https://.*:443)/?")
# Read elsewhere: the first by bridge.home, the others by clients.
_NOT_SETTINGS = (HOME_VARIABLE, "PAINTBRIDGE_URL", "PAINTBRIDGE_TOKEN")


def _s(default: Any, doc: str, **limits: Any) -> Any:
    """A setting with its documentation and its range (`min`, `max`, `choices`)."""
    return field(default=default, metadata={"doc": doc, **limits})


@dataclass(frozen=True)
class Settings:
    """What a bridge is told. Every field has a default."""

    host: str = _s("127.0.0.1", "Address to listen at. Anything but a loopback address needs TLS.")
    port: int = _s(7830, "Port to listen at; 0: any free one.", min=0, max=65535)
    a1111_port: int = _s(
        0, "Second port, where clients of AUTOMATIC1111's API look: 7860 by `serve --a1111`; 0: none.", min=0, max=65535
    )
    allowed_hosts: tuple[str, ...] = _s(
        (), "Names, besides the loopback ones, by which clients may call the bridge: no scheme, no port."
    )
    allowed_origins: tuple[str, ...] = _s(
        (),
        "Web pages, besides the bridge's own, that may connect and ask the HTTP APIs, by their origin as browsers send "
        "it: https://name, http://name:8080; no path, no port that is the scheme's own, no wildcard. A proxy that ends "
        "TLS before the bridge gives the bridge's own page another origin, which must be named here too.",
    )
    tls_certificate: Path | None = _s(None, "Certificate chain, a PEM file. Together with tls_key.")  # noqa: RUF009
    tls_key: Path | None = _s(None, "Private key of the certificate, a PEM file.")  # noqa: RUF009
    models_folders: tuple[Path, ...] = _s((), "Folders with checkpoints, besides `models` in the bridge's home.")
    default_checkpoint: str | None = _s(None, "Checkpoint that is used when none is asked for; none: the one on board.")
    device: str = _s(
        "auto",
        "Where the models run; auto: the best there is.",
        choices=("auto", "cpu", "cuda", "rocm", "xpu", "mps"),
    )
    picture_pixels: int = _s(1 << 28, "Most pixels of one picture, and of one context.", min=4096, max=1 << 34)
    request_bytes: int = _s(256 * MIB, "Most bytes of one request to the HTTP APIs.", min=MIB, max=1 << 34)
    upload_bytes: int = _s(2048 * MIB, "Most bytes of uploaded pictures that a session may hold.", min=MIB)
    replay_bytes: int = _s(2048 * MIB, "Most bytes of unfetched results that the bridge keeps for a session.", min=MIB)
    queued_jobs: int = _s(16, "Most jobs of one session that may wait.", min=1, max=1024)
    queued_jobs_total: int = _s(64, "Most jobs of all sessions together that may wait.", min=1, max=4096)
    batch: int = _s(16, "Most pictures of one job.", min=1, max=64)
    kept_sessions: int = _s(
        16, "Most sessions without a job that are kept for clients that are away; more give way.", min=1, max=4096
    )
    kept_bytes: int = _s(4096 * MIB, "Most bytes of pictures that those sessions hold together.", min=MIB)
    connections: int = _s(32, "Most connections.", min=1, max=256)
    unauthenticated_connections: int = _s(8, "Most connections that have not shown the token yet.", min=1, max=256)
    hello_seconds: float = _s(5.0, "How long a new connection may take to show the token.", min=0.01, max=60.0)
    resume_seconds: float = _s(300.0, "How long a session outlives its connection, at most.", min=0.0, max=86400.0)
    library: str = _s("on", "Whether results are kept, on this machine alone.", choices=("on", "off"))
    library_bytes: int = _s(
        2048 * MIB, "Most bytes of kept pictures; the earliest that are neither starred nor applied expire.", min=MIB
    )
    library_days: float = _s(30.0, "How long kept pictures last that are neither starred nor applied.", min=0.0)
    library_thumbnail_days: float = _s(365.0, "How long recipes and thumbnails of expired pictures last.", min=0.0)
    log_level: str = _s("info", "Least important lines that are logged.", choices=("debug", "info", "warning", "error"))
    log_format: str = _s("text", "Form of the log's lines.", choices=("text", "json"))

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_certificate"
            raise SettingsError("settings", missing, "TLS needs both a certificate and its key.")
        for host in self.allowed_hosts:
            if not _HOST.fullmatch(host):
                raise SettingsError("settings", "allowed_hosts", f"{host!r} is no name alone, such as art.example.")
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin) or _OWN_PORT.fullmatch(origin):
                raise SettingsError(
                    "settings",
                    "allowed_origins",
                    f"{origin!r} is no origin as browsers send it, such as https://name or http://name:8080.",
                )


@dataclass(frozen=True)
class SettingsRow:
    """One line of the settings' table."""

    name: str
    environment: str
    flag: str
    default: str
    allowed: str
    doc: str


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Settings from ``settings.toml``, over them the environment, over them flags.

    Args:
        flags: by field name; strings as typed, or values of the field's type; None counts as not given.
        environment: in place of ``os.environ``.
        file: in place of ``settings.toml`` in the bridge's home. It may be missing.

    Raises:
        SettingsError: an unknown key, a value of the wrong type or out of range, or a file that cannot be read. It
            names the source and the key.
    """
    environment = os.environ if environment is None else environment
    file = find_home(environment).settings_file if file is None else file
    kinds = get_type_hints(Settings)
    by_name = {entry.name: entry for entry in fields(Settings)}
    values: dict[str, Any] = {}
    for key, value in _read(file).items():
        if key not in by_name:
            raise SettingsError(str(file), key, "there is no such setting.", "See the table of settings.")
        values[key] = _convert(value, kinds[key], by_name[key], str(file), key)
    for variable, text in environment.items():
        key = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS:
            continue
        if key not in by_name:
            # Other parts of the project have variables of their own; only what looks like a slip is refused.
            for meant in difflib.get_close_matches(key, by_name, n=1, cutoff=0.75):
                raise SettingsError("environment", variable, f"no such setting; is {_variable(meant)} meant?")
            continue
        values[key] = _convert(text, kinds[key], by_name[key], "environment", variable)
    for key, value in (flags or {}).items():
        if value is not None:
            values[key] = _convert(value, kinds[key], by_name[key], "command line", _flag(key))
    return Settings(**values)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add one flag for each setting; pass ``vars`` of the outcome, cut to the settings' names, to
    :func:`load_settings`.
    """
    for entry in fields(Settings):
        parser.add_argument(_flag(entry.name), dest=entry.name, metavar="VALUE", help=entry.metadata["doc"])


def settings_table() -> list[SettingsRow]:
    """All settings, in order, for the documentation."""
    kinds = get_type_hints(Settings)
    return [
        SettingsRow(
            entry.name,
            _variable(entry.name),
            _flag(entry.name),
            _shown(entry.default),
            _allowed(entry.metadata, kinds[entry.name]),
            entry.metadata["doc"],
        )
        for entry in fields(Settings)
    ]


def _variable(key: str) -> str:
    return _PREFIX + key.upper()


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(str(file), "the file", f"it cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise SettingsError(str(file), "the file", f"it is not TOML ({error}).") from None


def _convert(value: Any, kind: Any, entry: Field[Any], source: str, key: str) -> Any:
    """A value of the field's type and inside its range. Text is parsed, whatever its source."""

    def wrong(wanted: str) -> SettingsError:
        return SettingsError(source, key, f"it must be {wanted}.")

    if kind in (tuple[str, ...], tuple[Path, ...]):
        return _convert_list(value, kind == tuple[Path, ...], wrong)
    if kind in (str, str | None, Path | None):
        if not isinstance(value, str | Path):
            raise wrong("a text")
        if kind == Path | None:
            return Path(value).expanduser() if str(value) else None
        if not value and kind == str | None:
            return None
        result: Any = str(value)
    else:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise wrong("a number")
        try:
            # int(1.5) would be 1: only what is whole may be.
            result = float(value) if kind is float else int(str(value))
        except ValueError:
            raise wrong("a number" if kind is float else "a whole number") from None
    _check(result, entry.metadata, wrong)
    return result


def _convert_list(value: Any, paths: bool, wrong: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(os.pathsep if paths else ",") if part.strip()]
    if not isinstance(value, Sequence) or not all(isinstance(item, str | Path) for item in value):
        raise wrong("a list of texts")
    return tuple(Path(item).expanduser() if paths else str(item) for item in value)


def _check(value: Any, limits: Mapping[str, Any], wrong: Any) -> None:
    if "choices" in limits and value not in limits["choices"]:
        raise wrong("one of: " + ", ".join(limits["choices"]))
    low, high = limits.get("min"), limits.get("max")
    # Written so that NaN fails too.
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise wrong(f"at least {low}" if high is None else f"between {low} and {high}")


def _shown(default: Any) -> str:
    if default is None or default == ():
        return "none"
    return str(default)


def _allowed(limits: Mapping[str, Any], kind: Any) -> str:
    if "choices" in limits:
        return ", ".join(limits["choices"])
    if "max" in limits:
        return f"{limits['min']} to {limits['max']}"
    if "min" in limits:
        return f"{limits['min']} and more"
    if kind == tuple[Path, ...]:
        return "folders; in one text separated by `:`, on Windows by `;`"
    if kind == tuple[str, ...]:
        return "texts; in one text separated by commas"
    return "a file" if kind == Path | None else "a text"
