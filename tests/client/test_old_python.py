"""What travels inside plug-ins runs on Python 3.9, under another package's name, without any compiled helper."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
import websockets

import bridge
from bridge.protocol import messages as m

ROOT = Path(bridge.__file__).parent

SCRIPT = """
import json, sys
from plugin.inner.client import Bridge, Address, Pixels
from plugin.inner.protocol.errors import BridgeError
from plugin.inner.protocol.messages import Extent, Rect
import msgpack
assert msgpack.Packer.__module__ == "msgpack.fallback", msgpack.Packer.__module__
assert not {"numpy", "PIL", "bridge"} & set(sys.modules)

url, token = sys.argv[1:]
with Bridge(Address(url, token), client="old") as bridge:
    planned = bridge.plan(canvas=Extent(64, 64), selection=Rect(3, 4, 32, 16))
    pixels = Pixels(bytes(32 * 16 * 4), 32, 16, 4)
    job = bridge.submit(kind="fill", canvas=Extent(64, 64), context=planned.context, picture=pixels, seed=5, steps=2)
    events = [type(event).__name__ for event in job.events()]
    layer = job.result(30).layers[0]
    try:
        bridge.plan(canvas=Extent(64, 64))
    except BridgeError as error:
        code = error.code
print(json.dumps([sys.version_info[:2], events[0], events[-1], layer.x, bytes(layer.data).hex(), code]))
"""


def find_python39() -> str | None:
    """``PAINTBRIDGE_PYTHON39``, ``python3.9`` on the path, or one of pyenv's."""
    # One on the path may be a stub of pyenv's that runs nothing.
    candidates = [os.environ.get("PAINTBRIDGE_PYTHON39"), shutil.which("python3.9")]
    candidates += sorted(str(path) for path in Path.home().glob(".pyenv/versions/3.9*/bin/python3.9"))
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", "import ssl, asyncio"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_a_plug_ins_copy_runs_on_python_39(tiny, tmp_path):
    python = find_python39()
    if python is None:
        pytest.skip("no Python 3.9 here; set PAINTBRIDGE_PYTHON39 to one (vermin has looked at the sources)")
    inner = tmp_path / "plugin" / "inner"
    for room in ("protocol", "client"):
        shutil.copytree(ROOT / room, inner / room, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (msgpack, websockets):
        source = Path(package.__file__).parent
        shutil.copytree(
            source, tmp_path / package.__name__, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
        )
    done = subprocess.run(
        [python, "-W", "error", "-c", SCRIPT, tiny.address().url, tiny.address().token],
        cwd=tmp_path,
        env={**os.environ, "MSGPACK_PUREPYTHON": "1", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    layer = random.Random(5).randbytes(32 * 16 * 4).hex()
    assert json.loads(done.stdout) == [[3, 9], "Queued", "Result", 3, layer, "empty_selection"]
    assert tiny.messages(m.Hello)[0].client == "old"


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ([], ["protocol", "client"]),
        # The decoder evaluates the types of the messages' fields.
        (["--eval-annotations"], ["protocol/messages.py"]),
    ],
)
def test_the_sources_use_nothing_newer_than_python_39(options, paths):
    command = [
        sys.executable,
        "-c",
        "import vermin; vermin.main()",
        "-t=3.9-",
        "--no-tips",
        "--violations",
        "--no-parse-comments",
        *options,
    ]
    done = subprocess.run(
        [*command, *(str(ROOT / path) for path in paths)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sources_import_each_other_relatively():
    for room in ("protocol", "client"):
        for path in (ROOT / room).glob("*.py"):
            text = path.read_text()
            assert "import bridge" not in text, path
            assert "from bridge" not in text, path
