"""The real Krita on a desktop of its own, with the plug-in installed by our own command, and a line to its thread."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from host_desktop import Desktop, wait_for

from bridge.plugins.krita import Krita as Target
from bridge.plugins.placing import put
from bridge.plugins.target import Machine

__all__ = ["KritaHost"]

_DRIVER = Path(__file__).parent.parent / "hosts" / "krita" / "driver"
# Krita tells of a turned or zoomed view in words over the canvas, for seconds: tests look at the canvas.
# The docker is where a test puts it.
_SETTINGS = "showOnCanvasMessages=false\n\n[python]\nenable_paintbridge_driver=true\n\n[paintbridge]\nplaced=true\n"


class KritaHost:
    """A running Krita. ``ask`` runs code on its thread; hands are the desktop's."""

    def __init__(self, desktop: Desktop, *, environment: Mapping[str, str] | None = None) -> None:
        self.desktop = desktop
        self.log = desktop.share / "krita.log"
        self._port_file = desktop.share / "driver.port"
        self._environment = dict(environment or {})
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        """Put plug-in and driver into this home, as `paintbridge plugins install krita` does."""
        target, home = Target(), self.desktop.home
        settings = home / ".config" / "kritarc"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(_SETTINGS)
        (place,) = target.places(Machine("linux", home, {"PATH": ""}))
        put(target.bundle(), place.folder)
        target.enable(place)
        shutil.copytree(_DRIVER, place.folder / "pykrita", dirs_exist_ok=True)

    def start(self) -> None:
        """Start Krita, and wait until it can take documents."""
        self._port_file.unlink(missing_ok=True)
        # A crash in Python's half says where.
        environment = {"PAINTBRIDGE_DRIVER": str(self._port_file), "PYTHONFAULTHANDLER": "1", **self._environment}
        self._process = self.desktop.start(["krita", "--nosplash"], log=self.log, environment=environment)
        port = int(wait_for(self._port, "Krita to load the driver"))
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        wait_for(lambda: self.ask("Krita.activeWindow() is not None"), "Krita's window")
        self.ask(
            "window = Krita.activeWindow().qwindow()\n"
            "window.setGeometry(0, 0, *[int(n) for n in "
            f"{self.desktop.size!r}])\n"
            "window.show()"
        )

    def stop(self) -> None:
        """End Krita the hard way."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self.desktop.kill(self._process)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask(self, code: str) -> Any:
        """Run code on Krita's thread; what its last expression gives."""
        assert self._socket is not None
        line = b""
        try:
            self._socket.sendall(json.dumps({"code": code}).encode() + b"\n")
            while not line.endswith(b"\n"):
                part = self._socket.recv(1 << 16)
                assert part, self._gone()
                line += part
        except ConnectionError:
            raise AssertionError(self._gone()) from None
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def _port(self) -> str | None:
        assert self.running, self._gone()
        return self._port_file.read_text() if self._port_file.exists() else None

    def _gone(self) -> str:
        assert self._process is not None
        return f"Krita has gone ({self._process.wait(60)}): " + self.log.read_text(errors="replace")[-2000:]
