"""How strong peft says that a LoRA's layers are, beside its tensors or in their header.

peft writes all of its settings (`LoraConfig`, https://huggingface.co/docs/peft/package_reference/lora) into
`adapter_config.json`; diffusers writes them into the header, each part's with the part's name before them.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import LoraUnreadable, LoraUnsupported

__all__ = ["LoraScales", "read_scales"]

_IN_HEADER = "lora_adapter_metadata"
# What `LoraConfig` has where a file says nothing.
_DEFAULT_ALPHA = 8
_GET_AGAIN = "Download or copy the file again."

_USED = ("lora_alpha", "alpha_pattern", "use_rslora")
# What tells of training, of the program, or again what the tensors' own names and shapes tell.
_MEANINGLESS = frozenset(
    {
        *("r", "rank_pattern", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "peft_version"),
        *("inference_mode", "lora_dropout", "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
        *("megatron_config", "megatron_core", "runtime_config", "qalora_group_size", "ensure_weight_tying"),
    }
)
# Settings of ways to start a training that leave the checkpoint's weights as they are. Others change them first, and
# their LoRA belongs to the changed weights.
_HARMLESS_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
_HARMLESS_BIAS = (None, "none")


@dataclass(frozen=True)
class LoraScales:
    """What each layer's product of up and down is multiplied by, where the file has no alpha of its own for it.

    `said` are peft's settings by the part's name in a diffusers folder; a part that is not there is taken as it is.
    """

    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, part: str, module: str, rank: int) -> float:
        """The factor for a module, by its name with dots in diffusers' naming, and its rank."""
        said = self.said.get(part)
        if said is None:
            return 1.0
        alpha = said.get("lora_alpha", _DEFAULT_ALPHA)
        # CLIP's layers lie one level deeper in older versions of transformers.
        names = (module, f"text_model.{module}") if part.startswith("text_encoder") else (module,)
        for pattern, other in (said.get("alpha_pattern") or {}).items():
            # As peft matches them.
            if any(re.match(rf"(.*\.)?({pattern})$", name) for name in names):
                alpha = other
                break
        return float(alpha / (math.sqrt(rank) if said.get("use_rslora") else rank))


def read_scales(files: Sequence[Path], metadata: Mapping[str, str]) -> LoraScales:
    """What is said in a LoRA's files: its own header's `metadata`, and `adapter_config.json` if that is the second one.

    Raises LoraUnreadable for what cannot be read, LoraUnsupported for settings that would have to be heeded and are
    not.
    """
    said: dict[str, dict[str, Any]] = {}
    if len(files) > 1:
        # peft saves one model at a time.
        said["unet"] = said["text_encoder"] = _read_json(files[1].name, lambda: files[1].read_text(encoding="utf-8"))
    elif metadata.get(_IN_HEADER):
        for key, value in _read_json("The header", lambda: metadata[_IN_HEADER]).items():
            part, _, name = key.partition(".")
            said.setdefault(part, {})[name] = value
    for settings in said.values():
        _check(settings)
    return LoraScales(said)


def _read_json(name: str, read: Callable[[], str]) -> dict[str, Any]:
    try:
        found = json.loads(read())
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(name) from error
    if not isinstance(found, dict):
        raise _unreadable(name)
    return found


def _unreadable(name: str) -> LoraUnreadable:
    return LoraUnreadable("{name} of the LoRA cannot be read.", hint=_GET_AGAIN, name=name)


def _check(settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        harmless = (
            name in _USED
            or name in _MEANINGLESS
            or not value
            or (name == "init_lora_weights" and value in _HARMLESS_STARTS)
            or (name == "bias" and value in _HARMLESS_BIAS)
        )
        if not harmless:
            raise LoraUnsupported(
                "This LoRA was made with peft's setting {name} = {value}, which Paintbridge does not heed.",
                name=name,
                value=json.dumps(value),
            )
    patterns = settings.get("alpha_pattern") or {}
    try:
        alphas = [settings.get("lora_alpha", _DEFAULT_ALPHA), *patterns.values()]
        sensible = all(isinstance(alpha, (int, float)) for alpha in alphas) and all(map(re.compile, patterns))
    except (AttributeError, TypeError, re.error):
        sensible = False
    if not sensible:
        raise LoraUnreadable("What peft says of the LoRA's alphas makes no sense.", hint=_GET_AGAIN)
