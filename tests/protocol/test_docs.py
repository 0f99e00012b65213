"""The documents are those of these sources, and other languages read the vectors as we do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.protocol import messages as m
from bridge.protocol.errors import CODES, BridgeError
from bridge.protocol.fields import field_specs
from bridge.protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from bridge.protocol.pixels import IncomingPicture
from bridge.protocol.session import ClientSession, ServerConnection
from bridge.protocol.wire import decode_client, decode_server, encode

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NODE = Path(__file__).parent / "node"
VECTORS = json.loads((DOCS / "protocol.vectors.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((DOCS / "protocol.schema.json").read_text(encoding="utf-8"))
DECODERS: dict[str, Any] = {"client": decode_client, "server": decode_server}


def test_the_documents_are_those_of_a_fresh_generation():
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


def test_there_is_a_vector_of_every_message_with_few_and_with_all_fields():
    by_name = {(vector["direction"], vector["name"]): vector["message"] for vector in VECTORS["vectors"]}
    for side, table in (("client", CLIENT_MESSAGES), ("server", SERVER_MESSAGES)):
        for kind, cls in table.items():
            required = {"type"} | {spec.name for spec in field_specs(cls) if spec.required}
            assert set(by_name[side, f"{kind} minimal"]) == required
            assert set(by_name[side, f"{kind} full"]) == {"type"} | {spec.name for spec in field_specs(cls)}


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: f"{vector['direction']} {vector['name']}")
def test_vectors_decode_and_encode_to_themselves(vector):
    frame = bytes.fromhex(vector["hex"])
    message = DECODERS[vector["direction"]](frame)
    assert type(message).__name__.lower() == vector["message"]["type"]
    assert encode(message) == frame


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_refused_vectors_are_refused(vector):
    with pytest.raises(BridgeError) as caught:
        DECODERS[vector["direction"]](bytes.fromhex(vector["hex"]))
    assert caught.value.code == vector["code"]


def side_schema(side: str) -> dict[str, Any]:
    return {**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{side}_message"}]}


def test_the_schema_takes_every_vector():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for side in DECODERS:
        validator = jsonschema.Draft202012Validator(side_schema(side))
        for vector in VECTORS["vectors"]:
            if vector["direction"] == side:
                validator.validate(vector["message"])


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"}, {"strength": 2.0}, {"kind": "paint"}, {"prompt": 3}, {"seed": -1}, {"job": ""},
        {"type": "?"}, {"picture": {"hash": "ab"}}, {"conditions": [{}]}, {"canvas": None},
    ],
    ids=str,
)  # fmt: skip
def test_the_schema_refuses_what_the_decoder_refuses(change):
    validator = jsonschema.Draft202012Validator(side_schema("client"))
    (submit,) = [v["message"] for v in VECTORS["vectors"] if v["name"] == "submit full"]
    assert validator.is_valid(submit)
    assert not validator.is_valid({**submit, **change})


def test_the_schema_knows_every_class_and_field():
    for name, cls in {**CLIENT_MESSAGES, **SERVER_MESSAGES}.items():
        assert set(SCHEMA["$defs"][name]["properties"]) == {"type"} | {spec.name for spec in field_specs(cls)}


def test_the_worked_session_is_a_session():
    """Played through both sides' state machines; its pictures carry the hashes that they are named by."""
    client, server = ClientSession(client="the document"), ServerConnection()
    offered: dict[str, IncomingPicture] = {}
    lost = 5  # on its way when the connection breaks
    steps = [v for v in VECTORS["vectors"] if v["name"].startswith("session ")]
    greetings = 0
    for step in steps:
        frame = bytes.fromhex(step["hex"])
        if step["direction"] == "server":
            message: Any = decode_server(frame)
            if not (isinstance(message, m.Queued) and message.event == lost and greetings == 1):
                message, reply = client.receive(frame)
                assert message is not None, step["name"]
                assert (reply is not None) == (isinstance(message, m.Welcome) and greetings == 2)
            if isinstance(message, m.Result):
                offered.update({layer.picture.hash: IncomingPicture(layer.picture) for layer in message.layers})
        else:
            if step["message"]["type"] == "hello":
                greetings += 1
                server = ServerConnection()
                client.disconnected()
                client.connect("token")
            message = server.receive(frame)
            if isinstance(message, m.Hello):
                server.accept(message)
            elif isinstance(message, m.Submit):
                client.submit(message)
            elif isinstance(message, m.Offer):
                offered.update({picture.hash: IncomingPicture(picture) for picture in message.pictures})
            elif isinstance(message, m.Ack):
                assert message.event == client.last_event
        if isinstance(message, m.Put):
            offered[message.hash].add(message)
    assert greetings == 2
    assert len(offered) == 3
    assert all(incoming.complete for incoming in offered.values())
    assert client.open_jobs() == []


def test_the_guide_names_every_message_field_and_error():
    guide = (DOCS / "protocol.md").read_text(encoding="utf-8")
    for name, cls in {**CLIENT_MESSAGES, **SERVER_MESSAGES}.items():
        assert f"\n### {name}\n" in guide
        assert all(f"| `{spec.name}` |" in guide for spec in field_specs(cls))
    for code, entry in CODES.items():
        assert f"| `{code}` | {entry.message} | {entry.hint} | {'yes' if entry.closes else ''} |" in guide
    for vector in VECTORS["vectors"]:
        if vector["name"].startswith("session "):
            assert vector["hex"][:100] in guide


def missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def node_folder() -> Path:
    """The script beside its installed package, in a cache that is kept from run to run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        missing("no node and npm here: the vectors were not decoded in another language")
    content = b"".join((NODE / name).read_bytes() for name in ("package.json", "decode.mjs"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paintbridge-tests"
    folder = cache / f"node-{sha256(content).hexdigest()[:16]}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fresh = Path(scratch) / "node"
        shutil.copytree(NODE, fresh)
        command = [str(npm), "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            missing(f"npm could not install @msgpack/msgpack: {done.stderr[-500:]}")
        fresh.rename(folder)
    return folder


def test_node_decodes_the_vectors():
    folder = node_folder()
    done = subprocess.run(
        ["node", "decode.mjs", str(DOCS / "protocol.vectors.json")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(VECTORS['vectors'])} vectors\n"
