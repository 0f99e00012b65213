"""A small hub over HTTP: the few answers of huggingface.co that a pull needs, and ways to go wrong."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["SmallHub", "serve_hub"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class SmallHub:
    """What is served, and what was asked.

    `files` are those of the one repository, by name. `cut` closes the connection once after so many bytes of a file,
    `damaged` flips the last bit of files, `deaf` ignores ranges, `status` answers every download with an error, `held`
    stops after so many bytes of a file until `gate` is set, which asking for ``/gate`` does too, `sizes` announces
    others than there are.
    """

    def __init__(self, hub_id: str, folder: Path) -> None:
        self.hub_id = hub_id
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.url = ""
        self.gated = False
        self.deaf = False
        self.cut: dict[str, list[int]] = {}
        self.damaged: set[str] = set()
        self.status = 0
        self.held: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.gate = threading.Event()
        self.commit = COMMIT
        self.downloads: list[tuple[str, int]] = []
        self.tokens: set[str] = set()
        self.lock = threading.Lock()

    def info(self) -> dict[str, object]:
        """As the hub's API gives it with `blobs=true`: large files by SHA-256, small ones by git's SHA-1."""
        siblings = []
        for name, content in self.files.items():
            git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            size = self.sizes.get(name, len(content))
            sibling: dict[str, object] = {"rfilename": name, "size": size, "blobId": git}
            if name.endswith((".safetensors", ".bin")):
                sha256 = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 135}
            siblings.append(sibling)
        return {
            "id": self.hub_id,
            "modelId": self.hub_id,
            "sha": self.commit,
            "private": False,
            "gated": "manual" if self.gated else False,
            "tags": [],
            "cardData": {"license": "creativeml-openrail-m"},
            "siblings": siblings,
        }

    def bytes_sent(self, name: str) -> list[int]:
        """Where each download of a file began."""
        return [start for asked, start in self.downloads if asked == name]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: SmallHub

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        hub = self.hub
        path = unquote(urlsplit(self.path).path)
        with hub.lock:
            hub.tokens.add(self.headers.get("Authorization", ""))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/(.+))?", path):
            if found[1] != hub.hub_id:
                return self._answer(401, {"X-Error-Code": "RepoNotFound"}, b"")
            if found[2] not in (None, "main", hub.commit):
                return self._answer(404, {"X-Error-Code": "RevisionNotFound"}, b"")
            return self._answer(200, {"Content-Type": "application/json"}, json.dumps(hub.info()).encode())
        if path.startswith(before := f"/{hub.hub_id}/resolve/{hub.commit}/"):
            if hub.gated:
                return self._answer(403, {"X-Error-Code": "GatedRepo"}, b"")
            # Large files come from elsewhere, as they do from the hub.
            return self._answer(302, {"Location": f"{hub.url}/elsewhere/{path.removeprefix(before)}"}, b"")
        if path == "/gate":
            hub.gate.set()
            return self._answer(200, {}, b"")
        if path.startswith("/elsewhere/"):
            return self._send(path.removeprefix("/elsewhere/"))
        return self._answer(404, {}, b"")

    def _send(self, name: str) -> None:
        hub = self.hub
        if hub.status:
            return self._answer(hub.status, {}, b"")
        content = hub.files[name]
        if name in hub.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not hub.deaf else 0
        with hub.lock:
            hub.downloads.append((name, start))
            cuts = hub.cut.get(name)
            cut = cuts.pop(0) if cuts else None
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        held = hub.held.get(name)
        if held is not None and not hub.gate.is_set():
            self.wfile.write(content[start:held])
            hub.gate.wait()
            start = max(start, held)
        with contextlib.suppress(ConnectionError):  # who was held may have gone meanwhile
            self.wfile.write(content[start:] if cut is None else content[start : start + cut])
        if cut is not None:
            self.close_connection = True
        return None

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serve_hub(hub: SmallHub) -> Iterator[SmallHub]:
    """Serve it on a free port of this machine; `hub.url` is its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
