"""XMP, cleaned: words and facts stay; pictures, regions and what is about the old pixels' shape go (ISO 16684-1).

What there is has no end, so this drops by name what is known to be made from pixels, and by content whatever holds a
picture under any other name.
"""

from __future__ import annotations

import xml.dom.minidom
from datetime import datetime
from xml.dom.minidom import Attr, Comment, Document, Element, Text
from xml.parsers.expat import ExpatError

from .parts import Part
from .previews import holds_picture

__all__ = ["clean_xmp"]

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_XAP = "http://ns.adobe.com/xap/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"

# Whole vocabularies, by the beginning of their names.
_VOCABULARIES = {
    "http://ns.adobe.com/hdr-gain-map/": Part.GAIN_MAP,
    "http://ns.apple.com/HDRGainMap/": Part.GAIN_MAP,
    "http://ns.apple.com/pixeldatainfo/": Part.XMP_PICTURES,
    "http://ns.google.com/photos/1.0/container/": Part.OTHER_PICTURES,
    "http://ns.google.com/photos/1.0/camera/": Part.TRAILER,
    "http://ns.google.com/photos/1.0/depthmap/": Part.XMP_PICTURES,
    "http://ns.google.com/photos/1.0/image/": Part.XMP_PICTURES,
    "http://ns.google.com/photos/1.0/audio/": Part.TRAILER,
    "http://ns.google.com/photos/dd/": Part.XMP_PICTURES,
    "http://ns.xdm.org/": Part.XMP_PICTURES,
    "http://ns.adobe.com/xap/1.0/g/img/": Part.XMP_PICTURES,
    "http://ns.adobe.com/xmp/note/": Part.XMP_EXTENDED,
    "http://www.metadataworkinggroup.com/schemas/regions/": Part.XMP_REGIONS,
    "http://ns.apple.com/faceinfo/": Part.XMP_REGIONS,
    "http://ns.microsoft.com/photo/1.2/": Part.XMP_REGIONS,
}
_PROPERTIES = {
    (_XAP, "Thumbnails"): Part.XMP_PICTURES,
    (_IPTC_EXTENSION, "ImageRegion"): Part.XMP_REGIONS,
    ("http://purl.org/dc/terms/", "provenance"): Part.CONTENT_CREDENTIALS,
    (_EXIF, "SubjectArea"): Part.EXIF_SUBJECT,
    (_EXIF, "SubjectLocation"): Part.EXIF_SUBJECT,
    (_EXIF, "MakerNote"): Part.MAKER_NOTE,
    (_TIFF, "Orientation"): Part.XMP_STATE,
    (_TIFF, "ImageWidth"): Part.XMP_STATE,
    (_TIFF, "ImageLength"): Part.XMP_STATE,
    (_EXIF, "PixelXDimension"): Part.XMP_STATE,
    (_EXIF, "PixelYDimension"): Part.XMP_STATE,
    (_EXIF, "NativeDigest"): Part.XMP_STATE,
    (_TIFF, "NativeDigest"): Part.XMP_STATE,
    (_PHOTOSHOP, "LegacyIPTCDigest"): Part.XMP_STATE,
}
_PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
_NOW = {(_XAP, "ModifyDate"), (_XAP, "MetadataDate")}


def clean_xmp(packet: bytes, *, moved: bool, now: datetime) -> tuple[bytes, set[Part]]:
    """What stays of a packet beside new pixels, b"" for nothing; and what was dropped.

    Args:
        moved: the pixels lie elsewhere than they did.

    Raises:
        ValueError: it cannot be read.
    """
    # An entity may stand for any amount of text, and XMP has none.
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise ValueError("XMP with a document type")
    try:
        document = xml.dom.minidom.parseString(packet.rstrip(b"\0"))
    except ExpatError as error:
        raise ValueError("no XML") from error
    left: set[Part] = set()
    try:
        _clean(document, moved, now, left)
        kept = "".join(node.toxml() for node in document.childNodes) if _says_anything(document) else ""
    except RecursionError as error:
        raise ValueError("XML without a bottom") from error
    return kept.encode(), left


def _clean(node: Document | Element, moved: bool, now: datetime, left: set[Part]) -> None:
    """Take out of an element's properties what must not stay, at any depth."""
    if isinstance(node, Element) and node.attributes is not None:
        for attribute in list(node.attributes.values()):
            part = _judged(attribute, attribute.value, moved)
            if part is not None:
                left.add(part)
                node.removeAttributeNode(attribute)
            elif (attribute.namespaceURI, attribute.localName) in _NOW:
                attribute.value = _iso(now)
    for child in list(node.childNodes):
        if isinstance(child, Element):
            words = "".join(text.data for text in child.childNodes if isinstance(text, Text))
            part = _judged(child, words, moved)
            if part is not None:
                left.add(part)
                node.removeChild(child)
                continue
            if (child.namespaceURI, child.localName) in _NOW:
                for old in list(child.childNodes):
                    child.removeChild(old)
                child.appendChild(_document(node).createTextNode(_iso(now)))
            _clean(child, moved, now, left)
        elif isinstance(child, Comment):
            node.removeChild(child)


def _judged(node: Element | Attr, words: str, moved: bool) -> Part | None:
    """What it is, if it must go."""
    name = node.namespaceURI or ""
    part = next((part for start, part in _VOCABULARIES.items() if name.startswith(start)), None)
    part = part or _PROPERTIES.get((name, node.localName or ""))
    if part is None and moved and name == _PANORAMA:
        part = Part.XMP_PANORAMA
    if part is None and holds_picture(words.encode("utf-8", "surrogatepass")):
        part = Part.XMP_PICTURES
    return part


def _says_anything(document: Document) -> bool:
    """Whether a description has a property left."""
    for description in document.getElementsByTagNameNS(_RDF, "Description"):
        attributes = description.attributes.values() if description.attributes is not None else []
        if any(a.namespaceURI not in (None, _RDF, "http://www.w3.org/2000/xmlns/") for a in attributes):
            return True
        if any(isinstance(child, Element) for child in description.childNodes):
            return True
    return False


def _document(node: Document | Element) -> Document:
    document = node if isinstance(node, Document) else node.ownerDocument
    assert document is not None
    return document


def _iso(now: datetime) -> str:
    return now.astimezone().isoformat(timespec="seconds")
