"""Whether a canvas was moved below its picture: Krita then moves every layer by as much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import krita

__all__ = ["landmarks", "moved"]


def landmarks(document: krita.Document) -> dict[str, tuple[int, int]]:
    """Where each paint layer begins."""
    return {node.uniqueId().toString(): (node.position().x(), node.position().y()) for node in _layers(document)}


def moved(before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]) -> bool:
    """Whether all that were there before, and still are, lie elsewhere, by the same way."""
    ways = {(now[key][0] - x, now[key][1] - y) for key, (x, y) in before.items() if key in now}
    return len(ways) == 1 and ways != {(0, 0)}


def _layers(document: krita.Document) -> Iterator[krita.Node]:
    waiting = document.rootNode().childNodes()
    while waiting:
        node = waiting.pop()
        waiting.extend(node.childNodes())
        if node.type() == "paintlayer":
            yield node
