"""A checkpoint's parts from disk, out of a diffusers folder or a single file; from safetensors and local files only."""

import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import SingleFileComponentError, create_diffusers_clip_model_from_ldm
from safetensors import SafetensorError, safe_open

from ..errors import Sentence
from ..models import Checkpoint, CheckpointUnreadable, ControlNet
from ..models.families import TextPart
from ..models.hashing import content_hash
from ..models.single_file import CONFIGS, configs_beside
from ..models.tensor_names import check_leftovers
from ..models.vae import Vae
from ..models.weight_files import variant_of
from .leftovers import leftovers

__all__ = ["FileWeights", "FolderWeights", "import_classes", "load_controlnet", "weights_of"]

_clip_from_ldm: Any = create_diffusers_clip_model_from_ldm
# CLIP's names as merging tools of 2022 wrote them.
_OLD_CLIP = re.compile(r"^(cond_stage_model\.transformer\.)(?=embeddings\.|encoder\.|final_layer_norm\.)")
# What diffusers called a VAE's attention before 0.17.
_OLD_ATTENTION = re.compile(r"(mid_block\.attentions\.0\.)(query|key|value|proj_attn)(?=\.)")
_MISFITS = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError)


class FolderWeights:
    """The parts of a diffusers folder."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def scheduler_config(self) -> dict[str, Any]:
        """The noise schedule, and what the denoiser predicts."""
        kind: Any = diffusers.DDIMScheduler
        config = dict(kind.load_config(self._checkpoint.path, subfolder="scheduler", local_files_only=True))
        return _trained_as(self._checkpoint, config)

    def tokenizer(self, text: TextPart) -> Any:
        """A text encoder's tokenizer."""
        return _fitting(
            self._checkpoint, text.tokenizer, lambda: self._local(transformers.CLIPTokenizer, text.tokenizer)
        )

    def part(self, name: str, kind: Any, dtype: torch.dtype) -> Any:
        """A part with weights. Raises CheckpointUnreadable where they do not fit its config, or are not all there."""
        if name == "vae" and self._checkpoint.vae is not None:
            return _other_vae(self._checkpoint, self._checkpoint.vae, str(self._checkpoint.path), kind, dtype)
        variant = variant_of(file for file in self._checkpoint.files if file.parent.name == name)
        options = {"variant": variant, "use_safetensors": True, "output_loading_info": True}
        model, report = _fitting(self._checkpoint, name, lambda: self._local(kind, name, dtype=dtype, **options))
        # Both libraries fill missing weights with random ones and go on, which paints noise.
        missing = [key for key in report["missing_keys"] if not key.endswith("position_ids")]
        if missing or report.get("mismatched_keys"):
            raise _incomplete(self._checkpoint, name, len(missing))
        check_leftovers(
            Sentence("The {name} of {id}", name=_words(name), id=self._checkpoint.id), sorted(report["unexpected_keys"])
        )
        return model

    def content(self, part: str, *, check: Callable[[], None]) -> Hashable:
        """What tells the part's weights and config from others'; `check` may raise to end the reading."""
        if part == "vae" and self._checkpoint.vae is not None:
            return _content_of_vae(self._checkpoint.vae, str(self._checkpoint.path), check)
        files = [file for file in self._checkpoint.files if file.parent.name == part]
        return part, content_hash(self._checkpoint.path / part, files, check=check)

    def _local(self, kind: Any, part: str, **options: Any) -> Any:
        return kind.from_pretrained(self._checkpoint.path, subfolder=part, local_files_only=True, **options)


class FileWeights:
    """The parts of a single file in the original layout, each by the config beside the file, or by its family's."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._beside = configs_beside(checkpoint.path)
        self._configs = str(self._beside or CONFIGS / checkpoint.family.name)

    def scheduler_config(self) -> dict[str, Any]:
        """The noise schedule, and what the denoiser predicts."""
        kind: Any = diffusers.DDIMScheduler
        config = dict(kind.load_config(self._configs, subfolder="scheduler", local_files_only=True))
        return _trained_as(self._checkpoint, config)

    def tokenizer(self, text: TextPart) -> Any:
        """A text encoder's tokenizer; CLIP's whole vocabulary where the file brings none."""
        kind: Any = transformers.CLIPTokenizer
        own = self._beside / text.tokenizer if self._beside is not None else None
        if own is not None and own.is_dir():
            return _fitting(self._checkpoint, text.tokenizer, lambda: kind.from_pretrained(own, local_files_only=True))
        return kind.from_pretrained(CONFIGS / "clip", local_files_only=True, model_max_length=77, pad_token=text.pad)

    def part(self, name: str, kind: Any, dtype: torch.dtype) -> Any:
        """As `FolderWeights.part`. Nothing but that part's tensors is read."""
        if name == "vae" and self._checkpoint.vae is not None:
            return _other_vae(self._checkpoint, self._checkpoint.vae, self._configs, kind, dtype)
        tensors = self._tensors(self._checkpoint.family.file_prefixes[name])
        if name.startswith("text_encoder"):
            tensors = {_OLD_CLIP.sub(r"\1text_model.", key): tensor for key, tensor in tensors.items()}
        model = _fitting(self._checkpoint, name, lambda: self._converted(name, kind, dtype, tensors))
        missing = sum(weight.is_meta for weight in model.state_dict().values())
        if missing:
            raise _incomplete(self._checkpoint, name, missing)
        check_leftovers(
            Sentence("The {name} of {id}", name=_words(name), id=self._checkpoint.id), leftovers(model, tensors)
        )
        return model

    def content(self, part: str, *, check: Callable[[], None]) -> Hashable:
        """As `FolderWeights.content`."""
        if part == "vae" and self._checkpoint.vae is not None:
            return _content_of_vae(self._checkpoint.vae, self._configs, check)
        return part, content_hash(self._checkpoint.path, self._checkpoint.files, check=check)

    def _converted(self, name: str, kind: Any, dtype: torch.dtype, tensors: dict[str, torch.Tensor]) -> Any:
        where = {"config": self._configs, "subfolder": name, "local_files_only": True}
        if name == "unet":
            channels = 9 if self._checkpoint.inpaint else 4
            return kind.from_single_file(tensors, dtype=dtype, in_channels=channels, **where)
        if name == "vae":
            return kind.from_single_file(tensors, dtype=dtype, **where)
        return _clip_from_ldm(kind, tensors, torch_dtype=dtype, **where)

    def _tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        return _tensors(self._checkpoint.path, prefix)


def _tensors(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118


def _content_of_vae(vae: Vae, configs: str, check: Callable[[], None]) -> Hashable:
    return "vae", content_hash(vae.path, vae.files, check=check), "" if vae.layout == "folder" else configs


def _other_vae(checkpoint: Checkpoint, vae: Vae, configs: str, kind: Any, dtype: torch.dtype) -> Any:
    """The VAE that a checkpoint was given in place of its own; `configs` tell the shape of one in a file."""
    title = f"VAE {vae.name}"
    if vae.layout == "folder":
        options = {"variant": variant_of(vae.files), "use_safetensors": True, "output_loading_info": True}
        model, report = _fitting(
            checkpoint, title, lambda: kind.from_pretrained(vae.path, local_files_only=True, dtype=dtype, **options)
        )
        missing, unread = len(report["missing_keys"]), sorted(report["unexpected_keys"])
    else:
        tensors = {_OLD_ATTENTION.sub(_attention, name): one for name, one in _tensors(vae.path, vae.prefix).items()}
        where = {"config": configs, "subfolder": "vae", "local_files_only": True}
        model = _fitting(checkpoint, title, lambda: kind.from_single_file(tensors, dtype=dtype, **where))
        missing, unread = sum(weight.is_meta for weight in model.state_dict().values()), leftovers(model, tensors)
    if missing:
        raise _incomplete(checkpoint, title, missing)
    check_leftovers(Sentence("The {name} of {id}", name=title, id=checkpoint.id), unread)
    return model


def _attention(found: re.Match[str]) -> str:
    return f"{found[1]}{ {'query': 'to_q', 'key': 'to_k', 'value': 'to_v', 'proj_attn': 'to_out.0'}[found[2]] }"


def load_controlnet(net: ControlNet, dtype: torch.dtype) -> Any:
    """A ControlNet's weights. Raises CheckpointUnreadable where they do not fit its config, or are not all there."""
    kind: Any = diffusers.ControlNetModel
    if net.layout == "folder":
        options = {"variant": variant_of(net.files), "use_safetensors": True, "output_loading_info": True}
        loaded = _fitting(
            net, "ControlNet", lambda: kind.from_pretrained(net.path, local_files_only=True, dtype=dtype, **options)
        )
        model, report = loaded
        missing = len(report["missing_keys"]) + len(report.get("mismatched_keys") or ())
        unread = sorted(report["unexpected_keys"])
    else:
        beside = configs_beside(net.path)
        where = {"config": str(beside or CONFIGS / net.family.name / "controlnet"), "local_files_only": True}
        tensors = _tensors(net.path)
        model = _fitting(net, "ControlNet", lambda: kind.from_single_file(tensors, dtype=dtype, **where))
        missing = sum(weight.is_meta for weight in model.state_dict().values())
        unread = leftovers(model, tensors)
    if missing:
        raise _incomplete(net, "ControlNet", missing)
    check_leftovers(net.id, unread)
    return model


def _trained_as(checkpoint: Checkpoint, scheduler_config: dict[str, Any]) -> dict[str, Any]:
    """The schedule with what the checkpoint's inspection told of it."""
    told = {"prediction_type": checkpoint.prediction, "rescale_betas_zero_snr": checkpoint.zero_terminal_snr}
    return {**scheduler_config, **told}


def import_classes() -> None:
    """Imports what the libraries put off until it is used: some 2 s."""
    for library, names in (
        (diffusers, ("AutoencoderKL", "ControlNetModel", "DDIMScheduler", "UNet2DConditionModel")),
        (transformers, ("CLIPTextModel", "CLIPTokenizer")),
    ):
        for name in names:
            getattr(library, name)


def weights_of(checkpoint: Checkpoint) -> FolderWeights | FileWeights:
    """Where the checkpoint's parts are read from."""
    return FolderWeights(checkpoint) if checkpoint.layout == "folder" else FileWeights(checkpoint)


def _words(part: str) -> str:
    return part.replace("_", " ")


def _fitting(checkpoint: Checkpoint | ControlNet, part: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (*_MISFITS, SingleFileComponentError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
            raise
        raise CheckpointUnreadable(
            "The {part} of {id} cannot be loaded: its files do not fit each other.",
            hint="Download or copy the checkpoint again.",
            part=_words(part),
            id=checkpoint.id,
        ) from error


def _incomplete(checkpoint: Checkpoint | ControlNet, part: str, missing: int) -> CheckpointUnreadable:
    return CheckpointUnreadable(
        "The {part} of {id} is incomplete: {missing} tensors are missing.",
        hint="Download or copy the checkpoint again.",
        part=_words(part),
        id=checkpoint.id,
        missing=missing,
    )
