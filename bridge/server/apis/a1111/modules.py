"""The preprocessors of ControlNet's extension by its names, as kinds of maps; and its types of ControlNets."""

from __future__ import annotations

from typing import Any

__all__ = ["MODULES", "TYPES", "module_details", "options_of"]

MODULES: dict[str, str] = {
    "canny": "canny",
    "softedge_hed": "soft_edge",
    "softedge_hedsafe": "soft_edge",
    "hed": "soft_edge",
    "hed_safe": "soft_edge",
    "lineart_standard": "line_art",
    "lineart_standard (from white bg & black line)": "line_art",
    "lineart_realistic": "line_art",
    "lineart_coarse": "line_art",
    "scribble_xdog": "scribble",
    "scribble_hed": "scribble",
    "depth": "depth",
    "depth_midas": "depth",
    "depth_anything": "depth",
    "depth_anything_v2": "depth",
    "normal_bae": "normal",
    "normal_midas": "normal",
    "openpose": "pose",
    "dw_openpose_full": "pose",
    "openpose_full": "pose",
    "seg_ofade20k": "label_map",
    "segmentation": "label_map",
    "seg_ufade20k": "label_map",
    "tile_resample": "blur",
    "blur_gaussian": "blur",
}
"""Kinds of maps by modules' names. What its networks draw is drawn here by the networks that there are."""

TYPES: dict[str, str | None] = {
    "All": None,
    "Canny": "canny",
    "Depth": "depth",
    "NormalMap": "normal",
    "OpenPose": "pose",
    "Lineart": "line_art",
    "SoftEdge": "soft_edge",
    "Scribble": "scribble",
    "Segmentation": "label_map",
    "Tile": "blur",
}
"""Kinds of conditions by its types' names; None: every kind."""


def module_details() -> dict[str, Any]:
    """What `module_list` tells of each: the sliders that clients offer."""
    canny = [
        {"name": "Canny Low Threshold", "value": 100, "min": 1, "max": 255},
        {"name": "Canny High Threshold", "value": 200, "min": 1, "max": 255},
    ]
    free = {"model_free": False}
    return {
        name: {**free, "sliders": canny if kind == "canny" else []} for name, kind in {"none": "", **MODULES}.items()
    }


def options_of(module: str, threshold_a: float, threshold_b: float) -> dict[str, Any]:
    """A job's settings for a module and its thresholds; a negative one is none."""
    kind = MODULES[module]
    said: dict[str, Any] = {"kind": "estimate", "control_kind": kind}
    if kind == "canny":
        if threshold_a >= 0:
            said["weak_edge"] = threshold_a
        if threshold_b >= 0:
            said["strong_edge"] = threshold_b
    elif module == "blur_gaussian" and threshold_a > 0:
        # Its number is a standard deviation.
        said["detail_size"] = 2 * threshold_a
    return said
