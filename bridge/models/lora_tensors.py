"""What each tensor of a LoRA file is, told by its name: whose module it changes, and what it does there.

Namings, which may be mixed: kohya's (https://github.com/kohya-ss/sd-scripts, networks/lora.py), which OneTrainer and
ai-toolkit write too, LyCORIS' own (https://github.com/KohakuBlueleaf/LyCORIS), diffusers' and peft's
(`save_lora_weights` and `save_pretrained`), and ComfyUI's (the node that saves LoRAs, comfy/lora.py). Modules go by
diffusers' names or by the architecture's original ones.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import CheckpointUnreadable, LoraUnreadable, LoraUnsupported, NotALora
from .lora_kinds import DENOISER, LoraModule, measure
from .tensor_file import FileHeader, read_header

__all__ = ["LoraTensors", "Naming", "flat_name", "read_lora", "sort_tensors"]

Shape = tuple[int, ...]


class Naming(enum.StrEnum):
    """Whose names the tensors have."""

    KOHYA = "kohya"
    DIFFUSERS = "diffusers"
    PEFT = "peft"
    COMFYUI = "comfyui"
    LYCORIS = "lycoris"


# What names begin with, by the part that is changed (as diffusers' folders call it) and whose naming it is.
_PREFIXES = (
    (re.compile(r"lora_unet_"), DENOISER, Naming.KOHYA),
    (re.compile(r"lora_te1?_"), "text_encoder", Naming.KOHYA),
    (re.compile(r"lora_te2_"), "text_encoder_2", Naming.KOHYA),
    (re.compile(r"lycoris_"), DENOISER, Naming.LYCORIS),
    (re.compile(r"(?:model\.)?diffusion_model\."), DENOISER, Naming.COMFYUI),
    (re.compile(r"(?:text_encoders\.)?clip_[lh]\.(?:transformer\.)?"), "text_encoder", Naming.COMFYUI),
    (re.compile(r"(?:text_encoders\.)?clip_g\.(?:transformer\.)?"), "text_encoder_2", Naming.COMFYUI),
    (re.compile(r"unet\."), DENOISER, Naming.DIFFUSERS),
    (re.compile(r"text_encoder\."), "text_encoder", Naming.DIFFUSERS),
    (re.compile(r"text_encoder_2\."), "text_encoder_2", Naming.DIFFUSERS),
    (re.compile(r"(?:lora_)?transformer(?:\.|_(?!blocks[._]))"), DENOISER, Naming.DIFFUSERS),
    (re.compile(r"(?=text_model\.|encoder\.layers\.)"), "text_encoder", Naming.DIFFUSERS),
    (re.compile(r""), DENOISER, Naming.DIFFUSERS),
)
_PEFT = "base_model.model."

_TENSOR = re.compile(
    r"(?P<module>.+)"
    r"(?:\.lora_(?P<kohya>down|up|mid)\.weight"
    r"|\.lora_(?P<peft>[AB])(?:\.default)?\.weight"
    r"|(?:[._]lora|\.lora_linear_layer)\.(?P<old>down|up)\.weight"
    r"|\.(?P<product>hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))"
    r"|\.(?P<dora>dora_scale)"
    r"|\.(?P<magnitude>lora_magnitude_vector)(?:\.weight)?"
    r"|\.(?P<alpha>alpha))"
)
_PEFT_ROLES = {"A": "down", "B": "up"}

# The WebUI's way of sending the embeddings (textual inversions) of a LoRA's own words with it.
_EMBEDDING = re.compile(r"bundle_emb\.(?P<word>.+?)\.(?:string_to_param\..+|clip_[lgh](?:\..+)?|emb_params)")
_EMBEDDINGS = "\nbundle_emb."

# What is in some name of all that is added to a checkpoint's weights.
_ADDED = ("lora", "hada_w", "lokr_w", ".diff\n", ".diff_b\n", "oft_blocks", "oft_diag")
# What tells of kinds that are not read. It is looked for in the names of all tensors, a line each, which is quick: some
# people have a thousand LoRAs of a thousand tensors.
_OTHER_KINDS = {
    "an OFT": ("oft_blocks", "oft_diag", "oft_R"),
    "a GLoRA": (".a1.weight\n", ".b1.weight\n"),
    "an IA3": (".on_input\n", ".ia3_l\n"),
    "a VeRA": ("vera_lambda",),
    "a LoRA with whole weights in it": (".diff\n", ".diff_b\n", ".set_weight\n", ".w_norm\n", ".b_norm\n"),
    "a LoRA with biases": (".lora_B.bias\n", ".lora_up.bias\n"),
    "a LoRA with embeddings of new words": (".lora_embedding_A", ".lora_embedding_B"),
    "a LoRA for Flux 1 in XLabs' form": ("_lora1.down.weight", "_lora2.down.weight"),
    "a motion LoRA for videos": ("motion_modules", "temporal_transformer", "time_stack"),
    "a Control-LoRA": ("lora_controlnet",),
}
# Floating-point numbers of these kinds are read, and worked with in the device's own precision.
_NUMBERS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})

_TEXT_OLD = re.compile(r"self_attn_to_([qkv])$")


@dataclass(frozen=True)
class LoraTensors:
    """All tensors of a LoRA file. `embeddings` are the names of those that are no layers, by the words that they stand
    for.
    """

    naming: Naming
    modules: tuple[LoraModule, ...]
    embeddings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def flat_name(part: str, name: str) -> str:
    """The one name that a module goes by in all namings: with underscores for dots, as kohya's trainer writes it."""
    flat = name.replace(".", "_").replace("_processor_", "_")
    if part == DENOISER:
        return f"{flat}_0" if flat.endswith("_to_out") else flat
    if part.startswith("text_encoder"):
        flat = flat.removeprefix("text_model_").replace("self_attn_to_out", "self_attn_out_proj")
        return _TEXT_OLD.sub(r"self_attn_\1_proj", flat)
    return flat


def read_lora(path: Path) -> tuple[FileHeader, LoraTensors]:
    """The header of a LoRA file, and what its tensors are. Raises as `sort_tensors`, and LoraUnreadable for what is no
    whole safetensors file.
    """
    try:
        header = read_header(path)
    except CheckpointUnreadable as error:
        raise LoraUnreadable(error.message, hint=error.hint.replace("checkpoint", "LoRA")) from error
    return header, sort_tensors(header.shapes, {name: place[0] for name, place in header.places.items()})


def sort_tensors(shapes: Mapping[str, Shape], numbers: Mapping[str, str]) -> LoraTensors:
    """What the tensors of these shapes and kinds of numbers (as safetensors calls them) are: all of them.

    Raises NotALora for what is no LoRA, LoraUnsupported for other kinds of additions and for files in which some tensor
    cannot be told, LoraUnreadable where something is missing or does not fit the rest.
    """
    lines = "\n".join(("", *shapes, ""))
    if not any(text in lines for text in _ADDED):
        raise NotALora("This file is not a LoRA.")
    for kind, texts in _OTHER_KINDS.items():
        if any(text in lines for text in texts):
            raise LoraUnsupported("This file is {kind}, which Paintbridge does not take.", kind=kind)
    modules: dict[str, LoraModule] = {}
    words: dict[str, list[str]] = {}
    namings: set[Naming] = set()
    unknown: list[str] = []
    for name in shapes:
        found = _TENSOR.fullmatch(name)
        if found is None:
            embedding = _EMBEDDING.fullmatch(name) if _EMBEDDINGS in lines else None
            if embedding is None:
                unknown.append(name)
            else:
                words.setdefault(embedding["word"], []).append(name)
            continue
        module = modules.get(found["module"])
        if module is None:
            part, flat, naming = _placed(found["module"])
            namings.add(naming)
            module = modules[found["module"]] = LoraModule(part, flat)
        if module.tensors.setdefault(_role(found), name) != name:
            unknown.append(name)
    if unknown:
        raise LoraUnsupported(
            "This file holds tensors that Paintbridge does not know, such as {example}: without them "
            "it would not do what it should.",
            example=unknown[0],
        )
    # An alpha says how strong its layer is. One that is left of a layer that was taken out says nothing.
    used = {spelt: module for spelt, module in modules.items() if module.tensors.keys() - {"alpha"}}
    for spelt, module in used.items():
        measure(spelt, module, shapes)
        _check_numbers(module, numbers)
    if not used:
        raise LoraUnreadable("The LoRA is incomplete: it has no layers.", hint="Download or copy the file again.")
    naming = next(naming for naming in Naming if naming in namings)
    return LoraTensors(naming, tuple(used.values()), {word: tuple(names) for word, names in words.items()})


def _placed(spelt: str) -> tuple[str, str, Naming]:
    """The part and the flat name of a module by its name in the file, and whose naming that is."""
    bare = spelt.removeprefix(_PEFT)
    for pattern, part, naming in _PREFIXES:
        begins = pattern.match(bare)
        if begins is not None:
            return part, flat_name(part, bare[begins.end() :]), naming if bare == spelt else Naming.PEFT
    raise AssertionError("the last prefix is empty")


def _role(found: re.Match[str]) -> str:
    told = found["kohya"] or found["old"] or found["product"] or found["alpha"] or found["dora"]
    return told or ("magnitude" if found["magnitude"] else _PEFT_ROLES[found["peft"]])


def _check_numbers(module: LoraModule, numbers: Mapping[str, str]) -> None:
    for name in module.tensors.values():
        if numbers[name] not in _NUMBERS:
            raise LoraUnsupported(
                "This file holds numbers of the kind {kind}, which Paintbridge does not read in LoRAs.",
                kind=numbers[name],
            )
