"""All that a picture file carries beside its pixels, by the table of it, from every format into every format.

What is read back is read by Pillow, or chunk by chunk.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms
from PIL.ExifTags import IFD
from rich_pictures import (
    HEIGHT,
    PIXELS,
    SECRET,
    SECRET_BASE64,
    WIDTH,
    chunk,
    chunks,
    exif_block,
    jpeg,
    png,
    segment,
    segments,
    tags,
    tiff,
    webp,
    webp_chunk,
    webp_chunks,
    xmp_packet,
)

from bridge.cli.exits import CliError
from bridge.cli.metadata import Fate, Part
from bridge.cli.pictures import open_picture
from bridge.cli.saving import Patch, losses, write_alike, write_layer, write_picture

FORMATS = ("PNG", "TIFF", "JPEG", "WebP")
ENDINGS = {"PNG": ".png", "TIFF": ".tif", "JPEG": ".jpg", "WebP": ".webp"}
ICC = pyvips.Image.profile_load("p3")
ASCII, BYTE, SHORT, LONG, RATIONAL, UNDEFINED, DOUBLE = 2, 1, 3, 4, 5, 7, 12
OLD = "2001:02:03 04:05:06"

Read = Callable[[Path, str], object]


@dataclass(frozen=True)
class Row:
    """How a part is put into each format; and what is read back where it is kept or renewed, and in which formats there
    is a place for it.
    """

    files: dict[str, bytes]
    read: Read | None = None
    wanted: object = None
    places: tuple[str, ...] = FORMATS


def exif_in(kind: str, main: dict = {}, photograph: dict = {}, place: dict = {}, **options: object) -> bytes:  # noqa: B006
    if kind == "TIFF":
        return tiff(main, photograph)
    block = exif_block(main, photograph, place, **options)
    if kind == "JPEG":
        return jpeg(segment(0xE1, b"Exif\0\0" + block))
    return png(chunk(b"eXIf", block)) if kind == "PNG" else webp(webp_chunk(b"EXIF", block))


def xmp_in(kind: str, packet: bytes) -> bytes:
    if kind == "TIFF":
        return tiff({700: (BYTE, packet)})
    if kind == "JPEG":
        return jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    if kind == "PNG":
        return png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    return webp(webp_chunk(b"XMP ", packet))


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)


def resources_in(kind: str, data: bytes) -> bytes:
    if kind == "TIFF":
        return tiff({34377: (BYTE, data)})
    return jpeg(segment(0xED, b"Photoshop 3.0\0" + data))


def dataset(number: int, data: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(data)) + data


def in_all(make: Callable[..., bytes], *arguments: object, formats: tuple[str, ...] = FORMATS) -> dict[str, bytes]:
    return {kind: make(kind, *arguments) for kind in formats}


# ---------------------------------------------------------------- reading back


def icc(path: Path, kind: str) -> object:
    with Image.open(path) as image:
        return image.info.get("icc_profile")


def exif(*wanted: int, below: int | None = None) -> Read:
    def read(path: Path, kind: str) -> object:
        with Image.open(path) as image:
            found = image.getexif()
            entries = found if below is None else found.get_ifd(below)
            return tuple(entries.get(tag) for tag in wanted)

    return read


def xmp(path: Path, kind: str) -> bytes:
    if kind == "JPEG":
        start = b"http://ns.adobe.com/xap/1.0/\0"
        return next((body[len(start) :] for _, body in segments(path) if body.startswith(start)), b"")
    if kind == "WebP":
        return webp_chunks(path).get(b"XMP ", b"")
    if kind == "TIFF":
        return bytes(tags(path).get(700, b""))  # type: ignore[arg-type]
    return next((body[22:] for body in chunks(path).get(b"iTXt", []) if body.startswith(b"XML:com")), b"")


def in_xmp(*words: bytes) -> Read:
    return lambda path, kind: tuple(word in xmp(path, kind) for word in words)


def iptc(path: Path, kind: str) -> object:
    if kind == "TIFF":
        return bytes(tags(path)[33723])  # type: ignore[arg-type]
    body = next(body for marker, body in segments(path) if marker == 0xED)
    assert body.startswith(b"Photoshop 3.0\x008BIM\x04\x04\0\0")
    return body[26 : 26 + int.from_bytes(body[22:26], "big")]


def png_chunks(*names: bytes) -> Read:
    return lambda path, _: tuple(body for name in names for body in chunks(path).get(name, []))


def resolution(path: Path, kind: str) -> object:
    with Image.open(path) as image:
        dpi = image.info.get("dpi")
        return None if dpi is None else round(float(dpi[0]))


def changed(path: Path, kind: str) -> object:
    return datetime(*struct.unpack(">H5B", chunks(path)[b"tIME"][0])).year >= 2026


def tiff_tags(*wanted: int) -> Read:
    return lambda path, _: tuple(tags(path)[tag] for tag in wanted)


def comment(path: Path, kind: str) -> object:
    return [body for marker, body in segments(path) if marker == 0xFE]


# ---------------------------------------------------------------- the table, part by part

THAI = "ภาพถ่าย — снимок".encode()
TEXTS = (
    (b"iTXt", b"Title\0\0\0th\0" + THAI + b"\0" + THAI),
    (b"iTXt", b"Description\0\1\0\0\0" + zlib.compress(THAI)),
    (b"tEXt", b"Author\0Andr\xe9"),
    (b"zTXt", b"Comment\0\0" + zlib.compress(b"with words")),
)
GAMA, CHRM = struct.pack(">I", 100_000), struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
CAPTION = dataset(90, b"\x1b%G", 1) + dataset(120, "Die Brücke".encode()) + dataset(25, b"bridge")
ARTIST = {0x013B: (ASCII, "Zoë\0".encode()), 0x8298: (ASCII, b"CC0\0")}
SHOT = {
    0x829A: (RATIONAL, struct.pack("<II", 1, 125)),
    0x9003: (ASCII, OLD.encode() + b"\0"),
    0xA434: (ASCII, b"50 mm\0"),
}
PLACE = {1: (ASCII, b"N\0"), 2: (RATIONAL, struct.pack("<6I", 48, 1, 51, 1, 24, 1))}
MPF = segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + bytes(6))
ISO_GAIN_MAP = segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0")
DC = "http://purl.org/dc/elements/1.1/"
XAP = "http://ns.adobe.com/xap/1.0/"
WORDS = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Brücke &amp; Fluß</rdf:li></rdf:Alt></dc:title>'
THUMBNAILS = (
    f'<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><g:image>{SECRET_BASE64}</g:image></rdf:li></rdf:Alt>'
    f"</xmp:Thumbnails><own:data>{SECRET_BASE64}</own:data>"
)
REGIONS = '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList>SECRET</mwg-rs:RegionList></mwg-rs:Regions>'
STATE = (
    "<tiff:Orientation>6</tiff:Orientation><exif:PixelXDimension>999</exif:PixelXDimension>"
    f"<xmp:ModifyDate>{OLD}</xmp:ModifyDate>"
)
PANORAMA = "<GPano:ProjectionType>equirectangular</GPano:ProjectionType>"
GPANO = "http://ns.google.com/photos/1.0/panorama/"

TABLE: dict[Part, Row] = {
    Part.ICC: Row(
        {
            "PNG": png(chunk(b"iCCP", b"p3\0\0" + zlib.compress(ICC))),
            "TIFF": tiff({34675: (UNDEFINED, ICC)}),
            "JPEG": jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1" + ICC)),
            "WebP": webp(icc=ICC),
        },
        icc,
        ICC,
    ),
    # In other formats it is a profile; see below.
    Part.COLOUR_CHUNKS: Row(
        {"PNG": png(chunk(b"gAMA", GAMA), chunk(b"cHRM", CHRM), chunk(b"cICP", bytes((9, 8, 0, 1))))},
        lambda path, kind: (
            png_chunks(b"gAMA", b"cHRM", b"cICP")(path, kind) if kind == "PNG" else icc(path, kind) is not None
        ),
    ),
    Part.MASTERING: Row(
        {"PNG": png(chunk(b"mDCV", bytes(range(24))))}, png_chunks(b"mDCV"), (bytes(range(24)),), ("PNG",)
    ),
    Part.LIGHT_LEVELS: Row({"PNG": png(chunk(b"cLLI", SECRET[:8]))}, png_chunks(b"cLLI"), (), ("PNG",)),
    Part.TIFF_COLOUR: Row(
        {"TIFF": tiff({318: (RATIONAL, struct.pack("<4I", 3127, 10000, 329, 1000))})},
        tiff_tags(318), ((0.3127, 0.329),), ("TIFF",),
    ),
    Part.RESOLUTION: Row(
        {
            "PNG": png(chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))),
            "TIFF": tiff({282: (RATIONAL, struct.pack("<II", 300, 1)), 283: (RATIONAL, struct.pack("<II", 300, 1)),
                          296: (SHORT, b"\2\0")}),
            "JPEG": jpeg().replace(b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\1\1\x2c\1\x2c"),
        },
        resolution, 300, ("PNG", "TIFF", "JPEG"),
    ),
    Part.EXIF: Row(
        in_all(exif_in, ARTIST, SHOT),
        lambda path, kind: (
            b"Zo\xc3\xab\0" in path.read_bytes(),
            *exif(0x8298)(path, kind), *exif(0x829A, 0x9003, 0xA434, below=IFD.Exif)(path, kind),
        ),
        (True, "CC0", 1 / 125, OLD, "50 mm"),
    ),
    Part.EXIF_STATE: Row(
        in_all(exif_in, {0x0112: (SHORT, b"\1\0"), 0x0132: (ASCII, OLD.encode() + b"\0")},
               {0xA002: (LONG, struct.pack("<I", 999)), 0x9290: (ASCII, b"12\0")}),
        lambda path, kind: (
            exif(0x0112)(path, kind), exif(0xA002, 0xA003, 0x9290, below=IFD.Exif)(path, kind),
            exif(0x0132)(path, kind)[0] > "2026",
        ),
        ((1,), (WIDTH, HEIGHT, None), True),
    ),
    Part.EXIF_THUMBNAIL: Row(
        {kind: exif_in(kind, ARTIST, small=SECRET) for kind in ("PNG", "JPEG", "WebP")},
        lambda path, _: Image.open(path).getexif().get_ifd(IFD.IFD1), {},
    ),
    Part.EXIF_SUBJECT: Row(
        in_all(exif_in, {}, {0x9214: (SHORT, bytes(8)), **SHOT}),
        exif(0x9214, below=IFD.Exif), (None,),
    ),
    Part.MAKER_NOTE: Row(
        in_all(exif_in, {}, {0x927C: (UNDEFINED, SECRET), **SHOT}),
        exif(0x927C, below=IFD.Exif), (None,),
    ),
    Part.EXIF_PRIVATE: Row(
        in_all(exif_in, {}, {0xC68C: (UNDEFINED, SECRET), 0x9286: (UNDEFINED, bytes(8) + SECRET_BASE64.encode())}),
        exif(0xC68C, 0x9286, below=IFD.Exif), (None, None),
    ),
    Part.XMP: Row(in_all(xmp_in, xmp_packet(WORDS, dc=DC)), in_xmp("Brücke &amp; Fluß".encode()), (True,)),
    Part.XMP_STATE: Row(
        in_all(xmp_in, xmp_packet(STATE + WORDS, dc=DC, xmp=XAP, tiff="http://ns.adobe.com/tiff/1.0/",
                                  exif="http://ns.adobe.com/exif/1.0/")),
        in_xmp(b"tiff:Orientation", b"PixelXDimension", OLD.encode(), b"<xmp:ModifyDate>20", b"Fl"),
        (False, False, False, True, True),
    ),
    Part.XMP_PICTURES: Row(
        in_all(xmp_in, xmp_packet(THUMBNAILS + WORDS, dc=DC, xmp=XAP, g="http://ns.adobe.com/xap/1.0/g/img/",
                                  own="https://example.org/")),
        in_xmp(b"Thumbnails", b"own:data", b"Fl"), (False, False, True),
    ),
    Part.XMP_REGIONS: Row(
        in_all(xmp_in, xmp_packet(REGIONS, **{"mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/"})),
        in_xmp(b"SECRET"), (False,),
    ),
    Part.XMP_PANORAMA: Row(in_all(xmp_in, xmp_packet(PANORAMA, GPano=GPANO)), in_xmp(b"equirectangular"), (True,)),
    Part.XMP_EXTENDED: Row(
        {"JPEG": jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + SECRET_BASE64.encode()))}
    ),
    Part.IPTC: Row(
        {"JPEG": resources_in("JPEG", resource(1028, CAPTION)), "TIFF": tiff({33723: (UNDEFINED, CAPTION)})},
        iptc, CAPTION, ("TIFF", "JPEG"),
    ),
    Part.IPTC_PREVIEW: Row(
        in_all(resources_in, resource(1028, CAPTION + dataset(202, SECRET)), formats=("TIFF", "JPEG")),
        iptc, CAPTION, ("TIFF", "JPEG"),
    ),
    Part.PHOTOSHOP_THUMBNAIL: Row(
        in_all(resources_in, resource(1036, SECRET) + resource(1033, SECRET), formats=("TIFF", "JPEG"))
    ),
    Part.PHOTOSHOP_PATHS: Row(
        in_all(resources_in, resource(2000, SECRET), formats=("TIFF", "JPEG"))
    ),
    Part.PHOTOSHOP_LAYERS: Row({"TIFF": tiff({37724: (UNDEFINED, SECRET)})}),
    Part.GAIN_MAP: Row({"JPEG": jpeg(ISO_GAIN_MAP, MPF, trailer=SECRET)}),
    Part.OTHER_PICTURES: Row({"JPEG": jpeg(MPF, trailer=SECRET)}),
    Part.TRAILER: Row({"PNG": png(trailer=SECRET), "JPEG": jpeg(trailer=SECRET), "WebP": webp(trailer=SECRET)}),
    Part.JFIF_THUMBNAIL: Row({"JPEG": jpeg(segment(0xE0, b"JFXX\0\x10" + SECRET))}),
    Part.CONTENT_CREDENTIALS: Row(
        {
            "PNG": png(chunk(b"caBX", SECRET)),
            "TIFF": tiff({52545: (UNDEFINED, SECRET)}),
            "JPEG": jpeg(segment(0xEB, b"JP\0\1\0\0\0\1" + SECRET)),
            "WebP": webp(webp_chunk(b"C2PA", SECRET)),
        }
    ),
    Part.TEXTS: Row(
        {"PNG": png(*(chunk(*one) for one in TEXTS))},
        png_chunks(b"iTXt", b"tEXt", b"zTXt"), tuple(body for _, body in TEXTS), ("PNG",),
    ),
    Part.TEXT_PICTURES: Row(
        {
            "PNG": png(
                chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(SECRET.hex().encode())),
                chunk(b"tEXt", b"preview\0" + SECRET_BASE64.encode()),
                chunk(b"iTXt", b"json\0\1\0\0\0" + zlib.compress(f'{{"image": "{SECRET_BASE64}"}}'.encode())),
            )
        },
        png_chunks(b"zTXt", b"tEXt", b"iTXt"), (), ("PNG",),
    ),
    Part.COMMENT: Row({"JPEG": jpeg(segment(0xFE, THAI))}, comment, [THAI], ("JPEG",)),
    Part.CHANGED: Row({"PNG": png(chunk(b"tIME", struct.pack(">H5B", 2001, 2, 3, 4, 5, 6)))}, changed, True, ("PNG",)),
    Part.CODING: Row(
        {"PNG": png(chunk(b"sBIT", b"\5\6\5"), chunk(b"bKGD", bytes(6)))},
        png_chunks(b"sBIT", b"bKGD"), (), ("PNG",),
    ),
    Part.GEOGRAPHY: Row(
        {"TIFF": tiff({33550: (DOUBLE, struct.pack("<3d", 10, 10, 0)), 42113: (ASCII, b"-9999\0")})},
        tiff_tags(33550, 42113), ((10.0, 10.0, 0.0), "-9999"), ("TIFF",),
    ),
    Part.SUBIFDS: Row({"TIFF": tiff({330: (UNDEFINED, SECRET)})}),
    Part.PRIVATE: Row(
        {
            "PNG": png(chunk(b"mkBF", SECRET)),
            "TIFF": tiff({50838: (UNDEFINED, SECRET)}),
            "JPEG": jpeg(segment(0xE4, SECRET)),
            "WebP": webp(webp_chunk(b"OWN ", SECRET)),
        }
    ),
    Part.DAMAGED: Row(
        {
            "PNG": png(chunk(b"eXIf", b"nothing" + SECRET)),
            "TIFF": xmp_in("TIFF", b"<x:xmpmeta>" + SECRET_BASE64.encode()),
            "JPEG": jpeg(segment(0xE1, b"Exif\0\0II*\0\xff\xff\0\0" + SECRET)),
            "WebP": webp(webp_chunk(b"XMP ", b'<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>' + SECRET)),
        }
    ),
    Part.FRAMES: Row(
        {
            "PNG": png(chunk(b"acTL", struct.pack(">II", 3, 0))),
            "TIFF": tiff(pages=2),
            "WebP": webp(frames=2),
        }
    ),
}  # fmt: skip


def test_every_part_in_every_format_that_has_it_is_tried() -> None:
    assert {part: set(part.formats.split()) for part in Part} == {part: set(row.files) for part, row in TABLE.items()}


def cases() -> list[tuple[Part, str]]:
    return [(part, kind) for part, row in TABLE.items() for kind in row.files]


# Pillow's, of what is broken on purpose.
@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO", "ignore:Corrupt EXIF data")
@pytest.mark.parametrize(("part", "kind"), cases(), ids=lambda value: value.name if isinstance(value, Part) else value)
def test_the_table(part: Part, kind: str, tmp_path: Path) -> None:
    row = TABLE[part]
    path = tmp_path / f"source{ENDINGS[kind]}"
    path.write_bytes(row.files[kind])
    if part.fate is Fate.REFUSED:
        with pytest.raises(CliError, match="pages or frames"):
            open_picture(path)
        return
    source = open_picture(path)
    patch = Patch(3, 2, np.full((4, 5, 3), 200, np.uint8))
    with Image.open(path) as image:
        pixels = np.array(image) if kind == "JPEG" else PIXELS.copy()
    pixels[2:6, 3:8] = 200
    for target in FORMATS:
        out = tmp_path / f"out{ENDINGS[target]}"
        write_picture(source, out, patch)
        with Image.open(out) as image:
            assert image.size == (WIDTH, HEIGHT)
            if target != "JPEG":
                assert np.array_equal(np.asarray(image), pixels)
        words = " ".join(losses(source, out, moved=False))
        assert_no_secret(out)
        if part.fate in (Fate.KEPT, Fate.RENEWED):
            assert "Left out" not in words
        else:
            assert (part.title in words) is (part.fate is Fate.SAID)
        if part is Part.COLOUR_CHUNKS:
            wanted: object = (GAMA, CHRM, bytes((9, 8, 0, 1))) if target == "PNG" else True
            assert row.read is not None
            assert row.read(out, target) == wanted
        elif row.read is not None and target in row.places:
            assert row.read(out, target) == row.wanted
        elif part.fate is Fate.KEPT and part not in (Part.RESOLUTION, Part.MASTERING):
            assert part.title in words


def assert_no_secret(path: Path) -> None:
    """No piece of the old picture is in a file, in any of the forms in which it was put there."""
    data = path.read_bytes()
    # Of its scan: tables are the same in all JPEGs.
    for start in range(SECRET.index(b"\xff\xda") + 14, len(SECRET) - 40, 40):
        assert SECRET[start : start + 40] not in data
        assert SECRET[start : start + 40].hex().encode() not in data
    for start in range(0, len(SECRET_BASE64) - 60, 60):
        assert SECRET_BASE64[start : start + 60].encode() not in data
    if path.suffix == ".png":
        texts = {b"iTXt", b"tEXt", b"zTXt", b"tIME", b"eXIf", b"pHYs"}
        colours = {b"iCCP", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"sRGB"}
        assert {name for name in chunks(path) if name[:1].islower()} <= texts | colours


@pytest.mark.parametrize("kind", FORMATS)
def test_where_nothing_is_said_nothing_is_made_up(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"source{ENDINGS[kind]}"
    path.write_bytes({"PNG": png, "TIFF": tiff, "JPEG": jpeg, "WebP": webp}[kind]())
    source = open_picture(path)
    for target in FORMATS:
        out = tmp_path / f"out{ENDINGS[target]}"
        write_picture(source, out)
        assert losses(source, out, moved=False) == ()
        with Image.open(out) as image:
            assert "dpi" not in image.info
            assert "icc_profile" not in image.info
        if target == "PNG":
            assert set(chunks(out)) == {b"IHDR", b"IDAT", b"IEND"}
        if target == "WebP":
            assert set(webp_chunks(out)) == {b"VP8L"}


def test_a_comment_in_utf_16_is_turned_with_the_byte_order(tmp_path: Path) -> None:
    comment = b"UNICODE\0" + "Größe".encode("utf-16-be")
    block = exif_block({}, {0x9286: (UNDEFINED, comment), 0x9101: (UNDEFINED, b"\1\2\3\0")}, order=">")
    path = tmp_path / "source.jpg"
    path.write_bytes(jpeg(segment(0xE1, b"Exif\0\0" + block)))
    write_picture(open_picture(path), tmp_path / "out.webp")
    with Image.open(tmp_path / "out.webp") as image:
        read = image.getexif().get_ifd(IFD.Exif)
    assert (read[0x9286], read[0x9101]) == (b"UNICODE\0" + "Größe".encode("utf-16-le"), b"\1\2\3\0")


@pytest.mark.parametrize("target", FORMATS)
def test_a_turned_picture_has_nothing_left_that_turns_it_again(target: str, tmp_path: Path) -> None:
    packet = xmp_packet(STATE + PANORAMA + WORDS, dc=DC, xmp=XAP, tiff="http://ns.adobe.com/tiff/1.0/",
                        exif="http://ns.adobe.com/exif/1.0/", GPano=GPANO)  # fmt: skip
    block = exif_block({0x0112: (SHORT, b"\6\0")}, {0xA002: (LONG, struct.pack("<I", WIDTH)), **SHOT}, small=SECRET)
    path = tmp_path / "source.jpg"
    path.write_bytes(
        jpeg(segment(0xE1, b"Exif\0\0" + block), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    )
    source = open_picture(path)
    out = tmp_path / f"out{ENDINGS[target]}"
    write_picture(source, out)
    assert exif(0x0112)(out, target) == (1,)
    assert exif(0xA002, 0xA003, below=IFD.Exif)(out, target) == (HEIGHT, WIDTH)
    assert in_xmp(b"Orientation", b"GPano:ProjectionType", b"Fl")(out, target) == (False, False, True)
    assert Part.XMP_PANORAMA.title in " ".join(losses(source, out, moved=False))
    with Image.open(out) as image:
        assert image.size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_an_enlarged_picture_has_the_same_facts_and_its_own_size(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "source.jpg"
    block = exif_block(
        ARTIST, {0xA002: (LONG, struct.pack("<I", WIDTH)), 0x927C: (UNDEFINED, SECRET)}, PLACE, small=SECRET
    )
    path.write_bytes(jpeg(segment(0xE1, b"Exif\0\0" + block)))
    source = open_picture(path)
    out = tmp_path / f"out{ending}"
    write_alike(source, out, PIXELS.repeat(2, 0).repeat(2, 1))
    with Image.open(out) as image:
        found = image.getexif()
        assert found.get_ifd(IFD.Exif)[0xA002] == 2 * WIDTH
        assert found.get_ifd(IFD.GPSInfo)[2] == (48.0, 51.0, 24.0)
        assert found[0x8298] == "CC0"
    assert_no_secret(out)


def test_a_layer_has_the_pictures_colours_and_none_of_its_words(tmp_path: Path) -> None:
    path = tmp_path / "source.png"
    block = exif_block(ARTIST, SHOT, PLACE)
    path.write_bytes(png(chunk(b"gAMA", GAMA), chunk(b"eXIf", block), *(chunk(*one) for one in TEXTS)))
    source = open_picture(path)
    write_layer(source, tmp_path / "layer.png", Patch(0, 0, np.zeros((2, 2, 4), np.uint8)))
    assert set(chunks(tmp_path / "layer.png")) == {b"IHDR", b"gAMA", b"IDAT", b"IEND"}
    write_layer(source, tmp_path / "layer.webp", Patch(0, 0, np.zeros((2, 2, 4), np.uint8)))
    assert set(webp_chunks(tmp_path / "layer.webp")) == {b"VP8X", b"ICCP", b"VP8L"}


def test_a_new_picture_carries_nothing(tmp_path: Path) -> None:
    write_picture(PIXELS, tmp_path / "new.png")
    assert set(chunks(tmp_path / "new.png")) == {b"IHDR", b"IDAT", b"IEND"}
    write_picture(PIXELS, tmp_path / "new.jpg")
    assert {marker for marker, _ in segments(tmp_path / "new.jpg")} <= {0xE0, 0xDB, 0xC0, 0xC4}


def test_xmp_in_attributes_and_an_orientation_that_exif_does_not_know(tmp_path: Path) -> None:
    packet = xmp_packet("").replace(
        b'rdf:about=""',
        b'rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:own="https://example.org/" '
        b'tiff:Orientation="6" tiff:Make="Camera" own:small="' + SECRET_BASE64.encode() + b'"',
    )
    path = tmp_path / "source.jpg"
    path.write_bytes(xmp_in("JPEG", packet))
    write_picture(open_picture(path), tmp_path / "out.jpg")
    assert in_xmp(b"Orientation", b"own:small", b'tiff:Make="Camera"')(tmp_path / "out.jpg", "JPEG") == (
        False,
        False,
        True,
    )
    assert xmp(tmp_path / "out.jpg", "JPEG").endswith(b'<?xpacket end="w"?>')


def test_a_place_on_earth_goes_with_the_pixels_alone(tmp_path: Path) -> None:
    path = tmp_path / "source.tif"
    path.write_bytes(TABLE[Part.GEOGRAPHY].files["TIFF"])
    source = open_picture(path)
    write_alike(source, tmp_path / "out.tif", PIXELS.repeat(2, 0).repeat(2, 1))
    assert not {33550, 42113} & tags(tmp_path / "out.tif").keys()
    assert Part.GEOGRAPHY.title in " ".join(losses(source, tmp_path / "out.tif", moved=True))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_either_byte_order_and_a_bigtiff(order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, big, out = (tmp_path / name for name in ("source.tif", "big.tif", "out.tif"))
    # IPTC is said to be whole numbers, as some programs have it; Pillow reads those in the little order alone.
    datasets = CAPTION + bytes(-len(CAPTION) % 4)
    extra = {33723: (LONG, datasets)} if order == "<" else {}
    path.write_bytes(tiff({**ARTIST, **extra}, SHOT, order=order))
    with monkeypatch.context() as patched:
        patched.setattr("bridge.cli.saving._TIFF_BYTES", 0)
        write_picture(open_picture(path), big)
    assert big.read_bytes()[2:4] == b"\x2b\0"
    write_picture(open_picture(big), out)
    assert out.read_bytes()[2:4] == b"\x2a\0"
    for written in (big, out):
        with Image.open(written) as image:
            assert np.array_equal(np.asarray(image), PIXELS)
            found = image.getexif()
            assert found[0x8298] == "CC0"
            assert found.get_ifd(IFD.Exif)[0x829A] == 1 / 125
        if order == "<":
            assert iptc(written, "TIFF") == CAPTION


def test_whatever_is_broken_is_told_or_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    files = [data for row in TABLE.values() for data in row.files.values()]
    path, out = tmp_path / "source", tmp_path / "out.tif"
    written = 0
    for number in range(200):
        data = bytearray(files[number % len(files)])
        for place in rng.integers(8, len(data), rng.integers(1, 12)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data[: rng.integers(len(data) // 2, len(data) + 1)] if number % 3 == 0 else data)
        try:
            source = open_picture(path)
            write_picture(source, out)
        except CliError:
            continue
        losses(source, out, moved=False)
        written += 1
    assert written > 50


# ---------------------------------------------------------------- colours that a PNG speaks of


def seen(path: Path) -> np.ndarray:
    """What Little CMS makes of a file's profile, in sRGB."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        if profile is not None:
            image = ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), 1)
        return np.asarray(image.convert("RGB"), float)


@pytest.mark.parametrize(
    "extra",
    [
        (chunk(b"gAMA", struct.pack(">I", 100_000)),),
        (chunk(b"gAMA", struct.pack(">I", 45_455)), chunk(b"cHRM", CHRM)),
        (chunk(b"gAMA", struct.pack(">I", 55_556)), chunk(b"cHRM", CHRM)),
        (chunk(b"cICP", bytes((12, 13, 0, 1))), chunk(b"gAMA", GAMA)),
        (chunk(b"cICP", bytes((9, 1, 0, 1))),),
        (chunk(b"cICP", bytes((1, 13, 0, 1))), chunk(b"iCCP", b"p3\0\0" + zlib.compress(ICC))),
    ],
    ids=["linear", "sRGB curve", "gamma 1.8", "P3 before gAMA", "BT.2020", "sRGB before a profile"],
)
def test_other_formats_and_the_model_see_the_same_colours(extra: tuple[bytes, ...], tmp_path: Path) -> None:
    path = tmp_path / "source.png"
    path.write_bytes(png(*extra))
    source = open_picture(path)
    model = np.clip(source.space.to_srgb(PIXELS.astype(np.float32) / 255), 0, 1) * 255
    for ending in (".tif", ".webp"):
        write_picture(source, tmp_path / f"out{ending}")
        # Pixels that are cut off at sRGB's edge are cut off in other ways.
        inside = ((model > 2) & (model < 253)).all(axis=2)
        assert inside.mean() > 0.2
        assert np.abs(seen(tmp_path / f"out{ending}") - model)[inside].max() < 2.5
    back = source.space.from_srgb(source.space.to_srgb(PIXELS.astype(np.float32) / 255)) * 255
    assert np.abs(back - PIXELS).max() < 0.05


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), (18, 0.75)])
def test_hdr_stays_hdr_and_the_model_sees_a_pages_white_as_white(transfer: int, white: float, tmp_path: Path) -> None:
    path = tmp_path / "source.png"
    path.write_bytes(png(chunk(b"cICP", bytes((9, transfer, 0, 1)))))
    source = open_picture(path)
    grey = source.space.to_srgb(np.full((1, 1, 3), white, np.float32))
    assert grey == pytest.approx(1.0, abs=0.002)
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, -1, 1).repeat(3, 2)
    assert np.abs(source.space.from_srgb(source.space.to_srgb(ramp)) - ramp).max() < 1e-3
    write_picture(source, tmp_path / "out.png")
    assert chunks(tmp_path / "out.png")[b"cICP"] == [bytes((9, transfer, 0, 1))]


def test_colours_that_cannot_be_undone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "source.png"
    path.write_bytes(png(chunk(b"cICP", bytes((9, 16, 9, 0)))))
    with pytest.raises(CliError, match="cICP 9, 16, 9, 0"):
        open_picture(path)


def test_base64_in_lines_in_utf_16_and_in_json_is_told_from_words() -> None:
    from bridge.cli.metadata.previews import holds_picture

    lines = "\n".join(SECRET_BASE64[start : start + 76] for start in range(0, len(SECRET_BASE64), 76))
    assert holds_picture(lines.encode())
    assert holds_picture(SECRET_BASE64.encode("utf-16-le"))
    assert holds_picture(f'{{"a": "{SECRET_BASE64}"}}'.encode())
    words = "A photograph without a full stop or a comma and with very long words such as Donaudampfschiffahrt " * 30
    assert not holds_picture(words.encode())
    assert not holds_picture(("https://example.org/" + "path/" * 8 + " ").encode() * 40)
    assert not holds_picture(
        b"parameters: a cat, Model hash: 6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
    )
    assert base64.b64decode(SECRET_BASE64) == SECRET
