"""Where the tokenizers of text encoders come from, by pinned revision and hash: single files bring none."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["TOKENIZERS", "TokenizerSource"]


@dataclass(frozen=True)
class TokenizerSource:
    """A repository on the hub at a commit, and its files that make up a tokenizer, with their SHA-256."""

    hub_id: str
    commit: str
    licence: str
    files: Mapping[str, str]


TOKENIZERS = {
    # All sizes of Qwen3 have the same one.
    "qwen3": TokenizerSource(
        "Qwen/Qwen3-0.6B",
        "c1899de289a04d12100db370d81485cdf75e47ca",
        "apache-2.0",
        {
            "tokenizer.json": "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
            "tokenizer_config.json": "d5d09f07b48c3086c508b30d1c9114bd1189145b74e982a265350c923acd8101",
        },
    ),
}
"""By the kind of text encoder (`components.KINDS`)."""
