"""GIMP on a desktop, with the plug-in installed; calls into it, and hands on its windows."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import psutil
from host_desktop import Desktop, wait_for
from PIL import Image

from bridge.plugins.gimp import Gimp
from bridge.plugins.placing import put

__all__ = ["GimpHost", "install", "install_browser"]

_INSIDE = Path(__file__).parent.parent / "hosts" / "gimp" / "inside.py"
# No dialog may stand in the way, and nothing be asked; a version that is known is not welcomed.
_SETTINGS = '(show-welcome-dialog no)\n(color-profile-policy keep)\n(check-updates no)\n(config-version "{version}")\n'
_SERVE = "import sys; sys.path.insert(0, {folder!r}); import inside; inside.serve({path!r})"
# The menu's entries in their order, from the first one down.
_MENU = ("check", "expand", "generate", "fill", "refine", "remove", "upscale")
_FILTERS = (427, 12)


def install(desktop: Desktop) -> Path:
    """The plug-in, as ``paintbridge plugins install gimp`` puts it. Returns GIMP's folder in its user's home."""
    version = desktop.run(["gimp-console", "--version"]).split()[-1]
    folder = desktop.home / ".config" / "GIMP" / version.rpartition(".")[0]
    put(Gimp().bundle(), folder / "plug-ins")
    (folder / "gimprc").write_text(_SETTINGS.format(version=version))
    return folder


def install_browser(desktop: Desktop) -> None:
    """A browser that writes down what it is asked to open, into ``browsed`` in the share."""
    program = desktop.share / "browser.sh"
    program.write_text(f'#!/bin/sh\necho "$@" >> {desktop.share}/browsed\n')
    program.chmod(0o755)
    kinds = ("text/html", "x-scheme-handler/file")
    applications = desktop.home / ".local" / "share" / "applications"
    applications.mkdir(parents=True)
    (applications / "browser.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nName=Browser\nExec={program} %u\nMimeType={';'.join(kinds)};\n"
    )
    chosen = "".join(f"{kind}=browser.desktop\n" for kind in kinds)
    settings = desktop.home / ".config"
    settings.mkdir(exist_ok=True)
    (settings / "mimeapps.list").write_text(f"[Default Applications]\n{chosen}")


class GimpHost:
    """Use it as a context manager. :meth:`call` runs a function of ``tests/hosts/gimp/inside.py``."""

    def __init__(self, desktop: Desktop, environment: dict[str, str] | None = None) -> None:
        self.desktop = desktop
        self.share = desktop.share
        self.log = desktop.share / "gimp.log"
        self._environment = environment or {}
        self._socket: socket.socket | None = None
        self._stream: IO[str] | None = None
        self._unanswered = False

    def __enter__(self) -> GimpHost:
        shutil.copy(_INSIDE, self.share)
        path = self.share / "inside.sock"
        code = _SERVE.format(folder=str(self.share), path=str(path))
        command = ["gimp", "--no-splash", "--batch-interpreter=python-fu-eval", "--batch", code]
        self.process = self.desktop.start(command, log=self.log, environment=self._environment)
        self._socket = socket.socket(socket.AF_UNIX)
        wait_for(lambda: path.exists() and self._socket.connect_ex(str(path)) == 0, "GIMP to start")
        self._stream = self._socket.makefile("rw", encoding="utf-8")
        self.call("messages_to_the_log")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._socket is not None
        self._socket.close()
        self.desktop.kill(self.process)

    # ------------------------------------------------------------ calls

    def ask(self, function: str, **arguments: Any) -> None:
        """Begin a call; :meth:`answer` waits for its end."""
        assert self._stream is not None
        if self._unanswered:
            # A test has failed between the two; the others are not to take its answers for theirs.
            self._stream.readline()
        self._unanswered = True
        self._stream.write(json.dumps({"call": function, "arguments": arguments}) + "\n")
        self._stream.flush()

    def answer(self) -> Any:
        """What the call has returned."""
        assert self._stream is not None
        line = self._stream.readline()
        self._unanswered = False
        assert line, "GIMP's interpreter has gone:\n" + self.log.read_text()[-4000:]
        answer = json.loads(line)
        assert "error" not in answer, answer.get("error")
        return answer["value"]

    def call(self, function: str, **arguments: Any) -> Any:
        """Run a function inside GIMP, and return what it returns."""
        self.ask(function, **arguments)
        return self.answer()

    def pixels(self, function: str, shape: tuple[int, ...], kind: str = "u1", **arguments: Any) -> np.ndarray:
        """What one of the ``dump`` functions writes."""
        path = self.share / "dump.raw"
        self.call(function, path=str(path), **arguments)
        return np.frombuffer(path.read_bytes(), kind).reshape(shape)

    # ------------------------------------------------------------ hands

    def plug_in(self) -> psutil.Process | None:
        """The plug-in's process, if it runs."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            # One may end while it is looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(word.endswith("paintbridge/paintbridge.py") for word in process.cmdline()):
                    return process
        return None

    def recover(self, images: list[int], picture: Path) -> None:
        """After a test that has failed: take a picture of what it left, and clear that away, for the next ones.

        Args:
            images: what was open before it.
            picture: where the screenshot goes.
        """
        self.desktop.screenshot(picture)
        while (left := self.plug_in()) is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
                left.wait()
        # Out of menus.
        self.keys("Escape", "Escape")
        for image in set(self.call("images")) - set(images):
            self.call("close", image=image)

    def window(self, title: str) -> str:
        """Wait for a window whose title matches, and return its number."""
        return str(wait_for(lambda: self.windows(title), f"a window {title!r}")[0])

    def windows(self, title: str) -> list[str]:
        """All that match and can be seen."""
        try:
            return self.desktop.xdotool("search", "--onlyvisible", "--name", title).split()
        except subprocess.CalledProcessError:
            # So does xdotool say that there is none.
            return []

    def focus(self, window: str) -> None:
        """Give a window the keyboard; without a window manager nobody else does."""
        self.desktop.xdotool("windowfocus", "--sync", window)

    def screen(self) -> np.ndarray:
        """What can be seen, (h, w, 3)."""
        shot = self.desktop.screenshot(self.share / "screen.png")
        return np.array(Image.open(shot).convert("RGB")).astype(int)

    def keys(self, *keys: str) -> None:
        self.desktop.xdotool("key", "--delay", "60", *keys)

    def click(self, x: int, y: int) -> None:
        self.desktop.xdotool("mousemove", x, y, "click", 1)

    def show(self) -> str:
        """The image window, as large as the screen."""
        window = self.window("GIMP$")
        self.desktop.xdotool("windowsize", "--sync", window, *self.desktop.size)
        self.focus(window)
        return window

    def open_menu(self) -> None:
        """*Filters > Paintbridge*, opened with its first entry chosen."""
        self.show()
        self.click(*_FILTERS)
        self._menus(1)
        self.keys("Up", "Right")
        self._menus(2)

    def _menus(self, count: int) -> None:
        """Wait until so many menus are open."""
        wait_for(lambda: len(self.windows("^GNU Image Manipulation Program$")) == count, "a menu")

    def choose(self, name: str) -> None:
        """An entry of *Filters > Paintbridge*."""
        self.open_menu()
        self.keys(*["Down"] * _MENU.index(name), "Return")

    def dialog(self, title: str) -> str:
        """Wait for a dialog, and give it the keyboard."""
        window = self.window(f"^{title}$")
        self.focus(window)
        return window

    def type(self, words: str) -> None:
        self.desktop.xdotool("type", "--delay", "20", words)
