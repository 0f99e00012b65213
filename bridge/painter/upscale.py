"""Upscale: the picture enlarged two or four times, and repainted at that size, a little, through overlapping tiles."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch

from ..canvas.composite import Layer, cut_layer
from ..canvas.geometry import Rect, Size
from ..canvas.mask import selection_bounds
from ..canvas.resample import enlarge, resize
from ..canvas.tiles import blend_tiles, enlarged
from ..diffusion import Components, Walk, steps_taken
from .asked import ask
from .density import Density, TiledWalk, knows_tiles, tile_side
from .detail import keep_detail
from .hints import about_enlarging
from .loading import load
from .request import Hooks, Model, PaintedLayer, Painting, Request
from .room import Room
from .scene import Scene, set_scene
from .stages import Stages, after, previews
from .vae import Tiling

__all__ = ["upscale"]

# What is coarser than this many of the original's pixels is the original's, so that nothing drifts. Were it finer, a
# contour that the model has moved would show twice.
_COARSE = 6.0
# Each time what is left of a drift falls to its own fine part.
_TIMES = 2


def upscale(request: Request, model: Model, hooks: Hooks, room: Room) -> Painting:
    """Enlarges the context by `request.settings.scale`; the layer lies on the canvas enlarged by as much.

    Checkpoints that cannot paint a part as a part are left out of it: then what was enlarged is the result. The
    pictures of a batch are denoised one after the other; memory is bounded by a tile and the results.
    """
    stages = Stages(hooks)
    hooks.check()
    scene = set_scene(request, model.checkpoint)
    card = model.checkpoint.card
    covering = _covering(scene)
    if not knows_tiles(card):
        settings = scene.resolved(
            steps=0, guidance=card.default_guidance, sampler=card.default_sampler, denoised=False, batched=False
        )
        with stages("compose"):
            layer = _layer(scene, enlarge(scene.rgb, request.settings.scale), covering)
        layers = tuple(PaintedLayer(layer, seed, settings) for seed in request.seeds)
        return Painting(layers, stages.timings, about_enlarging(card, request))

    components, guides = load(request, model, stages, room)
    density = _density(components, scene, covering)
    start, tiling = density.fitted(enlarge(scene.rgb, request.settings.scale)), density.tiling
    with stages("encode", len(tiling.tiles)) as advance:
        asked = ask(components, request, room, check=hooks.check)
        encode = partial(room.encode, components, check=hooks.check)
        key = ("enlarged", asked.made_by, scene.fingerprint)
        original = room.kept.get(key, lambda: tiling.encode(_counting(encode, advance), start))
        walk = Walk(
            size=tiling.area.shape,
            conditioning=asked.conditioning,
            sampler=asked.sampler,
            steps=asked.steps,
            guidance=asked.guidance,
            strength=request.strength,
            original=original,
            controls=guides.at(lambda array, resized: density.fitted(resized(array, density.window.size))),
        )
        if components.checkpoint.inpaint:
            walk = _seeing_nothing(walk, tiling, encode, start)
    tiled = TiledWalk(components, walk, tiling, room=room, check=hooks.check)
    preview = previews(components, request, hooks.preview)
    with stages("denoise", tiled.steps * len(request.seeds)) as advance:
        latents = [
            tiled.denoise(seed, progress=after(advance, index * tiled.steps), preview=preview)
            for index, seed in enumerate(request.seeds)
        ]
    with stages("decode", len(tiling.tiles) * len(latents)) as advance:
        decode = partial(room.decode, components, check=hooks.check)
        pictures = [
            _decoded(decode, one, original, start, density, request, after(advance, index * len(tiling.tiles)))
            for index, one in enumerate(latents)
        ]
    settings = scene.resolved(
        steps=asked.steps, guidance=asked.guidance, sampler=asked.sampler, denoised=True, batched=False
    )
    with stages("compose"):
        layers = tuple(
            PaintedLayer(_layer(scene, picture, covering), seed, settings)
            for seed, picture in zip(request.seeds, pictures, strict=True)
        )
    return Painting(layers, stages.timings, (*asked.hints, *guides.hints(steps_taken(components, walk))))


def _covering(scene: Scene) -> np.ndarray:
    """The layer's alpha, (h, w) of the enlarged context; 0 wherever the enlarged selection's masks are."""
    scale, alpha = scene.request.settings.scale, scene.masks.alpha
    size = _enlarged_context(scene).size
    covering = resize(scene.picture[..., 3], size)
    if scene.request.selection is None:
        return covering
    within = (alpha > 0).repeat(scale, axis=0).repeat(scale, axis=1)
    covered: np.ndarray = covering * resize(alpha, size) * within
    return covered


def _enlarged_context(scene: Scene) -> Rect:
    return enlarged(scene.request.context, scene.request.settings.scale)


def _density(components: Components, scene: Scene, covering: np.ndarray) -> Density:
    """The whole enlarged context, at its own density, through the tiles that the layer shows."""
    size, scale = scene.plan.model_size, components.vae_scale
    tiling = Tiling.of(Size(size.width // scale, size.height // scale), tile_side(components), scale)
    density = Density(_enlarged_context(scene).size.rect, size, tiling)
    return replace(density, tiling=tiling.shown(density.fitted(covering)))


def _seeing_nothing(
    walk: Walk, tiling: Tiling, encode: Callable[[np.ndarray], torch.Tensor], start: np.ndarray
) -> Walk:
    """The walk for a UNet of nine channels: all of it is repainted, so nothing is seen beside."""
    blank = encode(np.full((*tiling.pixels(tiling.tiles[0]).size.shape, 3), 0.5, np.float32))
    return replace(walk, masked=tiling.encode(lambda _: blank, start), hole=torch.ones(1, 1, *tiling.area.shape))


def _decoded(
    decode: Callable[[torch.Tensor], np.ndarray],
    latents: torch.Tensor,
    original: torch.Tensor,
    start: np.ndarray,
    density: Density,
    request: Request,
    advance: Callable[[int], None],
) -> np.ndarray:
    """The picture, at the enlarged context's size: decoded tile by tile, as coarse and as detailed as `start` was."""
    tiling, spread = density.tiling, _COARSE * request.settings.scale

    def finished() -> Iterator[tuple[Rect, np.ndarray]]:
        for count, tile in enumerate(tiling.tiles, start=1):
            rows, columns = tile.slices
            begun = start[tiling.pixels(tile).slices]
            painted, round_trip = (decode(plane[..., rows, columns]) for plane in (latents, original))
            painted = keep_detail(painted, begun, round_trip, request.strength)
            for _ in range(_TIMES):
                painted = painted + cv2.GaussianBlur(begun - painted, (0, 0), spread, borderType=cv2.BORDER_REFLECT)
            yield tiling.pixels(tile), painted
            advance(count)

    picture = blend_tiles(finished(), density.size, tiling.overlap * tiling.scale, elsewhere=start)
    return density.unfitted(picture)


def _layer(scene: Scene, painted: np.ndarray, covering: np.ndarray) -> Layer:
    """All of the enlarged context, or what of it is selected."""
    request, context = scene.request, _enlarged_context(scene)
    local = None if request.selection is None else selection_bounds(covering)
    reach = 0 if request.settings.edges.strict else scene.plan.reach * request.settings.scale
    return cut_layer(painted, covering, local or context.size.rect, context, reach=reach)


def _counting(
    encode: Callable[[np.ndarray], torch.Tensor], advance: Callable[[int], None]
) -> Callable[[np.ndarray], torch.Tensor]:
    count = 0

    def encoded(rgb: np.ndarray) -> torch.Tensor:
        nonlocal count
        latents = encode(rgb)
        count += 1
        advance(count)
        return latents

    return encoded
