"""A job as the host hands it over: a ``submit`` or a ``train`` whose pictures are still pixels, without hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, cast

from ..protocol.errors import BridgeError
from ..protocol.messages import CaptionedImage, Condition, Depth, Encoding, Picture, Region, Submit, Train
from ..protocol.pixels import DEPTH_BYTES, raw_bytes
from ..protocol.wire import decode_client, encode
from .job import ConditionPixels, Pixels, RegionPixels

__all__ = ["Request", "TrainRequest", "described"]


@dataclass(frozen=True)
class Request:
    """``submit`` holds everything but the pictures.

    Raises:
        BridgeError: ``out_of_range``, ``wrong_type`` for values that the bridge would refuse; ``picture_mismatch`` for
            pixels that do not fill their picture.
        TypeError: pixels without a contiguous buffer.
    """

    submit: Submit
    picture: Optional[Pixels]
    selection: Optional[Pixels]
    conditions: tuple[ConditionPixels, ...]
    regions: tuple[RegionPixels, ...] = ()

    @classmethod
    def of(
        cls,
        submit: Submit,
        *,
        picture: Optional[Pixels],
        selection: Optional[Pixels],
        conditions: Sequence[ConditionPixels],
        regions: Sequence[RegionPixels] = (),
    ) -> Request:
        """Check a request before anything is hashed or sent."""
        flat = [replace(c, picture=_flat(c.picture), mask=_flat(c.mask) if c.mask else None) for c in conditions]
        request = cls(
            submit,
            _flat(picture) if picture else None,
            _flat(selection) if selection else None,
            tuple(flat),
            tuple(replace(one, mask=_flat(one.mask)) for one in regions),
        )
        decode_client(encode(request.message(lambda pixels: described(pixels, "0" * 64))))
        return request

    def pixels(self) -> list[Pixels]:
        """All of its pictures."""
        nested = [(condition.picture, condition.mask) for condition in self.conditions]
        pairs = [(self.picture, self.selection), *nested]
        found = [pixels for pair in pairs for pixels in pair if pixels is not None]
        return [*found, *(one.mask for one in self.regions)]

    def message(self, describe: Callable[[Pixels], Picture]) -> Submit:
        """What is sent."""
        conditions = [
            Condition(**{**vars(c), "picture": describe(c.picture), "mask": describe(c.mask) if c.mask else None})
            for c in self.conditions
        ]
        regions = [Region(**{**vars(one), "mask": describe(one.mask)}) for one in self.regions]
        settings = self.submit.settings
        guides = replace(settings.conditioning, conditions=tuple(conditions), regions=tuple(regions))
        return replace(
            self.submit,
            picture=describe(self.picture) if self.picture else None,
            selection=describe(self.selection) if self.selection else None,
            settings=replace(settings, conditioning=guides),
        )


@dataclass(frozen=True)
class TrainRequest:
    """``fields`` are those of ``train`` but for its images. Raises as :class:`Request`."""

    fields: dict[str, Any]
    pictures: tuple[Pixels, ...]
    captions: tuple[str, ...]

    @classmethod
    def of(cls, fields: dict[str, Any], pictures: Sequence[Pixels], captions: Sequence[str]) -> TrainRequest:
        """Check a request before anything is hashed or sent. ``captions`` has one for each picture."""
        request = cls(fields, tuple(map(_flat, pictures)), tuple(captions))
        decode_client(encode(request.message(lambda pixels: described(pixels, "0" * 64))))
        return request

    def pixels(self) -> list[Pixels]:
        """All of its pictures."""
        return list(self.pictures)

    def message(self, describe: Callable[[Pixels], Picture]) -> Train:
        """What is sent."""
        images = tuple(CaptionedImage(describe(pixels), words) for pixels, words in zip(self.pictures, self.captions))
        return Train(images=images, **self.fields)


def described(pixels: Pixels, content_hash: str) -> Picture:
    """The description of pixels whose hash is known."""
    size = len(pixels.data)
    # Names that there are not are told by the decoder, before anything is sent.
    depth, encoding = cast(Depth, pixels.depth), cast(Encoding, pixels.encoding)
    return Picture(content_hash, size, pixels.width, pixels.height, pixels.channels, depth, encoding)


def _flat(pixels: Pixels) -> Pixels:
    """The same pixels as one row of bytes."""
    flat = replace(pixels, data=memoryview(pixels.data).cast("B"))
    if pixels.encoding == "raw" and pixels.depth in DEPTH_BYTES:
        wanted = raw_bytes(pixels.width, pixels.height, pixels.channels, pixels.depth)
        if len(flat.data) != wanted:
            raise BridgeError(
                "picture_mismatch",
                "The picture has {size} bytes, but its size asks for {wanted}.",
                size=len(flat.data),
                wanted=wanted,
            )
    return flat
