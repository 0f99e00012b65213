"""Nothing in a file may be left unread: each tensor and each config key is used, known to mean nothing, or refused."""

import inspect as python
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    ControlNetModel,
    Flux2Transformer2DModel,
    UNet2DConditionModel,
    ZImageTransformer2DModel,
)
from safetensors.torch import load_file, save_file
from sharded import shard
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet, save_original_controlnet, save_single_controlnet
from transformers import CLIPTextConfig, PreTrainedConfig, Qwen3Config

from bridge.models import CheckpointUnreadable, CheckpointUnsupported, inspect, inspect_controlnet
from bridge.models.config_keys import SCHEDULE_KEYS, TAKEN
from bridge.models.tensor_names import MEANINGLESS

UNET = "model.diffusion_model.input_blocks.0.0.weight"
SD1 = {
    UNET: (8, 4, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (8,),
}
SDXL = {
    UNET: (8, 4, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (8,),
    "conditioner.embedders.1.model.ln_final.weight": (8,),
}


def _comfy(**said) -> torch.Tensor:
    return torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)


OUT = "model.diffusion_model.out.2"
EIGHT = {f"{OUT}.weight": torch.ones(4, 32, dtype=torch.int8), f"{OUT}.weight_scale": torch.ones(4, 1)}
FOUR = {f"{OUT}.weight": torch.ones(4, 16, dtype=torch.uint8), f"{OUT}.weight_scale": torch.ones(4, 2)}
FP8 = {f"{OUT}.weight": torch.ones(4, 32).to(torch.float8_e4m3fn), f"{OUT}.weight_scale": torch.ones(1)}
UNKNOWN = {
    "(mxfp8)": {**FP8, f"{OUT}.comfy_quant": _comfy(format="mxfp8")},
    "quantised by ComfyUI (nvfp4)": {
        **FOUR, f"{OUT}.weight_scale_2": torch.ones(()), f"{OUT}.comfy_quant": _comfy(format="nvfp4"),
    },
    "quantised by ComfyUI (int8_tensorwise)": {
        **EIGHT, f"{OUT}.comfy_quant": _comfy(format="int8_tensorwise", convrot=True, convrot_groupsize=12),
    },
    "quantised by ComfyUI (float8_e4m3fn)": {
        **EIGHT, f"{OUT}.comfy_quant": _comfy(format="float8_e4m3fn"),
    },
    "quantised by ComfyUI": {**EIGHT, f"{OUT}.comfy_quant": torch.ones(3, dtype=torch.uint8)},
    "scaled weights": {f"{OUT}.scale_weight": torch.ones(1)},
    f"{OUT}.weight_scale": {**EIGHT, f"{OUT}.weight_scale": torch.ones(3, 1)},
    f"({OUT}.weight_scale)": {**FOUR},
    "bitsandbytes": {f"{OUT}.weight.quant_state.bitsandbytes__nf4": torch.ones(3)},
    "SVDQuant": {f"{OUT}.qweight": torch.ones(3)},
    "kind I8": {f"{OUT}.weight": torch.ones(4, 4, dtype=torch.int8)},
}  # fmt: skip
KNOWN = {
    "scaled fp8": {**FP8, "scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)},
    "scaled fp8, older": {
        f"{OUT}.weight": FP8[f"{OUT}.weight"], f"{OUT}.scale_weight": torch.ones(()),
        f"{OUT}.scale_input": torch.ones(()),
    },
    "int8": EIGHT,
    "ConvRot": {**EIGHT, f"{OUT}.comfy_quant": _comfy(format="int8_tensorwise", convrot=True, convrot_groupsize=16)},
    "nvfp4": {**FOUR, f"{OUT}.weight_scale_2": torch.ones(())},
}  # fmt: skip


def single(path: Path, shapes: dict = SD1, metadata: dict | None = None, **extra: torch.Tensor) -> Path:
    tensors = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
    save_file({**tensors, **extra}, path, metadata=metadata)
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("sound") / "tiny", inpaint=False)


@pytest.fixture
def copy(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("called", KNOWN)
def test_quantised_files_are_read_by_their_scales(tmp_path, called):
    assert inspect(single(tmp_path / "a.safetensors", **KNOWN[called])).family.name == "SD1"


@pytest.mark.parametrize("called", UNKNOWN)
def test_quantised_files_are_refused_by_name(tmp_path, copy, called):
    with pytest.raises(CheckpointUnsupported, match=re.escape(called)) as refused:
        inspect(single(tmp_path / "a.safetensors", **UNKNOWN[called]))
    assert "half precision" in refused.value.hint
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(weights), **UNKNOWN[called]}, weights)
    with pytest.raises(CheckpointUnsupported, match=re.escape(called)):
        inspect(copy)


def test_quantised_by_its_config(copy):
    edit(copy / "text_encoder" / "config.json", quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(CheckpointUnsupported, match="text_encoder is quantised by bitsandbytes"):
        inspect(copy)


def test_scales_in_a_folder_are_refused(copy):
    """diffusers' own loader takes the numbers as they are."""
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(weights), **EIGHT}, weights)
    with pytest.raises(CheckpointUnsupported, match=r"scales are not read here \(.*weight_scale\)"):
        inspect(copy)


def test_gguf_is_called_so(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"GGUF\1\0\0\0" + bytes(100))
    with pytest.raises(CheckpointUnsupported, match="GGUF file of version 1"):
        inspect(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("edm_mean", "Playground"),
        ("edm_std", "Playground"),
        ("edm_vpred.sigma_max", "CosXL"),
        ("edm_vpred.sigma_min", "CosXL"),
        ("model.diffusion_model.time_embed.cond_proj.weight", "told the guidance"),
        ("model.diffusion_model.time_embedding.cond_proj.weight", "told the guidance"),
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.fuser.alpha_attn", "GLIGEN"),
        ("control_model.time_embed.0.weight", "beside the checkpoint"),
        ("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight", "does not know, such as lora_unet_mid_block"),
        ("something.else", "does not know, such as something.else"),
    ],
)
def test_what_would_be_left_unread_is_refused_by_name(tmp_path, name, words):
    with pytest.raises(CheckpointUnsupported, match=words) as refused:
        inspect(single(tmp_path / "a.safetensors", SDXL, **{name: torch.ones(2)}))
    assert name in refused.value.message
    assert refused.value.hint


def test_what_means_nothing_is_let_pass(tmp_path):
    names = (
        "model_ema.decay",
        "model_ema.diffusion_modelinput_blocks00weight",
        "betas",
        "alphas_cumprod_prev",
        "sqrt_recip_alphas_cumprod",
        "posterior_log_variance_clipped",
        "logvar",
        "lvlb_weights",
        "first_stage_model.loss.discriminator.main.0.weight",
        "cond_stage_model.transformer.text_model.embeddings.position_ids",
        "cond_stage_model.logit_scale",
        "cond_stage_model.transformer.vision_model.pre_layrnorm.weight",
        "cond_stage_model.transformer.text_projection.weight",
    )
    extra = {name: torch.ones(2, dtype=torch.int64 if "ids" in name else torch.float32) for name in names}
    assert inspect(single(tmp_path / "a.safetensors", **extra)).family.name == "SD1"
    assert all(reason for _, reason in MEANINGLESS)


def signal(zero: bool = False, last: float = 0.012) -> torch.Tensor:
    kept = torch.cumprod(1 - torch.linspace(0.00085**0.5, last**0.5, 1000, dtype=torch.float64) ** 2, 0)
    if zero:
        root = kept.sqrt()
        kept = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return kept.float()


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
@pytest.mark.parametrize("zero", [False, True])
def test_a_noise_schedule_in_the_file_is_read(tmp_path, kind, zero):
    found = inspect(single(tmp_path / "a.safetensors", alphas_cumprod=signal(zero).to(kind)))
    assert found.zero_terminal_snr == zero


def test_noise_levels_in_the_file_are_read_and_strange_ones_refused(tmp_path):
    levels = ((1 - signal()) / signal()).sqrt()
    assert not inspect(single(tmp_path / "a.safetensors", SDXL, **{"denoiser.sigmas": levels})).zero_terminal_snr
    for name, strange in (("alphas_cumprod", signal(last=0.02)), ("denoiser.sigmas", 2 * levels)):
        with pytest.raises(CheckpointUnsupported, match=f"schedule of its own .{name}"):
            inspect(single(tmp_path / "b.safetensors", SDXL, **{name: strange}))
    with pytest.raises(CheckpointUnsupported, match=r"scales its latents by 0\.5"):
        inspect(single(tmp_path / "c.safetensors", SDXL, scale_factor=torch.tensor(0.5)))
    assert inspect(single(tmp_path / "d.safetensors", SDXL, scale_factor=torch.tensor(0.13025).half())).id == "d"


def test_markers_and_metadata_are_read(tmp_path):
    markers = {"v_pred": torch.ones(0), "ztsnr": torch.ones(0)}
    found = inspect(single(tmp_path / "a.safetensors", SDXL, **markers))
    assert (found.prediction, found.zero_terminal_snr) == ("v_prediction", True)
    said = {"modelspec.encoder_layer": "2", "modelspec.resolution": "768x512"}
    found = inspect(single(tmp_path / "b.safetensors", metadata=said))
    assert (found.clip_skip, found.card.native_pixels) == (2, 768 * 512)
    said = {"modelspec.encoder_layer": "last", "modelspec.resolution": "large"}
    found = inspect(single(tmp_path / "c.safetensors", metadata=said))
    assert (found.clip_skip, found.card.native_pixels) == (None, 512 * 512)


def test_a_distilled_sdxl_with_fewer_blocks_is_called_so(tmp_path):
    middle = {"model.diffusion_model.middle_block.0.in_layers.0.weight": torch.ones(2)}
    with pytest.raises(CheckpointUnsupported, match="SSD-1B") as refused:
        inspect(single(tmp_path / "a.safetensors", SDXL, **middle))
    assert "folder" in refused.value.hint
    attends = {"model.diffusion_model.middle_block.1.transformer_blocks.0.norm1.weight": torch.ones(2)}
    assert inspect(single(tmp_path / "b.safetensors", SDXL, **middle, **attends)).family.name == "SDXL"


@pytest.mark.parametrize("kind", [torch.float64, torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16])
def test_sd2_is_told_in_every_precision(tmp_path, kind):
    norm = torch.randn(320, generator=torch.Generator().manual_seed(0))
    shapes = {**SD1, "cond_stage_model.model.ln_final.weight": (8,)}
    del shapes["cond_stage_model.transformer.text_model.final_layer_norm.weight"]
    name = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
    for spread, prediction in ((0.2, "v_prediction"), (0.02, "epsilon")):
        found = inspect(single(tmp_path / "a.safetensors", shapes, **{name: (spread * norm).to(kind)}))
        assert (found.family.name, found.prediction) == ("SD2", prediction)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "EDMEulerScheduler"}, "EDMEulerScheduler: it was trained on the noise levels of EDM"),
        ({"_class_name": "EDMDPMSolverMultistepScheduler"}, "EDM"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "by flow matching"),
        ({"_class_name": "CMStochasticIterativeScheduler"}, "consistency model"),
        ({"_class_name": "MyScheduler"}, "MyScheduler"),
        ({"prediction_type": "flow_prediction"}, "flow matching"),
        ({"prediction_type": "velocity"}, "velocity"),
        ({"use_flow_sigmas": True}, "use_flow_sigmas = True"),
        ({"flow_shift": 3.0}, "flow_shift = 3.0"),
        ({"shift": 3.0}, "flow matching"),
        ({"timestep_type": "continuous"}, "EDM"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule = sigmoid"),
        ({"sigma_data": 0.5}, "sigma_data = 0.5"),
        ({"my_own_key": [1, 2]}, "my_own_key"),
    ],
)
def test_a_scheduler_of_another_training_is_refused_by_name(copy, changes, words):
    edit(copy / "scheduler" / "scheduler_config.json", **changes)
    with pytest.raises(CheckpointUnsupported, match=words):
        inspect(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("beta_start", "small"),
        ("num_train_timesteps", 0),
        ("trained_betas", 3),
        ("rescale_betas_zero_snr", "yes"),
    ],
)
def test_senseless_values_of_a_schedule_are_named(copy, key, value):
    edit(copy / "scheduler" / "scheduler_config.json", **{key: value})
    with pytest.raises(CheckpointUnreadable, match=f"no sensible {key}"):
        inspect(copy)


def test_what_a_scheduler_chose_for_its_steps_is_let_pass(copy):
    choices = {
        "_class_name": "DPMSolverMultistepScheduler",
        "algorithm_type": "sde-dpmsolver++",
        "final_sigmas_type": "sigma_min",
        "timestep_spacing": "linspace",
        "use_karras_sigmas": True,
        "use_flow_sigmas": False,
        "flow_shift": 1.0,
    }
    edit(copy / "scheduler" / "scheduler_config.json", **choices)
    assert inspect(copy).prediction == "epsilon"


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("unet", {"class_embed_type": "timestep"}, "class_embed_type = timestep"),
        ("unet", {"encoder_hid_dim_type": "image_proj"}, "another encoder"),
        ("unet", {"addition_embed_type": "image"}, "addition_embed_type = image"),
        ("unet", {"attention_type": "gated"}, "GLIGEN"),
        ("unet", {"out_channels": 8}, "out_channels = 8"),
        ("unet", {"their_own_key": 3}, "their_own_key = 3"),
        ("vae", {"_class_name": "AutoencoderTiny"}, "vae is a AutoencoderTiny"),
        ("vae", {"shift_factor": 0.1159}, "shifted"),
        ("vae", {"latents_std": [1.0] * 4}, "channel by channel"),
        ("vae", {"latent_channels": 16}, "another family"),
        ("text_encoder", {"architectures": ["T5EncoderModel"]}, "T5EncoderModel"),
        ("text_encoder", {"model_type": "bert"}, "model_type = bert"),
        ("text_encoder", {"use_attention_mask": True}, "use_attention_mask"),
    ],
)
def test_config_keys_that_loading_would_not_heed_are_refused(copy, part, changes, words):
    edit(copy / part / "config.json", **changes)
    with pytest.raises(CheckpointUnsupported, match=words):
        inspect(copy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "StableDiffusionInstructPix2PixPipeline"}, "InstructPix2Pix"),
        ({"controlnet": ["diffusers", "ControlNetModel"]}, "controlnet = ControlNetModel"),
        ({"vae": ["diffusers", "AsymmetricAutoencoderKL"]}, "vae is a AsymmetricAutoencoderKL"),
        ({"is_cosxl_edit": True}, "is_cosxl_edit"),
        ({"requires_aesthetics_score": True}, "requires_aesthetics_score"),
    ],
)
def test_pipelines_and_parts_of_another_kind_are_refused(copy, changes, words):
    edit(copy / "model_index.json", **changes)
    with pytest.raises(CheckpointUnsupported, match=words):
        inspect(copy)


def test_what_published_configs_have_beside_is_let_pass(copy):
    edit(
        copy / "model_index.json",
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPImageProcessor"],
        image_encoder=[None, None],
        requires_safety_checker=True,
        add_watermarker=None,
        _name_or_path="somebody/something",
    )
    edit(copy / "unet" / "config.json", decay=0.9999, update_after_step=0, quantization_config=None)
    edit(copy / "text_encoder" / "config.json", torch_dtype="float16", dropout=0.0, pruned_heads={})
    assert inspect(copy).family.name == "SD1"


def test_configs_beside_a_single_file_are_held_to_the_same(tmp_path):
    path = single(tmp_path / "a.safetensors")
    (tmp_path / "a.config" / "scheduler").mkdir(parents=True)
    scheduler = tmp_path / "a.config" / "scheduler" / "scheduler_config.json"
    scheduler.write_text('{"_class_name": "EDMEulerScheduler"}')
    with pytest.raises(CheckpointUnsupported, match="EDM"):
        inspect(path)
    scheduler.write_text('{"rescale_betas_zero_snr": true}')
    assert inspect(path).zero_terminal_snr
    (tmp_path / "a.config" / "vae").mkdir()
    (tmp_path / "a.config" / "vae" / "config.json").write_text('{"latents_mean": [0, 0, 0, 0]}')
    with pytest.raises(CheckpointUnsupported, match="centred"):
        inspect(path)


@pytest.mark.parametrize(
    "kind",
    [
        *(UNet2DConditionModel, AutoencoderKL, ControlNetModel, CLIPTextConfig, AutoencoderKLFlux2),
        *(Flux2Transformer2DModel, ZImageTransformer2DModel, Qwen3Config),
    ],
)
def test_the_list_of_what_classes_take_is_theirs(kind):
    texts = issubclass(kind, PreTrainedConfig)
    listed = TAKEN[kind.__name__.replace("Config", "Model") if texts else kind.__name__]
    # The first two are how older versions of transformers said the third.
    config = {"rope_theta", "rope_scaling", *vars(kind())} if texts else set()
    assert listed <= config | set(python.signature(kind.__init__).parameters)


def test_every_schedule_key_is_a_scheduler_s():
    import diffusers

    kinds = (diffusers.DDIMScheduler, diffusers.LCMScheduler)
    assert set(SCHEDULE_KEYS) <= set().union(*(python.signature(kind.__init__).parameters for kind in kinds))


def test_controlnets_are_held_to_the_same(sound, tmp_path):
    folder = build_tiny_controlnet(sound, tmp_path / "net_scribble")
    file = save_original_controlnet(folder, tmp_path / "a_scribble.safetensors")
    whole = load_file(file)
    for extra, words in (
        ({"difference": torch.ones(0)}, "difference ControlNet"),
        ({"control_model.out.scale_weight": torch.ones(1)}, "scaled weights"),
        ({"model.diffusion_model.out.0.weight": torch.ones(1)}, "such as model.diffusion_model.out.0.weight"),
    ):
        save_file({**whole, **extra}, file)
        with pytest.raises(CheckpointUnsupported, match=words):
            inspect_controlnet(file)
    for changes, words in (
        ({"global_pool_conditions": True}, "shuffle"),
        ({"conditioning_channels": 4}, "conditioning_channels = 4"),
        ({"their_own": 1}, "their_own = 1"),
    ):
        for config in (folder / "config.json", tmp_path / "b_scribble.config" / "config.json"):
            if not config.exists():
                file = save_single_controlnet(folder, tmp_path / "b_scribble.safetensors")
            before = config.read_text()
            edit(config, **changes)
            with pytest.raises(CheckpointUnsupported, match=words):
                inspect_controlnet(folder if config.parent == folder else file)
            config.write_text(before)


def test_a_missing_shard_is_named(sound, tmp_path):
    folder = Path(shutil.copytree(sound, tmp_path / "copy"))
    shard(folder / "unet")
    assert inspect(folder).family.name == "SD1"
    lost = folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors"
    lost.unlink()
    with pytest.raises(CheckpointUnreadable, match=lost.name) as refused:
        inspect(folder)
    assert "unet" in refused.value.message
    assert "permission" not in refused.value.hint
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").unlink()
    with pytest.raises(CheckpointUnreadable, match="index that names them"):
        inspect(folder)
    # As a download into the Hugging Face cache leaves it that was cut off.
    (folder / "unet" / "diffusion_pytorch_model.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(CheckpointUnreadable, match="is missing"):
        inspect(folder)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["bf16"], "bf16"),
        (["fp32"], "fp32"),
        (["non_ema"], "non_ema"),
        (["fp16", "bf16"], "fp16"),
        (["fp16", "fp32"], "fp32"),
        (["non_ema", "bf16"], "bf16"),
        (["fp16", ""], ""),
    ],
)
def test_variants_are_found(copy, there, chosen):
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    for variant in there:
        (weights.with_name(f"diffusion_pytorch_model.{variant}.safetensors") if variant else weights).write_bytes(
            content
        )
    wanted = f"diffusion_pytorch_model.{chosen}.safetensors" if chosen else weights.name
    assert wanted in {file.name for file in inspect(copy).files}


def test_sdxl_of_a_folder_is_unmoved(tmp_path):
    found = inspect(build_tiny_sdxl(tmp_path / "xl", inpaint=False))
    assert (found.prediction, found.zero_terminal_snr, found.clip_skip) == ("epsilon", False, None)
