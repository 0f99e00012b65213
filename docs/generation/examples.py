"""Messages for the documents and the test vectors: a worked session, and every message with few and with all fields."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, Union, get_args, get_origin

import msgpack

from bridge.errors import Sentence
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.fields import FieldSpec, StrEnum, field_specs
from bridge.protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from bridge.protocol.pixels import describe
from bridge.protocol.wire import FRAME_BYTES, decode_client, encode

__all__ = ["Step", "refused_frames", "sample", "to_json", "vectors", "worked_session"]

Step = tuple[str, str, m.Message]
"""Who speaks (client or server), what for, and the message."""

_TEXTS = {
    "hash": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
    "checkpoint_hash": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    "controlnet_hashes": "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce",
    "controlnet": "control_v11p_sd15_scribble",
    "session": "3q2-7wEjRWeJq83v",
    "token": "b1946ac92492d2347c6235b4d2611184",
    "client": "krita 5.2.9, plug-in 0.1.0",
    "bridge": "0.1.0",
    "job": "fill-1",
    "prompt": "a red berry, größer",
    "negative_prompt": "blurred",
    "checkpoint": "mini",
    "sampler": "DPM++ 2M",
    "name": "mini",
    "family": "SD1",
    "chosen_prompt": "a red berry, größer",
    "chosen_negative_prompt": "blurred",
    "precision": "float32",
    "device": "cpu float32",
    "code": "out_of_memory",
    "about": "fill-1",
}
_SENTENCES = {
    "message": Sentence("The picture of {width} x {height} pixels did not fit into memory.", width=4096, height=2048),
    "hint": Sentence("Select a smaller area. {more}", more=Sentence("{share} of it would fit.", share=0.25)),
    "hints": Sentence("{name} does not know the sampler.", name="mini"),
    "reason": Sentence("The bridge is shutting down."),
}
_NUMBERS = {
    "version": m.PROTOCOL_VERSION,
    "seed": (1 << 64) - 1,
    "memory_bytes": 24 << 30,
    "byte_count": 16,
    "strength": 0.75,
}


def sample(cls: type[Any], *, full: bool) -> Any:
    """A message of a class with plausible values: the required fields only, or all of them, none at its default."""
    values = {spec.name: _value(spec, spec.kind, full=full) for spec in field_specs(cls) if full or spec.required}
    if cls is m.Preview:
        values.update(width=2, height=1, data=bytes.fromhex("ff800000407f"))
    return cls(**values)


def _value(spec: FieldSpec, kind: Any, *, full: bool) -> Any:
    origin = get_origin(kind)
    if kind is Sentence:
        return _SENTENCES[spec.name] if full else Sentence(_SENTENCES[spec.name].text)
    if origin is Union:
        return _value(spec, get_args(kind)[0], full=full)
    if origin is tuple:
        few = 1 if full or spec.metadata.get("min") else 0
        return tuple(_value(spec, get_args(kind)[0], full=full) for _ in range(few))
    if origin is dict:
        return {"denoise": 1.25} if get_args(kind)[1] is float else {"bridge": "0.1.0"}
    if is_dataclass(kind):
        return sample(kind, full=full)  # type: ignore[arg-type]
    if issubclass(kind, StrEnum):
        # Never the default: defaults are left out of frames.
        return [name for name in kind if name != spec.default][-1 if full else 0]
    if kind is bool:
        return full if spec.required else not spec.default
    if kind is bytes:
        return bytes.fromhex("00017f80feff")
    if kind is str:
        return _TEXTS.get(spec.name, spec.name.replace("_", " "))
    return _number(spec, kind)


def _number(spec: FieldSpec, kind: Any) -> Any:
    low, high = spec.metadata.get("min", 0), spec.metadata.get("max", 1 << 53)
    value = _NUMBERS.get(spec.name, 3 if kind is int else 0.5)
    return kind(min(max(value, low), high))


def worked_session() -> list[Step]:
    """One small fill, from the greeting to the last acknowledgement; then a lost connection, and how it is resumed."""
    pixels = bytes(range(10, 34))
    coverage = bytes([0, 255, 255, 0, 0, 128, 128, 0])
    painted = b"".join(bytes([200, 30, 40, alpha]) for alpha in coverage)
    picture = describe(pixels, width=4, height=2, channels=3)
    selection = describe(coverage, width=4, height=2, channels=1)
    layer_picture = describe(painted, width=4, height=2, channels=4)
    canvas, context = m.Extent(4, 2), m.Rect(0, 0, 4, 2)
    asked, other = (m.job_settings({"prompt": words, "seed": 7}) for words in ("a red berry", "a blue berry"))
    session = "3q2-7wEjRWeJq83v"
    checkpoint = sample(m.CheckpointInfo, full=False)
    limits = m.Limits(FRAME_BYTES, 1 << 28, 1 << 31, 16, 16, 300.0)
    recipe = m.Recipe(
        settings=m.job_settings({
            "mode": m.Mode.FILL, "prompt": "a red berry", "strength": 1.0, "seed": 7, "steps": 2, "guidance": 3.0,
            "sampler": "DDIM", "checkpoint": "mini", "grow": 4.0, "feather": 4.0,
        }),
        checkpoint_hash=_TEXTS["checkpoint_hash"], context=context, model_width=8, model_height=8, batched=False,
        device="cpu float32", versions={"bridge": "0.1.0"},
    )  # fmt: skip
    return [
        ("client", "The first message, with the token of the runtime file.", sample(m.Hello, full=False)),
        (
            "server",
            "The token is right: a fresh session. The device is not known yet.",
            m.Welcome(m.PROTOCOL_VERSION, "0.1.0", session, limits, (checkpoint,), ("DDIM", "DPM++ 2M")),
        ),
        ("client", "The selection has bounds: what may the model see?", m.Plan(1, canvas, m.Rect(1, 0, 2, 2))),
        ("server", "These pixels.", m.Planned(1, context, m.Mode.FILL, 4.0, 4.0, 8, 8, 8)),
        (
            "server",
            "Meanwhile the bridge has learnt where it runs.",
            m.Device(m.DeviceInfo("cpu", "CPU", "float32", 0)),
        ),
        ("client", "Pixels and selection of that rectangle, by hash.", m.Offer((picture, selection))),
        ("server", "The bridge has neither.", m.Wanted((picture.hash, selection.hash))),
        ("client", "The pixels: one chunk is enough.", m.Put(picture.hash, 0, pixels)),
        ("client", "The selection, without waiting.", m.Put(selection.hash, 0, coverage)),
        ("server", "Arrived whole.", m.Stored(picture.hash)),
        ("server", "Arrived whole.", m.Stored(selection.hash)),
        (
            "client",
            "The job.",
            m.Submit("fill-1", canvas, context, asked, picture, selection),
        ),
        ("server", "Event 1: nobody is before it.", m.Queued(1, "fill-1", 0)),
        ("server", "Event 2.", m.Started(2, "fill-1")),
        ("server", "Event 3.", m.Progress(3, "fill-1", m.Stage.DENOISE, 1, 2, 0.5)),
        ("server", "How it looks so far: one grey pixel, stretched.", m.Preview("fill-1", 1, 1, 1, b"\x80\x80\x80")),
        (
            "server",
            "Event 4: one layer, by hash.",
            m.Result(4, "fill-1", (m.Layer(0, 0, layer_picture, recipe),), 0, {"denoise": 0.75}),
        ),
        ("client", "Its pixels, please.", m.Get(layer_picture.hash)),
        ("server", "All of them fit one chunk.", m.Put(layer_picture.hash, 0, painted)),
        ("client", "Everything up to event 4 is dealt with: the bridge may forget it.", m.Ack(4)),
        (
            "client",
            "A second job, with the same pictures: `offer` would say that none is wanted.",
            m.Submit("fill-2", canvas, context, other, picture, selection),
        ),
        ("server", "Event 5 goes on its way; the connection breaks before it arrives.", m.Queued(5, "fill-2", 0)),
        ("client", "On a new connection.", sample(m.Hello, full=False)),
        (
            "server",
            "A fresh session again, which is not wanted.",
            m.Welcome(m.PROTOCOL_VERSION, "0.1.0", "q83vASNFZ4neLQ", limits, (checkpoint,), ("DDIM", "DPM++ 2M"),
                      m.DeviceInfo("cpu", "CPU", "float32", 0)),
        ),
        ("client", "The earlier one, from event 4 on.", m.Resume(session, 4)),
        ("server", "One event was missed.", m.Resumed(session, 1)),
        ("server", "Here it is.", m.Queued(5, "fill-2", 0)),
        ("client", "The artist has changed her mind.", m.Cancel("fill-2")),
        ("server", "Event 6: it has stopped.", m.Cancelled(6, "fill-2")),
        ("client", "Done.", m.Ack(6)),
    ]  # fmt: skip


def vectors() -> list[dict[str, Any]]:
    """Every message as JSON and as the bytes of its frame."""
    named = [
        (f"{kind} {extent}", side, sample(cls, full=extent == "full"))
        for side, table in (("client", CLIENT_MESSAGES), ("server", SERVER_MESSAGES))
        for kind, cls in table.items()
        for extent in ("minimal", "full")
    ]
    named += [
        (f"session {number:02} {type(message).__name__.lower()}", side, message)
        for number, (side, _, message) in enumerate(worked_session(), 1)
    ]
    return [
        {"name": name, "direction": side, "message": to_json(encode(message)), "hex": encode(message).hex()}
        for name, side, message in named
    ]


def refused_frames() -> list[dict[str, str]]:
    """Frames that no peer may accept, and the code that they are refused with."""
    hello = {"type": "hello", "version": m.PROTOCOL_VERSION, "client": "c", "token": "t"}
    submit = {
        "type": "submit", "job": "a",
        "canvas": {"width": 4, "height": 2}, "context": {"x": 0, "y": 0, "width": 4, "height": 2},
    }  # fmt: skip
    maps: list[tuple[str, dict[str, Any]]] = [
        ("a type that does not exist", {"type": "paint"}),
        ("no type", {"version": 2}),
        ("a field that does not exist", {**hello, "colour": "red"}),
        ("a field that is missing", {"type": "hello", "version": 2, "client": "c"}),
        ("a text in place of an integer", {**hello, "version": "2"}),
        ("a float in place of an integer", {**hello, "version": 2.0}),
        ("bytes in place of a text", {**hello, "token": b"t"}),
        ("null where none is not allowed", {**submit, "settings": {"conditioning": {"prompt": None}}}),
        ("an integer below its range", {**hello, "version": 0}),
        ("a number above its range", {**submit, "settings": {"sampling": {"strength": 1.5}}}),
        ("not a number", {**submit, "settings": {"sampling": {"strength": float("nan")}}}),
        ("infinity", {**submit, "settings": {"sampling": {"guidance": float("inf")}}}),
        ("a choice that does not exist", {**submit, "settings": {"kind": "paint"}}),
        ("a text that is too long", {**hello, "client": "c" * 129}),
        ("an inner field that is missing", {**submit, "canvas": {"width": 4}}),
        ("a server's message from a client", {"type": "cancelled", "event": 1, "job": "a"}),
    ]
    frames = [(name, msgpack.packb(plain)) for name, plain in maps]
    frames += [
        ("no bytes at all", b""),
        ("bytes that msgpack does not use", b"\xc1"),
        ("a frame that ends too early", msgpack.packb(hello)[:-3]),
        ("a frame with bytes left over", msgpack.packb(hello) + b"\x00"),
        ("a list", msgpack.packb(["hello"])),
        ("a key that comes twice", b"\x83\xa4type\xa6cancel\xa3job\xa1a\xa3job\xa1b"),
        ("a key that is no text", b"\x82\xa4type\xa6cancel\x01\xa1a"),
        ("a text that is not UTF-8", b"\x82\xa4type\xa6cancel\xa3job\xa2\xff\xfe"),
        ("an extension type", msgpack.packb({"type": "cancel", "job": msgpack.ExtType(1, b"")})),
    ]
    return [{"name": name, "direction": "client", "hex": frame.hex(), "code": _code(frame)} for name, frame in frames]


def _code(frame: bytes) -> str:
    try:
        decode_client(frame)
    except BridgeError as error:
        return error.code
    raise AssertionError(f"not refused: {frame!r}")


def to_json(frame: bytes) -> Any:
    """A frame's map as JSON: bytes as ``{"hex": ...}``, integers that a double cannot hold as ``{"int": ...}``."""
    return _plain_json(msgpack.unpackb(frame))


def _plain_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_json(item) for item in value]
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if type(value) is int and abs(value) >= 1 << 53:
        return {"int": str(value)}
    return value
