"""Hands on a Wayland desktop: a pointer and a keyboard that a compositor of wlroots takes for real ones.

They stay plugged in as long as the connection: a compositor has clients forget a pointer that is gone. The two
protocols (``wlr-virtual-pointer-unstable-v1``, ``virtual-keyboard-unstable-v1``) are spoken directly, since they are
small.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import time
from pathlib import Path

__all__ = ["WaylandHands"]

_SEAT, _POINTERS, _KEYBOARDS = "wl_seat", "zwlr_virtual_pointer_manager_v1", "zwp_virtual_keyboard_manager_v1"
_DISPLAY, _REGISTRY = 1, 2
# Requests, by their numbers in the protocols.
_SYNC, _GET_REGISTRY, _BIND, _CREATE = 0, 1, 0, 0
_MOVE_TO, _BUTTON, _AXIS, _FRAME, _AXIS_DISCRETE = 1, 2, 3, 4, 7
_KEYMAP, _KEY, _MODIFIERS = 0, 1, 2
# Linux's codes of what X counts.
_BUTTONS = {1: 0x110, 2: 0x112, 3: 0x111}
_WHEEL = {4: -1, 5: 1}
_STEP = 15.0
_SETTLE = 0.02
_LAYOUT = (
    'xkb_keymap { xkb_keycodes { include "evdev+aliases(qwerty)" }; xkb_types { include "complete" };'
    ' xkb_compat { include "complete" }; xkb_symbols { include "pc+us+inet(evdev)" }; };'
)
_HELD = {"shift": (42, 1), "ctrl": (29, 4), "alt": (56, 8), "super": (125, 64)}
_NAMED = {
    **{"Escape": 1, "BackSpace": 14, "Tab": 15, "Return": 28, "space": 57, "KP_Enter": 96, "Home": 102, "Up": 103},
    **{"Prior": 104, "Left": 105, "Right": 106, "End": 107, "Down": 108, "Next": 109, "Insert": 110, "Delete": 111},
    **{f"F{number}": 58 + number for number in range(1, 11)},
}
# The keys of each row from its first code on, alone and with Shift.
_ROWS = {
    2: ("1234567890-=", "!@#$%^&*()_+"),
    16: ("qwertyuiop[]", "QWERTYUIOP{}"),
    30: ("asdfghjkl;'`", 'ASDFGHJKL:"~'),
    44: ("zxcvbnm,./", "ZXCVBNM<>?"),
}
_LETTERS = {
    **{letter: (first + index, ()) for first, rows in _ROWS.items() for index, letter in enumerate(rows[0])},
    **{letter: (first + index, ("shift",)) for first, rows in _ROWS.items() for index, letter in enumerate(rows[1])},
    "\\": (43, ()),
    " ": (57, ()),
}


class WaylandHands:
    """``size``: the screen's. Understands xdotool's words for moving, clicking, pressing keys and typing."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._size = size
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._last = _REGISTRY
        self._send(_DISPLAY, _GET_REGISTRY, struct.pack("I", _REGISTRY))
        names = self._round_trip()
        seat, pointers, keyboards = (self._bind(names, interface) for interface in (_SEAT, _POINTERS, _KEYBOARDS))
        self._pointer = self._made(pointers, seat)
        self._keyboard = self._made(keyboards, seat)
        keymap = os.memfd_create("keymap")
        os.write(keymap, _LAYOUT.encode() + b"\0")
        # Format 1: text of xkb's.
        self._send(self._keyboard, _KEYMAP, struct.pack("II", 1, len(_LAYOUT) + 1), keymap)
        os.close(keymap)
        self._round_trip()

    def close(self) -> None:
        """Unplug them."""
        self._socket.close()

    def act(self, *words: str) -> None:
        """As xdotool: commands, one after the other."""
        waiting = list(words)
        while waiting:
            command = waiting.pop(0)
            if command == "mousemove":
                self._move(int(waiting.pop(0)), int(waiting.pop(0)))
            elif command == "click":
                self._click(int(waiting.pop(0)))
            elif command in ("mousedown", "mouseup"):
                self._press(int(waiting.pop(0)), command == "mousedown")
            elif command == "key":
                for keys in waiting:
                    self._strike(keys)
                return
            elif command == "type":
                (text,) = waiting
                for letter in text:
                    code, held = _LETTERS[letter]
                    self._tap(code, held)
                return
            else:
                raise ValueError(f"these hands cannot {command}")

    def _move(self, x: int, y: int) -> None:
        self._send(self._pointer, _MOVE_TO, struct.pack("5I", _now(), x, y, *self._size))
        self._done(self._pointer)

    def _click(self, button: int) -> None:
        if button in _WHEEL:
            way = _WHEEL[button]
            self._send(self._pointer, _AXIS_DISCRETE, struct.pack("IIii", _now(), 0, round(way * _STEP * 256), way))
            self._done(self._pointer)
            return
        self._press(button, True)
        self._press(button, False)

    def _press(self, button: int, down: bool) -> None:
        self._send(self._pointer, _BUTTON, struct.pack("III", _now(), _BUTTONS[button], down))
        self._done(self._pointer)

    def _strike(self, keys: str) -> None:
        *held, last = keys.split("+")
        code, shifted = (_NAMED[last], ()) if last in _NAMED else _LETTERS[last]
        self._tap(code, (*held, *shifted))

    def _tap(self, code: int, held: tuple[str, ...]) -> None:
        down = 0
        for name in held:
            other, mask = _HELD[name]
            self._key(other, True)
            down |= mask
        self._send(self._keyboard, _MODIFIERS, struct.pack("4I", down, 0, 0, 0))
        self._key(code, True)
        self._key(code, False)
        for name in held:
            self._key(_HELD[name][0], False)
        self._send(self._keyboard, _MODIFIERS, struct.pack("4I", 0, 0, 0, 0))
        self._round_trip()
        time.sleep(_SETTLE)

    def _key(self, code: int, down: bool) -> None:
        self._send(self._keyboard, _KEY, struct.pack("III", _now(), code, down))

    def _done(self, pointer: int) -> None:
        self._send(pointer, _FRAME, b"")
        self._round_trip()
        # As fast as a hand: what is under the pointer is told of it before the next one.
        time.sleep(_SETTLE)

    # ------------------------------------------------------------ the wire

    def _bind(self, names: dict[str, int], interface: str) -> int:
        text = interface.encode() + b"\0"
        padded = text.ljust(-(-len(text) // 4) * 4, b"\0")
        new = self._new()
        arguments = struct.pack("II", names[interface], len(text)) + padded + struct.pack("II", 1, new)
        self._send(_REGISTRY, _BIND, arguments)
        return new

    def _made(self, manager: int, seat: int) -> int:
        new = self._new()
        self._send(manager, _CREATE, struct.pack("II", seat, new))
        return new

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _round_trip(self) -> dict[str, int]:
        """Wait until the compositor has done all of it; the globals that it has told of meanwhile."""
        callback, names = self._new(), {}
        self._send(_DISPLAY, _SYNC, struct.pack("I", callback))
        while True:
            sender, word = struct.unpack("II", self._read(8))
            opcode, body = word & 0xFFFF, self._read((word >> 16) - 8)
            if sender == callback:
                return names
            if sender == _DISPLAY and opcode == 0:
                raise OSError(f"the compositor refuses: {body!r}")
            if sender == _REGISTRY and opcode == 0:
                name, length = struct.unpack("II", body[:8])
                names[body[8 : 7 + length].decode()] = name

    def _send(self, target: int, opcode: int, arguments: bytes, handle: int | None = None) -> None:
        message = struct.pack("II", target, (8 + len(arguments)) << 16 | opcode) + arguments
        rights = [] if handle is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))]
        self._socket.sendmsg([message], rights)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise OSError("the compositor has gone")
            data += part
        return data


def _now() -> int:
    return int(time.monotonic() * 1000) & 0xFFFFFFFF
