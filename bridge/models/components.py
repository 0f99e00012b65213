"""Text encoders and VAEs that lie by themselves, told by content, and what a checkpoint wants of them.

A kind is told by a tensor that each of it has; what stands before that name begins the names of all its tensors in the
file. Of one kind they differ in size, by which a checkpoint's config tells those that fit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families.recognition import Shapes
from .formats import FileHeader, WeightFormat, format_of
from .json_files import load_object
from .parts import Layout, Part, folder_part
from .tensor_file import read_header
from .tensor_names import check_leftovers, check_numbers

__all__ = [
    "KINDS",
    "Component",
    "ComponentKind",
    "Components",
    "Want",
    "component_of_config",
    "components_in",
    "inspect_components",
]

Size = tuple[int, int]


@dataclass(frozen=True)
class ComponentKind:
    """A kind of text encoder or VAE.

    `mark` ends the name of a tensor that each has; `not_with` are names that another kind has beside it, `only_with`
    those that this one must have. `size` tells a file's (width, layers or channels), `config_size` that of a
    config.json. `titles` names sizes that are published. `types` are its names in configs.
    """

    name: str
    title: str
    types: tuple[str, ...]
    mark: str
    size: Callable[[Shapes], Size]
    config_size: Callable[[Mapping[str, Any]], Size]
    titles: Mapping[Size, str]
    only_with: str = ""
    not_with: str = ""
    is_text: bool = True

    def words(self, size: Size) -> str:
        """What one of that size is called."""
        return self.titles.get(size, f"{self.title} ({size[0]} x {size[1]})")


def _first(shapes: Shapes, *names: str) -> int:
    return next((shapes[name][0] for name in names if shapes.get(name)), 0)


def _layers(shapes: Shapes, start: str) -> int:
    pattern = re.compile(rf"{re.escape(start)}(\d+)\.")
    return 1 + max((int(found[1]) for name in shapes if (found := pattern.match(name))), default=-1)


def _number(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    return value if isinstance(value, int) else 0


def _channels(shapes: Shapes) -> Size:
    shape = shapes.get("decoder.conv_in.weight", (0, 0))
    return (_first(shapes, "encoder.conv_in.weight"), shape[1])


def _config_channels(config: Mapping[str, Any]) -> Size:
    channels = config.get("block_out_channels")
    first = channels[0] if isinstance(channels, list) and channels and isinstance(channels[0], int) else 0
    return (first, _number(config, "latent_channels"))


KINDS = (
    ComponentKind(
        "qwen3",
        "a Qwen3 text encoder",
        ("qwen3", "Qwen3Model", "Qwen3ForCausalLM"),
        "layers.0.self_attn.q_norm.weight",
        lambda shapes: (_first(shapes, "norm.weight"), _layers(shapes, "layers.")),
        lambda config: (_number(config, "hidden_size"), _number(config, "num_hidden_layers")),
        {(1024, 28): "Qwen3-0.6B", (2560, 36): "Qwen3-4B", (4096, 36): "Qwen3-8B"},
    ),
    ComponentKind(
        "t5",
        "a T5 text encoder",
        ("t5", "T5EncoderModel"),
        "encoder.block.0.layer.0.SelfAttention.q.weight",
        lambda shapes: (_first(shapes, "encoder.final_layer_norm.weight"), _layers(shapes, "encoder.block.")),
        lambda config: (_number(config, "d_model"), _number(config, "num_layers")),
        {(4096, 24): "T5-XXL"},
    ),
    ComponentKind(
        "clip",
        "a CLIP text encoder",
        ("clip_text_model", "CLIPTextModel", "CLIPTextModelWithProjection"),
        "text_model.encoder.layers.0.self_attn.q_proj.weight",
        lambda shapes: (
            _first(shapes, "text_model.final_layer_norm.weight"),
            _layers(shapes, "text_model.encoder.layers."),
        ),
        lambda config: (_number(config, "hidden_size"), _number(config, "num_hidden_layers")),
        {(768, 12): "CLIP-L", (1280, 32): "CLIP-bigG", (1024, 24): "OpenCLIP-H"},
    ),
    ComponentKind(
        "flux2_vae",
        "a VAE of FLUX.2's kind",
        ("AutoencoderKLFlux2",),
        "decoder.conv_in.weight",
        _channels,
        _config_channels,
        {(128, 32): "FLUX.2's VAE"},
        only_with="bn.running_mean",
        is_text=False,
    ),
    ComponentKind(
        "vae",
        "a VAE",
        ("AutoencoderKL",),
        "decoder.conv_in.weight",
        _channels,
        _config_channels,
        {(128, 4): "Stable Diffusion's VAE", (128, 16): "FLUX.1's VAE"},
        not_with="bn.running_mean",
        is_text=False,
    ),
)
"""The kinds that are told from one another."""


@dataclass(frozen=True)
class Component:
    """A text encoder or VAE in a file or a folder: its kind and size, and the number format of its weights."""

    kind: ComponentKind
    size: Size
    path: Path
    layout: Layout
    files: tuple[Path, ...]
    prefix: str = ""
    format: WeightFormat = WeightFormat.FLOAT32

    @property
    def words(self) -> str:
        """What it is called."""
        return self.kind.words(self.size)


@dataclass(frozen=True)
class Components:
    """What a file or folder holds of them."""

    id: str
    path: Path
    found: tuple[Component, ...]


@dataclass(frozen=True)
class Want:
    """A part that a checkpoint has in no file of its own: its kind and size, and the folder with its config.json.

    Of a tokenizer these are its text encoder's.
    """

    part: str
    kind: ComponentKind
    size: Size
    config: Path
    is_tokenizer: bool = False

    @property
    def words(self) -> str:
        """What it is called."""
        return self.kind.words(self.size)

    def fits(self, component: Component) -> bool:
        """Whether that is such a one."""
        return (component.kind, component.size) == (self.kind, self.size)

    def part_of(self, component: Component) -> Part:
        """That one in its place."""
        config = None if component.layout is Layout.FOLDER else self.config
        return Part(
            self.part,
            component.path,
            component.layout,
            component.files,
            component.prefix,
            config,
            format=component.format,
        )


def component_of_config(config: Path) -> tuple[ComponentKind, Size] | None:
    """What a config.json describes; None: none of these kinds. Raises CheckpointUnreadable where it is none."""
    try:
        said = load_object(config)
        names = {said.get("model_type"), said.get("_class_name"), *(said.get("architectures") or ())}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise CheckpointUnreadable(
            "{name} cannot be read.",
            hint="Download or copy the folder again.",
            name=f"{config.parent.name}/{config.name}",
        ) from error
    kind = next((one for one in KINDS if names & set(one.types)), None)
    return None if kind is None else (kind, kind.config_size(said))


def components_in(path: Path, header: FileHeader) -> tuple[Component, ...]:
    """The text encoders and VAEs in a file, by its tensors."""
    found = []
    for kind in KINDS:
        for prefix in sorted({name.removesuffix(kind.mark) for name in header.shapes if name.endswith(kind.mark)}):
            if prefix and not prefix.endswith("."):
                continue
            shapes = {
                name.removeprefix(prefix): shape for name, shape in header.shapes.items() if name.startswith(prefix)
            }
            if (kind.only_with and kind.only_with not in shapes) or (kind.not_with and kind.not_with in shapes):
                continue
            if len(shapes[kind.mark]) == _DIMENSIONS.get(kind.name, len(shapes[kind.mark])) and not _sees(
                header, prefix
            ):
                size = kind.size(shapes)
                found.append(Component(kind, size, path, Layout.FILE, (path,), prefix, format_of(header, prefix)))
    return tuple(found)


# VAEs of videos have a dimension more.
_DIMENSIONS = {"vae": 4, "flux2_vae": 4}


def _sees(header: FileHeader, prefix: str) -> bool:
    """Whether a language model is Qwen3-VL's, which has Qwen3's tensors, and learnt from them on."""
    root = prefix.removesuffix("language_model.").removesuffix("model.")
    return prefix.endswith("language_model.") or any(
        name.startswith((f"{root}visual.", f"{root}model.visual.")) for name in header.shapes
    )


def inspect_components(path: Path) -> Components:
    """What stands at `path`: a file, or a folder with a config.json and weights.

    Raises CheckpointUnreadable for what is broken or pickled, and CheckpointUnsupported for anything else than text
    encoders and VAEs of kinds that are known here.
    """
    if path.is_dir():
        described = component_of_config(path / "config.json")
        if described is None:
            raise _no_component(path)
        part = folder_part(path.name, path)
        for file in part.files[1:]:
            if file.suffix == ".safetensors":
                check_numbers(file, read_header(file))
        return Components(
            path.name, path, (Component(*described, path, Layout.FOLDER, part.files, format=part.format),)
        )
    header = read_header(path)
    found = components_in(path, header)
    if not found:
        raise _no_component(path)
    check_numbers(path, header, quantised=True)
    prefixes = tuple(one.prefix for one in found)
    check_leftovers(path.name, (name for name in header.shapes if not name.startswith(prefixes)))
    return Components(path.stem, path, found)


def _no_component(path: Path) -> CheckpointUnsupported:
    return CheckpointUnsupported(
        "{name} is no text encoder and no VAE that Paintbridge knows.",
        hint="Qwen3, T5 and CLIP are known, and the VAEs of Stable Diffusion, FLUX.1 and FLUX.2.",
        name=path.name,
    )
