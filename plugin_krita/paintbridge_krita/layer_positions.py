"""Whether the canvas was moved (Image > Resize Canvas, Crop): Krita then moves every layer by the same offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import krita

__all__ = ["all_moved", "layer_positions"]


def layer_positions(document: krita.Document) -> dict[str, tuple[int, int]]:
    """The position of each paint layer, by its unique id."""
    return {node.uniqueId().toString(): (node.position().x(), node.position().y()) for node in _layers(document)}


def all_moved(before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]) -> bool:
    """Whether all layers that exist in both were moved by the same offset, which is not zero."""
    offsets = {(now[key][0] - x, now[key][1] - y) for key, (x, y) in before.items() if key in now}
    return len(offsets) == 1 and offsets != {(0, 0)}


def _layers(document: krita.Document) -> Iterator[krita.Node]:
    waiting = document.rootNode().childNodes()
    while waiting:
        node = waiting.pop()
        waiting.extend(node.childNodes())
        if node.type() == "paintlayer":
            yield node
