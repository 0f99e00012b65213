"""What all kinds of job begin with: geometry, masks, and the picture as a model can look at it."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..canvas.context import Plan, check_context, plan
from ..canvas.errors import EmptySelection, NothingKnown
from ..canvas.fitting import Resize, fitted, unfitted
from ..canvas.geometry import Edges, Rect, Size
from ..canvas.infill import infill
from ..canvas.mask import Masks, build_masks, selection_bounds, settle_selection
from ..canvas.model_size import ModelFit, fit_to_model
from ..canvas.resample import resize
from ..models import Checkpoint
from ..protocol.job import Mode
from .crop import close_crop
from .regions import regions_meeting
from .request import Request, Resolved, check_request

__all__ = ["PreparedInput", "prepare"]

_LEAST_ALPHA = 0.05


@dataclass(frozen=True)
class PreparedInput:
    """A job's geometry and pixels, at the context's size and the canvas's density.

    `selected` (h, w) is True for all that is to be repainted, if only in part: what is not selected in the mode
    "background". `rgb` (h, w, 3) is the picture, its transparent areas filled smoothly from what shows; `valid` (h, w)
    is False there. `covers` says whether the layer may cover what was transparent, `shown` whether the model is shown
    the first guess under the mask, and not grey. `crop` is what it looks at, local to the context, and `fit` how that
    becomes the picture that it paints. The request's regions are those that meet what is repainted.
    """

    request: Request
    plan: Plan
    selected: np.ndarray
    masks: Masks
    rgb: np.ndarray
    valid: np.ndarray
    covers: bool
    shown: bool
    crop: Rect
    fit: ModelFit

    @property
    def model_size(self) -> Size:
        """The size of the picture that the model paints."""
        return self.fit.size

    def fitted(self, array: np.ndarray, resized: Resize = resize) -> np.ndarray:
        """What the model looks at of an array of the context, (h, w) or (h, w, c), at its own size."""
        return fitted(array[self.crop.slices], self.fit, resized)

    def unfitted(self, array: np.ndarray) -> np.ndarray:
        """An array of the model's size, at the canvas's density; the crop alone."""
        return unfitted(array, self.fit)

    @property
    def picture(self) -> np.ndarray:
        """The host's own pixels, (h, w, 4); transparent where there are none."""
        if self.request.picture is not None:
            return self.request.picture
        return np.zeros((*self.masks.alpha.shape, 4), np.float32)

    @property
    def infill_mode(self) -> str:
        """How the first guess is made: by the job's mode; but where it is shown, its detail is what will be seen.

        Then a thing is added to the picture as it is, "refine".
        """
        return {"fill": "remove", "add": "refine"}.get(self.plan.mode, self.plan.mode) if self.shown else self.plan.mode

    @property
    def detailed(self) -> bool:
        """Whether what is denoised has detail to keep: the picture's own, or what was copied from it.

        Other first guesses are smooth, and what the VAE makes of their edges is not to be given back.
        """
        return self.infill_mode in ("refine", "remove")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that a first guess and its latents are made from: the pixels, the selection, the geometry."""
        request = self.request
        digest = hashlib.sha256(
            repr(
                (
                    request.settings.kind,
                    request.canvas,
                    request.context,
                    request.settings.edges.strict,
                    self.plan,
                    self.shown,
                )
            ).encode()
        )
        for array in (request.picture, request.selection):
            digest.update(b"none" if array is None else np.ascontiguousarray(array, np.float32).data.cast("B"))
        return digest.hexdigest()

    def check_known(self) -> None:
        """Sees that there is something to continue from.

        Raises:
            NothingKnown: all of the context is selected or transparent.
        """
        if (self.valid & (self.masks.denoise == 0)).any():
            return
        least = float(self.masks.denoise[self.valid].min()) if self.valid.any() else 1.0
        if least < 0.5:
            raise NothingKnown(
                "There is nothing to continue from: every pixel of the context is selected, if only by a little. "
                "Where nothing should change, a selection must be 0, and a mask black."
            )
        raise NothingKnown(
            "There is nothing to continue from: all of the context is selected or transparent. Select less, or choose "
            "a larger context; to paint all of it anew, say what should be there."
        )

    def resolved(self, *, steps: int, guidance: float, sampler: str, denoised: bool, batched: bool) -> Resolved:
        """What a layer was made with."""
        asked = self.request.settings
        job = replace(
            asked,
            mode=Mode(self.plan.mode),
            sampling=replace(
                asked.sampling,
                strength=self.request.strength,
                steps=steps if denoised else None,
                guidance=guidance,
                sampler=sampler,
            ),
            edges=replace(asked.edges, grow=self.plan.grow, feather=self.plan.feather),
        )
        return Resolved(job, self.model_size if denoised else None, batched)


def prepare(request: Request, checkpoint: Checkpoint) -> PreparedInput:
    """Resolves a request's geometry by the rules of `canvas.context.plan`, builds its masks, and fills what is clear.

    Raises the canvas's errors: an empty selection, a context that does not hold it, an unknown mode.
    """
    check_request(request, checkpoint)
    check_context(request.canvas, request.context)
    bounds = request.context
    selection = np.ones((request.context.height, request.context.width), np.float32)
    if request.selection is not None:
        selection = settle_selection(request.selection)
        local = selection_bounds(selection)
        assert local is not None
        bounds = local.translated(request.context.x, request.context.y)
    native, family = checkpoint.card.native_pixels, checkpoint.family
    resolved = plan(
        request.canvas,
        bounds,
        kind=request.settings.kind,
        mode=request.settings.mode,
        choice="rect",
        rect=request.context,
        grow=request.settings.edges.grow,
        feather=request.settings.edges.feather,
        scale=request.settings.scale,
        native_pixels=native,
        multiple=family.multiple,
        native_range=checkpoint.native_range,
    )
    if resolved.mode == "background":
        selection = 1 - selection
    masks = build_masks(
        selection,
        grow=resolved.grow,
        feather=resolved.feather,
        strict=request.settings.edges.strict,
        canvas_edges=Edges.of(request.context, request.canvas),
    )
    request = replace(request, regions=regions_meeting(request.regions, masks.denoise))
    if request.picture is None:
        valid = np.zeros(masks.alpha.shape, bool)
        rgb = np.full((*masks.alpha.shape, 3), 0.5, np.float32)
    else:
        valid = request.picture[..., 3] > _LEAST_ALPHA
        rgb = infill(request.picture[..., :3], np.zeros_like(masks.alpha), valid, "fill")
    covers = resolved.mode in ("expand", "generate")
    if not covers and not (valid & (masks.alpha > 0)).any():
        raise EmptySelection(
            "The selection covers only transparent pixels, so there is nothing to repaint; choose expand to cover them."
        )
    shown = checkpoint.inpaint and checkpoint.card.masked_picture == "infill"
    crop, fit = request.context.size.rect, resolved.fit
    if shown and request.settings.kind == "fill":
        crop = close_crop(masks.alpha)
        fit = fit_to_model(
            crop.size, native_pixels=native, multiple=family.multiple, native_range=checkpoint.native_range
        )
    return PreparedInput(request, resolved, selection > 0, masks, rgb, valid, covers, shown, crop, fit)
