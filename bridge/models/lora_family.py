"""Which architecture a LoRA was made for, told by the names and shapes of the modules that it changes.

Names and widths are those of the architectures' own code and of diffusers'. What trainers say in the header helps where
these leave it open.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from .errors import LoraUnsupported
from .families import FAMILIES, Family, family_of_lora_title
from .lora_kinds import DENOISER, LoraModule
from .lora_tensors import LoraTensors

__all__ = ["family_of_lora"]

# The modules of the Stable Diffusion line's UNet and text encoders, by their flat names: diffusers' and the original.
_KNOWN = {
    DENOISER: re.compile(
        r"(?:down_blocks_\d+|mid_block|up_blocks_\d+|input_blocks_\d+_\d|middle_block_\d|output_blocks_\d+_\d)_.+"
        r"|time_embed_[02]|time_embedding_(?:linear_[12]|cond_proj)|label_emb_0_[02]|add_embedding_linear_[12]"
        r"|conv_in|conv_out|input_blocks_0_0|out_2"
    ),
    "text_encoder": re.compile(r"encoder_layers_\d+_.+"),
    "text_encoder_2": re.compile(r"encoder_layers_\d+_.+|text_projection"),
}

_FAMILY_OF_WIDTH = {768: "SD1", 1024: "SD2", 2048: "SDXL"}
_CROSS_ATTENTION = re.compile(r"attn2_to_[kv]$")
_TEXT_ATTENTION = re.compile(r"self_attn_[qkv]_proj$")
# What only SDXL's UNet has, and what only those of Stable Diffusion 1 and 2 have.
_SDXL_ALONE = re.compile(r"transformer_blocks_[1-9]|add_embedding|label_emb")
_SD_ALONE = re.compile(
    r"(?:down_blocks_3|up_blocks_3|down_blocks_0_attentions)_|input_blocks_(?:[12]_1|9|1[01])|output_blocks_(?:9|1[01])"
)
# A convolution in SD1, and linear in SD2.
_PROJECTION = re.compile(r"_proj_(?:in|out)$")

# Trainers' words for what was trained on: kohya's, and the modelspec standard's.
_SAID = (
    ("stable-diffusion-3", "Stable Diffusion 3"),
    ("sd3", "Stable Diffusion 3"),
    ("klein-4b", "Flux 2 Klein 4B"),
    ("klein-base-4b", "Flux 2 Klein 4B"),
    ("klein-9b", "Flux 2 Klein 9B"),
    ("klein-base-9b", "Flux 2 Klein 9B"),
    ("flux-2", "Flux 2"),
    ("flux2", "Flux 2"),
    ("flux", "Flux"),
    ("z-image", "Z-Image"),
    ("zimage", "Z-Image"),
    ("qwen", "Qwen-Image"),
    ("wan", "Wan"),
    ("hunyuan", "HunyuanVideo"),
    ("chroma", "Chroma"),
    ("lumina", "Lumina 2"),
    ("sdxl", "SDXL"),
    ("stable-diffusion-xl", "SDXL"),
    ("sd_v2", "SD2"),
    ("stable-diffusion-v2", "SD2"),
    ("sd_v1", "SD1"),
    ("stable-diffusion-v1", "SD1"),
)


def family_of_lora(tensors: LoraTensors, metadata: Mapping[str, str]) -> Family:
    """The family of a LoRA.

    Raises LoraUnsupported for other architectures, by their names where these can be told.
    """
    strangers = [module for module in tensors.modules if not _is_known(module)]
    if strangers:
        title = _foreign(strangers)
        family = family_of_lora_title(title or _said(metadata, foreign=True))
        if family is not None:
            return family
        if title is None and len(strangers) < len(tensors.modules):
            raise LoraUnsupported(
                "This LoRA changes layers that Paintbridge does not know, such as {name}: without "
                "them it would not do what it should.",
                name=strangers[0].name,
            )
        raise _for_others(title or _said(metadata, foreign=True))
    if all(module.part != DENOISER for module in tensors.modules):
        # Newer architectures have CLIP too.
        said = _said(metadata, foreign=True)
        family = family_of_lora_title(said)
        if family is not None:
            return family
        if said is not None:
            raise _for_others(said)
    return FAMILIES[_family(tensors.modules, metadata)]


def _is_known(module: LoraModule) -> bool:
    pattern = _KNOWN.get(module.part)
    return pattern is not None and pattern.fullmatch(module.name) is not None


def _for_others(title: str | None) -> LoraUnsupported:
    hint = "Choose a LoRA that was made for the checkpoint's family."
    if title is None:
        return LoraUnsupported("This file is a LoRA for an architecture that Paintbridge does not know.", hint=hint)
    return LoraUnsupported(
        "This file is a LoRA for {title}, which Paintbridge does not paint with.", hint=hint, title=title
    )


def _said(metadata: Mapping[str, str], *, foreign: bool) -> str | None:
    """What the trainer wrote down: the name of a family, or with ``foreign`` of an architecture that is none here."""
    said = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}".lower()
    said = f"{said} {re.sub('[_.]', '-', said)}"
    found = next((title for word, title in _SAID if word in said), None)
    return found if (found is None or found not in FAMILIES) == foreign else None


def _family(modules: Sequence[LoraModule], metadata: Mapping[str, str]) -> str:
    """By what only one family has, by the width of what layers take in, by what the trainer says, or by the blocks."""
    denoiser = [module for module in modules if module.part == DENOISER]
    if any(module.part == "text_encoder_2" for module in modules) or any(
        _SDXL_ALONE.search(module.name) for module in denoiser
    ):
        return "SDXL"
    names_first = any(name.startswith("lora_te1_") for module in modules for name in module.tensors.values())
    for pattern, of_part in ((_CROSS_ATTENTION, denoiser), (_TEXT_ATTENTION, () if names_first else modules)):
        for module in of_part:
            if pattern.search(module.name) and module.taken_in in _FAMILY_OF_WIDTH:
                return _FAMILY_OF_WIDTH[module.taken_in]
    said = _said(metadata, foreign=False)
    if said is not None:
        return said
    if any(_SD_ALONE.match(module.name) for module in denoiser):
        return "SD2" if any(_is_linear_projection(module) for module in denoiser) else "SD1"
    # kohya's trainer has the original names for SDXL, and counts text encoders there.
    return "SDXL" if names_first or any("put_blocks_" in module.name for module in denoiser) else "SD1"


def _is_linear_projection(module: LoraModule) -> bool:
    return _PROJECTION.search(module.name) is not None and module.linear


def _foreign(strangers: Sequence[LoraModule]) -> str | None:
    """The name of the architecture that has such modules."""
    names = "\n".join(module.name for module in strangers)
    for pattern, title in _ARCHITECTURES:
        if pattern.search(names):
            return title if isinstance(title, str) else title(strangers)
    return None


def _taken_in(modules: Iterable[LoraModule], pattern: str) -> set[int]:
    return {module.taken_in for module in modules if re.search(pattern, module.name)}


def _last(modules: Iterable[LoraModule], pattern: str) -> int:
    found = (re.search(pattern, module.name) for module in modules)
    return max((int(one[1]) for one in found if one), default=-1)


def _flux(modules: Sequence[LoraModule]) -> str:
    """Flux 1 or 2, in the original names: the second has wider blocks, or fewer, and gated feed-forward layers."""
    widths = _taken_in(modules, r"_attn_qkv$|_blocks_\d+_linear1$|_mlp_0$")
    if widths & {4096, 6144}:
        return _flux_2(modules)
    for module in modules:
        into, out = module.taken_in, module.given_out
        if module.name.endswith("_linear1") or module.name.endswith("_mlp_0"):
            gated = out == (9 if module.name.endswith("_linear1") else 6) * into
            return _flux_2(modules) if gated else "Flux 1"
    # Flux 2's small one is as wide as Flux 1, and has 5 and 20 blocks for 19 and 38; HunyuanVideo has 20 and 40.
    double, single = _last(modules, r"double_blocks_(\d+)_"), _last(modules, r"single_blocks_(\d+)_")
    if double >= 19 or single >= 38:
        return "HunyuanVideo"
    return "Flux 1" if double >= 5 or single >= 20 else "Flux"


def _flux_2(modules: Sequence[LoraModule]) -> str:
    """Its sizes differ in width. Small copies of them, by depth: the smallest has five blocks of two streams."""
    taken_in = next((one.taken_in // _taken(one.name) for one in modules if _FLUX_2_BLOCK.match(one.name)), 0)
    small = _last(modules, r"(?:double|^transformer)_blocks_(\d+)_") < 5
    return _FLUX_2_OF_WIDTH.get(taken_in, "Flux 2 Klein 4B" if small else "Flux 2 Klein 9B")


_FLUX_2_OF_WIDTH = {3072: "Flux 2 Klein 4B", 4096: "Flux 2 Klein 9B", 6144: "Flux 2 dev"}
_FLUX_2_BLOCK = re.compile(r"(?:double_|single_|transformer_|single_transformer_)blocks_\d+_")


def _taken(name: str) -> int:
    """How many times the width of its block one of Flux 2's layers takes in."""
    if re.search(r"_mlp_2$|_linear_out$", name):
        return 3
    return 4 if re.search(r"_linear2$|^single_transformer_blocks_\d+_attn_to_out", name) else 1


def _flux_in_diffusers_names(modules: Sequence[LoraModule]) -> str:
    names = "\n".join(module.name for module in modules)
    if re.search(r"to_qkv_mlp_proj|_ff_(?:context_)?linear_(?:in|out)", names):
        return _flux_2(modules)
    return "Flux 1" if "proj_mlp" in names else "Flux"


def _joint_attention(modules: Sequence[LoraModule]) -> str | None:
    """Text and picture attending to each other in diffusers' names, which several architectures share."""
    widths = _taken_in(modules, r"attn_(?:to_[qkv]|add_[qkv]_proj)$")
    if widths & {1536, 2432}:
        return "Stable Diffusion 3"
    if widths & {4096, 6144}:
        return _flux_2(modules)
    if 3072 in widths:
        last = _last(modules, r"transformer_blocks_(\d+)_")
        # Qwen-Image has 60 such blocks, Flux 1 has 19, and Flux 2's small one 5.
        return "Qwen-Image" if last >= 19 else "Flux or Qwen-Image" if last >= 5 else _flux_2(modules)
    return None


def _layers(modules: Sequence[LoraModule]) -> str:
    widths = _taken_in(modules, r"attention_(?:qkv|to_[qkv])$|feed_forward_w[13]$")
    return "Z-Image" if 3840 in widths else "Lumina 2" if 2304 in widths else "Z-Image or Lumina 2"


_Named = str | Callable[[Sequence[LoraModule]], str | None]
# Looked for in this order, in the flat names of the modules, a line each.
_ARCHITECTURES: tuple[tuple[re.Pattern[str], _Named], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), title)
    for pattern, title in (
        (r"^lora_prior_", "Stable Cascade"),
        (r"^lora_te3_|joint_blocks_\d+_(?:x|context)_block", "Stable Diffusion 3"),
        (r"distilled_guidance_layer", "Chroma"),
        (r"individual_token_refiner|_mlp_fc[12]$|_mod(?:ulation)?_linear$", "HunyuanVideo"),
        (r"(?:single|mode)_blocks_\d+_(?:[qkv]_proj|attn_out|mlp_in|mlp_out)$", "Flux 3"),
        (r"^(?:double|single)_blocks_\d+_", _flux),
        (r"(?:double|single)_stream_blocks_\d+_", "HiDream"),
        (r"^joint_transformer_blocks_\d+_|^(?:double|single)_layers_\d+_", "AuraFlow"),
        (r"^single_transformer_blocks_\d+_", _flux_in_diffusers_names),
        (r"^transformer_blocks_\d+_(?:img|txt)_(?:mlp|mod)_", "Qwen-Image"),
        (r"^transformer_blocks_\d+_ff_(?:context_)?linear_(?:in|out)$", _flux_2),
        (r"^transformer_blocks_\d+_attn_", _joint_attention),
        (r"^blocks_\d+_attn_(?:w[qkvo]|gate)$|^txtfusion_", "Krea 2"),
        (r"^blocks_\d+_(?:self|cross)_attn_(?:[qkv]|output)_proj$|^llm_adapter_", "Anima or Cosmos"),
        (r"^blocks_\d+_(?:(?:self|cross)_attn_[qkvo](?:_img)?$|attn[12]_to_|ffn_)", "Wan"),
        (r"^(?:layers|noise_refiner|context_refiner)_\d+_(?:attention|feed_forward|adaLN)", _layers),
        (r"^(?:model_){0,2}layers_\d+_(?:self_attn|mlp)_", "a language model"),
        (r"^transformer_blocks_\d+_attn[12]_", "another architecture, such as LTX-Video or PixArt"),
    )
)
