"""What llama.cpp calls the tensors of language models, and their names in transformers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["renamed"]


@dataclass(frozen=True)
class _Names:
    """The names of layers in blocks and outside, and what a block is called."""

    block: str
    layers: Mapping[str, str]


_QWEN3 = _Names(
    "layers",
    {
        "token_embd": "embed_tokens",
        "output_norm": "norm",
        "output": "lm_head",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    },
)
_T5 = _Names(
    "encoder.block",
    {
        "token_embd": "shared",
        "enc.output_norm": "encoder.final_layer_norm",
        "attn_norm": "layer.0.layer_norm",
        "attn_q": "layer.0.SelfAttention.q",
        "attn_k": "layer.0.SelfAttention.k",
        "attn_v": "layer.0.SelfAttention.v",
        "attn_o": "layer.0.SelfAttention.o",
        "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
        "ffn_norm": "layer.1.layer_norm",
        "ffn_gate": "layer.1.DenseReluDense.wi_0",
        "ffn_up": "layer.1.DenseReluDense.wi_1",
        "ffn_down": "layer.1.DenseReluDense.wo",
    },
)
_NAMES = {"qwen3": _QWEN3, "t5": _T5, "t5encoder": _T5}
"""By `general.architecture`."""

_TENSOR = re.compile(r"(?:(?:enc\.)?blk\.(?P<block>\d+)\.)?(?P<layer>[\w.]+)\.(?P<kind>weight|bias)")


def renamed(name: str, architecture: str) -> str:
    """A tensor's name in transformers; as it is where the architecture is not llama.cpp's, or has no such tensor."""
    found, names = _TENSOR.fullmatch(name), _NAMES.get(architecture)
    if found is None or names is None or found["layer"] not in names.layers:
        return name
    block = f"{names.block}.{found['block']}." if found["block"] is not None else ""
    return f"{block}{names.layers[found['layer']]}.{found['kind']}"
