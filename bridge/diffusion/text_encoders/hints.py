"""Sentences for the artist about prompts that a model did not take whole."""

from ...errors import Sentence

__all__ = ["prompt_hints"]


def prompt_hints(
    lost: str, negative_lost: str, *, negative: str, guidance_embeds: bool, weights_ignored: bool = False
) -> tuple[str, ...]:
    """Hints about the words that did not fit, `lost` and `negative_lost`, and what had no effect: a negative prompt,
    weights.
    """
    hints: list[str] = []
    if lost:
        hints.append(Sentence('The prompt is too long for this checkpoint; it left out "{lost}".', lost=lost))
    if negative_lost:
        hints.append(
            Sentence(
                'The negative prompt is too long for this checkpoint; it left out "{negative_lost}".',
                negative_lost=negative_lost,
            )
        )
    if negative.strip() and guidance_embeds:
        hints.append("This checkpoint takes no negative prompt, so it had no effect.")
    if weights_ignored:
        hints.append(
            "This checkpoint reads prompts as sentences (its text encoder is a language model), so weights such as "
            "(red:1.3) had no effect; say in words what matters more."
        )
    return tuple(hints)
