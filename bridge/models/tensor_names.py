"""What tensors mean, by their names: which lists say so, and which files are refused for one.

A tensor of a single file belongs to a part, is read by `single_file`, or stands in `MEANINGLESS`; else the file is
refused by the tensor's name. Whether a part takes each of its own is counted where it is loaded (`diffusion.weights`).
"""

import re
from collections.abc import Iterable
from pathlib import Path

from .errors import CheckpointUnsupported
from .families import Family
from .formats import FileHeader, format_of
from .formats.quantisation import SCALES, check_quantisation
from .tensor_file import read_bytes

__all__ = ["MEANINGLESS", "READ", "check_leftovers", "check_numbers", "check_tensors", "meaningless"]

READ = ("v_pred", "ztsnr", "alphas_cumprod", "denoiser.sigmas", "scale_factor")
"""Tensors outside all parts that `single_file` reads."""

MEANINGLESS: tuple[tuple[str, str], ...] = (
    (r"model_ema\.", "a moving average of weights that the file holds themselves"),
    (
        r"(betas|alphas_cumprod_prev|sqrt_\w+|log_one_minus_alphas_cumprod|posterior_\w+)$",
        "follows from alphas_cumprod, which is read",
    ),
    (r"(logvar|lvlb_weights)$|first_stage_model\.(loss|model_ema)\.", "is used in training alone"),
    (r"(.*\.)?(position_ids|attn_mask)$", "counts places, or hides later ones, as every CLIP does"),
    (r"(.*\.)?num_batches_tracked$", "counts what a batch norm saw in training"),
    (r"(.*\.)?lm_head\.weight$", "makes words of a language model's states, which are read themselves"),
    (r"(.*\.)?logit_scale$", "compares texts with pictures, which painting does not"),
    (r"(.*\.)?(vision_model|visual|visual_projection)\.", "is CLIP's half for pictures"),
    (
        r"cond_stage_model\.(.*\.)?text_projection(\.weight)?$|conditioner\.embedders\.0\.(.*\.)?text_projection"
        r"(\.weight)?$|text_projection\.weight$",
        "makes the pooled state, where the family does not take it",
    ),
    (r"(.*\.)?(input_scale|scale_input|scaled_fp8)$", "is for the rounding of activations, which are not rounded here"),
    (r"(.*\.)?bn\.num_batches_tracked$", "counts the steps of a training"),
    (r"(.*\.)?lm_head\.", "makes words of a language model's states, which painting does not"),
    (r"cond_stage_model\.model\.transformer\.resblocks\.23\.", "is OpenCLIP's last layer, which SD2 does not read"),
)
"""Names that mean nothing here, by regular expressions from their beginning, and why."""

_REFUSED: tuple[tuple[str, str, str], ...] = (
    (
        r".*\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*)$",
        "is quantised to 4 or 8 bits by bitsandbytes, which Paintbridge does not read",
        "Get the same one in half precision.",
    ),
    (
        r".*\.(qweight|qzeros|wscales|wtscale|smooth_factor)$",
        "is quantised to 4 bits (SVDQuant, GPTQ or AWQ), which Paintbridge does not read",
        "Get the same one in half precision.",
    ),
    (
        r"edm_(mean|std)$",
        "was trained on the noise levels of EDM and on centred latents, as Playground v2.5 was, which Paintbridge does "
        "not paint with yet",
        "Choose another checkpoint.",
    ),
    (
        r"edm_vpred\.",
        "was trained on the noise levels of EDM, as CosXL was, which Paintbridge does not paint with yet",
        "Choose another checkpoint.",
    ),
    (
        r"(.*\.)?(position_net|fuser)\.",
        "is a GLIGEN checkpoint, which wants boxes with its words",
        "Choose another checkpoint.",
    ),
    (
        r"(.*\.)?difference$",
        "holds what a ControlNet adds to one certain checkpoint's weights (a difference ControlNet), which Paintbridge "
        "does not read",
        "Get the same ControlNet with weights of its own.",
    ),
)
_REFUSED_IN_CHECKPOINTS = (
    (
        r"(.*\.)?time_embed(ding)?\.cond_proj\.",
        "is an LCM that is told the guidance, which Paintbridge paints with as a diffusers folder alone",
        "Get the same checkpoint as a folder, or an LCM LoRA.",
    ),
    (
        r"control_model\.",
        "holds a ControlNet beside the checkpoint, which would be left out",
        "Get the checkpoint and the ControlNet as two files.",
    ),
)
_SCALE = re.compile(r".*\.(scale_weight|weight_scale(_2)?|comfy_quant)$")
_FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


def meaningless(name: str) -> bool:
    """Whether a tensor of that name means nothing here."""
    return any(re.match(pattern, name) for pattern, _ in MEANINGLESS)


def check_numbers(path: Path, header: FileHeader, *, quantised: bool = False) -> None:
    """Raises CheckpointUnsupported for numbers whose meaning is not known here.

    Plain fp8 is fine: its numbers are what they say. `quantised` weights are those that are read as their scales say
    (`formats.quantisation`) and not by a library's own loader.
    """
    _refuse(path, header, _REFUSED)
    said = {name: read_bytes(path, header, name) for name in header.shapes if name.endswith(".comfy_quant")}
    check_quantisation(path, header, said)
    scales = [name for name in header.shapes if _SCALE.match(name)]
    if not quantised and (scales or header.is_gguf):
        raise CheckpointUnsupported(
            "{name} holds {path}, whose scales are not read here ({tensor}).",
            hint="Get the same one in half precision, or in plain fp8.",
            name=path.name,
            path=f"weights in {format_of(header)}",
            tensor=scales[0] if scales else next(iter(header.shapes)),
        )
    for name, (kind, *_) in header.places.items():
        if not (kind in _FLOATS or header.is_gguf or meaningless(name) or _stored_so(header, name, kind)):
            raise CheckpointUnsupported(
                "{name} holds numbers of the kind {kind} ({tensor}), where floats belong.",
                hint="Get the same one in half precision.",
                name=path.name,
                kind=kind,
                tensor=name,
            )


def _stored_so(header: FileHeader, name: str, kind: str) -> bool:
    """Whether whole numbers are what a quantised weight is stored in, as was checked, or words of ComfyUI's."""
    if name.endswith(".comfy_quant"):
        return kind == "U8"
    return kind in ("I8", "U8") and any(name.removesuffix(".weight") + end in header.shapes for end in SCALES)


def check_tensors(path: Path, header: FileHeader, family: Family) -> None:
    """Raises CheckpointUnsupported for a single-file checkpoint that holds what nothing here would use."""
    check_numbers(path, header, quantised=True)
    _refuse(path, header, _REFUSED_IN_CHECKPOINTS)
    prefixes = tuple(family.file_prefixes.values())
    check_leftovers(
        path.name,
        (name for name in header.shapes if name not in READ and not name.startswith(prefixes)),
    )


def check_leftovers(title: str, names: Iterable[str]) -> None:
    """Raises CheckpointUnsupported where one of these names, which nothing reads, could mean something."""
    left = [name for name in names if not meaningless(name)]
    if left:
        raise CheckpointUnsupported(
            "{title} holds {count} tensors that Paintbridge does not know, such as {example}; "
            "without them it would paint something else than it was made for.",
            hint="Get it in a common form: the original layout, or a diffusers folder.",
            title=title,
            count=len(left),
            example=left[0],
        )


def _refuse(path: Path, header: FileHeader, refused: Iterable[tuple[str, str, str]]) -> None:
    for pattern, what, hint in refused:
        found = next((name for name in header.shapes if re.match(pattern, name)), None)
        if found is not None:
            raise CheckpointUnsupported("{name} {what} ({found}).", hint=hint, name=path.name, what=what, found=found)
