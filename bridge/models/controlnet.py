"""One ControlNet, told by content: a diffusers folder, or a file in diffusers' or the original layout. Loads nothing.

Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models". What its pictures mean is not in its
weights: names tell, the file's or folder's own, or the one that its trainer wrote down.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..control_kinds import CONTROL_KINDS, REFERENCE, map_kinds
from . import ip_adapter, z_image_controlnet
from .checkpoint import DenoiserShape
from .config_keys import check_config
from .control_kinds import kind_of_words
from .errors import CheckpointUnreadable, ConditionUnsupported, NotAControlNet
from .facts import ControlNetFacts, DenoiserFacts
from .families import FAMILIES, Family
from .families.z_image import Z_IMAGE
from .hashing import content_hash, known_hash
from .parts import Layout, Part
from .single_file import configs_beside
from .tensor_file import FileHeader, read_header
from .tensor_names import check_leftovers, check_numbers
from .weight_files import weight_files

__all__ = ["ControlNet", "Inpainting", "check_fits", "fits", "inspect_controlnet"]

_PREFIX = "control_model."
_ORIGINAL = "input_hint_block.0.weight"
_DIFFUSERS = "controlnet_cond_embedding.conv_in.weight"
# diffusers' class of those for many kinds of pictures at once, and their table of these kinds.
_UNION = "ControlNetUnionModel"
_KINDS = "task_embedding"
_FAMILY_OF_WIDTH = {768: "SD1", 1024: "SD2", 2048: "SDXL"}
_CROSS_ATTENTION = re.compile(r"attn2\.to_k\.weight$")
_PROJECTION = re.compile(r"proj_in\.weight$")
_WORD = re.compile(r"[A-Za-z]+")

_OTHER_KINDS = (
    ("lllite", "a ControlNet-LLLite"),
    ("lora_controlnet", "a Control-LoRA"),
    ("adapter.", "a T2I-Adapter"),
    ("image_proj", "a part of an IP-Adapter"),
    ("double_blocks", "a ControlNet for Flux"),
    ("transformer_blocks.0.attn.add_k_proj", "a ControlNet for another architecture, such as Stable Diffusion 3"),
)


@dataclass(frozen=True)
class Inpainting:
    """How a ControlNet that is shown the picture without what is repainted guides fills best: its strength, and from
    where to where it acts, in shares of the steps.
    """

    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0


# The kinds of pictures that a union ControlNet must have been trained on to repaint, one of them without what is
# repainted ("Union ProMax").
_UNION_KINDS = 8
# diffusers' default, in the middle of what its trainers recommend.
_Z_IMAGE_INPAINTING = Inpainting(strength=0.75)


@dataclass(frozen=True)
class ControlNet:
    """A ControlNet on disk.

    `layout` says what it is. `conditions` are the kinds of condition that its pictures mean, of those that there
    are. `shape` is that of the denoisers that it fits. `files` are those that loading reads. `loader` names what loads
    it (`bridge.diffusion.conditioning`); `inpainting` is None for those that know nothing of masks;
    `values` are what a file's tensors tell of its config, or of an IP-Adapter's image encoder's.
    """

    id: str
    path: Path
    layout: Layout
    family: Family
    shape: DenoiserShape
    conditions: tuple[str, ...]
    files: tuple[Path, ...]
    loader: str = "controlnet"
    inpainting: Inpainting | None = None
    values: tuple[tuple[str, Any], ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 over `files`, 64 hex digits."""
        return self.content()

    def content(self, check: Callable[[], None] | None = None) -> str:
        """As `hash`; `check` is called every few megabytes and may raise to end the reading."""
        own = content_hash(self.path, self.files, check=check)
        if self.loader != "ip_adapter":
            return own
        return hashlib.sha256(f"{own} {self.image_encoder().content_hash(check=check)}".encode()).hexdigest()

    def known_hash(self) -> str | None:
        """The same, without reading the files: None until something has hashed them."""
        return None if self.loader == "ip_adapter" else known_hash(self.path, self.files)

    def image_encoder(self) -> Part:
        """What an IP-Adapter reads pictures by. Raises ConditionUnsupported where it is not here."""
        ((key, width),) = self.values
        return ip_adapter.find_encoder(self.path, (key, width))

    def check_fits(self, checkpoint: DenoiserFacts) -> None:
        """As the function of that name."""
        check_fits(self, checkpoint)
        if self.loader == "ip_adapter":
            self.image_encoder()


def fits(net: ControlNetFacts, checkpoint: DenoiserFacts) -> bool:
    """Whether a ControlNet was made for denoisers like the checkpoint's."""
    alike = net.shape.channels in (0, checkpoint.shape.channels) and net.shape.width == checkpoint.shape.width
    return net.family.name == checkpoint.family.name and alike


def check_fits(net: ControlNetFacts, checkpoint: DenoiserFacts) -> None:
    """Raises ConditionUnsupported for a ControlNet that was made for other denoisers than the checkpoint's."""
    if not fits(net, checkpoint):
        raise ConditionUnsupported(
            "{id} was made for {title}, and does not fit {checkpoint_id} ({family_title}{size}).",
            hint="Choose a ControlNet of the checkpoint's family, or another checkpoint.",
            id=net.id,
            title=net.family.title,
            checkpoint_id=checkpoint.id,
            family_title=checkpoint.family.title,
            size="" if net.family.name != checkpoint.family.name else ", of another size",
        )


def inspect_controlnet(path: Path) -> ControlNet:
    """What stands at `path`.

    Raises CheckpointUnreadable for what is broken or pickled, NotAControlNet for what is something else, and
    ConditionUnsupported for ControlNets of architectures that Paintbridge does not paint with.
    """
    return _inspect_folder(path) if path.is_dir() else _inspect_file(path)


def _inspect_folder(path: Path) -> ControlNet:
    config = path / "config.json"
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
        kind = said.get("_class_name")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointUnreadable("{name}/config.json cannot be read.", name=path.name) from error
    if kind == z_image_controlnet.CLASS:
        return _z_image(path, Layout.FOLDER, said, (config, *_weights(path)))
    # Its trainers' own folder calls it a plain one.
    union = kind in (_UNION, "ControlNetModel") and "num_control_type" in said
    if kind != "ControlNetModel" and not union:
        if "ControlNet" in str(kind):
            raise ConditionUnsupported(
                "{name} is a {kind}, which Paintbridge does not paint with.", name=path.name, kind=kind
            )
        raise NotAControlNet("{name} is not a ControlNet.", name=path.name)
    check_config(path.name, {**said, "_class_name": _UNION} if union else said, _UNION if union else "ControlNetModel")
    weights = _weights(path)
    shape, sized = DenoiserShape.of_config(said), said.get("addition_embed_type") == "text_time"
    family = _family(shape.width, sized=sized, linear=bool(said.get("use_linear_projection")))
    names = (*_names(path), str(said.get("_name_or_path", "")))
    net = ControlNet(path.name, path, Layout.FOLDER, family, shape, _conditions(names), (config, *weights))
    return _as_union(net, said["num_control_type"]) if union else replace(net, inpainting=_inpainting(names))


def _as_union(net: ControlNet, kinds: int) -> ControlNet:
    """A ControlNet for so many kinds of pictures at once. Which of them a picture is, is said where it is shown."""
    return replace(
        net,
        conditions=tuple(
            kind.name for kind in CONTROL_KINDS.values() if kind.union_number is not None and kind.union_number < kinds
        ),
        loader="controlnet_union",
        inpainting=Inpainting() if kinds >= _UNION_KINDS else None,
        values=(("num_control_type", kinds),) if net.layout is Layout.FILE else (),
    )


def _inpainting(names: tuple[str, ...]) -> Inpainting | None:
    return Inpainting() if any("inpaint" in name.lower() for name in names) else None


def _weights(path: Path) -> tuple[Path, ...]:
    weights = weight_files(path)
    for file in weights:
        if file.suffix == ".safetensors":
            check_numbers(file, read_header(file))
    return weights


def _z_image(path: Path, layout: Layout, config: Mapping[str, Any], files: tuple[Path, ...]) -> ControlNet:
    check_config(path.name, config, z_image_controlnet.CLASS)
    if config.get("add_control_noise_refiner") == "control_layers":
        raise ConditionUnsupported(
            "{name} is version 2.0 of Z-Image's ControlNet, which Paintbridge does not take.",
            hint="Get version 2.1, which took its place.",
            name=path.name,
        )
    return ControlNet(
        id=path.name if layout is Layout.FOLDER else path.stem,
        path=path,
        layout=layout,
        family=Z_IMAGE,
        shape=DenoiserShape.of_config(config),
        conditions=_conditions(_names(path)) or map_kinds(),
        files=files,
        loader="z_image_controlnet",
        inpainting=_Z_IMAGE_INPAINTING if z_image_controlnet.inpaints(config) else None,
        values=_frozen(config) if layout is Layout.FILE else (),
    )


def _frozen(config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in config.items())


def _inspect_file(path: Path) -> ControlNet:
    header = read_header(path)
    beside = configs_beside(path)
    files = (path, *(sorted(beside.glob("*.json")) if beside else ()))
    if z_image_controlnet.is_file(header.shapes):
        check_numbers(path, header)
        said = _said_beside(beside)
        return _z_image(path, Layout.FILE, said or z_image_controlnet.config_of_file(path, header), files)
    if ip_adapter.is_file(header.shapes):
        return _ip_adapter(path, header)
    shapes = {name.removeprefix(_PREFIX): shape for name, shape in header.shapes.items()}
    for part, title in _OTHER_KINDS:
        if any(part in name for name in shapes):
            raise ConditionUnsupported(
                "{name} is {title}, which Paintbridge does not take yet.", name=path.name, title=title
            )
    if _DIFFUSERS not in shapes and _ORIGINAL not in shapes:
        raise NotAControlNet("{name} is not a ControlNet.", name=path.name)
    _check_file(path, header)
    widths = [shape[1] for name, shape in shapes.items() if _CROSS_ATTENTION.search(name) and len(shape) == 2]
    linear = any(len(shape) == 2 for name, shape in shapes.items() if _PROJECTION.search(name))
    sized = any(name.startswith(("add_embedding.", "label_emb.")) for name in shapes)
    first = shapes.get("conv_in.weight") or shapes.get("input_blocks.0.0.weight") or (0,)
    width = widths[0] if widths else 0
    names = (*_names(path), header.metadata.get("modelspec.title", ""))
    net = ControlNet(
        id=path.stem,
        path=path,
        layout=Layout.FILE,
        family=_family(width, sized=sized, linear=linear),
        shape=DenoiserShape(first[0], width),
        conditions=_conditions(names),
        files=files,
        inpainting=_inpainting(names),
    )
    return _as_union(net, shapes[_KINDS][0]) if _KINDS in shapes else net


def _ip_adapter(path: Path, header: FileHeader) -> ControlNet:
    check_numbers(path, header)
    ip_adapter.check_kind(path.stem, header.shapes)
    unread = (name for name in header.shapes if not name.startswith(("image_proj.", "ip_adapter.")))
    check_leftovers(path.name, unread)
    width = ip_adapter.token_width(header.shapes)
    key, wide = ip_adapter.encoder_width(header.shapes)
    return ControlNet(
        id=path.stem,
        path=path,
        layout=Layout.FILE,
        family=FAMILIES[_FAMILY_OF_WIDTH.get(width) or _family_in_name(path)],
        shape=DenoiserShape(0, width),
        conditions=(REFERENCE,),
        files=(path,),
        loader="ip_adapter",
        values=((key, wide),),
    )


def _family_in_name(path: Path) -> str:
    """Small ones of the same structure have no width that tells."""
    return "SDXL" if "sdxl" in path.stem.lower() else "SD1"


def _check_file(path: Path, header: FileHeader) -> None:
    """Raises CheckpointUnsupported for what loading would leave out, or could not heed."""
    check_numbers(path, header)
    if any(name.startswith(_PREFIX) for name in header.shapes):
        check_leftovers(path.name, (name for name in header.shapes if not name.startswith(_PREFIX)))
    beside = configs_beside(path)
    said = _said_beside(beside)
    if beside is not None and said is not None:
        check_config(beside.name, said, _UNION if said.get("_class_name") == _UNION else "ControlNetModel")


def _said_beside(beside: Path | None) -> dict[str, Any] | None:
    """The config.json in the folder beside a file; None: there is none."""
    if beside is None or not (beside / "config.json").is_file():
        return None
    try:
        said: dict[str, Any] = json.loads((beside / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable("{name}/config.json cannot be read.", name=beside.name) from error
    return said


def _family(width: int, *, sized: bool, linear: bool) -> Family:
    """By the cross-attention's width; small ones of the same shape are told as checkpoints' families are."""
    return FAMILIES[_FAMILY_OF_WIDTH.get(width) or ("SDXL" if sized else "SD2" if linear else "SD1")]


def _names(path: Path) -> tuple[str, ...]:
    """What it is called: by itself, or by its folder, or by its repository in the Hugging Face cache."""
    if path.is_file() and path.stem.startswith("diffusion_pytorch_model"):
        path = path.parent
    repository = path.parents[1].name if path.parent.name == "snapshots" else ""
    return (path.stem if path.is_file() else path.name, repository.split("--")[-1])


def _conditions(names: tuple[str, ...]) -> tuple[str, ...]:
    kind = kind_of_words(word for name in names for word in _WORD.findall(name))
    return () if kind is None else (kind,)
