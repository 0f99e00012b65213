"""Exemplar-based completion: the hole is made of pixels from around it, coarse to fine.

After Wexler et al., "Space-Time Completion of Video", 2007: in turns, find the likest known patch for every patch that
touches the hole, and let the patches over each pixel vote on it. At coarse levels they first vote on its colour, then
at every level on where it is copied from: a mean of colours lets structures meet, but is smooth, finds smooth patches
next, and ends in mush. The outcome is thus a map of origins, which finer levels inherit, and which carries texture to
full resolution unharmed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from .distance import distance_to
from .geometry import Rect
from .mask import selection_bounds
from .overlap import overlap_edges
from .patchmatch import PATCH, RADIUS, Field, Sources, patch_steps, search, times, usable_middles
from .pyramid import COARSEST_DEPTH, Level, hole_depth, pyramid
from .seams import blend_seams
from .surroundings import extend_edges, membrane
from .trend import smooth_trend
from .types import BoolArray, FloatArray, IndexArray

__all__ = ["complete"]

_SEED = 20091
# Pixels of the window around the hole that is searched, at least, and as a share of the hole's longer side.
_LEAST_ROOM, _ROOM_SHARE = 128, 1.5
# Levels with more pixels to complete inherit their origins without another search.
_MOST_SEARCHED = 300_000
# Patches that the very first fill, which is soon revised, chooses from.
_MOST_FIRST = 2000
_ROUNDS_COARSEST, _ROUNDS_MOST = 12, 8
# Where so little is known around a large and thick hole that nothing coarser has a patch to choose.
_ROUNDS_LARGE = 2
_RADIUS_FINE = 32
# How much less a patch counts per pixel that its middle lies deeper in the hole.
_DECAY, _DEEPEST = 1.3, 60
# Where, on a patch, pixels are voted on, across and down; at the finest level a third of them tells as much as all.
_TAPS = tuple(range(-RADIUS, RADIUS + 1))
_TAPS_FINEST = (-3, -1, 1, 3)
# In this share of the rounds of the coarser levels colours are averaged, which lets structures meet.
_SOFT_SHARE = 0.75
_LEAST_WEIGHT = 1e-3
_BLOCK = 4096


def complete(
    picture: FloatArray, target: BoolArray, source: BoolArray, check: Callable[[], None] = lambda: None
) -> FloatArray:
    """Complete `target` from `source`.

    Args:
        picture: (h, w, 3), float32; read wherever not target.
        target, source: (h, w), disjoint; pixels of neither are only looked at.
        check: called often; what it raises ends the work.

    Returns:
        (h, w, 3), equal to `picture` outside `target`, but for the last pixels before a target that lies beyond all
        sources (`overlap_edges`); the same on every run. Where not one patch of 7 x 7 source pixels is to be had, a
        smooth membrane.
    """
    bounds = selection_bounds(target.astype(np.float32))
    if bounds is None:
        return picture
    room = max(_LEAST_ROOM, round(_ROOM_SHARE * max(bounds.width, bounds.height)))
    whole = Rect(0, 0, target.shape[1], target.shape[0])
    window = (bounds.expanded(room).intersection(whole) or whole).slices
    result = picture.copy()
    if not usable_middles(source[window]).any():
        result[window] = membrane(picture[window], ~target[window], check)
        return result
    blank, inside = np.where(target[window][..., None], np.float32(0), picture[window]), target[window]
    beyond = _reaches_beyond(inside, source[window])
    # Beyond what is known a slope would be a guess.
    trend = None if beyond else smooth_trend(blank, source[window])
    if trend is not None:
        blank -= trend
    levels = pyramid(blank, inside, source[window])
    finest = levels[0]
    origin = _origins(levels, beyond=beyond, check=check)
    copied = _copied(finest, origin)
    open_ended = any(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
    blended = blend_seams(
        copied, finest.image, finest.target, finest.source, origin, open_ended=open_ended, check=check
    )
    if beyond:
        blended = overlap_edges(blended, copied, finest.target, finest.source, origin)
    blended = blended[: inside.shape[0], : inside.shape[1]]
    if trend is None:
        result[window] = blended
    else:
        result[window][inside] = (blended + trend)[inside]
    return result


def _reaches_beyond(target: BoolArray, source: BoolArray) -> bool:
    """Whether some of the target lies farther out than all sources, as where a canvas has grown."""
    wanted, known = (selection_bounds(area.astype(np.float32)) for area in (target, source))
    return wanted is not None and known is not None and not known.contains(wanted)


def _origins(levels: list[Level], *, beyond: bool, check: Callable[[], None]) -> IndexArray:
    """(h, w) of the finest level: the flat index that each target pixel is copied from, -1 elsewhere.

    The first guess lets what is known on all sides grow inward; beyond a picture's sides it carries these outward, lest
    half a bird be led on to another bird.
    """
    rng = np.random.default_rng(_SEED)
    coarsest = len(levels) - 1
    first = levels[coarsest]
    # Many a scratch is as large, but thin: what lies beside it tells much.
    large = np.count_nonzero(first.target) > _MOST_SEARCHED and hole_depth(first.target) > COARSEST_DEPTH
    if beyond:
        image = extend_edges(first.image, ~first.target)
    else:
        image = membrane(first.image, ~first.target, check) if large else _filled_inward(first)
    origin: IndexArray | None = None
    found: IndexArray | None = None
    for number in range(coarsest, -1, -1):
        level = levels[number]
        check()
        if origin is not None:
            origin = _inherited(origin, level)
            image = _copied(level, origin)
            if np.count_nonzero(level.target) > _MOST_SEARCHED:
                continue
        sources = Sources(level.image, level.source, rng, beyond=beyond)
        field = _first_field(level, sources, found, rng)
        if number == coarsest:
            rounds = _ROUNDS_LARGE if large else _ROUNDS_COARSEST
        else:
            rounds = min(_ROUNDS_MOST, max(4, 2 * number + 2))
        radius = max(level.target.shape) if number >= coarsest - 1 else _RADIUS_FINE
        for turn in range(rounds):
            check()
            search(image, field, sources, step=4, radius=radius, rng=rng)
            check()
            if number > 0 and turn < min(_SOFT_SHARE * rounds, rounds - 1):
                image = _averaged(level, field)
            else:
                origin = _elected(level, field, _TAPS if number > 0 else _TAPS_FINEST)
                image = _copied(level, origin)
        found = np.full(level.target.size, -1, np.int64)
        found[field.centres] = field.found
        found = found.reshape(level.target.shape)
    assert origin is not None
    return origin


def _filled_inward(level: Level) -> FloatArray:
    """Fill the hole ring by ring, each pixel with the middle of the source patch likest what is known around it.

    A simple order for Criminisi et al., "Region Filling and Object Removal by Exemplar-Based Inpainting", 2004.
    """
    width = level.target.shape[1]
    middles = np.flatnonzero(usable_middles(level.source))
    middles = middles[:: math.ceil(middles.size / _MOST_FIRST)]
    steps = patch_steps(width + 2 * RADIUS)

    def gather(array: FloatArray, centres: IndexArray) -> FloatArray:
        framed = np.pad(array, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)))
        y, x = np.divmod(centres, width)
        index = (y + RADIUS) * (width + 2 * RADIUS) + x + RADIUS
        patches = np.take(framed.reshape(-1, 3), index[:, None] + steps, axis=0)
        return np.asarray(patches, np.float32).reshape(centres.size, -1)

    image = level.image.copy()
    unknown = level.target.copy()
    known_patches = gather(level.image, middles)
    squares = known_patches * known_patches
    while unknown.any():
        inner = cv2.erode(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
        ring = np.flatnonzero(unknown & (np.asarray(inner) == 0))
        if ring.size == 0:
            # Nothing but target: there would be no source either.
            break
        weight = gather(np.repeat((~unknown)[..., None], 3, axis=2).astype(np.float32), ring)
        cost = times(weight, squares, transposed=True)
        cost -= 2 * times(gather(image, ring) * weight, known_patches, transposed=True)
        image.reshape(-1, 3)[ring] = level.image.reshape(-1, 3)[middles[np.argmin(cost, axis=1)]]
        unknown.ravel()[ring] = False
    return image


def _first_field(level: Level, sources: Sources, coarser: IndexArray | None, rng: np.random.Generator) -> Field:
    """The field to start from: the coarser level's finds, and any source where there are none."""
    touching = np.asarray(cv2.dilate(level.target.astype(np.uint8), np.ones((PATCH, PATCH), np.uint8))) > 0
    touching[:RADIUS] = touching[-RADIUS:] = False
    touching[:, :RADIUS] = touching[:, -RADIUS:] = False
    centres = np.flatnonzero(touching)
    number = np.full(level.target.size, -1, np.int64)
    number[centres] = np.arange(centres.size)
    found = rng.choice(sources.positions, centres.size)
    if coarser is not None:
        finer = _refined(coarser, centres, level.target.shape[1])
        usable = (finer >= 0) & np.take(sources.usable.ravel(), finer, mode="clip")
        found = np.where(usable, finer, found)
    return Field(centres, number, found, np.zeros(centres.size, np.float32))


def _averaged(level: Level, field: Field) -> FloatArray:
    """The picture in which each target pixel is the weighted mean of what the patches over it propose."""
    flat = level.image.reshape(-1, 3)
    image = level.image.copy()
    weight = _weights(level, field)
    pixels = np.flatnonzero(level.target)
    colour = np.zeros((pixels.size, 3), np.float32)
    total = np.zeros((pixels.size, 1), np.float32)
    for proposal, vote in _proposals(level, field, pixels, weight, _TAPS):
        colour += np.take(flat, proposal, axis=0, mode="clip") * vote[:, None]
        total += vote[:, None]
    image.reshape(-1, 3)[pixels] = colour / total
    return image


def _elected(level: Level, field: Field, taps: tuple[int, ...]) -> IndexArray:
    """(h, w): the origin that the patches over each target pixel agree on most, -1 elsewhere."""
    origin = np.full(level.target.size, -1, np.int64)
    weight = _weights(level, field)
    pixels = np.flatnonzero(level.target)
    for start in range(0, pixels.size, _BLOCK):
        block = pixels[start : start + _BLOCK]
        proposals = np.empty((len(taps) ** 2, block.size), np.int32)
        votes = np.empty(proposals.shape, np.float32)
        for row, (proposal, vote) in enumerate(_proposals(level, field, block, weight, taps)):
            proposals[row] = proposal
            votes[row] = vote
        origin[block] = _most_voted(proposals, votes)
    return origin.reshape(level.target.shape)


def _weights(level: Level, field: Field) -> FloatArray:
    """How much each patch counts: by likeness, and by nearness to what is known."""
    inward = np.minimum(distance_to(~level.target).ravel()[field.centres], _DEEPEST)
    spread = max(float(np.percentile(field.cost, 75)), 1e-8)
    likeness = np.exp(-field.cost / (2 * spread)) + _LEAST_WEIGHT
    return np.asarray(likeness * _DECAY ** (_DEEPEST - inward), np.float32)


def _proposals(
    level: Level, field: Field, pixels: IndexArray, weight: FloatArray, taps: tuple[int, ...]
) -> Iterator[tuple[IndexArray, FloatArray]]:
    """For each tap: where the patch that has `pixels` there would copy them from, and the weight of its vote.

    A tap with no patch has the weight 0; at every pixel one tap at least has a patch.
    """
    width = level.target.shape[1]
    for dy in taps:
        for dx in taps:
            step = dy * width + dx
            patch = np.take(field.number, pixels - step, mode="clip")
            yield field.found[patch] + step, np.where(patch >= 0, weight[patch], np.float32(0))


def _most_voted(proposals: NDArray[np.int32], votes: FloatArray) -> NDArray[np.int32]:
    """Of each column, the proposal with the greatest sum of votes; of equals the first."""
    total = votes.copy()
    # Each with all after it: faster than a sort of so few.
    for row in range(len(proposals) - 1):
        agree = np.asarray(proposals[row + 1 :] == proposals[row], np.float32)
        total[row] += np.einsum("ij,ij->j", agree, votes[row + 1 :])
        agree *= votes[row]
        total[row + 1 :] += agree
    winner = np.argmax(total, axis=0)
    elected: NDArray[np.int32] = np.take_along_axis(proposals, winner[None], axis=0)[0]
    return elected


def _copied(level: Level, origin: IndexArray) -> FloatArray:
    image = level.image.copy()
    image[level.target] = np.take(level.image.reshape(-1, 3), origin[level.target], axis=0)
    return image


def _inherited(origin: IndexArray, level: Level) -> IndexArray:
    """The origins of the next finer level."""
    finer = np.full(level.target.size, -1, np.int64)
    pixels = np.flatnonzero(level.target)
    finer[pixels] = _refined(origin, pixels, level.target.shape[1])
    return finer.reshape(level.target.shape)


def _refined(coarser: IndexArray, pixels: IndexArray, width: int) -> IndexArray:
    """What a map of flat indices says about pixels of the next finer level, of that width; -1 stays -1."""
    y, x = np.divmod(pixels, width)
    low = coarser[y // 2, x // 2]
    low_y, low_x = np.divmod(low, width // 2)
    return np.where(low < 0, -1, (2 * low_y + y % 2) * width + 2 * low_x + x % 2)
