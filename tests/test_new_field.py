"""A field that is added to a job by its one definition reaches every door: tried on a copy of the sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIELD = '    scratch_level: Optional[int] = described("A level for trying out.", None, min=1, max=12)\n'
BEFORE = "    strict: bool = described("
"""The field stands in the group of the edges."""

CLIENT = """
from bridge.client.job_request import JobRequest
print(JobRequest.of("generate", (64, 64), scratch_level=5).settings["scratch_level"])
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with the field, and with all that is generated from them."""
    root = tmp_path_factory.mktemp("sources")
    heavy = shutil.ignore_patterns("mini", "configs", "vendor", "__pycache__", "node_modules", "images")
    for name in ("bridge", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=heavy)
    # Mini's own page has generated figures.
    shutil.copytree(ROOT / "bridge" / "mini", root / "bridge" / "mini")
    for name in ("bridge/models/configs", "bridge/server/page/vendor", "plugin_krita", "plugin_gimp"):
        (root / name).symlink_to(ROOT / name)
    job = root / "bridge" / "protocol" / "job.py"
    text = job.read_text(encoding="utf-8")
    assert text.count(BEFORE) == 1
    job.write_text(text.replace(BEFORE, FIELD + BEFORE), encoding="utf-8")
    run(root, "docs/generate.py")
    return root


def run(root: Path, *arguments: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(root), "PAINTBRIDGE_HOME": str(root / "home")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_the_command_line_parses_it_and_the_recipe_has_it(copied: Path) -> None:
    """Through client, wire, server, queue, worker and painter, and back."""
    make = "import cv2, numpy; cv2.imwrite('in.png', numpy.full((64, 64, 3), 99, numpy.uint8))"
    run(copied, "-c", make)
    fill = ["fill", "in.png", "--rect", "16,16,24,24", "-o", "out.png", "--json", "--scratch-level", "7"]
    (output,) = json.loads(run(copied, "-m", "bridge.cli", *fill))["outputs"]
    assert output["recipe"]["settings"]["edges"]["scratch_level"] == 7


def test_the_python_client_takes_it_as_a_keyword(copied: Path) -> None:
    assert run(copied, "-c", CLIENT).strip() == "5"
    typed = (copied / "bridge" / "client" / "options.py").read_text(encoding="utf-8")
    assert "    scratch_level: Optional[int]\n" in typed


def test_the_page_and_the_documents_know_it(copied: Path) -> None:
    fields = (copied / "bridge" / "server" / "page" / "wire" / "fields.mjs").read_text(encoding="utf-8")
    assert '"name": "scratch_level"' in fields
    for name in ("protocol.md", "protocol.schema.json", "protocol.vectors.json"):
        assert "scratch_level" in (copied / "docs" / name).read_text(encoding="utf-8"), name
