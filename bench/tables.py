"""Writes docs/benchmarks.md, and the plots in docs/images, from what the benches have left in bench-output.

    python bench/tables.py

What has not run is said to be missing. Each section says what is wanted, and whether it is met.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from every import EVALUATION
from measure import OUTPUT

DOCS = Path(__file__).parent.parent / "docs"

_HEAD = """# Benchmarks

Written by `make bench`; do not edit. Every figure is a ratio, or stands beside others of the same run; the seconds are
those of the machine named above each table, and of nothing else. Benches that need more than minutes use a checkpoint
of Stable Diffusion 1.5's real size with random weights: its pictures mean nothing, its times and its memory do.

"""

# Title, the bench's file, what is said of it.
_SECTIONS = (
    ("Where the time goes", "stages-mini", "A fill of a disc on 2048 x 2048 pixels with mini, in seconds."),
    (
        "Where the time goes, at Stable Diffusion 1.5's size",
        "stages-sd15",
        "The same with random weights of that size.",
    ),
    ("Beside others", "peers", "Started anew, one fill after another, on the same random checkpoint."),
    ("What the bridge costs, with mini", "overhead-mini", "Wanted: at most 1.25 times a bare call."),
    (
        "What the bridge costs, at SD 1.5's size",
        "overhead-sd15",
        "Wanted: at most 1.05 times a bare call.",
    ),
    ("Fast jobs: likeness", "fast-mini", "Wanted: LPIPS to the full computation 0.05 in the mean, 0.1 at worst."),
    ("Fast jobs: time, at SD 1.5's size", "fast-sd15", "Wanted: 1.5 times faster a picture."),
    ("Previews", "previews", "Wanted: at most 1.03 times the processor time without."),
    ("Wire", "wire", "A context there and back. Wanted: 10 times faster from 2048 pixels a side."),
    ("Growth", "growth", "Wanted: straight lines or better, so exponents of at most 1.1 (of a selection by its area)."),
    ("Soak", "soak", "Wanted: nothing lost, nothing twice, nothing left; memory that rises by less than 1 %."),
)


def main() -> int:
    parts = [_HEAD]
    for title, name, words in _SECTIONS:
        parts.append(f"## {title}\n\n{words}\n\n{_section(name)}\n")
    parts.append(f"## Fill quality\n\n{_quality()}\n")
    (DOCS / "benchmarks.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    return 0


def _section(name: str) -> str:
    file = OUTPUT / f"{name}.json"
    if not file.exists():
        return "Not run yet.\n"
    found = json.loads(file.read_text(encoding="utf-8"))
    load = f"; load {found['load']:.1f} at the end" if found.get("load") is not None else ""
    parts = [f"*{found['machine']}; {found['date']}{load}.*\n"]
    if found.get("table"):
        parts.append(_table(found["table"]))
    seconds = {name: values for name, values in found["seconds"].items() if values}
    if seconds:
        rows = [
            {"what": what, "median, s": _median(taken), "least": min(taken), "most": max(taken), "runs": len(taken)}
            for what, taken in seconds.items()
        ]
        parts.append(_table(rows))
    if found["figures"]:
        parts.append(_table([{"figure": key, "value": value} for key, value in found["figures"].items()]))
    if found.get("curves"):
        picture = DOCS / "images" / f"bench-{name}.svg"
        picture.write_text(_plots(found["curves"]), encoding="utf-8")
        parts.append(f"![](images/{picture.name})\n")
    return "\n".join(parts)


def _quality() -> str:
    words = "The evaluation's figures (docs/mini.md). Lower is better; the worst stands beside the mean.\n\n"
    file = OUTPUT / EVALUATION
    if not file.exists():
        return words + "Not run yet.\n"
    removal = json.loads(file.read_text(encoding="utf-8"))["removal"]
    return words + _table([{"method": name, **figures} for name, figures in removal.items()])


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
    lines += [f"| {' | '.join(_shown(row.get(name, '')) for name in names)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    value = round(value, 4)
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _median(values: Sequence[float]) -> float:
    return float(sorted(values)[len(values) // 2])


_WIDTH, _HEIGHT, _MARGIN = 260, 150, 34
_COLOURS = ("#1f5fa8", "#c2571a", "#3d8a3d")


def _plots(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Small plots from 0 up, side by side: one for each measured thing of each curve."""
    pairs = [(f"{title}: {name}", curve["sizes"], values)
             for title, curve in curves.items() for name, values in curve.items() if name != "sizes"]  # fmt: skip
    across = 2
    down = math.ceil(len(pairs) / across)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across * _WIDTH}" height="{down * _HEIGHT}" '
        'font-family="sans-serif" font-size="10">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, (title, sizes, values) in enumerate(pairs):
        row, column = divmod(index, across)
        parts.append(f'<g transform="translate({column * _WIDTH} {row * _HEIGHT})">')
        parts.append(_plot(title, sizes, values, _COLOURS[index % len(_COLOURS)]))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


def _plot(title: str, sizes: Sequence[float], values: Sequence[float], colour: str) -> str:
    right, bottom = _WIDTH - 12, _HEIGHT - 22
    most = max(values) or 1.0
    points = " ".join(
        f"{_MARGIN + (right - _MARGIN) * size / sizes[-1]:.1f},{bottom - (bottom - 24) * value / most:.1f}"
        for size, value in zip(sizes, values, strict=True)
    )
    return (
        f'<text x="{_MARGIN}" y="14">{title}</text>'
        f'<path d="M{_MARGIN} 22 V{bottom} H{right}" fill="none" stroke="#888"/>'
        f'<text x="2" y="28">{_shown(most)}</text>'
        f'<text x="{right - 30}" y="{bottom + 14}">{_shown(float(sizes[-1]))}</text>'
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    )


if __name__ == "__main__":
    sys.exit(main())
