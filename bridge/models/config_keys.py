"""What the keys of a diffusers folder's configs mean: used, without meaning here, or a reason to refuse the folder.

The same holds for `NAME.config` beside a single file. A key is taken by its part's class, counts with certain values
alone, or means nothing; any other that says something is refused by its name.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .errors import CheckpointUnreadable, CheckpointUnsupported
from .families import Family
from .schedule import ScheduleKind

__all__ = ["SCHEDULE_KEYS", "TAKEN", "check_config", "check_index", "check_scheduler"]


def _keys(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BLOCKS = _keys(
    "sample_size in_channels out_channels flip_sin_to_cos freq_shift down_block_types mid_block_type up_block_types "
    "only_cross_attention block_out_channels layers_per_block downsample_padding mid_block_scale_factor act_fn "
    "norm_num_groups norm_eps cross_attention_dim transformer_layers_per_block attention_head_dim num_attention_heads "
    "use_linear_projection addition_embed_type addition_time_embed_dim upcast_attention resnet_time_scale_shift "
    "projection_class_embeddings_input_dim addition_embed_type_num_heads"
)
TAKEN: dict[str, frozenset[str]] = {
    "UNet2DConditionModel": _BLOCKS
    | _keys(
        "center_input_sample dropout reverse_transformer_layers_per_block dual_cross_attention resnet_skip_time_act "
        "resnet_out_scale_factor time_embedding_type time_embedding_dim time_embedding_act_fn timestep_post_act "
        "time_cond_proj_dim conv_in_kernel conv_out_kernel class_embeddings_concat mid_block_only_cross_attention "
        "cross_attention_norm"
    ),
    "ControlNetModel": (_BLOCKS - {"sample_size", "out_channels", "up_block_types"})
    | {"controlnet_conditioning_channel_order", "conditioning_embedding_out_channels"},
    "AutoencoderKL": _keys(
        "in_channels out_channels down_block_types up_block_types block_out_channels layers_per_block act_fn "
        "norm_num_groups scaling_factor use_quant_conv use_post_quant_conv mid_block_add_attention"
    ),
    "AutoencoderKLFlux2": _keys(
        "in_channels out_channels down_block_types up_block_types block_out_channels decoder_block_out_channels "
        "layers_per_block act_fn norm_num_groups use_quant_conv use_post_quant_conv mid_block_add_attention "
        "batch_norm_eps"
    ),
    "Flux2Transformer2DModel": _keys(
        "in_channels num_layers num_single_layers attention_head_dim num_attention_heads joint_attention_dim "
        "timestep_guidance_channels mlp_ratio axes_dims_rope rope_theta eps"
    ),
    "ZImageTransformer2DModel": _keys(
        "dim n_layers n_refiner_layers n_heads n_kv_heads norm_eps qk_norm cap_feat_dim rope_theta t_scale axes_dims "
        "axes_lens"
    ),
    "Qwen3Model": _keys(
        "attention_bias attention_dropout bos_token_id eos_token_id pad_token_id head_dim hidden_act hidden_size "
        "intermediate_size layer_types max_position_embeddings max_window_layers num_attention_heads num_hidden_layers "
        "num_key_value_heads rms_norm_eps rope_parameters rope_scaling rope_theta sliding_window use_sliding_window "
        "vocab_size"
    ),
    "CLIPTextModel": _keys(
        "attention_dropout bos_token_id eos_token_id pad_token_id hidden_act hidden_size intermediate_size "
        "layer_norm_eps max_position_embeddings num_attention_heads num_hidden_layers projection_dim vocab_size"
    ),
}
"""What each class takes from its config and is used with as it is."""

SCHEDULE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
    "set_alpha_to_one",
    "timestep_scaling",
)
"""What of a scheduler's config says how the UNet was trained. All else there is a sampler's own choice."""

FLOW_KEYS = _keys(
    "num_train_timesteps shift use_dynamic_shifting base_shift max_shift base_image_seq_len max_image_seq_len "
    "time_shift_type"
)
"""The same of a schedule of flow matching; a family's rule may do without some of them."""

_ONE_OF: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {
    "UNet2DConditionModel": {
        "class_embed_type": ((None,), "it wants classes beside the prompt"),
        "num_class_embeds": ((None,), "it wants classes beside the prompt"),
        "encoder_hid_dim": ((None,), "it wants another encoder than CLIP's"),
        "encoder_hid_dim_type": ((None,), "it wants another encoder than CLIP's"),
        "addition_embed_type": ((None, "text_time"), "it is conditioned otherwise than SDXL"),
        "attention_type": (("default",), "it wants boxes with its words (GLIGEN)"),
        "out_channels": ((4,), "it predicts more than latents"),
    },
    "ControlNetModel": {
        "in_channels": ((4,), "it was made for other latents"),
        "class_embed_type": ((None,), "it wants classes beside the prompt"),
        "num_class_embeds": ((None,), "it wants classes beside the prompt"),
        "encoder_hid_dim": ((None,), "it wants another encoder than CLIP's"),
        "encoder_hid_dim_type": ((None,), "it wants another encoder than CLIP's"),
        "addition_embed_type": ((None, "text_time"), "it is conditioned otherwise than SDXL's"),
        "conditioning_channels": ((3,), "it wants another picture than one of three colours"),
        "global_pool_conditions": ((False,), "it takes a picture's mean alone (shuffle)"),
    },
    "AutoencoderKL": {
        "latent_channels": ((4,), "it is of another family"),
        "shift_factor": ((None, 0), "its latents are shifted"),
        "latents_mean": ((None,), "its latents are centred"),
        "latents_std": ((None,), "its latents are scaled channel by channel"),
    },
    "AutoencoderKLFlux2": {
        "latent_channels": ((32,), "it is of another family"),
        "patch_size": (([2, 2],), "its statistics are of other patches"),
    },
    "Flux2Transformer2DModel": {
        "guidance_embeds": ((False,), "it is told the guidance, as FLUX.2 dev is"),
        "out_channels": ((None, 128), "it predicts more than latents"),
        "patch_size": ((1,), "its tokens are of other patches"),
    },
    "ZImageTransformer2DModel": {
        "in_channels": ((16,), "it was made for other latents"),
        "all_patch_size": (([2],), "its tokens are of other patches"),
        "all_f_patch_size": (([1],), "its tokens are of other patches"),
        "siglip_feat_dim": ((None,), "it looks at pictures beside (Z-Image Omni)"),
    },
    "Qwen3Model": {"model_type": (("qwen3",), "it is another language model than Qwen3")},
    "CLIPTextModel": {
        "model_type": (("clip_text_model", "clip"), "it is another text encoder than CLIP's"),
        "use_attention_mask": ((False, None), "it is told which places are filled"),
    },
    "flow": {
        "invert_sigmas": ((False,), "it counts noise the other way round"),
        "shift_terminal": ((None,), "its last step ends elsewhere"),
        "prediction_type": (("flow_prediction",), "it was not trained by flow matching"),
    },
    "scheduler": {
        "beta_schedule": (
            ("linear", "scaled_linear", "squaredcos_cap_v2"),
            "Paintbridge's samplers do not know that noise schedule",
        ),
        "timestep_type": (("discrete",), "it counts noise by EDM's continuous levels"),
        "use_flow_sigmas": ((False, None), "it was trained by flow matching"),
        "flow_shift": ((1, None), "it was trained by flow matching"),
        "use_dynamic_shifting": ((False, None), "it was trained by flow matching"),
        "shift": ((1, None), "it was trained by flow matching"),
        "shift_terminal": ((None,), "it was trained by flow matching"),
    },
}
"""Keys that Paintbridge heeds with these values alone, and what another one means."""

_OF_TRANSFORMERS = {
    "architectures": "checked by itself",
    **dict.fromkeys(("initializer_factor", "initializer_range", "dropout"), "used in training alone"),
    **dict.fromkeys(("dtype", "torch_dtype", "transformers_version"), "how it was saved"),
    **dict.fromkeys(
        _keys(
            "chunk_size_feed_forward diversity_penalty early_stopping gradient_checkpointing id2label label2id "
            "length_penalty max_length min_length num_beam_groups num_beams num_return_sequences return_dict "
            "repetition_penalty temperature tie_word_embeddings tokenizer_class top_k top_p typical_p use_cache"
        ),
        "what transformers writes for every kind of model",
    ),
}
_MEANINGLESS: dict[str, dict[str, str]] = {
    "UNet2DConditionModel": dict.fromkeys(
        _keys("decay inv_gamma min_decay optimization_step power update_after_step use_ema_warmup"),
        "a training's notes on its moving average",
    ),
    "ControlNetModel": {},
    "AutoencoderKL": {
        "sample_size": "how large the pictures were that it was trained with",
        "force_upcast": "the VAE runs in float32 in any case",
    },
    "AutoencoderKLFlux2": {
        "sample_size": "how large the pictures were that it was trained with",
        "force_upcast": "the VAE runs in float32 in any case",
        "batch_norm_momentum": "used in training alone",
    },
    "Flux2Transformer2DModel": {},
    "ZImageTransformer2DModel": {},
    "Qwen3Model": _OF_TRANSFORMERS,
    "CLIPTextModel": _OF_TRANSFORMERS,
    "flow": dict.fromkeys(
        _keys(
            "stochastic_sampling use_beta_sigmas use_exponential_sigmas use_karras_sigmas use_flow_sigmas solver_order "
            "algorithm_type final_sigmas_type lower_order_final predict_x0 solver_type timestep_spacing"
        ),
        "a sampler's own choice; Paintbridge's samplers and their steps are chosen by the artist",
    ),
    "scheduler": dict.fromkeys(
        _keys(
            "algorithm_type clip_sample clip_sample_range disable_corrector dynamic_thresholding_ratio euler_at_final "
            "final_sigmas_type interpolation_type lambda_min_clipped lower_order_final original_inference_steps "
            "corrector_order predictor_order predict_x0 sample_max_value sigma_max sigma_min skip_prk_steps "
            "solver_order solver_p solver_type steps_offset tau_func thresholding time_shift_type timestep_spacing "
            "use_beta_sigmas use_exponential_sigmas use_karras_sigmas use_lu_lambdas variance_type noise_sampler_seed"
        ),
        "a sampler's own choice; Paintbridge's samplers and their steps are chosen by the artist",
    ),
}
"""Keys that mean nothing here, by class, and why."""

_SCHEDULERS = frozenset(
    f"{name}Scheduler"
    for name in _keys(
        "DDIM DDIMParallel DDPM DDPMParallel PNDM LMSDiscrete EulerDiscrete EulerAncestralDiscrete HeunDiscrete "
        "KDPM2Discrete KDPM2AncestralDiscrete DPMSolverMultistep DPMSolverSinglestep DPMSolverSDE DEISMultistep "
        "UniPCMultistep SASolver LCM TCD"
    )
)
_FOREIGN_SCHEDULERS = (
    ("FlowMatch", "by flow matching"),
    ("EDM", "on the noise levels of EDM"),
    ("CosineDPM", "on the noise levels of EDM"),
    ("CMStochastic", "as a consistency model"),
)
_CLASSES_ALIKE = {
    "CLIPTextModel": ("CLIPTextModelWithProjection",),
    "CLIPTokenizer": ("CLIPTokenizerFast",),
    "Qwen3Model": ("Qwen3ForCausalLM",),
    "Qwen2Tokenizer": ("Qwen2TokenizerFast",),
}
"""Classes that another one takes the place of."""

_INDEX_MEANINGLESS = {
    "scheduler": "its own config is checked",
    "force_zeros_for_empty_prompt": "read by `checkpoint`",
    **dict.fromkeys(("safety_checker", "requires_safety_checker"), "judges pictures, and paints none"),
    **dict.fromkeys(("feature_extractor", "image_encoder"), "prepares pictures for a safety checker or an IP-Adapter"),
    "add_watermarker": "marks finished pictures",
    "is_distilled": "tells the variant, which `families` read",
}
_CHOOSE_ANOTHER = "Choose another checkpoint."


def check_index(index: Mapping[str, Any], family: Family) -> None:
    """Raises CheckpointUnsupported for a model_index.json whose pipeline or parts are others than the family is painted
    with.
    """
    pipeline = index.get("_class_name", family.pipelines[0])
    if pipeline not in family.pipelines:
        raise CheckpointUnsupported(
            "It was made for diffusers' {pipeline}, which Paintbridge does not paint with.",
            hint=_CHOOSE_ANOTHER,
            pipeline=_shown(pipeline),
        )
    classes = family.classes
    for key, value in index.items():
        if key.startswith("_") or key in _INDEX_MEANINGLESS or not value or value == [None, None]:
            continue
        kind = value[-1] if isinstance(value, list) else value
        if key not in classes:
            raise CheckpointUnsupported(
                "Its model_index.json says {key} = {kind}, which Paintbridge does not know.",
                hint=_CHOOSE_ANOTHER,
                key=key,
                kind=_shown(kind),
            )
        if kind not in _alike(classes[key]):
            raise CheckpointUnsupported(
                "Its {key} is a {kind}, which Paintbridge does not paint with.",
                hint=_CHOOSE_ANOTHER,
                key=key,
                kind=_shown(kind),
            )


def check_config(part: str, config: Mapping[str, Any], kind: str, like: Mapping[str, Any] | None = None) -> None:
    """Raises CheckpointUnsupported for a part's config.json that says what a class of that kind would not heed.

    `kind` is a key of `TAKEN`. What only certain values are heeded of must be as in the config `like`, if that says it.
    """
    named = config.get("_class_name") or next(iter(config.get("architectures") or ()), kind)
    if named not in _alike(kind) and not (kind == "CLIPTextModel" and str(named).startswith("CLIP")):
        raise CheckpointUnsupported(
            "Its {key} is a {kind}, which Paintbridge does not paint with.",
            hint=_CHOOSE_ANOTHER,
            key=part,
            kind=_shown(named),
        )
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else quantised
        raise CheckpointUnsupported(
            "Its {part} is quantised by {method}, which Paintbridge does not read yet.",
            hint="Get the same one in half precision.",
            part=part,
            method=_shown(method),
        )
    one_of = {
        key: ((like[key],) if like and key in like else values, means) for key, (values, means) in _ONE_OF[kind].items()
    }
    _check(f"{part}/config.json", config, TAKEN[kind], one_of, _MEANINGLESS[kind])


def check_scheduler(config: Mapping[str, Any], schedule: ScheduleKind = ScheduleKind.VARIANCE_PRESERVING) -> None:
    """Raises CheckpointUnsupported for a scheduler_config.json that tells of a training that samplers here do not know,
    or of another kind of noise schedule, and CheckpointUnreadable for senseless values.
    """
    if schedule is ScheduleKind.FLOW_MATCHING:
        _check_flow(config)
        return
    kind = str(config.get("_class_name", "DDIMScheduler"))
    if kind not in _SCHEDULERS:
        trained = next((f": it was trained {how}" for start, how in _FOREIGN_SCHEDULERS if kind.startswith(start)), "")
        raise CheckpointUnsupported(
            "Its scheduler is diffusers' {kind}{trained}, which Paintbridge does not paint with yet.",
            hint=_CHOOSE_ANOTHER,
            kind=kind,
            trained=trained,
        )
    file = "scheduler/scheduler_config.json"
    _check(file, config, frozenset(SCHEDULE_KEYS), _ONE_OF["scheduler"], _MEANINGLESS["scheduler"])
    for key, right in _SENSIBLE.items():
        if key in config and not right(config[key]):
            raise CheckpointUnreadable(
                "Its {file} has no sensible {key}: {value}.",
                hint="Mend that file, or get it again.",
                file=file,
                key=key,
                value=_shown(config[key]),
            )


def _check_flow(config: Mapping[str, Any]) -> None:
    kind = str(config.get("_class_name", "FlowMatchEulerDiscreteScheduler"))
    if not kind.startswith("FlowMatch") and not config.get("use_flow_sigmas"):
        raise CheckpointUnsupported(
            "Its scheduler is diffusers' {kind}, but its family was trained by flow matching.",
            hint=_CHOOSE_ANOTHER,
            kind=kind,
        )
    _check("scheduler/scheduler_config.json", config, FLOW_KEYS, _ONE_OF["flow"], _MEANINGLESS["flow"])


def _alike(kind: str) -> tuple[str, ...]:
    return (kind, *_CLASSES_ALIKE.get(kind, ()))


def _check(
    file: str,
    config: Mapping[str, Any],
    taken: frozenset[str],
    one_of: Mapping[str, tuple[tuple[Any, ...], str]],
    meaningless: Mapping[str, str],
) -> None:
    for key, value in config.items():
        if key in one_of:
            values, means = one_of[key]
            if value not in values:
                raise CheckpointUnsupported(
                    "Its {file} says {key} = {value}: {means}, and Paintbridge does not paint so yet.",
                    hint=_CHOOSE_ANOTHER,
                    file=file,
                    key=key,
                    value=_shown(value),
                    means=means,
                )
        elif not (key.startswith("_") or key in taken or key in meaningless or _says_nothing(value)):
            raise CheckpointUnsupported(
                "Its {file} says {key} = {value}, which Paintbridge does not know.",
                hint=_CHOOSE_ANOTHER,
                file=file,
                key=key,
                value=_shown(value),
            )


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_beta = _number(1e-9, 1)
_SENSIBLE: dict[str, Callable[[Any], bool]] = {
    "num_train_timesteps": lambda value: isinstance(value, int) and _number(2, 100_000)(value),
    "beta_start": _beta,
    "beta_end": _beta,
    "trained_betas": lambda value: (
        value is None or (isinstance(value, list) and len(value) > 1 and all(map(_beta, value)))
    ),
    "rescale_betas_zero_snr": _flag,
    "set_alpha_to_one": _flag,
    "timestep_scaling": _number(1e-6, 1e6),
}
