"""Files as they lie in the folders of artists' programs: family, variant, format and what lacks, told by content.

They are headers alone: their tensors are holes in sparse files.
"""

import json
import re
import struct
from pathlib import Path

import pytest

from bridge.models import ModelsError, Registry

QWEN_4B = {
    "model.embed_tokens.weight": (151936, 2560),
    "model.layers.0.self_attn.q_norm.weight": (128,),
    "model.layers.35.mlp.up_proj.weight": (9728, 2560),
    "model.norm.weight": (2560,),
}
QWEN_8B = {
    "model.layers.0.self_attn.q_norm.weight": (128,),
    "model.layers.35.mlp.up_proj.weight": (12288, 4096),
    "model.norm.weight": (4096,),
    "lm_head.weight": (151936, 4096),
}
QWEN_VL = {**QWEN_4B, "visual.blocks.0.attn.qkv.weight": (3072, 1024)}
T5 = {
    "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096),
    "encoder.block.23.layer.0.SelfAttention.q.weight": (4096, 4096),
    "encoder.final_layer_norm.weight": (4096,),
    "shared.weight": (32128, 4096),
}
CLIP_L = {
    "text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
    "text_model.encoder.layers.11.self_attn.q_proj.weight": (768, 768),
    "text_model.final_layer_norm.weight": (768,),
}
FLUX_VAE = {"decoder.conv_in.weight": (512, 16, 3, 3), "encoder.conv_in.weight": (128, 3, 3, 3)}
FLUX2_VAE = {
    "decoder.conv_in.weight": (512, 32, 3, 3),
    "encoder.conv_in.weight": (128, 3, 3, 3),
    "bn.running_mean": (128,),
}
SDXL_VAE = {"decoder.conv_in.weight": (512, 4, 3, 3), "encoder.conv_in.weight": (128, 3, 3, 3)}
WAN_VAE = {"decoder.conv_in.weight": (384, 16, 3, 3, 3), "encoder.conv_in.weight": (96, 3, 3, 3, 3)}
Z_IMAGE = {
    "x_embedder.weight": (3840, 64),
    "layers.0.adaLN_modulation.0.weight": (15360, 256),
    "layers.0.attention.qkv.weight": (11520, 3840),
}
KLEIN_4B = {
    "img_in.weight": (3072, 128),
    "single_stream_modulation.lin.weight": (9216, 3072),
    "double_stream_modulation_img.lin.weight": (18432, 3072),
    "double_blocks.4.img_attn.proj.weight": (3072, 3072),
}
KLEIN_9B = {
    "img_in.weight": (4096, 128),
    "single_stream_modulation.lin.weight": (12288, 4096),
    "double_blocks.5.img_attn.proj.weight": (4096, 4096),
}
FLUX2_DEV = {**KLEIN_9B, "double_stream_modulation_img.lin.weight": (8, 8), "guidance_in.in_layer.weight": (6144, 256)}
FLUX1_BLOCK = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
    "double_blocks.0.img_mod.lin.weight": (18432, 3072),
}
SCHNELL = {"img_in.weight": (3072, 64), "vector_in.in_layer.weight": (3072, 768), **FLUX1_BLOCK}
FLUX1 = {**SCHNELL, "guidance_in.in_layer.weight": (3072, 256)}
CHROMA = {"distilled_guidance_layer.in_proj.bias": (5120,), **FLUX1_BLOCK}
FLUX3 = {"early_stream_modulations.image.lin.weight": (8, 8)}
QWEN_IMAGE = {"transformer_blocks.0.img_mod.1.weight": (18432, 3072), "txt_norm.weight": (3584,)}
KREA2 = {"txtfusion.projector.weight": (8, 8)}
SD3 = {"joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536)}
WAN = {"head.modulation": (1, 2, 1536), "blocks.0.self_attn.q.weight": (1536, 1536)}
ANIMA = {"llm_adapter.blocks.0.cross_attn.q_proj.weight": (8, 8), "x_embedder.proj.1.weight": (8, 8)}
ERNIE = {"layers.0.adaLN_sa_ln.weight": (8,)}
SDXL = {
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, 2048),
    "model.diffusion_model.middle_block.0.in_layers.2.weight": (1280, 1280, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (768,),
    "conditioner.embedders.1.model.ln_final.weight": (1280,),
}

COMFY = "ComfyUI/models"
DENOISERS = f"{COMFY}/diffusion_models"
KRITA = ".local/share/krita/ai_diffusion/server/ComfyUI/models"
FORGE = "stable-diffusion-webui-forge/models"
SWARM = "SwarmUI/Models"
INVOKE = "invokeai/models"


def in_front(prefix, tensors):
    return {prefix + name: shape for name, shape in tensors.items()}


def scaled(tensors, scale="weight_scale"):
    """Matrices in fp8 with a scale each."""
    found = {}
    for name, shape in tensors.items():
        matrix = len(shape) == 2
        found[name] = ("F8_E4M3" if matrix else "BF16", shape)
        if matrix:
            found[f"{name.removesuffix('.weight')}.{scale}"] = ("F32", ())
    return found


def rotated(tensors):
    """Matrices in int8 with a scale for each row; ComfyUI says in the file's metadata that they are rotated."""
    found = {}
    for name, shape in tensors.items():
        matrix = len(shape) == 2 and shape[1] % 256 == 0
        found[name] = ("I8" if matrix else "BF16", shape)
        if matrix:
            found[f"{name.removesuffix('.weight')}.weight_scale"] = ("F32", (shape[0], 1))
    return found


def rotation_of(tensors):
    said = {"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 256}
    layers = {
        name.removesuffix(".weight"): said for name, shape in tensors.items() if len(shape) == 2 and shape[1] % 256 == 0
    }
    return {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})}


_BYTES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I8": 1}


def save_safetensors(path: Path, tensors: dict, metadata: dict | None = None) -> None:
    header, end = ({"__metadata__": metadata} if metadata else {}), 0
    for name, one in tensors.items():
        kind, shape = one if isinstance(one[0] if one else None, str) else ("BF16", one)
        size = _BYTES[kind]
        for edge in shape:
            size *= edge
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def save_gguf(path: Path, tensors: dict, architecture: str) -> None:
    """As ComfyUI-GGUF's converter does: matrices in Q4_K, all else in F32."""

    def text(said: str) -> bytes:
        return struct.pack("<Q", len(said)) + said.encode()

    entries, end = b"", 0
    for name, shape in tensors.items():
        blocks = len(shape) == 2 and shape[1] % 256 == 0
        count = 1
        for edge in shape:
            count *= edge
        entries += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], 12 if blocks else 0, end)
        end += -(-(count // 256 * 144 if blocks else count * 4) // 32) * 32
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1) + text("general.architecture") + struct.pack("<I", 8)
    start += text(architecture) + entries
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(start + bytes(-len(start) % 32))
        file.truncate(len(start) + -len(start) % 32 + end)


FLUX2_PARTS = {"text_encoder": "qwen_3_4b.safetensors", "vae": "flux2-vae.safetensors"}
Z_PARTS = {"text_encoder": "qwen_3_4b.safetensors", "vae": "ae.safetensors"}
FLUX1_PARTS = {
    "text_encoder": "clip_l.safetensors",
    "text_encoder_2": "t5xxl_fp8_e4m3fn_scaled.safetensors",
    "vae": "ae.safetensors",
}
PARTS = {
    f"{COMFY}/clip/clip_l.safetensors": CLIP_L,
    f"{COMFY}/text_encoders/qwen_3_4b.safetensors": QWEN_4B,
    f"{COMFY}/text_encoders/qwen_3_vl_4b.safetensors": QWEN_VL,
    f"{COMFY}/clip/t5xxl_fp8_e4m3fn_scaled.safetensors": scaled(T5, "scale_weight"),
    f"{COMFY}/vae/ae.safetensors": FLUX_VAE,
    f"{COMFY}/vae/flux2-vae.safetensors": FLUX2_VAE,
    f"{COMFY}/vae/sdxl_vae.safetensors": SDXL_VAE,
    f"{COMFY}/vae/wan_2.1_vae.safetensors": WAN_VAE,
    f"{KRITA}/text_encoders/qwen_3_4b_fp8.safetensors": scaled(QWEN_4B),
    f"{FORGE}/VAE/flux.safetensors": FLUX_VAE,
}
USABLE = [
    # where, tensors, family, variant, format, other files
    (f"{DENOISERS}/z_image_turbo_bf16.safetensors", Z_IMAGE, "Z-Image", "turbo", "bf16", Z_PARTS),
    (f"{DENOISERS}/z_image_base.safetensors", Z_IMAGE, "Z-Image", "base", "bf16", Z_PARTS),
    (f"{COMFY}/unet/z-image-turbo-Q4_K_M.gguf", Z_IMAGE, "Z-Image", "turbo", "GGUF", Z_PARTS),
    (f"{DENOISERS}/z_turbo_convrot.safetensors", rotated(Z_IMAGE), "Z-Image", "turbo", "int8 ConvRot", Z_PARTS),
    (f"{DENOISERS}/klein_4b.safetensors", KLEIN_4B, "FLUX.2 Klein 4B", "distilled", "bf16", FLUX2_PARTS),
    (f"{DENOISERS}/klein_4b_base.safetensors", KLEIN_4B, "FLUX.2 Klein 4B", "base", "bf16", FLUX2_PARTS),
    (
        f"{DENOISERS}/klein_4b_fp8.safetensors", scaled(KLEIN_4B), "FLUX.2 Klein 4B", "distilled", "fp8 scaled",
        FLUX2_PARTS,
    ),
    (f"{COMFY}/unet/klein4.gguf", KLEIN_4B, "FLUX.2 Klein 4B", "distilled", "GGUF", FLUX2_PARTS),
    (
        f"{COMFY}/checkpoints/z_image_all_in_one.safetensors",
        in_front("model.diffusion_model.", Z_IMAGE)
        | in_front("text_encoders.qwen3_4b.transformer.", QWEN_4B)
        | in_front("vae.", FLUX_VAE),
        "Z-Image", "turbo", "bf16", {},
    ),
    (f"{COMFY}/unet/flux1-dev-Q4_K_S.gguf", FLUX1, "FLUX.1", "dev", "GGUF", FLUX1_PARTS),
    (f"{DENOISERS}/flux1-krea.safetensors", FLUX1, "FLUX.1", "krea", "bf16", FLUX1_PARTS),
    (f"{DENOISERS}/flux1_few_steps.safetensors", SCHNELL, "FLUX.1", "schnell", "bf16", FLUX1_PARTS),
    (
        f"{DENOISERS}/flux1_in_painting.safetensors", {**FLUX1, "img_in.weight": (3072, 384)}, "FLUX.1", "fill", "bf16",
        FLUX1_PARTS,
    ),
    (f"{COMFY}/checkpoints/illustrious.safetensors", SDXL, "Stable Diffusion XL", None, "bf16", {}),
    (
        f"{KRITA}/diffusion_models/klein_krita.safetensors", in_front("model.diffusion_model.", KLEIN_4B),
        "FLUX.2 Klein 4B",
        "distilled", "bf16", {"text_encoder": "qwen_3_4b_fp8.safetensors", "vae": "flux2-vae.safetensors"},
    ),
    (
        f"{FORGE}/Stable-diffusion/zit_forge.safetensors", Z_IMAGE, "Z-Image", "turbo", "bf16",
        {"text_encoder": "qwen_3_4b.safetensors", "vae": "flux.safetensors"},
    ),
    (
        f"{SWARM}/unet/zturbo_swarm.safetensors", scaled(Z_IMAGE, "scale_weight"), "Z-Image", "turbo", "fp8 scaled",
        Z_PARTS,
    ),
    (
        f"{INVOKE}/11111111-2222-3333-4444-555555555555/invoke_klein.safetensors",
        KLEIN_4B | {"img_in.weight": (300000, 2048)},
        "FLUX.2 Klein 4B", "distilled", "bf16", FLUX2_PARTS,
    ),
]  # fmt: skip
REFUSED = [
    (
        f"{DENOISERS}/klein_9b.safetensors", KLEIN_9B,
        r"Klein 9B's .* Qwen3-8B, is nowhere.*/qwen_3_4b_fp8.safetensors is there, and is Qwen3-4B",
    ),
    (f"{DENOISERS}/flux2_dev.safetensors", FLUX2_DEV, "This is FLUX.2 dev,"),
    (f"{DENOISERS}/flux1_depth.safetensors", {**FLUX1, "img_in.weight": (3072, 128)}, "takes 128 channels"),
    (f"{DENOISERS}/chroma-hd.safetensors", CHROMA, "This is Chroma,"),
    (f"{DENOISERS}/flux3.safetensors", FLUX3, "This is FLUX 3,"),
    (f"{DENOISERS}/qwen_image_fp8.safetensors", scaled(QWEN_IMAGE), "This is Qwen-Image,"),
    (f"{DENOISERS}/krea2.safetensors", KREA2, "This is Krea 2,"),
    (f"{DENOISERS}/anima.safetensors", in_front("net.", ANIMA), "This is Anima,"),
    (f"{DENOISERS}/ernie.safetensors", ERNIE, "This is ERNIE-Image,"),
    (f"{COMFY}/checkpoints/sd3.5.safetensors", in_front("model.diffusion_model.", SD3), "This is Stable Diffusion 3,"),
    (f"{DENOISERS}/wan2.2.safetensors", WAN, "This is Wan,"),
    (f"{COMFY}/checkpoints/qwen_by_mistake.safetensors", QWEN_4B, "a text encoder"),
    (f"{COMFY}/checkpoints/vae_by_mistake.safetensors", FLUX2_VAE, "an autoencoder"),
    (
        f"{FORGE}/Stable-diffusion/unet_only.safetensors",
        {name: one for name, one in SDXL.items() if "model.diff" in name},
        "without a text encoder",
    ),
    (
        f"{SWARM}/unet/odd_scale.safetensors",
        {**scaled(Z_IMAGE), "layers.0.attention.qkv.weight_scale": ("F32", (7,))},
        "scaled weights",
    ),
    (f"{COMFY}/unet/cut.gguf", None, "damaged header"),
]  # fmt: skip


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    home = tmp_path_factory.mktemp("artist")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "INVOKEAI_ROOT", "HF_HOME", "HF_HUB_CACHE"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("PAINTBRIDGE_HOME", str(home / "bridge"))
        for kind in ("qwen3", "t5"):
            tokenizer = home / "bridge" / "models" / "tokenizers" / kind
            tokenizer.mkdir(parents=True)
            (tokenizer / "tokenizer.json").write_text("{}")
        for path, tensors, *_ in [*PARTS.items(), *USABLE, *REFUSED]:
            if tensors is None:
                (home / path).write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 40)
            elif path.endswith(".gguf"):
                save_gguf(home / path, tensors, "flux")
            else:
                metadata = rotation_of(Z_IMAGE) if "convrot" in path else None
                save_safetensors(home / path, tensors, metadata)
        yield {
            str(entry.path.relative_to(home)): entry.found
            for entry in Registry().entries()
            if home in entry.path.parents
        }


@pytest.mark.parametrize(
    ("path", "tensors", "family", "variant", "called", "parts"), USABLE, ids=[one[0] for one in USABLE]
)
def test_what_is_there_is_told_by_content(entries, path, tensors, family, variant, called, parts):
    found = entries[path]
    assert not isinstance(found, ModelsError), found
    assert (found.family.title, found.variant.name if found.variant else None) == (family, variant)
    assert str(found.part(found.family.denoiser).format) == called
    assert not found.wants
    assert {part.name: part.path.name for part in found.apart if not part.name.startswith("tokenizer")} == parts


@pytest.mark.parametrize(("path", "tensors", "words"), REFUSED, ids=[one[0] for one in REFUSED])
def test_what_cannot_be_used_says_why(entries, path, tensors, words):
    assert re.search(words, str(entries[path])), entries[path]
    assert entries[path].hint


def test_there_are_thirty_of_them():
    assert len(USABLE) + len(REFUSED) >= 30
