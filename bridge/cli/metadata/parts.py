"""What a picture file can carry beside its pixels, and what becomes of each when some of the pixels are new.

The one table of it: the readers and writers of this package follow it, ``docs/cli.md`` prints it, and a test goes
through it. Whatever is not in it is dropped. Where privacy and convenience conflict privacy wins: nothing is kept that
shows, or may show, the pixels as they were.
"""

from __future__ import annotations

from collections.abc import Set
from enum import Enum

__all__ = ["Fate", "Part", "words_on_losses"]


class Fate(Enum):
    """What becomes of it."""

    KEPT = "kept"
    RENEWED = "renewed"
    DROPPED = "dropped"
    SAID = "dropped, and said"
    REFUSED = "the picture is refused"


class Part(Enum):
    """One thing that files carry: what it is, in which formats (spaces between), its fate, and the reason.

    What is kept and has no place in the output's format is dropped, and said.
    """

    title: str
    formats: str
    fate: Fate
    reason: str

    def __init__(self, title: str, formats: str, fate: Fate, reason: str) -> None:
        self.title = title
        self.formats = formats
        self.fate = fate
        self.reason = reason

    # Colour and size.
    ICC = "the colour profile (ICC)", "PNG TIFF JPEG WebP", Fate.KEPT, "the pixels are in its colours"
    COLOUR_CHUNKS = (
        "cICP, gAMA, cHRM and sRGB",
        "PNG",
        Fate.KEPT,
        "the pixels are in its colours; other formats get a colour profile that says the same",
    )
    MASTERING = "mDCV (mastering display)", "PNG", Fate.KEPT, "it goes with cICP"
    LIGHT_LEVELS = "cLLI (light levels)", "PNG", Fate.DROPPED, "measured on the old pixels"
    TIFF_COLOUR = (
        "TransferFunction, WhitePoint, PrimaryChromaticities",
        "TIFF",
        Fate.KEPT,
        "the pixels are in its colours",
    )
    RESOLUTION = "the resolution (pHYs, JFIF, TIFF)", "PNG TIFF JPEG", Fate.KEPT, "none is made up where none is said"
    # EXIF.
    EXIF = (
        "EXIF: camera, exposure, time, place (GPS), author, licence, comment",
        "PNG TIFF JPEG WebP",
        Fate.KEPT,
        "facts about the photograph; tags of the standard alone",
    )
    EXIF_STATE = (
        "EXIF: orientation, size, time of change",
        "PNG TIFF JPEG WebP",
        Fate.RENEWED,
        "the pixels are upright, of this size, and changed now",
    )
    EXIF_THUMBNAIL = "the EXIF thumbnail", "PNG JPEG WebP", Fate.DROPPED, "the old picture; viewers make their own"
    EXIF_SUBJECT = "EXIF: where the subject is", "PNG TIFF JPEG WebP", Fate.DROPPED, "found on the old pixels"
    MAKER_NOTE = (
        "the camera maker's own notes (MakerNote)",
        "PNG TIFF JPEG WebP",
        Fate.SAID,
        "they hold previews, and cannot be moved unharmed",
    )
    EXIF_PRIVATE = (
        "private EXIF tags",
        "PNG TIFF JPEG WebP",
        Fate.SAID,
        "nobody knows what they hold; embedded pictures and raw files are among them",
    )
    # XMP.
    XMP = "XMP: title, author, rights, keywords, ratings, history", "PNG TIFF JPEG WebP", Fate.KEPT, "facts and words"
    XMP_STATE = (
        "XMP: tiff:Orientation, size, xmp:ModifyDate",
        "PNG TIFF JPEG WebP",
        Fate.RENEWED,
        "as EXIF's; orientation and size are taken out, for the file itself says them",
    )
    XMP_PICTURES = (
        "pictures in XMP (xmp:Thumbnails, depth maps, anything long in Base64)",
        "PNG TIFF JPEG WebP",
        Fate.SAID,
        "the old picture",
    )
    XMP_REGIONS = "named faces and regions in XMP", "PNG TIFF JPEG WebP", Fate.SAID, "found on the old pixels"
    XMP_PANORAMA = (
        "XMP: how a panorama is laid out (GPano)",
        "PNG TIFF JPEG WebP",
        Fate.KEPT,
        "dropped, and said, where the picture was turned, enlarged or cut",
    )
    XMP_EXTENDED = "extended XMP", "JPEG", Fate.SAID, "what is too long for one segment is pictures and depth maps"
    # IPTC and Photoshop.
    IPTC = "IPTC: caption, keywords, author, rights", "TIFF JPEG", Fate.KEPT, "facts and words"
    IPTC_PREVIEW = "IPTC: preview (2:200 to 2:202) and object data", "TIFF JPEG", Fate.DROPPED, "the old picture"
    PHOTOSHOP_THUMBNAIL = "Photoshop's thumbnails and measures (8BIM)", "TIFF JPEG", Fate.DROPPED, "the old picture"
    PHOTOSHOP_PATHS = "Photoshop's paths", "TIFF JPEG", Fate.SAID, "drawn around what was there"
    PHOTOSHOP_LAYERS = "Photoshop's layers", "TIFF", Fate.SAID, "the old picture; the file holds one picture now"
    # What goes with HDR, phones and cameras.
    GAIN_MAP = (
        "the HDR gain map (UltraHDR, ISO 21496-1)",
        "JPEG",
        Fate.SAID,
        "the old picture's brightness: what was removed would still glow. The SDR picture is written",
    )
    OTHER_PICTURES = "further pictures in the file (MPF)", "JPEG", Fate.SAID, "previews and other views of the old one"
    TRAILER = "what is appended to the file", "PNG JPEG WebP", Fate.SAID, "the film of a motion photo, raw data"
    JFIF_THUMBNAIL = "the JFIF thumbnail", "JPEG", Fate.DROPPED, "the old picture"
    CONTENT_CREDENTIALS = (
        "content credentials (C2PA, JUMBF)",
        "PNG TIFF JPEG WebP",
        Fate.SAID,
        "they are signed for the old pixels, and hold a thumbnail of them",
    )
    # Words.
    TEXTS = "texts (tEXt, zTXt, iTXt)", "PNG", Fate.KEPT, "byte for byte, in any script"
    TEXT_PICTURES = (
        "texts that hold pictures (raw profiles, Base64)",
        "PNG",
        Fate.SAID,
        "the old picture, or EXIF with its thumbnail",
    )
    COMMENT = "the comment (COM)", "JPEG", Fate.KEPT, "words"
    # The formats' own.
    CHANGED = "tIME", "PNG", Fate.RENEWED, "changed now"
    CODING = (
        "sBIT, hIST, sPLT, bKGD, tRNS, oFFs, iDOT",
        "PNG",
        Fate.DROPPED,
        "about how the old pixels were packed or laid out",
    )
    GEOGRAPHY = (
        "GeoTIFF tags and GDAL's",
        "TIFF",
        Fate.KEPT,
        "dropped, and said, where the picture was turned, enlarged or cut",
    )
    SUBIFDS = "smaller versions and previews (SubIFDs)", "TIFF", Fate.SAID, "the old picture"
    PRIVATE = (
        "private tags, segments and chunks",
        "PNG TIFF JPEG WebP",
        Fate.SAID,
        "nobody knows what they hold; sources and previews are among them",
    )
    DAMAGED = "metadata that is damaged", "PNG TIFF JPEG WebP", Fate.SAID, "it cannot be judged"
    FRAMES = (
        "several pages or frames (APNG, animated WebP and GIF, TIFF)",
        "PNG TIFF WebP",
        Fate.REFUSED,
        "one of them alone would be painted, and the others lost",
    )


def words_on_losses(left: Set[Part], homeless: Set[Part], kind: str) -> tuple[str, ...]:
    """What the user should know: ``left`` was dropped for what it is; ``homeless`` has no place in the format."""
    words = []
    said = [part.title for part in Part if part in left and part.fate in (Fate.SAID, Fate.KEPT)]
    if said:
        words.append(f"Left out, since it shows the picture as it was, or may: {'; '.join(said)}.")
    lost = [part.title for part in Part if part in homeless]
    if lost:
        words.append(f"{kind} has no place for: {'; '.join(lost)}.")
    return tuple(words)
