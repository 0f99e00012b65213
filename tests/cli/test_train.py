"""``paintbridge train``: the real child process, told and stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.cli.exits import Exit


def test_a_recipe_that_is_not_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "denoiser", str(tmp_path / "none.toml"), "--json"]) == Exit.REFUSED
    said = capfd.readouterr()
    assert json.loads(said.out)["error"]["code"] == "recipe_invalid"
    assert "none.toml can't be used" in said.err


def test_hours_must_be_hours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "all", "mini", "--max-hours", "nan"])
    assert ended.value.code == Exit.USAGE
    assert "a number of hours is wanted" in capsys.readouterr().err
