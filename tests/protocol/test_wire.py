"""The codec: what goes in comes out, and whatever else comes is refused by a typed error."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import Any

import msgpack
import pytest
from random_messages import random_message

from bridge.protocol import messages as m
from bridge.protocol.errors import CODES, BridgeError
from bridge.protocol.fields import field_specs
from bridge.protocol.messages import CHUNK_BYTES, CLIENT_MESSAGES, SERVER_MESSAGES
from bridge.protocol.wire import FRAME_BYTES, decode_client, decode_recipe, decode_server, encode

BOTH = [(kind, decode_client) for kind in CLIENT_MESSAGES.values()] + [
    (kind, decode_server) for kind in SERVER_MESSAGES.values()
]
HASH = "ab" * 32
HELLO = {"type": "hello", "version": 1, "client": "test", "token": "t"}
CANCEL = {"type": "cancel", "job": "a"}


def refusal(frame: bytes, decode: Any = decode_client) -> BridgeError:
    with pytest.raises(BridgeError) as caught:
        decode(frame)
    return caught.value


def refused(plain: Any, decode: Any = decode_client) -> tuple[str, str]:
    error = refusal(msgpack.packb(plain), decode)
    return error.code, error.message


@pytest.mark.parametrize(("kind", "decode"), BOTH, ids=lambda value: getattr(value, "__name__", ""))
def test_every_message_survives_the_wire(kind, decode):
    rng = random.Random(kind.__name__)
    for full in [True] * 20 + [False]:
        message = random_message(kind, rng, full=full)
        decoded = decode(encode(message))
        assert decoded == message
        # Sentences are equal by their text alone.
        assert encode(decoded) == encode(message)


@pytest.mark.parametrize(("kind", "decode"), BOTH, ids=lambda value: getattr(value, "__name__", ""))
def test_defaults_are_left_out(kind, decode):
    message = random_message(kind, random.Random(1), full=False)
    plain = msgpack.unpackb(encode(message))
    assert set(plain) == {"type"} | {spec.name for spec in field_specs(kind) if spec.required}
    assert plain["type"] == kind.__name__.lower()


def test_a_recipe_survives_json():
    """As a host keeps it with a layer. What a later bridge has added to it is left out."""
    rng = random.Random(7)
    for full in [True] * 20 + [False]:
        recipe = random_message(m.Recipe, rng, full=full)
        plain = json.loads(json.dumps(asdict(recipe), ensure_ascii=False))
        assert decode_recipe(plain) == recipe
        assert decode_recipe({**plain, "later": 1}) == recipe
    for wrong in (None, [], {}, {**plain, "model_width": "wide"}):
        with pytest.raises(BridgeError):
            decode_recipe(wrong)


def test_nested_defaults_are_left_out_too():
    submit = m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8), picture=m.Picture(HASH, 256, 8, 8, 4, "u8", "raw"))
    assert "depth" not in msgpack.unpackb(encode(submit))["picture"]


@pytest.mark.parametrize("size", [1, 255, 256, 65535, 65536, CHUNK_BYTES])
def test_a_put_is_packed_as_msgpack_would(size):
    put = m.Put(HASH, 3, random.Random(size).randbytes(size))
    plain = {"type": "put", "hash": HASH, "offset": 3, "data": put.data}
    assert encode(put) == msgpack.packb(plain)
    assert encode(m.Put(HASH, 3, memoryview(put.data))) == encode(put)
    assert decode_client(encode(put)) == put


@pytest.mark.parametrize("offset", [0, 127, 128, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1])
def test_a_chunks_pixels_are_a_view_of_its_frame_and_are_judged_as_any_other(offset):
    frame = encode(m.Put(HASH, offset, bytes(70_000)))
    put = decode_client(frame)
    assert put == m.Put(HASH, offset, bytes(70_000))
    assert put.data.obj is frame
    # Whatever is otherwise than it is written here is read as every message is.
    for broken in (frame[:-1], frame + b"\0", frame.replace(b"\xa4data", b"\xa4dada"), b"\x85" + frame[1:]):
        with pytest.raises(BridgeError):
            decode_client(broken)
    other = msgpack.packb({"type": "put", "data": bytes(70_000), "offset": offset, "hash": HASH})
    assert decode_client(other) == put
    with pytest.raises(BridgeError, match="out_of_range"):
        decode_client(encode(m.Put(HASH, offset, b"")))


def test_a_whole_chunk_fits_a_frame():
    longest = m.Put("f" * 64, (1 << 40), bytes(CHUNK_BYTES))
    assert len(encode(longest)) <= FRAME_BYTES


def test_an_integer_is_taken_for_a_float():
    plain = msgpack.unpackb(encode(m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8))))
    message = decode_client(msgpack.packb({**plain, "settings": {"sampling": {"strength": 1, "guidance": 7}}}))
    assert isinstance(message, m.Submit)
    sampling = message.settings.sampling
    assert (sampling.strength, sampling.guidance, type(sampling.guidance)) == (1.0, 7.0, float)


def test_null_stands_for_none_only_where_none_is_allowed():
    plain = msgpack.unpackb(encode(m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8))))
    assert decode_client(msgpack.packb({**plain, "selection": None})) == decode_client(msgpack.packb(plain))
    assert refused({**plain, "settings": {"conditioning": {"prompt": None}}})[0] == "wrong_type"


def test_seeds_use_all_64_bits():
    submit = m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8), m.job_settings({"seed": (1 << 64) - 1}))
    assert decode_client(encode(submit)) == submit


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("plain", "code"),
    [
        ({"type": "sing"}, "unknown_type"),
        ({"type": 5}, "unknown_type"),
        ({}, "unknown_type"),
        ({"type": "Hello"}, "unknown_type"),
        ({"type": ["hello"]}, "unknown_type"),
        ({**HELLO, "colour": "red"}, "unknown_field"),
        ({"type": "hello", "version": 1, "client": "test"}, "missing_field"),
        ({**HELLO, "version": "1"}, "wrong_type"),
        ({**HELLO, "version": 1.0}, "wrong_type"),
        ({**HELLO, "version": True}, "wrong_type"),
        ({**HELLO, "token": b"t"}, "wrong_type"),
        ({**HELLO, "version": 0}, "out_of_range"),
        ({**HELLO, "version": 1 << 20}, "out_of_range"),
        ({**HELLO, "client": "x" * 129}, "text_too_long"),
        ({"type": "cancel", "job": ""}, "out_of_range"),
        ({"type": "ack", "event": 0}, "out_of_range"),
        ({"type": "offer", "pictures": []}, "out_of_range"),
        ({"type": "offer", "pictures": {}}, "wrong_type"),
        ({"type": "offer", "pictures": [3]}, "wrong_type"),
        ({"type": "put", "hash": HASH, "offset": 0, "data": "text"}, "wrong_type"),
        ({"type": "put", "hash": HASH, "offset": 0, "data": b""}, "out_of_range"),
        ({"type": "put", "hash": "ab", "offset": 0, "data": b"x"}, "out_of_range"),
        ({"type": "put", "hash": HASH, "offset": -1, "data": b"x"}, "out_of_range"),
        ([1, 2], "bad_frame"),
        ("hello", "bad_frame"),
        (None, "bad_frame"),
        ({1: 2}, "bad_frame"),
        ({b"type": "cancel"}, "bad_frame"),
        ({**CANCEL, "more": msgpack.ExtType(5, b"x")}, "bad_frame"),
        ({**CANCEL, "more": msgpack.Timestamp(1)}, "bad_frame"),
    ],
)
def test_what_is_no_message_is_refused(plain, code):
    assert refused(plain)[0] == code


@pytest.mark.parametrize(("kind", "decode"), BOTH, ids=lambda value: getattr(value, "__name__", ""))
def test_every_field_is_checked(kind, decode):
    """For every field of every message, one at a time: a foreign type, absence, and both ends of its range."""
    name = kind.__name__.lower()
    plain = msgpack.unpackb(encode(random_message(kind, random.Random(2), full=True)))
    if decode is decode_client:
        refusal_of_more = ("unknown_field", f"{name} has a field that is not in the protocol.")
        assert refused({**plain, "more": 1}, decode) == refusal_of_more
    for spec in field_specs(kind):
        # A list of a map fits none of the fields; in a list of parts, the map's inner field is foreign.
        code, message = refused({**plain, spec.name: [{"no": "such"}]}, decode)
        assert code in ("wrong_type", "unknown_field" if decode is decode_client else "missing_field"), spec.name
        assert f"{name}.{spec.name}" in message
        if spec.required:
            less = {key: value for key, value in plain.items() if key != spec.name}
            assert refused(less, decode) == ("missing_field", f"{name}.{spec.name} is missing.")
        for value in _outside(spec.kind, spec.metadata):
            code, message = refused({**plain, spec.name: value}, decode)
            # A hash has one length.
            long = isinstance(value, str) and len(value) > spec.metadata.get("max", 1 << 30) != spec.metadata.get("min")
            wanted = "text_too_long" if long and "choices" not in spec.metadata else "out_of_range"
            assert (code, f"{name}.{spec.name}" in message) == (wanted, True), (spec.name, value)


@pytest.mark.parametrize("kind", SERVER_MESSAGES.values(), ids=lambda kind: kind.__name__)
def test_what_a_later_bridge_says_more_is_left_out(kind):
    message = random_message(kind, random.Random(3), full=True)

    def with_more(value: Any, name: str) -> Any:
        if isinstance(value, list):
            return [with_more(item, name) for item in value]
        # These are maps, not messages' parts.
        if isinstance(value, dict) and name not in ("timings", "versions", "values"):
            return {**{key: with_more(item, key) for key, item in value.items()}, "more": {"of": ["it"]}}
        return value

    plain = with_more(msgpack.unpackb(encode(message)), "")
    assert decode_server(msgpack.packb(plain)) == message


def _outside(kind: Any, limits: Any) -> list[Any]:
    """Values just outside a field's range."""
    text = str(kind)
    values: list[Any] = []
    if "tuple" in text or "Tuple" in text or "dict" in text or "messages." in text:
        return values
    if "choices" in limits:
        return ["none of these"]
    if "int" in text:
        values = [limits[end] + step for end, step in (("min", -1), ("max", 1)) if end in limits]
        return [value for value in values if -(1 << 63) <= value < 1 << 64]
    if "float" in text:
        values = [limits[end] + step for end, step in (("min", -0.001), ("max", 0.001)) if end in limits]
        return [*values, float("nan"), float("inf"), float("-inf")]
    unit: Any = b"x" if "bytes" in text else "x"
    if text != "<class 'bool'>":
        values = [unit * (limits[end] + step) for end, step in (("min", -1), ("max", 1)) if limits.get(end)]
    return [value for value in values if len(value) < CHUNK_BYTES]


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_numbers_must_be_finite(bad):
    plain = msgpack.unpackb(encode(m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8))))
    code, message = refused({**plain, "settings": {"sampling": {"strength": float(bad)}}})
    assert (code, message) == ("out_of_range", "submit.settings.sampling.strength is not a finite number.")


def test_paths_name_the_nested_field_but_never_its_content():
    picture = {"hash": HASH, "byte_count": 4, "width": 1, "height": 1, "channels": 9}
    code, message = refused({"type": "offer", "pictures": [{**picture, "channels": 4}, picture]})
    assert (code, message) == ("out_of_range", "The offer.pictures[1].channels must lie between 1 and 4.")
    secret = refused({"type": "put", "hash": HASH, "offset": 0, "data": "secret"})
    assert "secret" not in " ".join(secret)


def test_keys_come_once_each():
    frame = b"\x83\xa4type\xa6cancel\xa3job\xa1a\xa3job\xa1b"
    assert refusal(frame).code == "bad_frame"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\x82\xa4type",
        encode(m.Cancel("a")) + b"\x00",
        b"\x81\xa4type\xa2\xff\xfe",
        b"\x81\x90\x01",
        b"\x81\x81\x01\x02\x03",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa4type\xdd\xff\xff\xff\xff",
        b"\x81\xa4type\xc6\xff\xff\xff\xff",
    ],
    ids=lambda frame: frame[:12].hex(),
)
def test_bytes_that_are_no_msgpack_map_are_refused(frame):
    error = refusal(frame)
    assert (error.code, error.closes) == ("bad_frame", True)


@pytest.mark.parametrize("depth", [10, 500, 1100, 50_000])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1x"], ids=["lists", "maps"])
def test_deep_nesting_is_refused(depth, opening):
    frame = b"\x82\xa4type\xa6cancel\xa3job" + opening * depth + b"\xc0"
    assert refusal(frame).code in ("bad_frame", "wrong_type")


def test_frames_have_a_largest_size():
    assert refusal(bytes(FRAME_BYTES + 1)).code == "frame_too_large"
    assert refusal(bytes(FRAME_BYTES)).code == "bad_frame"


def test_lists_and_maps_have_a_largest_size():
    assert refused({"type": "offer", "pictures": [0] * 5000}) == (
        "out_of_range",
        "The message has a list or map of 5000 entries; 4096 are the most.",
    )
    assert refused({f"key {index}": 0 for index in range(5000)})[0] == "out_of_range"


@pytest.mark.parametrize("length", [8193, 65_536, 65_537, 90_000, 700_000])
@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_a_text_that_is_too_long_is_said_to_be_so_whatever_its_length(field, length):
    plain = msgpack.unpackb(encode(m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8))))
    text = "\u00e4" * (length // 2) + "x" * (length - length // 2)
    error = refusal(msgpack.packb({**plain, "settings": {"conditioning": {field: text}}}))
    assert error.code == "text_too_long"
    words = field.replace("_", " ")
    assert error.message == (
        f"The {words} is too long: it has {length} characters, and 8192 are the most "
        f"(submit.settings.conditioning.{field})."
    )
    assert (error.hint, error.closes) == ("Shorten it.", False)


def test_nothing_that_is_too_long_or_too_much_is_called_a_broken_frame():
    """For every text, list and map of what clients send: far beyond its limit, and beyond those of msgpack's."""
    for name, kind in CLIENT_MESSAGES.items():
        plain = msgpack.unpackb(encode(random_message(kind, random.Random(3), full=True)))
        for spec in field_specs(kind):
            value = plain.get(spec.name)
            if "max" not in spec.metadata or not isinstance(value, (str, list)):
                continue
            much = value[:1] * 900_000 if not isinstance(value, list) else value[:1] * 5000
            frame = msgpack.packb({**plain, spec.name: much})
            if much and len(frame) <= FRAME_BYTES:
                assert refusal(frame).code in ("text_too_long", "out_of_range"), f"{name}.{spec.name}"


def test_a_client_cannot_say_what_only_a_bridge_says_nor_the_other_way_round():
    assert refusal(encode(m.Cancelled(1, "a"))).code == "unknown_type"
    assert refusal(encode(m.Cancel("a")), decode_server).code == "unknown_type"


def test_mutated_frames_raise_nothing_but_typed_errors():
    rng = random.Random(8)
    frames = [encode(random_message(kind, rng, full=True)) for kind in CLIENT_MESSAGES.values()]
    codes = set()
    for _ in range(10000):
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 4)):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        try:
            decode_client(bytes(frame[: rng.randint(0, len(frame))] if rng.random() < 0.2 else frame))
        except BridgeError as error:
            codes.add(error.code)
    assert codes >= {"bad_frame", "unknown_type", "unknown_field", "wrong_type", "out_of_range"}


def test_errors_speak_to_the_artist():
    for code, entry in CODES.items():
        assert entry.message.endswith("."), code
        assert entry.hint.endswith("."), code
        error = BridgeError(code)
        assert (error.code, error.message, error.hint, error.closes) == (code, entry.message, entry.hint, entry.closes)
    assert BridgeError("internal", "Oh.", "Well.").message == "Oh."
    with pytest.raises(KeyError):
        BridgeError("no_such_code")
