"""Models that artists have and Paintbridge does not paint with yet, by tensors in a file or by a folder's pipeline.

Each row names tensors in original layouts and in diffusers'; any of them tells it, before what begins all names in a
file. Rows are asked in their order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .recognition import Shapes

__all__ = ["FOREIGN", "ForeignModel", "foreign_file", "foreign_folder"]


@dataclass(frozen=True)
class ForeignModel:
    """A model by its name; `tensors` each tell it, `pipelines` begin its classes' names in model_index.json."""

    title: str
    tensors: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()


_PREFIXES = ("", "model.diffusion_model.", "diffusion_model.", "transformer.", "net.", "model.")

FOREIGN = (
    ForeignModel(
        "FLUX.2 dev",
        ("guidance_in.in_layer.weight+double_stream_modulation_img.lin.weight",
         "time_guidance_embed.guidance_embedder.linear_1.weight"),
        ("Flux2Pipeline", "Flux2InpaintPipeline"),
    ),
    ForeignModel("FLUX.2 Klein KV", (), ("Flux2KleinKV",)),
    ForeignModel("FLUX 3", ("early_stream_modulations.image.lin.weight", "early_stream_modulations.image.linear.weight",
                            "ref_time_in.in_layer.weight"), ("Flux3",)),
    ForeignModel("Chroma", ("distilled_guidance_layer.in_proj.bias",), ("Chroma",)),
    ForeignModel("FLUX.1 Kontext", (), ("FluxKontext",)),
    ForeignModel("FLUX.1 Control", (), ("FluxControl", "FluxPrior")),
    ForeignModel("Qwen-Image 2.1", ("txt_in.text_norm.weight",), ("QwenImage21",)),
    ForeignModel("Qwen-Image", ("transformer_blocks.0.img_mod.1.weight",), ("QwenImage",)),
    ForeignModel("Krea 2", ("txtfusion.projector.weight", "text_fusion.projector.weight"), ("Krea2",)),
    ForeignModel("Anima", ("llm_adapter.blocks.0.cross_attn.q_proj.weight",), ("Anima",)),
    ForeignModel("Cosmos", ("x_embedder.proj.1.weight", "patch_embed.proj.weight+learnable_pos_embed.pos_emb_t"),
                 ("Cosmos",)),
    ForeignModel("ERNIE-Image", ("layers.0.adaLN_sa_ln.weight",), ("ErnieImage",)),
    ForeignModel("Stable Diffusion 3", ("joint_blocks.0.x_block.attn.qkv.weight",
                                        "joint_blocks.0.context_block.adaLN_modulation.1.bias",
                                        "transformer_blocks.0.attn.add_k_proj.weight+pos_embed.proj.weight"),
                 ("StableDiffusion3",)),
    ForeignModel("Wan", ("head.modulation", "scale_shift_table+condition_embedder.time_embedder.linear_1.weight"),
                 ("Wan",)),
    ForeignModel("Lumina 2", ("cap_embedder.0.weight+layers.0.adaLN_modulation.1.weight",
                              "time_caption_embed.caption_embedder.0.weight"), ("Lumina",)),
    ForeignModel("HunyuanVideo or HunyuanImage", ("txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias",),
                 ("Hunyuan",)),
    ForeignModel("HiDream", ("double_stream_blocks.0.block.adaLN_modulation.1.bias",
                             "double_stream_blocks.0.block.adaLN_modulation.1.weight"), ("HiDream",)),
    ForeignModel("AuraFlow", ("double_layers.0.attn.w1q.weight",), ("AuraFlow",)),
    ForeignModel("LTX-Video", ("patchify_proj.weight",), ("LTX",)),
    ForeignModel("Sana", ("blocks.0.cross_attn.q_linear.weight+x_embedder.proj.weight",), ("Sana",)),
    ForeignModel("Stable Cascade", ("clip_txt_mapper.weight", "down_blocks.1.0.channelwise.0.weight"),
                 ("StableCascade",)),
    ForeignModel("Ovis-Image", (), ("OvisImage",)),
    ForeignModel("LongCat-Image", (), ("LongCatImage",)),
    ForeignModel("Kandinsky", (), ("Kandinsky",)),
)  # fmt: skip


def foreign_file(shapes: Shapes) -> ForeignModel | None:
    """The model that a file's tensors tell; None: none of these."""
    for model in FOREIGN:
        for names in model.tensors:
            if any(all(prefix + name in shapes for name in names.split("+")) for prefix in _PREFIXES):
                return model
    return None


def foreign_folder(index: Mapping[str, object]) -> ForeignModel | None:
    """The model that a model_index.json tells; None: none of these."""
    pipeline = str(index.get("_class_name", ""))
    return next((model for model in FOREIGN if _begins(pipeline, model.pipelines)), None)


def _begins(pipeline: str, starts: Iterable[str]) -> bool:
    return any(pipeline.startswith(start) for start in starts)
