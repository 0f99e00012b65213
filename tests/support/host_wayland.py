"""A desktop on Wayland: a compositor that nobody sees, without a graphics card."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from host_desktop import Desktop
from host_room import HostRoom
from wayland_hands import WaylandHands

__all__ = ["WaylandDesktop", "chosen_desktop"]

_CONFIG = """
xwayland disable
output * resolution {width}x{height}
default_border none
default_floating_border none
for_window [floating] move absolute position 0 0
exec echo $WAYLAND_DISPLAY
"""


def chosen_desktop(room: HostRoom, share: Path) -> Desktop:
    """On X11, or, with ``TEST_HOSTS_WAYLAND`` set, on Wayland."""
    return WaylandDesktop(room, share) if os.environ.get("TEST_HOSTS_WAYLAND") else Desktop(room, share)


class WaylandDesktop(Desktop):
    """As any desktop. The first window fills the screen, and those that belong to it lie in its upper left corner."""

    _hands: WaylandHands

    def __enter__(self) -> Desktop:
        super().__enter__()
        self._hands = WaylandHands(self._runtime / self._display, self.size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hands.close()
        super().__exit__(kind, error, trace)

    def xdotool(self, *arguments: object) -> str:
        self._hands.act(*(str(argument) for argument in arguments))
        return ""

    def _server(self) -> list[str]:
        width, height = self.size
        self._runtime.mkdir(mode=0o700, exist_ok=True)
        config = self.share / "sway.config"
        config.write_text(_CONFIG.format(width=width, height=height))
        wlroots = ["WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman"]
        return ["env", f"XDG_RUNTIME_DIR={self._runtime}", *wlroots, "sway", "--config", str(config)]

    def _session(self) -> dict[str, str]:
        return {
            "XDG_RUNTIME_DIR": str(self._runtime),
            "WAYLAND_DISPLAY": self._display,
            "QT_QPA_PLATFORM": "wayland",
        }

    def _camera(self, path: Path) -> list[str]:
        return ["grim", str(path)]

    @property
    def _runtime(self) -> Path:
        return self.share / "runtime"
