"""What the guide says of kinds of jobs, modes and recipes: tables of what `plan` answers, and of the fields' names."""

from __future__ import annotations

from bridge.canvas.context import plan
from bridge.canvas.geometry import Rect, Size
from bridge.protocol.fields import field_specs
from bridge.protocol.messages import MODES, SCALES, Recipe, Submit

__all__ = ["modes", "recipe_fields"]

_CANVAS, _SELECTED, _NATIVE = Size(3000, 2000), Rect(1000, 800, 300, 400), 512

_WORDS = {
    ("fill", "auto"): "What the selection's bounds look like: `expand` where they lie along a side of the canvas, else "
    "`fill`.",
    ("fill", "fill"): "Puts something new where the selection is: what the prompt asks for, or, without one, what the "
    "surroundings suggest. It begins from the surroundings' colours, so little of the old shows through.",
    ("fill", "expand"): "Goes on beyond the picture's edge, after the canvas has grown. The only mode of `fill` whose "
    "layer covers what is transparent; send those pixels with alpha 0. It begins from the edge, carried outward.",
    ("fill", "add"): "Puts a thing, which the prompt names, on what is there. It begins from grey (or, with a "
    "checkpoint that was trained so, from the picture), so that the surroundings' colours do not pull at the thing.",
    ("fill", "remove"): "Takes away what is selected. It begins from pieces of the surroundings, copied at full "
    "resolution. Leave the prompt empty: whatever it asks for is painted there.",
    ("fill", "background"): "Keeps what is selected and repaints everything else, of the whole canvas.",
    ("refine", "refine"): "Repaints what is there, as far from it as `strength` says: at 0.3 a little detail, at 1 "
    "nearly afresh. Without a selection all of the canvas.",
    ("generate", "generate"): "Paints afresh from the prompt, and looks at nothing: `picture` may be left out. The "
    "selection is the layer's alpha; `strength` has no effect, and a hint says so.",
    ("upscale", "upscale"): "Enlarges the context by `scale`, and adds detail as `strength` says. The layer lies on "
    "the enlarged canvas ([Layer](#layer)).",
    ("estimate", "estimate"): "Makes a map of the picture, for use as a condition: which one `control_kind` says. "
    "Lines and poses lie on a transparent ground; every other map is opaque. With a selection it is cut to that.",
}


def modes() -> str:
    """What each kind and mode does, and what `plan` answers of it for one selection."""
    rows = [
        "| kind | mode | what it does | grow | feather | context | model |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, names in MODES.items():
        for mode in names:
            if mode == "auto" and kind != "fill":
                # It comes to the kind's one mode.
                continue
            answer = plan(
                _CANVAS, _SELECTED, kind=kind, mode=mode, choice="auto", rect=None, grow=None, feather=None,
                native_pixels=_NATIVE**2, scale=SCALES[0] if kind == "upscale" else 1,
            )  # fmt: skip
            context, model = answer.context, answer.model_size
            figures = (f"{answer.grow:g}", f"{answer.feather:g}", f"{context.width} x {context.height}",
                       f"{model.width} x {model.height}")  # fmt: skip
            rows.append("| {} |".format(" | ".join((f"`{kind}`", f"`{mode}`", _WORDS[kind, mode], *figures))))
    return (
        f"What `plan` answers is shown for a selection of {_SELECTED.width} x {_SELECTED.height} px in a canvas of "
        f"{_CANVAS.width} x {_CANVAS.height} px, with a checkpoint that paints {_NATIVE} x {_NATIVE} px at once, and "
        f"`scale` {SCALES[0]} with `upscale`; all in pixels.\n\n" + "\n".join(rows)
    )


def recipe_fields() -> dict[str, str]:
    """A recipe's fields by what becomes of them when it is sent again, as lists of names."""
    taken = {spec.name for spec in field_specs(Submit)}
    names = [spec.name for spec in field_specs(Recipe)]
    again = [name for name in names if name in taken]
    told = [name for name in names if name not in taken]
    return {"again": _listed(again), "told": _listed(told)}


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
