"""A job that makes a map: its estimators are chosen and loaded, and the painter's layer becomes the wire's.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..canvas import geometry
from ..diffusion import ModelCache
from ..errors import Sentence
from ..models import Estimator, EstimatorRegistry, EstimatorTask
from ..painter import Hooks, PaintedLayer, Painting, Request, ResultCache, estimate
from ..protocol.messages import JobSettings, Joint, Person, Submit, flat_settings, job_fields
from ..vision import load_estimator
from .inputs import Inputs

__all__ = ["MapEstimator", "people_of"]

_MOST_PEOPLE = 64
# Every job has them, and nothing is to be said of that.
_UNSAID = ("kind", "seed")


@dataclass(frozen=True)
class _Source:
    """As :class:`bridge.painter.EstimatorSource`."""

    estimators: tuple[Estimator, ...]
    cache: ModelCache
    results: ResultCache

    def load(self, check: Callable[[], None]) -> Mapping[EstimatorTask, Any]:
        networks = self.cache.networks(self.estimators, load_estimator, check=check)
        return {files.task: network for files, network in zip(self.estimators, networks, strict=True)}

    def free(self) -> None:
        self.results.free()
        self.cache.free()


class MapEstimator:
    """Makes maps, with the networks of ``registry`` in ``cache``; ``results`` are let go of where memory is short."""

    def __init__(self, registry: EstimatorRegistry, cache: ModelCache, results: ResultCache) -> None:
        self._registry = registry
        self._cache = cache
        self._results = results

    def do(self, submit: Submit, inputs: Inputs, seed: int, hooks: Hooks) -> tuple[Painting, dict[str, Any]]:
        """The painting, and what its recipe says of the networks: fields of :class:`Recipe` and the settings.

        Raises:
            Cancelled: as soon as ``hooks.check`` does; errors that :func:`.inputs.bridge_error` knows.
        """
        settings, canvas, context = submit.settings, submit.canvas, submit.context
        wanted = settings.estimation
        estimators = self._registry.choose(wanted.control_kind, wanted.estimator)
        request = Request(
            settings=settings,
            canvas=geometry.Size(canvas.width, canvas.height),
            context=geometry.Rect(context.x, context.y, context.width, context.height),
            picture=inputs.picture,
            selection=inputs.selection,
            seeds=(seed,),
        )
        painting = estimate(request, _Source(estimators, self._cache, self._results), hooks)
        # Of several the last is the one that the others serve.
        named = replace(wanted, estimator=estimators[-1].id if estimators else None)
        (layer,) = painting.layers
        job = replace(layer.settings.job, estimation=named)
        hashes = tuple(one.content(hooks.check) for one in estimators)
        hints = (*painting.hints, *_about_what_has_no_effect(settings))
        return replace(painting, hints=hints), {"settings": job, "estimator_hashes": hashes}


def people_of(painted: PaintedLayer) -> tuple[Person, ...]:
    """Who is in a map of poses, as the wire has it."""
    return tuple(
        Person(tuple(Joint(name, float(x), float(y)) for name, (x, y) in person.items()))
        for person in painted.people[:_MOST_PEOPLE]
    )


def _about_what_has_no_effect(settings: JobSettings) -> tuple[str, ...]:
    values, fields = flat_settings(settings), job_fields()
    names = [
        name
        for name, value in values.items()
        if name not in _UNSAID and value != fields[name].spec.default and not fields[name].counts_for(settings.kind)
    ]
    if not names:
        return ()
    return (Sentence("Of no effect on a map: {names}.", names=", ".join(names)),)
