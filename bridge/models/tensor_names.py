"""What tensors mean, by their names: which lists say so, and which files are refused for one.

A tensor of a single file belongs to a part, is read by `single_file`, or stands in `MEANINGLESS`; else the file is
refused by the tensor's name. Whether a part takes each of its own is counted where it is loaded (`diffusion.weights`).
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from .errors import CheckpointUnsupported
from .families import Family
from .safetensors_header import SafetensorsHeader, read_bytes

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
    (r"cond_stage_model\.model\.transformer\.resblocks\.23\.", "is OpenCLIP's last layer, which SD2 does not read"),
)
"""Names that mean nothing here, by regular expressions from their beginning, and why."""

_QUANTISED = re.compile(r"(.*\.)?(scaled_fp8|scale_weight|scale_input|weight_scale(_2)?|input_scale|comfy_quant)$")
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
_FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


def meaningless(name: str) -> bool:
    """Whether a tensor of that name means nothing here."""
    return any(re.match(pattern, name) for pattern, _ in MEANINGLESS)


def check_numbers(path: Path, header: SafetensorsHeader) -> None:
    """Raises CheckpointUnsupported for a file that only its own kind of loader can read: quantised weights, markers.

    Plain fp8 is fine: its numbers are what they say.
    """
    for name in header.shapes:
        if _QUANTISED.match(name):
            raise CheckpointUnsupported(
                "{name} holds {path}, whose scales are not read yet ({tensor}).",
                hint="Get the same one in half precision, or in plain fp8.",
                name=path.name,
                path=_quantisation(path, header),
                tensor=name,
            )
    _refuse(path, header, _REFUSED)
    for name, (kind, *_) in header.places.items():
        if kind not in _FLOATS and not meaningless(name):
            raise CheckpointUnsupported(
                "{name} holds numbers of the kind {kind} ({tensor}), where floats belong.",
                hint="Get the same one in half precision.",
                name=path.name,
                kind=kind,
                tensor=name,
            )


def check_tensors(path: Path, header: SafetensorsHeader, family: Family) -> None:
    """Raises CheckpointUnsupported for a single-file checkpoint that holds what nothing here would use."""
    check_numbers(path, header)
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


def _refuse(path: Path, header: SafetensorsHeader, refused: Iterable[tuple[str, str, str]]) -> None:
    for pattern, what, hint in refused:
        found = next((name for name in header.shapes if re.match(pattern, name)), None)
        if found is not None:
            raise CheckpointUnsupported("{name} {what} ({found}).", hint=hint, name=path.name, what=what, found=found)


def _quantisation(path: Path, header: SafetensorsHeader) -> str:
    """What a quantised file's numbers are called; ComfyUI's say so in JSON."""
    said = next((name for name in header.shapes if name.endswith(".comfy_quant")), None)
    if said is not None:
        try:
            form = json.loads(bytes(read_bytes(path, header, said)))
            rotated = ", ConvRot" if form.get("convrot") else ""
            return f"weights quantised by ComfyUI ({form['format']}{rotated})"
        except (ValueError, KeyError, AttributeError):
            return "weights quantised by ComfyUI"
    if any(name.endswith(".weight_scale_2") for name in header.shapes):
        return "weights in nvfp4"
    if any(kind in ("I8", "U8") and len(header.shapes[name]) > 1 for name, (kind, *_) in header.places.items()):
        return "weights in int8"
    return "weights in scaled fp8"
