"""How strong peft says that a LoRA's layers are, beside its tensors or in their header.

peft writes all of its settings (`LoraConfig`, https://huggingface.co/docs/peft/package_reference/lora, `LoHaConfig` and
`LoKrConfig`) into `adapter_config.json`; diffusers writes them into the header, each part's with the part's name before
them.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import LoraUnreadable, LoraUnsupported
from .json_files import parse_json
from .lora_kinds import DENOISER, LoraModule

__all__ = ["LoraScales", "read_scales"]

_IN_HEADER = "lora_adapter_metadata"
# What `LoraConfig` has where a file says nothing.
_DEFAULT_ALPHA = 8
_GET_AGAIN = "Download or copy the file again."

_USED = ("lora_alpha", "alpha", "alpha_pattern", "use_rslora", "r", "rank_pattern")
# What peft calls a denoiser, in a header's keys.
_DENOISERS = ("unet", "transformer")
# What tells of training, of the program, or again what the tensors' own names and shapes tell.
_MEANINGLESS = frozenset(
    {
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("use_effective_conv2d", "decompose_both", "decompose_factor"),
        *("peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "peft_version"),
        *("rank_dropout", "rank_dropout_scale", "module_dropout"),
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
    """What is added to each layer is multiplied by this, where the file has no alpha of its own for it.

    `said` are peft's settings by part (`DENOISER`, or as a diffusers folder calls it); a part that is not there is
    taken as it is.
    """

    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, module: LoraModule, path: str) -> float:
        """The factor for a module, whose name with dots in diffusers' naming is `path`."""
        said = self.said.get(module.part)
        if said is None:
            return 1.0
        # CLIP's layers lie one level deeper in older versions of transformers.
        names = (path, f"text_model.{path}") if module.part.startswith("text_encoder") else (path,)
        alpha = _of_pattern(said, "alpha_pattern", names, said.get("lora_alpha", said.get("alpha", _DEFAULT_ALPHA)))
        # The tensors tell it themselves, but for a Kronecker product of two whole matrices.
        rank = module.rank or _of_pattern(said, "rank_pattern", names, said.get("r", _DEFAULT_ALPHA))
        return float(alpha / (math.sqrt(rank) if said.get("use_rslora") else rank))


def _of_pattern(said: Mapping[str, Any], key: str, names: Sequence[str], usual: Any) -> Any:
    """What the first of the patterns under `key` that a name matches says, as peft matches them; else `usual`."""
    for pattern, value in (said.get(key) or {}).items():
        if any(re.match(rf"(.*\.)?({pattern})$", name) for name in names):
            return value
    return usual


def read_scales(files: Sequence[Path], metadata: Mapping[str, str], modules: Iterable[LoraModule]) -> LoraScales:
    """What is said in a LoRA's files: its own header's `metadata`, and `adapter_config.json` if that is the second one.
    `modules` are those of its tensors.

    Raises LoraUnreadable for what cannot be read, LoraUnsupported for settings that would have to be heeded and are
    not.
    """
    said: dict[str, dict[str, Any]] = {}
    if len(files) > 1:
        # peft saves one model at a time.
        said[DENOISER] = said["text_encoder"] = _read_json(files[1].name, lambda: files[1].read_text(encoding="utf-8"))
    elif metadata.get(_IN_HEADER):
        for key, value in _read_json("The header", lambda: metadata[_IN_HEADER]).items():
            part, _, name = key.partition(".")
            said.setdefault(DENOISER if part in _DENOISERS else part, {})[name] = value
    decomposed = any(module.decomposed for module in modules)
    for settings in said.values():
        _check(settings, decomposed=decomposed)
    return LoraScales(said)


def _read_json(name: str, read: Callable[[], str]) -> dict[str, Any]:
    try:
        found = parse_json(read())
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(name) from error
    if not isinstance(found, dict):
        raise _unreadable(name)
    return found


def _unreadable(name: str) -> LoraUnreadable:
    return LoraUnreadable("{name} of the LoRA cannot be read.", hint=_GET_AGAIN, name=name)


def _check(settings: Mapping[str, Any], *, decomposed: bool) -> None:
    for name, value in settings.items():
        harmless = (
            name in _USED
            or name in _MEANINGLESS
            or not value
            or (name == "init_lora_weights" and value in _HARMLESS_STARTS)
            or name == "init_weights"
            # The tensors are there then.
            or (name == "use_dora" and decomposed)
            or (name == "bias" and value in _HARMLESS_BIAS)
        )
        if not harmless:
            raise LoraUnsupported(
                "This LoRA was made with peft's setting {name} = {value}, which Paintbridge does not heed.",
                name=name,
                value=json.dumps(value),
            )
    try:
        patterns = [settings.get(key) or {} for key in ("alpha_pattern", "rank_pattern")]
        numbers = [settings.get(key, _DEFAULT_ALPHA) for key in ("lora_alpha", "alpha", "r")]
        numbers += [number for one in patterns for number in one.values()]
        sensible = all(isinstance(number, (int, float)) for number in numbers)
        sensible = sensible and all(re.compile(pattern) for one in patterns for pattern in one)
        sensible = sensible and min([settings.get("r", _DEFAULT_ALPHA), *patterns[1].values()]) > 0
    except (AttributeError, TypeError, re.error):
        sensible = False
    if not sensible:
        raise LoraUnreadable("What peft says of the LoRA's alphas makes no sense.", hint=_GET_AGAIN)
