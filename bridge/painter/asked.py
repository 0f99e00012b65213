"""What a job asks of the model: prompts, sampler, steps and guidance, completed by LoRAs and the checkpoint's card."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ..diffusion import Components, Conditioning, encode_prompt
from .hints import about_sampler
from .request import Request
from .room import Room

__all__ = ["Asked", "ask"]


@dataclass(frozen=True)
class Asked:
    """`made_by` begins the keys of what is kept of this checkpoint; `hints` are for the artist."""

    conditioning: Conditioning
    sampler: str
    steps: int
    guidance: float
    made_by: Hashable
    hints: tuple[str, ...]


def ask(components: Components, request: Request, room: Room, *, check: Callable[[], None]) -> Asked:
    """Encodes the prompts, unless they are kept, and settles the rest."""
    checkpoint = components.checkpoint
    card = checkpoint.card
    said, words = request.settings.sampling, request.settings.conditioning
    distilled = next((one.lora for one in components.worn if one.strength > 0 and one.lora.distillation), None)
    wants = distilled.distillation if distilled else None
    sampler = said.sampler or (wants.sampler if wants else card.default_sampler)
    default_steps, default_guidance = (
        (wants.steps, wants.guidance) if wants else (card.default_steps, card.default_guidance)
    )
    steps = said.steps if said.steps is not None else default_steps
    guidance = float(said.guidance if said.guidance is not None else default_guidance)
    made_by = (checkpoint.content_hash(check=check), repr(checkpoint))
    conditioning = room.kept.get(
        (
            "prompts",
            made_by,
            tuple(one.key for one in components.worn),
            words.prompt,
            words.negative_prompt,
        ),
        lambda: room.twice(lambda: encode_prompt(components, words.prompt, words.negative_prompt)),
    )
    hints = (*conditioning.hints, *about_sampler(sampler, steps, guidance, distilled.id if distilled else ""))
    if guidance == 1 and words.negative_prompt.strip():
        hints = (*hints, "A negative prompt has no effect at guidance 1; raise the guidance to use it.")
    return Asked(conditioning, sampler, steps, guidance, made_by, hints)
