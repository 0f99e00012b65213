"""A plug-in's package with all that it needs inside: on every Python that hosts bring, beside nothing else."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from pythons import find_python
from tiny_bridge import TinyBridge

from bridge.plugins import TARGETS
from bridge.plugins.vendor import package_files, relative_imports
from bridge.protocol import messages as m

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

SCRIPT = """
import json, sys
from plugin._vendor.bridge.client import Bridge, Address, Pixels
from plugin._vendor.bridge.protocol.errors import BridgeError
from plugin._vendor.bridge.protocol.messages import Extent, Rect
from plugin._vendor import msgpack
assert msgpack.Packer.__module__ == "plugin._vendor.msgpack.fallback", msgpack.Packer.__module__
assert not {"numpy", "PIL", "bridge", "websockets", "msgpack"} & set(sys.modules)

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
print(json.dumps(["%d.%d" % sys.version_info[:2], events[0], events[-1], layer.x, bytes(layer.data).hex(), code]))
"""


@pytest.fixture
def tiny() -> Iterator[TinyBridge]:
    bridge = TinyBridge()
    bridge.start()
    yield bridge
    bridge.end()


# Krita's own, from the 5.2 of AppImages and Windows to Debian's.
KRITAS = ("3.10", "3.11", "3.12", "3.13", "3.14")


@pytest.mark.parametrize("version", KRITAS)
def test_the_plug_in_itself_compiles_on_every_kritas_python(tmp_path: Path, version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here; set PAINTBRIDGE_PYTHON{version.replace('.', '')} to one")
    for path, content in package_files("plugin_krita", "paintbridge_krita").items():
        if path.endswith(".py") and not path.startswith("_vendor/"):
            (tmp_path / path).write_bytes(content)
    command = [python, "-I", "-W", "error", "-m", "compileall", "-q", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "__pycache__").iterdir())) == len(list(tmp_path.glob("*.py"))) > 20


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("plugin", [("plugin_krita", "paintbridge_krita")])
def test_what_is_vendored_runs_on_every_hosts_python(
    tiny: TinyBridge, tmp_path: Path, version: str, plugin: tuple[str, str]
) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here; set PAINTBRIDGE_PYTHON{version.replace('.', '')} to one")
    for path, content in package_files(*plugin).items():
        if path.startswith("_vendor/"):
            target = tmp_path / "plugin" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    address = (tiny.address().url, tiny.address().token)
    done = subprocess.run(
        # -I: neither the environment nor the user's packages; there is nothing to fall back on.
        [python, "-I", "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{SCRIPT}", *address],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    layer = random.Random(5).randbytes(32 * 16 * 4).hex()
    assert json.loads(done.stdout) == [version, "Queued", "Result", 3, layer, "empty_selection"]
    assert tiny.messages(m.Hello)[0].client == "old"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_sources_of_a_plug_in_run_on_python_39(target: object, tmp_path: Path) -> None:
    bundle = target.bundle()  # type: ignore[attr-defined]
    for path, content in bundle.files.items():
        if path.endswith(".py") and "_vendor" not in path:
            (tmp_path / path.replace("/", "-")).write_bytes(content)
    command = [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.9-", "--no-tips", "--violations"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert list(tmp_path.glob("*.py"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_licences_travel_along_and_compiled_helpers_do_not(target: object) -> None:
    files = target.bundle().files  # type: ignore[attr-defined]
    for name in ("websockets", "msgpack"):
        (licence,) = (content for path, content in files.items() if path.endswith(f"_vendor/{name}/LICENSE"))
        assert b"opyright" in licence
    assert not [path for path in files if path.endswith((".so", ".pyd", ".pyc"))]


def test_imports_of_what_is_vendored_become_relative() -> None:
    text = "import msgpack\nimport os\n\ndef late():\n    from bridge.client import (\n        Bridge,\n    )\n"
    assert relative_imports(text, PurePosixPath("a/b.py")) == (
        "from .._vendor import msgpack\nimport os\n\n"
        "def late():\n    from .._vendor.bridge.client import (\n        Bridge,\n    )\n"
    )
    assert relative_imports("from websockets import connect\n", PurePosixPath("a.py")) == (
        "from ._vendor.websockets import connect\n"
    )
    # Neither words in a text nor names that begin alike.
    for kept in ('"""\nimport msgpack\n"""\n', "import bridges\n", "from .bridge import Bridge\n"):
        assert relative_imports(kept, PurePosixPath("a.py")) == kept


@pytest.mark.parametrize(
    "text",
    ["import bridge.client\n", "import msgpack as m\n", "import os, msgpack\n", "from bridge . client import X\n"],
)
def test_an_import_that_cannot_be_made_relative_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        relative_imports(text, PurePosixPath("a.py"))
