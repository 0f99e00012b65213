"""Upscale: the picture enlarged two or four times, and repainted at that size, a little, through overlapping tiles."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch

from ..canvas.composite import Layer, cut_layer
from ..canvas.fitting import Resize
from ..canvas.geometry import Rect, Size
from ..canvas.mask import selection_bounds
from ..canvas.resample import enlarge, resize
from ..canvas.tiles import blend_tiles, enlarged
from ..diffusion import DenoiseInputs, LatentModel, MaskInput, steps_taken
from .conditions import prepare_conditioners
from .detail import keep_detail
from .hints import about_enlarging, about_unused_conditions
from .oom_guard import OomGuard
from .prepare import PreparedInput, prepare
from .regions import place_regions
from .request import Hooks, ModelSource, PaintedLayer, Painting, Request
from .sampling import resolve_sampling
from .stages import Stages, after, load, previews
from .tiled_denoise import TiledDenoiser, TiledPlane, knows_tiles, tile_side
from .tiling import Tiling

__all__ = ["upscale"]

# What is coarser than this many of the original's pixels is the original's, so that nothing drifts. Were it finer, a
# contour that the model has moved would show twice.
_COARSE = 6.0
# Each time what is left of a drift falls to its own fine part.
_TIMES = 2


def upscale(request: Request, source: ModelSource, hooks: Hooks, guard: OomGuard) -> Painting:
    """Enlarges the context by `request.settings.scale`; the layer lies on the canvas enlarged by as much.

    Checkpoints that cannot paint a part as a part are left out of it: then what was enlarged is the result. The
    pictures of a batch are denoised one after the other; memory is bounded by a tile and the results.
    """
    stages = Stages(hooks)
    hooks.check()
    prepared = prepare(request, source.checkpoint)
    card = source.checkpoint.card
    covering = _covering(prepared)
    if not knows_tiles(card):
        settings = prepared.resolved(
            steps=0, guidance=card.default_guidance, sampler=card.default_sampler, denoised=False, batched=False
        )
        with stages("compose"):
            layer = _layer(prepared, enlarge(prepared.rgb, request.settings.scale), covering)
        layers = tuple(PaintedLayer(layer, seed, settings) for seed in request.seeds)
        return Painting(layers, stages.timings, about_enlarging(card, request))

    model, networks = load(request, source, stages, guard)
    plane = _plane(model, prepared, covering)
    request = prepared.request
    start, tiling = plane.fitted(enlarge(prepared.rgb, request.settings.scale)), plane.tiling

    def fit(array: np.ndarray, resized: Resize) -> np.ndarray:
        return plane.fitted(resized(array, plane.window.size))

    with stages("encode", len(tiling.tiles)) as advance:
        sampling = resolve_sampling(model, request, guard, check=hooks.check)
        encode = partial(guard.encode, model, check=hooks.check)
        key = ("enlarged", sampling.made_by, prepared.fingerprint)
        init_latents = guard.results.get(key, lambda: tiling.encode(_counting(encode, advance), start))
        inputs = DenoiseInputs(
            size=tiling.area.shape,
            prompts=sampling.prompts,
            sampler=sampling.sampler,
            steps=sampling.steps,
            guidance=sampling.guidance,
            strength=request.strength,
            init_latents=init_latents,
            conditioners=prepare_conditioners(request, networks, model, fit),
            regions=place_regions(request.regions, sampling.region_prompts, model, fit),
            fast=request.settings.sampling.fast,
        )
        if model.mask_input is MaskInput.CHANNELS:
            inputs = _all_masked(model, inputs, tiling, encode, start)
    tiled = TiledDenoiser(model, inputs, tiling, guard=guard, check=hooks.check)
    preview = previews(model, request, hooks.preview)
    with stages("denoise", tiled.steps * len(request.seeds)) as advance:
        latents = [
            tiled.denoise(seed, progress=after(advance, index * tiled.steps), preview=preview)
            for index, seed in enumerate(request.seeds)
        ]
    with stages("decode", len(tiling.tiles) * len(latents)) as advance:
        decode = partial(guard.decode, model, check=hooks.check)
        pictures = [
            _decoded(decode, one, init_latents, start, plane, request, after(advance, index * len(tiling.tiles)))
            for index, one in enumerate(latents)
        ]
    settings = prepared.resolved(
        steps=sampling.steps, guidance=sampling.guidance, sampler=sampling.sampler, denoised=True, batched=False
    )
    with stages("compose"):
        layers = tuple(
            PaintedLayer(_layer(prepared, picture, covering), seed, settings)
            for seed, picture in zip(request.seeds, pictures, strict=True)
        )
    hints = (*sampling.hints, *about_unused_conditions(request.conditions, steps_taken(model, inputs)))
    return Painting(layers, stages.timings, hints)


def _covering(prepared: PreparedInput) -> np.ndarray:
    """The layer's alpha, (h, w) of the enlarged context; 0 wherever the enlarged selection's masks are."""
    scale, alpha = prepared.request.settings.scale, prepared.masks.alpha
    size = _enlarged_context(prepared).size
    covering = resize(prepared.picture[..., 3], size)
    if prepared.request.selection is None:
        return covering
    within = (alpha > 0).repeat(scale, axis=0).repeat(scale, axis=1)
    covered: np.ndarray = covering * resize(alpha, size) * within
    return covered


def _enlarged_context(prepared: PreparedInput) -> Rect:
    return enlarged(prepared.request.context, prepared.request.settings.scale)


def _plane(model: LatentModel, prepared: PreparedInput, covering: np.ndarray) -> TiledPlane:
    """The whole enlarged context, at its own density, through the tiles that the layer shows."""
    size, scale = prepared.plan.model_size, model.pixels_per_latent
    tiling = Tiling.of(Size(size.width // scale, size.height // scale), tile_side(model), scale)
    plane = TiledPlane(_enlarged_context(prepared).size.rect, size, tiling)
    return replace(plane, tiling=tiling.shown(plane.fitted(covering)))


def _all_masked(
    model: LatentModel,
    inputs: DenoiseInputs,
    tiling: Tiling,
    encode: Callable[[np.ndarray], torch.Tensor],
    start: np.ndarray,
) -> DenoiseInputs:
    """The inputs for a model of further channels: all of the picture is repainted, so there is nothing but grey."""
    mask = model.encode_mask(np.ones(start.shape[:2], np.float32))
    blank = encode(np.full((*tiling.pixels(tiling.tiles[0]).size.shape, 3), 0.5, np.float32))
    return replace(inputs, masked_image_latents=tiling.encode(lambda _: blank, start), mask=mask)


def _decoded(
    decode: Callable[[torch.Tensor], np.ndarray],
    latents: torch.Tensor,
    init_latents: torch.Tensor,
    start: np.ndarray,
    plane: TiledPlane,
    request: Request,
    advance: Callable[[int], None],
) -> np.ndarray:
    """The picture, at the enlarged context's size: decoded tile by tile, as coarse and as detailed as `start` was."""
    tiling, spread = plane.tiling, _COARSE * request.settings.scale

    def finished() -> Iterator[tuple[Rect, np.ndarray]]:
        for count, tile in enumerate(tiling.tiles, start=1):
            rows, columns = tile.slices
            begun = start[tiling.pixels(tile).slices]
            painted, round_trip = (decode(one[..., rows, columns]) for one in (latents, init_latents))
            painted = keep_detail(painted, begun, round_trip, request.strength)
            for _ in range(_TIMES):
                painted = painted + cv2.GaussianBlur(begun - painted, (0, 0), spread, borderType=cv2.BORDER_REFLECT)
            yield tiling.pixels(tile), painted
            advance(count)

    picture = blend_tiles(finished(), plane.size, tiling.overlap * tiling.scale, elsewhere=start)
    return plane.unfitted(picture)


def _layer(prepared: PreparedInput, painted: np.ndarray, covering: np.ndarray) -> Layer:
    """All of the enlarged context, or what of it is selected."""
    request, context = prepared.request, _enlarged_context(prepared)
    local = None if request.selection is None else selection_bounds(covering)
    reach = 0 if request.settings.edges.strict else prepared.plan.reach * request.settings.scale
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
