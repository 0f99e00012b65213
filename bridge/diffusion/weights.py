"""A checkpoint's parts from disk, each out of a diffusers folder or a file; from safetensors and local files only."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from safetensors import SafetensorError
from torch import nn

from ..errors import Sentence
from ..models import Checkpoint, CheckpointUnreadable, ControlNet
from ..models.families import TextPart
from ..models.parts import InpaintDifference, Layout, Part
from ..models.single_file import CONFIGS, configs_beside
from ..models.tensor_names import check_leftovers
from ..models.weight_files import variant_of
from .conversion import Convert, Tensors, convert_original, leftovers, named_as_in
from .inpaint_difference import add_difference, tensors_of
from .loading import ModuleLoader
from .packing import keep_stored
from .tensor_reading import read_tensors

__all__ = ["Weights", "import_classes", "load_controlnet", "weights_of"]

_MISFITS = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError)


class Weights:
    """The parts of a checkpoint, wherever each of them lies.

    `convert` gives a part's tensors diffusers' names, where a file has others.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        convert: Convert = convert_original,
        *,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` may raise to end what takes long."""
        self._checkpoint = checkpoint
        self._convert = convert
        self._check = check

    def scheduler_config(self) -> dict[str, Any]:
        """The scheduler_config.json, as it stands there."""
        kind: Any = diffusers.DDIMScheduler
        return dict(kind.load_config(self._checkpoint.part("scheduler").path, local_files_only=True))

    def tokenizer(self, text: TextPart, kind: Any = transformers.CLIPTokenizer, **options: Any) -> Any:
        """A text encoder's tokenizer, of the class `kind` and with its options."""
        part = self._checkpoint.part(text.tokenizer)
        return _fitting(
            self._checkpoint, part.name, lambda: kind.from_pretrained(part.path, local_files_only=True, **options)
        )

    def is_shipped(self, name: str) -> bool:
        """Whether the part is one that the project ships."""
        return self._checkpoint.part(name).path.is_relative_to(CONFIGS)

    def part(self, name: str, kind: Any, dtype: torch.dtype) -> Any:
        """A part with weights, as a module of the class `kind`, floats in `dtype`.

        Raises CheckpointUnreadable where they do not fit its config, or are not all there, and CheckpointUnsupported
        for tensors that would be left out.
        """
        if name == self._checkpoint.family.denoiser and self._checkpoint.difference is not None:
            return self._with_difference(self._checkpoint.difference, name, kind, dtype)
        part = self._checkpoint.part(name)
        apart = part in self._checkpoint.apart
        title = f"{_WORDS.get(name, _words(name))} {part.title}" if apart else name
        return self._read(part, title, kind, dtype)

    def modules(self, classes: Mapping[str, Any], loader: ModuleLoader) -> dict[str, Any]:
        """The parts of these classes, by name, each by `loader`: the VAE in float32, the others in the device's
        precision. Raises as `part`.
        """
        found: dict[str, Any] = {}
        for name, kind in classes.items():
            dtype = torch.float32 if name == "vae" else loader.device.torch_dtype
            found[name] = loader(
                partial(self.part, name, kind, dtype),
                content=partial(self.content, name, check=loader.check),
                dtype=dtype,
                denoiser=name == self._checkpoint.family.denoiser,
            )
        loader.check()
        return found

    def content(self, name: str, *, check: Callable[[], None]) -> Hashable:
        """What tells the part's weights and config from others'; `check` may raise to end the reading."""
        part = self._checkpoint.part(name)
        config = "" if part.layout is Layout.FOLDER else sha256(part.config_file.read_bytes()).hexdigest()
        difference = self._checkpoint.difference if name == self._checkpoint.family.denoiser else None
        added = "" if difference is None else difference.content_hash(check=check)
        return name, part.content_hash(check=check), part.prefix, config, part.values, added

    def _with_difference(self, difference: InpaintDifference, name: str, kind: Any, dtype: torch.dtype) -> Any:
        """The inpainting denoiser, made the checkpoint's own. Of the others only one tensor at a time is in memory."""
        checkpoint = self._checkpoint
        title = f"{_WORDS.get(name, _words(name))} {difference.inpainting.title}"
        module = self._read(difference.inpainting, title, kind, dtype)

        def add() -> None:
            parts = (difference.inpainting, checkpoint.part(name), difference.base)
            named = [named_as_in(_empty(kind, part), name, tensors_of(part), self._convert) for part in parts]
            with torch.no_grad():
                add_difference(module, *named, check=self._check)

        _fitting(checkpoint, name, add)
        return module

    def _read(self, part: Part, title: str, kind: Any, dtype: torch.dtype) -> Any:
        if part.layout is Layout.FOLDER:
            return _from_folder(self._checkpoint, title, part, kind, dtype)
        return _from_file(self._checkpoint, title, part, kind, dtype, self._convert)


_WORDS = {"vae": "VAE", "unet": "UNet"}


def _from_folder(owner: Checkpoint | ControlNet, title: str, part: Part, kind: Any, dtype: torch.dtype) -> Any:
    options = {"variant": variant_of(part.files), "use_safetensors": True, "output_loading_info": True}
    module, report = _fitting(
        owner, title, lambda: kind.from_pretrained(part.path, local_files_only=True, dtype=dtype, **options)
    )
    # Both libraries fill missing weights with random ones and go on, which paints noise.
    missing = [key for key in report["missing_keys"] if not key.endswith("position_ids")]
    if missing or report.get("mismatched_keys"):
        raise _incomplete(owner, title, len(missing) + len(report.get("mismatched_keys") or ()))
    _check_all_read(owner, title, sorted(report["unexpected_keys"]))
    return module


def _from_file(
    owner: Checkpoint | ControlNet, title: str, part: Part, kind: Any, dtype: torch.dtype, convert: Convert
) -> Any:
    """Nothing but that part's tensors is read."""

    def load() -> tuple[Any, Tensors]:
        read = read_tensors(part.path, part.prefix)
        tensors = read.widened(dtype)
        module = _empty(kind, part)
        keep_stored(module, part.name, read, convert)
        _fill(module, named_as_in(module, part.name, tensors, convert), dtype)
        return module, tensors

    module, tensors = _fitting(owner, title, load)
    missing = sum(weight.is_meta for weight in module.state_dict().values())
    if missing:
        raise _incomplete(owner, title, missing)
    _check_all_read(owner, title, [part.prefix + name for name in leftovers(module, part.name, tensors, convert)])
    return module


def _empty(kind: Any, part: Part) -> Any:
    """A module of that class without weights: on the meta device but for what its class computes itself."""
    values = dict(part.values)
    with init_empty_weights():
        if hasattr(kind, "config_class"):
            config = kind.config_class.from_pretrained(part.config_file.parent, local_files_only=True, **values)
            return kind(config)
        config = kind.load_config(part.config_file.parent, local_files_only=True)
        return kind.from_config({**config, **values})


def _fill(module: nn.Module, tensors: Tensors, dtype: torch.dtype) -> None:
    """Lays tensors into the module in their places, floats in `dtype`; others are left. Files hold once what a class
    of transformers' has in two places.
    """
    precise = (getattr(module, "_keep_in_fp32_modules", None) or ()) if dtype is torch.float16 else ()
    places = module.state_dict().keys()
    fitting = {}
    for name in places & tensors.keys():
        tensor = tensors[name]
        if tensor.is_floating_point():
            kept = any(word in name.split(".") for word in precise)
            tensor = tensor.to(torch.float32 if kept else dtype)
        fitting[name] = tensor.contiguous()
    module.load_state_dict(fitting, strict=False, assign=True)
    tie: Any = getattr(module, "tie_weights", None)
    if tie is not None:
        tie()


def load_controlnet(
    net: ControlNet,
    kind: Any,
    dtype: torch.dtype,
    convert: Convert = convert_original,
    shipped: str = "controlnet",
) -> Any:
    """A ControlNet's weights, as a module of the class `kind`; `shipped` is what its family's config for it is called.

    Raises CheckpointUnreadable where they do not fit its config, or are not all there.
    """
    layout = Layout(net.layout)
    if layout is Layout.FOLDER:
        return _from_folder(net, "ControlNet", Part("controlnet", net.path, layout, net.files), kind, dtype)
    config = configs_beside(net.path) or CONFIGS / net.family.name / shipped
    part = Part("controlnet", net.path, layout, net.files, config=config, values=net.values)
    return _from_file(net, "ControlNet", part, kind, dtype, convert)


def import_classes() -> None:
    """Imports what the libraries put off until it is used: some 2 s."""
    for library, names in (
        (diffusers, ("AutoencoderKL", "ControlNetModel", "DDIMScheduler", "UNet2DConditionModel")),
        (transformers, ("CLIPTextModel", "CLIPTokenizer")),
    ):
        for name in names:
            getattr(library, name)


def weights_of(
    checkpoint: Checkpoint, convert: Convert = convert_original, *, check: Callable[[], None] = lambda: None
) -> Weights:
    """Where the checkpoint's parts are read from; `check` may raise to end what takes long."""
    return Weights(checkpoint, convert, check=check)


def _words(part: str) -> str:
    return part.replace("_", " ")


def _check_all_read(owner: Checkpoint | ControlNet, title: str, names: list[str]) -> None:
    said = (
        owner.id if isinstance(owner, ControlNet) else Sentence("The {name} of {id}", name=_words(title), id=owner.id)
    )
    check_leftovers(said, names)


def _fitting(owner: Checkpoint | ControlNet, part: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except _MISFITS as error:
        if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
            raise
        raise CheckpointUnreadable(
            "The {part} of {id} cannot be loaded: its files do not fit each other.",
            hint="Download or copy the checkpoint again.",
            part=_words(part),
            id=owner.id,
        ) from error


def _incomplete(owner: Checkpoint | ControlNet, part: str, missing: int) -> CheckpointUnreadable:
    return CheckpointUnreadable(
        "The {part} of {id} is incomplete: {missing} tensors are missing.",
        hint="Download or copy the checkpoint again.",
        part=_words(part),
        id=owner.id,
        missing=missing,
    )
