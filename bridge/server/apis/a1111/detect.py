"""`controlnet/detect`: maps of pictures, by the extension's modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....imaging.orders import BaseImage
from ....protocol.errors import BridgeError
from ....protocol.messages import OPENPOSE_JOINTS, Extent, Person
from ..api_job import ApiJob, Paintings
from ..bodies import decode_base64
from ..fields import Fields
from .modules import MODULES, options_of
from .runs import Run

__all__ = ["DetectOrder", "estimate", "openpose_json", "read_detect"]

_MOST_PICTURES = 64
# How large its networks look at pictures: here a map is as large as its picture.
_MEANINGLESS = ("controlnet_processor_res", "controlnet_pixel_perfect")
_WITHOUT_EFFECT: dict[str, Any] = {"controlnet_masks": [], "low_vram": False}


@dataclass(frozen=True)
class DetectOrder:
    """Pictures to make maps of; ``settings`` are the job's, none: they are the maps already."""

    pictures: tuple[bytes, ...] = field(repr=False)
    settings: dict[str, Any] | None


def read_detect(body: dict[str, Any]) -> tuple[DetectOrder, tuple[str, ...]]:
    """Read a request; the names of fields without effect are told beside it.

    Raises:
        FieldsRefused
        BridgeError: ``picture_unreadable``, ``missing_field``.
    """
    fields = Fields(body)
    module = fields.text("controlnet_module", "none").lower()
    pictures = fields.pictures("controlnet_input_images")
    thresholds = (fields.number(f"controlnet_threshold_{name}", -1.0, -1.0, 1000.0) for name in ("a", "b"))
    low, high = thresholds
    if module not in MODULES and module != "none":
        fields.refuse("controlnet_module", f"it must be one of none, {', '.join(MODULES)}.")
    if len(pictures) > _MOST_PICTURES:
        fields.refuse("controlnet_input_images", f"it must have at most {_MOST_PICTURES} pictures.")
    for name in _MEANINGLESS:
        fields.raw(name)
    fields.without_effect(**_WITHOUT_EFFECT)
    fields.check()
    if not pictures:
        raise BridgeError("missing_field", "No image selected", "Send pictures in controlnet_input_images, as Base64.")
    settings = None if module == "none" else options_of(module, low, high)
    return DetectOrder(tuple(map(decode_base64, pictures)), settings), fields.ignored()


async def estimate(api_job: ApiJob, picture: bytes, run: Run, settings: dict[str, Any]) -> Paintings:
    """The map of a picture, opaque: lines white on black.

    Raises:
        BridgeError: it was refused, or failed.
        JobStopped
    """
    await api_job.lay_out(BaseImage(api_job.look(picture)), None)
    return await api_job.paint(run.job, run.follow, lambda _: (), previews=False, **settings)


def openpose_json(people: Sequence[Person], canvas: Extent) -> dict[str, Any]:
    """People in OpenPose's own form: x, y and 1 for each joint, 0 for one that is not seen."""
    found = []
    for person in people:
        joints = {joint.name: joint for joint in person.joints}
        numbers: list[float] = []
        for name in OPENPOSE_JOINTS:
            joint = joints.get(name)
            numbers += [0.0, 0.0, 0.0] if joint is None else [joint.x, joint.y, 1.0]
        found.append({"pose_keypoints_2d": numbers})
    return {"people": found, "canvas_width": canvas.width, "canvas_height": canvas.height}
