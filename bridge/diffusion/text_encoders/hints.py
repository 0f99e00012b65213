"""Sentences for the artist about prompts that a model did not take whole."""

__all__ = ["prompt_hints"]


def prompt_hints(lost: str, negative_lost: str, *, negative: str, guidance_embeds: bool) -> tuple[str, ...]:
    """Hints about the words that did not fit, `lost` and `negative_lost`, and a negative prompt without effect."""
    hints = []
    if lost:
        hints.append(f'The prompt is too long for this checkpoint; it left out "{lost}".')
    if negative_lost:
        hints.append(f'The negative prompt is too long for this checkpoint; it left out "{negative_lost}".')
    if negative.strip() and guidance_embeds:
        hints.append("This checkpoint takes no negative prompt, so it had no effect.")
    return tuple(hints)
