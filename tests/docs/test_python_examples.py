"""docs/python.md: its examples, run one after the other as they stand there, and checked for their types."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from whole_bridge import BridgeProcess

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def ran(
    serve: BridgeProcess, pictures: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> dict[str, object]:
    """What the examples have made, by the names that they give it."""
    monkeypatch.chdir(pictures)
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(serve.home))
    names: dict[str, object] = {"__name__": "example"}
    for number, example in enumerate(EXAMPLES, 1):
        exec(compile(example, f"example {number} of docs/python.md", "exec"), names)
    names["printed"] = capfd.readouterr().out
    return names


def test_the_first_takes_five_lines() -> None:
    lines = [line for line in EXAMPLES[0].splitlines() if line.strip()]
    assert len(lines) == 5


def test_they_do_what_is_said_of_them(ran: dict[str, object], pictures: Path) -> None:
    photo, mask, filled = (
        cv2.imread(str(pictures / name), cv2.IMREAD_UNCHANGED) for name in ("photo.png", "mask.png", "filled.png")
    )
    changed = (filled[..., :3] != photo).any(axis=2)
    assert changed[mask == 255].mean() > 0.95
    distance = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert not changed[distance > 32].any()

    # NumPy: strict, so that nothing outside the mask has changed, to the last bit of a float.
    pixels, chosen = ran["pixels"], ran["mask"]
    assert isinstance(pixels, np.ndarray)
    assert isinstance(chosen, np.ndarray)
    source = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    assert np.array_equal(pixels[~chosen], source[~chosen])
    assert (pixels != source).any(axis=2)[chosen].mean() > 0.9
    assert np.asarray(ran["painted"]).dtype == np.float32

    assert cv2.imread(str(pictures / "preview.png")).std() > 0
    printed = str(ran["printed"])
    for words in ("'tiny'", "denoise 1/", "The job was cancelled.", "a sea", "a forest", "empty_selection"):
        assert words in printed, words


def check_types(script: Path, text: str) -> subprocess.CompletedProcess[str]:
    script.write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--allow-untyped-defs", "--allow-untyped-calls", str(script)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_their_types_hold(tmp_path: Path) -> None:
    done = check_types(tmp_path / "examples.py", "\n".join(EXAMPLES))
    assert done.returncode == 0, done.stdout


def test_a_typo_is_found_by_its_type(tmp_path: Path) -> None:
    wrong = "from bridge.client import Bridge\nBridge().fill(b'', b'', promt='a typo', steps='many')\n"
    said = check_types(tmp_path / "wrong.py", wrong).stdout
    assert 'Unexpected keyword argument "promt"' in said
    assert 'incompatible type "str"; expected "int | None"' in said
