"""Prompts as that server takes them: what is in angle brackets and not here is left out, and the answer says so."""

from __future__ import annotations

from ....prompts import LORA_TAGS, drop_tags, take_tags
from ....protocol.errors import BridgeError
from ...service import Service

__all__ = ["without_unknown"]


async def without_unknown(
    service: Service, prompt: str, negative_prompt: str, checkpoint: str | None
) -> tuple[str, str, tuple[str, ...]]:
    """Both prompts without the LoRAs that cannot be used, and a sentence for each of these.

    Raises:
        BridgeError: ``checkpoint_unknown``, or why the checkpoint cannot be used.
    """
    tags = dict.fromkeys(take_tags(prompt))
    refused = await service.refused_loras(
        [name for kind, name in tags if kind.lower() in LORA_TAGS and name], checkpoint
    )
    notes = [
        _note(kind, name, refused.get(name)) for kind, name in tags if kind.lower() not in LORA_TAGS or name in refused
    ]
    unwanted = dict.fromkeys(take_tags(negative_prompt))
    notes += [
        f"The negative prompt's <{kind}:{name}> had no effect: LoRAs go into the prompt." for kind, name in unwanted
    ]
    return (
        drop_tags(prompt, lambda kind, name: kind.lower() not in LORA_TAGS or name in refused),
        drop_tags(negative_prompt, lambda _kind, _name: True),
        tuple(notes),
    )


def _note(kind: str, name: str, error: BridgeError | None) -> str:
    reason = f"{error.message} {error.hint}" if error is not None else "There is nothing of that kind here."
    return f"<{kind}:{name}> had no effect: {reason}"
