"""IPTC's datasets, and Photoshop's resources in which JPEG keeps them (IPTC IIM 4.2; Adobe Photoshop File Formats)."""

from __future__ import annotations

from collections.abc import Iterator

from .parts import Part

__all__ = ["PHOTOSHOP", "clean_iptc", "in_resources", "out_of_resources"]

PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC, _ICC, _EXIF, _EXIF_3, _XMP = 1028, 1039, 1058, 1059, 1060
_PATHS = range(2000, 3000)
_ENVELOPE, _APPLICATION = 1, 2
_PREVIEW = (200, 201, 202)


def out_of_resources(resources: bytes) -> tuple[bytes, set[Part]]:
    """The IPTC datasets in Photoshop's resources, and what else of note is among them."""
    datasets, left = b"", set()
    for number, data in _resources(resources):
        if number == _IPTC:
            datasets = data
        elif number in _PATHS:
            left.add(Part.PHOTOSHOP_PATHS)
        elif number not in (_ICC, _EXIF, _EXIF_3, _XMP):
            left.add(Part.PHOTOSHOP_THUMBNAIL)
    return datasets, left


def in_resources(datasets: bytes) -> bytes:
    """IPTC datasets as Photoshop's only resource."""
    body = b"8BIM" + _IPTC.to_bytes(2, "big") + b"\0\0" + len(datasets).to_bytes(4, "big") + datasets
    return body + bytes(len(body) % 2)


def clean_iptc(datasets: bytes) -> tuple[bytes, set[Part]]:
    """What stays of them beside new pixels: envelope and words; and what was dropped."""
    kept, left = b"", set()
    for record, number, whole in _datasets(datasets):
        if record == _ENVELOPE or (record == _APPLICATION and number not in _PREVIEW):
            kept += whole
        else:
            left.add(Part.IPTC_PREVIEW)
    return kept, left


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while data[at : at + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") and len(data) >= at + 12:
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        # Its name, a Pascal string, filled up to an even length.
        name = 1 + data[at + 6]
        start = at + 6 + name + name % 2
        size = int.from_bytes(data[start : start + 4], "big")
        yield number, data[start + 4 : start + 4 + size]
        at = start + 4 + size + size % 2


def _datasets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Record, number and all bytes of each, up to where they are broken."""
    at = 0
    while data[at : at + 1] == b"\x1c" and len(data) >= at + 5:
        size, head = int.from_bytes(data[at + 3 : at + 5], "big"), 5
        if size & 0x8000:
            head += size & 0x7FFF
            size = int.from_bytes(data[at + 5 : at + head], "big")
        if at + head + size > len(data):
            return
        yield data[at + 1], data[at + 2], data[at : at + head + size]
        at += head + size
