"""What llama.cpp calls the tensors of language models, and their names in transformers."""

import re

__all__ = ["renamed"]

_QWEN3 = {
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
}
_NAMES = {"qwen3": _QWEN3}
"""By `general.architecture`."""

_TENSOR = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)")


def renamed(name: str, architecture: str) -> str:
    """A tensor's name in transformers; as it is where the architecture is not llama.cpp's, or has no such tensor."""
    found = _TENSOR.fullmatch(name)
    known = _NAMES.get(architecture, {})
    if found is None or found[2] not in known:
        return name
    layer = f"layers.{found[1]}." if found[1] is not None else ""
    return f"{layer}{known[found[2]]}.{found[3]}"
