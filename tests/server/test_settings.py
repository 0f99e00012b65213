"""Settings from file, environment and flags, and errors that name the source and the key."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

from bridge.home import find_home
from bridge.server.errors import SettingsError
from bridge.server.settings import Settings, add_flags, load_settings, settings_table


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_without_any_source(tmp_path: Path) -> None:
    assert load_settings(environment={}, file=tmp_path / "none.toml") == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, 'port = 1\nhost = "127.0.0.1"\nbatch = 3\nallowed_origins = ["https://a.example"]\n')
    environment = {"PAINTBRIDGE_PORT": "2", "PAINTBRIDGE_BATCH": "4", "PATH": "/bin"}
    settings = load_settings({"port": "3", "host": None}, environment=environment, file=file)
    assert (settings.port, settings.batch, settings.host) == (3, 4, "127.0.0.1")
    assert settings.allowed_origins == ("https://a.example",)


def test_the_file_lies_in_the_bridges_home(tmp_path: Path) -> None:
    _file(tmp_path, "port = 5\n")
    environment = {"PAINTBRIDGE_HOME": str(tmp_path)}
    assert find_home(environment).folder == tmp_path
    assert load_settings(environment=environment).port == 5


def test_lists_are_texts_with_separators_outside_the_file(tmp_path: Path) -> None:
    environment = {"PAINTBRIDGE_ALLOWED_HOSTS": "a.example, b.example", "PAINTBRIDGE_MODELS_FOLDERS": "/one"}
    settings = load_settings(environment=environment, file=tmp_path / "none.toml")
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.models_folders == (Path("/one"),)


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("prot = 1", "prot", "no such setting"),
        ("port = 70000", "port", "65535"),
        ("port = 1.5", "port", "whole number"),
        ("port = true", "port", "number"),
        ('port = "many"', "port", "whole number"),
        ("resume_seconds = nan", "resume_seconds", "between"),
        ('log_level = "loud"', "log_level", "one of"),
        ("host = 1", "host", "a text"),
        ("models_folders = [1]", "models_folders", "list"),
        ("port = ", "the file", "not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, key: str, word: str) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(SettingsError, match=word) as error:
        load_settings(environment={}, file=file)
    assert (error.value.source, error.value.key) == (str(file), key)


def test_a_wrong_variable_and_a_wrong_flag_are_named(tmp_path: Path) -> None:
    none = tmp_path / "none.toml"
    with pytest.raises(SettingsError) as error:
        load_settings(environment={"PAINTBRIDGE_PORT": "-1"}, file=none)
    assert (error.value.source, error.value.key) == ("environment", "PAINTBRIDGE_PORT")
    with pytest.raises(SettingsError, match="is PAINTBRIDGE_PORT meant"):
        load_settings(environment={"PAINTBRIDGE_PROT": "1"}, file=none)
    with pytest.raises(SettingsError) as error:
        load_settings({"queued_jobs": "0"}, environment={}, file=none)
    assert (error.value.source, error.value.key) == ("command line", "--queued-jobs")


def test_variables_of_clients_and_of_other_tools_are_no_settings(tmp_path: Path) -> None:
    environment = {"PAINTBRIDGE_URL": "ws://127.0.0.1/ws", "PAINTBRIDGE_TOKEN": "x", "PAINTBRIDGE_PYTHON": "python3"}
    assert load_settings(environment=environment, file=tmp_path / "none.toml") == Settings()


def test_tls_needs_both_halves(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both"):
        load_settings({"tls_key": "key.pem"}, environment={}, file=tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allowed_origins", "*"),
        ("allowed_origins", "art.example"),
        ("allowed_origins", "https://*.example"),
        ("allowed_origins", "https://art.example/editor"),
        ("allowed_origins", "https://art.example:443"),
        ("allowed_origins", "http://art.example:80/"),
        ("allowed_hosts", "https://art.example"),
        ("allowed_hosts", "art.example:7830"),
        ("allowed_hosts", "*"),
    ],
)
def test_names_that_no_browser_would_ever_send_are_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({key: value}, environment={}, file=tmp_path / "none.toml")
    assert key in str(refused.value)
    assert value in str(refused.value)


def test_names_as_browsers_send_them(tmp_path: Path) -> None:
    origins = (
        "https://art.example,http://art.example:8080,https://art.example:80/,app://obsidian.md,http://[::1]:90,null"
    )
    given = {"allowed_origins": origins, "allowed_hosts": "art.example,[::1],192.0.2.7"}
    settings = load_settings(given, environment={}, file=tmp_path / "none.toml")
    assert len(settings.allowed_origins) == 6
    assert settings.allowed_hosts == ("art.example", "[::1]", "192.0.2.7")


def test_every_setting_has_a_flag_a_row_and_a_sentence(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    found = vars(parser.parse_args(["--port", "0", "--log-format", "json"]))
    settings = load_settings(found, environment={}, file=tmp_path / "none.toml")
    assert (settings.port, settings.log_format) == (0, "json")
    rows = settings_table()
    assert [row.name for row in rows] == [entry.name for entry in fields(Settings)]
    assert all(row.doc.endswith(".") for row in rows)
    port = next(row for row in rows if row.name == "port")
    assert (port.environment, port.flag, port.default, port.allowed) == (
        "PAINTBRIDGE_PORT",
        "--port",
        "7830",
        "0 to 65535",
    )
