"""What mini's card says in figures, for the documents that show it."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

__all__ = ["MARKS", "with_figures"]

CARD = Path(__file__).parents[2] / "bridge" / "mini" / "card.json"
MARKS = ("<!-- Made from bridge/mini/card.json by docs/generate.py -->", "<!-- End of what is made -->")
_NOT_MEASURED = "These weights have not been measured."
_WORDS = {
    "fill": "a name painted, 20 steps, in a 512x512 context, once loaded",
    "start_to_first_fill": "from the start of a process to its first fill",
    "large_removal": "removal of 1500x1000 pixels in a photograph of 24 megapixels",
}


def with_figures(path: Path) -> str:
    """The document at `path`, with what stands between the marks made anew from the card."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    card = json.loads(CARD.read_text(encoding="utf-8"))
    return f"{before}{MARKS[0]}\n\n{_told(card)}\n\n{MARKS[1]}{after}"


def _told(card: dict[str, Any]) -> str:
    figures = card.get("figures", {})
    parts = [_progress(card), _names(card, figures.get("names"))]
    if "seconds" in figures:
        took = [(words, figures["seconds"][key]) for key, words in _WORDS.items()]
        rows = [f"| {words} | {one['seconds']:.1f} | {one['processor_seconds']:.1f} |" for words, one in took]
        said = f"Seconds by the clock, and of processors ({figures['seconds']['machine']}):"
        parts.append("\n".join([said, "", "| what | s | processors' s |", "| --- | --- | --- |", *rows]))
    if "removal" in figures:
        parts.append(_removal(figures["removal"]))
    return "\n\n".join(parts)


def _progress(card: dict[str, Any]) -> str:
    shares = card.get("of_recipe", {})
    rows = [
        f"| {stage} | {seen:,} | {f'{shares[stage]:.1%}' if stage in shares else ''} |"
        for stage, seen in card["pictures"].items()
    ]
    return "\n".join(["| stage | pictures seen | of the recipe's |", "| --- | --- | --- |", *rows])


def _names(card: dict[str, Any], found: dict[str, Any] | None) -> str:
    listed = f"The {len(card['known_names'])} names: {', '.join(card['known_names'])}."
    if found is None:
        return _wrapped(f"{listed} {_NOT_MEASURED}")
    always = [name for name, ranks in found["ranks"].items() if max(ranks) <= 5]
    seldom = [name for name, ranks in found["ranks"].items() if sum(rank <= 5 for rank in ranks) < 2]
    count = found["names"]
    measured = (
        "Each was painted with four seeds into held-out photographs, and compared by LPIPS (AlexNet) to the cut-outs "
        f"of all {count}, each laid over the same photograph. Of {found['pictures']} pictures, in "
        f"{found['among_nearest_5']:.0%} the thing's own cut-out was among the nearest five (chance: "
        f"{5 / count:.0%}), in {found['nearest']:.0%} it was the nearest (chance: {1 / count:.0%})."
    )
    lists = (
        f"- Among the nearest five with every seed: {', '.join(always) or 'none'}.",
        f"- With fewer than two seeds: {', '.join(seldom) or 'none'}.",
    )
    return "\n\n".join([_wrapped(listed), _wrapped(measured), "\n".join(map(_wrapped, lists))])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 140, subsequent_indent="  " if text.startswith("- ") else "")


def _removal(found: dict[str, dict[str, float]]) -> str:
    rows = [
        f"| {name} | {row['lpips']:.4f} ({row['lpips_worst']:.3f}) "
        f"| {row['lpips_in_box']:.3f} ({row['lpips_in_box_worst']:.3f}) "
        f"| {row['seam_ratio']:.2f} ({row['seam_ratio_worst']:.2f}) "
        f"| {row['seconds']:.1f} | {row['processor_seconds']:.1f} |"
        for name, row in found.items()
        if name != "untouched"
    ]
    return "\n".join(
        [
            _wrapped(
                "Removal with an empty prompt, 12 held-out photographs of 512x512 x 3 kinds of masks; LPIPS (AlexNet) "
                "to the photograph, less is better. Means, and in brackets the worst; seconds are medians:"
            ),
            "",
            "| by | LPIPS | in the mask's box | seam ratio | s | processors' s |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            f"| untouched | 0 | 0 | {found['untouched']['seam_ratio']:.2f} | | |",
        ]
    )
