"""The bridge as a process: what it imports, prints and logs, and how it ends."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from small_bridge import Bridge, GatedEngine, a_job
from websockets.sync.client import connect

from bridge.protocol.messages import PROTOCOL_VERSION, Closing, Failed, Hello, Result, Welcome
from bridge.protocol.wire import decode_server, encode
from bridge.server.app import BridgeServer
from bridge.server.errors import AddressUnavailable, AlreadyRunning, SettingsError, TlsRequired
from bridge.server.logs import configure_logs, log, log_fault
from bridge.server.settings import Settings

_SERVE = """
from bridge.server.app import serve
from bridge.server.settings import load_settings
serve(load_settings({"port": 0, "log_level": "debug"}), start_command=["start", "me"])
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A bridge with its real engine, in a process and a home of its own."""
    environment = {**os.environ, "PAINTBRIDGE_HOME": str(tmp_path / "home")}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        yield running
        if running.poll() is None:
            running.kill()


def test_it_imports_nothing_that_is_slow_or_runs_models() -> None:
    code = (
        "import sys, bridge.server.app\n"
        "slow = {'torch', 'cv2', 'numpy', 'safetensors', 'diffusers', 'transformers', 'PIL', 'pyvips'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_one_line_says_where_and_sigterm_ends_it_gracefully(process: subprocess.Popen[str], tmp_path: Path) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Paintbridge listens on ws://127.0.0.1:")
    runtime = json.loads((tmp_path / "home" / "runtime.json").read_text())
    assert line.split()[-1] == runtime["url"]
    assert runtime["pid"] == process.pid
    assert runtime["start_command"] == ["start", "me"]
    with connect(runtime["url"], proxy=None, compression=None) as client:
        client.send(encode(Hello(PROTOCOL_VERSION, "test", runtime["token"])))
        assert isinstance(decode_server(_bytes(client.recv(timeout=20))), Welcome)
        process.send_signal(signal.SIGTERM)
        messages = [decode_server(_bytes(frame)) for frame in client]
        assert isinstance(messages[-1], Closing)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == ""
    assert runtime["token"] not in err
    assert "Traceback" not in err
    after = json.loads((tmp_path / "home" / "runtime.json").read_text())
    assert after == {**runtime, "pid": None}


def _bytes(frame: str | bytes) -> bytes:
    assert isinstance(frame, bytes)
    return frame


async def test_a_second_bridge_in_the_same_home_does_not_start(start: Callable[..., Any], tmp_path: Path) -> None:
    bridge: Bridge = await start(home=tmp_path / "home")
    with pytest.raises(AlreadyRunning) as error:
        await start(home=tmp_path / "home")
    assert error.value.url == bridge.url
    # The first one's file is untouched by that.
    assert bridge.server.runtime.read()["url"] == bridge.url


async def test_a_port_in_use_is_named(start: Callable[..., Any]) -> None:
    bridge: Bridge = await start()
    port = urlsplit(bridge.url).port
    with pytest.raises(AddressUnavailable, match=str(port)):
        await start(port=port)


async def test_beyond_this_machine_only_with_tls(start: Callable[..., Any]) -> None:
    with pytest.raises(TlsRequired):
        await start(host="0.0.0.0")


async def test_a_certificate_that_is_none_is_named(start: Callable[..., Any], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("no key")
    with pytest.raises(SettingsError, match="tls_certificate"):
        await start(tls_certificate=tmp_path / "none.pem", tls_key=key)
    with pytest.raises(SettingsError, match="cannot be used"):
        await start(tls_certificate=key, tls_key=key)


async def test_a_failed_start_lets_go_of_the_home(start: Callable[..., Any], tmp_path: Path) -> None:
    taken: Bridge = await start()
    home = tmp_path / "again"
    with pytest.raises(AddressUnavailable):
        await start(home=home, port=urlsplit(taken.url).port)
    await start(home=home)


async def test_tls_from_end_to_end(start: Callable[..., Any], tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=studio.example", "-addext", "subjectAltName=DNS:studio.example"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("there is no openssl to make a certificate with")
    bridge: Bridge = await start(
        host="127.0.0.1", tls_certificate=certificate, tls_key=key, allowed_hosts=("studio.example",)
    )
    assert bridge.url.startswith("wss://studio.example:")
    trust = ssl.create_default_context(cafile=str(certificate))
    client = await bridge.open(ssl=trust, host="127.0.0.1")
    await client.greet(bridge.token)
    await client.say(a_job("one"))
    await client.until(Result)


async def test_small_messages_do_not_wait_for_each_other(bridge: Bridge) -> None:
    await bridge.client()
    assert bridge.server._web is not None
    (connection,) = bridge.server._web.server_state.connections
    assert connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_bridge_that_is_stopped_at_once_still_ends(tmp_path: Path) -> None:
    server = BridgeServer(Settings(port=0), home=tmp_path, engine=GatedEngine())
    server.stop()
    await server.run()
    assert server.runtime.read()["pid"] is None


# ---------------------------------------------------------------- the log


@pytest.fixture
def lines() -> Iterator[Callable[..., list[str]]]:
    """Set the log up, and read what it has said."""
    loggers = [logging.getLogger(name) for name in ("bridge", "uvicorn.error")]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    stream = io.StringIO()

    def read(form: str | None = None, level: str = "info") -> list[str]:
        if form is not None:
            configure_logs(level=level, form=form, stream=stream)
        return stream.getvalue().splitlines()

    yield read
    for one, handlers, level, propagate in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


async def test_one_line_for_a_jobs_end_and_never_the_token_or_a_prompt(
    bridge: Bridge, lines: Callable[..., list[str]]
) -> None:
    lines("json", "debug")
    client = await bridge.client()
    for prompt in ("private words", "fail"):
        await client.say(a_job(prompt[:4], prompt=prompt))
        await client.until(Result if prompt != "fail" else Failed)
    said = lines()
    jobs = [json.loads(line) for line in said if '"event": "job"' in line]
    assert [(job["kind"], job["size"], job["code"]) for job in jobs] == [
        ("generate", "8x8", "result"),
        ("generate", "8x8", "out_of_memory"),
    ]
    assert [job["level"] for job in jobs] == ["info", "warning"]
    assert all(job["seconds"] >= 0 for job in jobs)
    assert bridge.token not in "\n".join(said)
    assert "private words" not in "\n".join(said)


def test_what_clients_say_cannot_forge_a_line(lines: Callable[..., list[str]]) -> None:
    lines("text")
    log(logging.INFO, "connected", client="Krita 5\n2026 info job code=result", session="abc")
    (line,) = lines()
    assert line.endswith('info connected client="Krita 5\\n2026 info job code=result" session=abc')


@pytest.mark.parametrize("form", ["text", "json"])
def test_unforeseen_errors_are_logged_with_their_traceback(lines: Callable[..., list[str]], form: str) -> None:
    lines(form)
    try:
        raise RuntimeError("what happened")
    except RuntimeError:
        log_fault("fault", id="1")
    text = "\n".join(lines())
    assert "Traceback" in text
    assert "what happened" in text
    if form == "json":
        assert json.loads(text)["id"] == "1"


def test_quiet_means_quiet(lines: Callable[..., list[str]]) -> None:
    lines("text", "warning")
    log(logging.INFO, "connected", client="x")
    assert lines() == []
