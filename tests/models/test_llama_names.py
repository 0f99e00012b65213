"""Names of llama.cpp's against those that its own converter gives (gguf's tables)."""

import pytest
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map
from transformers import Qwen3Config, Qwen3Model, T5Config, T5EncoderModel

from bridge.models.formats.llama_names import renamed

QWEN3 = {
    "vocab_size": 8, "hidden_size": 8, "intermediate_size": 8, "head_dim": 4, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1,
}  # fmt: skip
T5 = {
    "vocab_size": 8, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 2, "num_heads": 2,
    "feed_forward_proj": "gated-gelu", "is_encoder_decoder": False,
}  # fmt: skip
MODELS = {
    MODEL_ARCH.QWEN3: ("model.", Qwen3Model, Qwen3Config(**QWEN3)),
    MODEL_ARCH.T5ENCODER: ("", T5EncoderModel, T5Config(**T5)),
}


@pytest.mark.parametrize("architecture", MODELS, ids=lambda one: one.name)
def test_each_tensor_has_the_name_that_it_was_converted_from(architecture):
    start, kind, config = MODELS[architecture]
    names = get_tensor_name_map(architecture, 2)
    for name in kind(config).state_dict():
        if name == "encoder.embed_tokens.weight":
            continue
        converted = names.get_name(start + name, try_suffixes=(".weight", ".bias"))
        assert converted, name
        assert renamed(converted, MODEL_ARCH_NAMES[architecture]) == name


def test_what_is_not_known_stays():
    assert renamed("blk.0.attn_q.weight", "flux") == "blk.0.attn_q.weight"
    assert renamed("enc.blk.0.surprise.weight", "t5encoder") == "enc.blk.0.surprise.weight"
