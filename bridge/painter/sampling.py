"""What a job asks of the model: prompts, sampler, steps and guidance, completed by LoRAs and the checkpoint's card."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ..diffusion import EncodedPrompts, LatentModel, embeddings_of
from .hints import about_fast, about_regions, about_sampler
from .oom_guard import OomGuard
from .references import about_references
from .request import Request

__all__ = ["SamplingParams", "resolve_sampling"]


@dataclass(frozen=True)
class SamplingParams:
    """`made_by` begins the keys of what is kept of this checkpoint; `hints` are for the artist. `region_prompts` are
    those of the request's regions.
    """

    prompts: EncodedPrompts
    region_prompts: tuple[EncodedPrompts, ...]
    sampler: str
    steps: int
    guidance: float
    made_by: Hashable
    hints: tuple[str, ...]


def resolve_sampling(
    model: LatentModel, request: Request, guard: OomGuard, *, check: Callable[[], None]
) -> SamplingParams:
    """Encodes the prompts, unless they are kept, and settles the rest."""
    checkpoint = model.checkpoint
    card = checkpoint.card
    said, words = request.settings.sampling, request.settings.conditioning
    distilled = next((one.lora for one in model.loras if one.strength > 0 and one.lora.distillation), None)
    wants = distilled.distillation if distilled else None
    sampler = said.sampler or (wants.sampler if wants else card.default_sampler)
    default_steps, default_guidance = (
        (wants.steps, wants.guidance) if wants else (card.default_steps, card.default_guidance)
    )
    steps = said.steps if said.steps is not None else default_steps
    guidance = float(said.guidance if said.guidance is not None else default_guidance)
    made_by = (checkpoint.content_hash(check=check), repr(checkpoint))
    prompt, negative = (about_references(one, request, checkpoint) for one in (words.prompt, words.negative_prompt))
    guided = guidance != 1 and not model.guidance_embeds

    def encoded(positive: str, negative: str) -> EncodedPrompts:
        key = (
            "prompts",
            made_by,
            tuple(one.key for one in model.loras),
            tuple((one.id, one.hash) for one in embeddings_of(model)),
            positive,
            negative,
            guided,
        )
        return guard.results.get(
            key, lambda: guard.retry(lambda: model.encode_prompts(positive, negative, guided=guided))
        )

    prompts = encoded(prompt, negative)
    regions = tuple(
        encoded(*(about_references(text, request, checkpoint) for text in (one.prompt, one.negative_prompt)))
        for one in request.regions
    )
    about_prompts = dict.fromkeys(hint for one in (prompts, *regions) for hint in one.hints)
    hints = (
        *about_prompts,
        *about_regions(len(regions)),
        *(about_fast(model, steps, guidance) if said.fast else ()),
        *about_sampler(sampler, steps, guidance, distilled.id if distilled else ""),
    )
    negatives = (words.negative_prompt, *(one.negative_prompt for one in request.regions))
    # One that takes the guidance as an input has said itself that it takes no negative prompt.
    if guidance == 1 and not model.guidance_embeds and any(one.strip() for one in negatives):
        hints = (*hints, "A negative prompt has no effect at guidance 1; raise the guidance to use it.")
    return SamplingParams(prompts, regions, sampler, steps, guidance, made_by, hints)
