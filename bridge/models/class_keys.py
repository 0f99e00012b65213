"""What the config keys of each class mean: taken as they are, heeded with certain values, or without meaning here."""

from typing import Any

__all__ = ["MEANINGLESS", "ONE_OF", "TAKEN", "keys"]


def keys(names: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(names.split())


_BLOCKS = keys(
    "sample_size in_channels out_channels flip_sin_to_cos freq_shift down_block_types mid_block_type up_block_types "
    "only_cross_attention block_out_channels layers_per_block downsample_padding mid_block_scale_factor act_fn "
    "norm_num_groups norm_eps cross_attention_dim transformer_layers_per_block attention_head_dim num_attention_heads "
    "use_linear_projection addition_embed_type addition_time_embed_dim upcast_attention resnet_time_scale_shift "
    "projection_class_embeddings_input_dim addition_embed_type_num_heads"
)
TAKEN: dict[str, frozenset[str]] = {
    "UNet2DConditionModel": _BLOCKS
    | keys(
        "center_input_sample dropout reverse_transformer_layers_per_block dual_cross_attention resnet_skip_time_act "
        "resnet_out_scale_factor time_embedding_type time_embedding_dim time_embedding_act_fn timestep_post_act "
        "time_cond_proj_dim conv_in_kernel conv_out_kernel class_embeddings_concat mid_block_only_cross_attention "
        "cross_attention_norm"
    ),
    "ControlNetModel": (_BLOCKS - {"sample_size", "out_channels", "up_block_types"})
    | {"controlnet_conditioning_channel_order", "conditioning_embedding_out_channels"},
    "ControlNetUnionModel": (_BLOCKS - {"sample_size", "out_channels", "up_block_types"})
    | {"controlnet_conditioning_channel_order", "conditioning_embedding_out_channels"}
    | keys("num_control_type num_trans_channel num_trans_head num_trans_layer num_proj_channel"),
    "ZImageControlNetModel": keys(
        "control_layers_places control_refiner_layers_places control_in_dim add_control_noise_refiner dim "
        "n_refiner_layers n_heads n_kv_heads norm_eps qk_norm"
    ),
    "AutoencoderKL": keys(
        "in_channels out_channels down_block_types up_block_types block_out_channels layers_per_block act_fn "
        "norm_num_groups scaling_factor use_quant_conv use_post_quant_conv mid_block_add_attention"
    ),
    "AutoencoderKLFlux2": keys(
        "in_channels out_channels down_block_types up_block_types block_out_channels decoder_block_out_channels "
        "layers_per_block act_fn norm_num_groups use_quant_conv use_post_quant_conv mid_block_add_attention "
        "batch_norm_eps"
    ),
    "Flux2Transformer2DModel": keys(
        "in_channels num_layers num_single_layers attention_head_dim num_attention_heads joint_attention_dim "
        "timestep_guidance_channels mlp_ratio axes_dims_rope rope_theta eps"
    ),
    "FluxTransformer2DModel": keys(
        "in_channels num_layers num_single_layers attention_head_dim num_attention_heads joint_attention_dim "
        "pooled_projection_dim guidance_embeds axes_dims_rope"
    ),
    "ZImageTransformer2DModel": keys(
        "dim n_layers n_refiner_layers n_heads n_kv_heads norm_eps qk_norm cap_feat_dim rope_theta t_scale axes_dims "
        "axes_lens"
    ),
    "Qwen3Model": keys(
        "attention_bias attention_dropout bos_token_id eos_token_id pad_token_id head_dim hidden_act hidden_size "
        "intermediate_size layer_types max_position_embeddings max_window_layers num_attention_heads num_hidden_layers "
        "num_key_value_heads rms_norm_eps rope_parameters rope_scaling rope_theta sliding_window use_sliding_window "
        "vocab_size"
    ),
    "T5EncoderModel": keys(
        "d_ff d_kv d_model dense_act_fn feed_forward_proj is_gated_act layer_norm_epsilon num_heads num_layers "
        "eos_token_id pad_token_id relative_attention_max_distance relative_attention_num_buckets vocab_size"
    ),
    "CLIPTextModel": keys(
        "attention_dropout bos_token_id eos_token_id pad_token_id hidden_act hidden_size intermediate_size "
        "layer_norm_eps max_position_embeddings num_attention_heads num_hidden_layers projection_dim vocab_size"
    ),
}
"""What each class takes from its config and is used with as it is."""

ONE_OF: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {
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
    "ControlNetUnionModel": {
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
    "FluxTransformer2DModel": {
        "out_channels": ((None, 64), "it predicts more than latents"),
        "patch_size": ((1,), "its tokens are of other patches"),
    },
    "ZImageControlNetModel": {
        "all_patch_size": (([2],), "its tokens are of other patches"),
        "all_f_patch_size": (([1],), "its tokens are of other patches"),
    },
    "ZImageTransformer2DModel": {
        "in_channels": ((16,), "it was made for other latents"),
        "all_patch_size": (([2],), "its tokens are of other patches"),
        "all_f_patch_size": (([1],), "its tokens are of other patches"),
        "siglip_feat_dim": ((None,), "it looks at pictures beside (Z-Image Omni)"),
    },
    "Qwen3Model": {"model_type": (("qwen3",), "it is another language model than Qwen3")},
    "T5EncoderModel": {"model_type": (("t5",), "it is another text encoder than T5")},
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
        keys(
            "chunk_size_feed_forward diversity_penalty early_stopping gradient_checkpointing id2label label2id "
            "length_penalty max_length min_length num_beam_groups num_beams num_return_sequences return_dict "
            "repetition_penalty temperature tie_word_embeddings tokenizer_class top_k top_p typical_p use_cache"
        ),
        "what transformers writes for every kind of model",
    ),
}
MEANINGLESS: dict[str, dict[str, str]] = {
    "UNet2DConditionModel": dict.fromkeys(
        keys("decay inv_gamma min_decay optimization_step power update_after_step use_ema_warmup"),
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
    "FluxTransformer2DModel": {},
    "ControlNetUnionModel": {},
    "ZImageControlNetModel": {},
    "ZImageTransformer2DModel": {},
    "Qwen3Model": _OF_TRANSFORMERS,
    "T5EncoderModel": {
        **_OF_TRANSFORMERS,
        **dict.fromkeys(("dropout_rate", "classifier_dropout"), "used in training alone"),
        **dict.fromkeys(
            keys(
                "decoder_start_token_id is_decoder is_encoder_decoder n_positions num_decoder_layers output_past "
                "scale_decoder_outputs task_specific_params"
            ),
            "of T5's other half, which writes",
        ),
    },
    "CLIPTextModel": _OF_TRANSFORMERS,
    "flow": dict.fromkeys(
        keys(
            "stochastic_sampling use_beta_sigmas use_exponential_sigmas use_karras_sigmas use_flow_sigmas solver_order "
            "algorithm_type final_sigmas_type lower_order_final predict_x0 solver_type timestep_spacing"
        ),
        "a sampler's own choice; Paintbridge's samplers and their steps are chosen by the artist",
    ),
    "scheduler": dict.fromkeys(
        keys(
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
