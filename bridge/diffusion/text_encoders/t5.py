"""Prompts as T5's hidden states, and as what CLIP pools of them: as FLUX.1 reads them.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer".
"""

from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["PooledClip", "T5Encoder"]


@dataclass(frozen=True)
class T5Encoder:
    """T5's encoder (transformers' `T5EncoderModel`) and its tokenizer (`SentenceEncoder`).

    It reads `places` tokens; prompts are filled up to that number, and the states of what fills them up count.
    """

    tokenizer: Any
    module: Any
    device: torch.device
    places: int
    padded: bool = True

    def lost(self, words: str) -> str:
        """The words at the end that do not fit into `places`."""
        offsets = self.tokenizer(words, return_offsets_mapping=True, verbose=False).offset_mapping
        # The last place is the mark of the end.
        return "" if len(offsets) <= self.places else words[offsets[self.places - 1][0] :].strip()

    @torch.no_grad()
    def states(self, words: str) -> torch.Tensor:
        """Their hidden states, (1, places, width)."""
        tokens = self.tokenizer(
            words, padding="max_length", truncation=True, max_length=self.places, return_tensors="pt"
        )
        states: torch.Tensor = self.module(tokens.input_ids.to(self.device)).last_hidden_state
        return states


@dataclass(frozen=True)
class PooledClip:
    """CLIP's text encoder (transformers' `CLIPTextModel`), of which the state at the end of a prompt is taken.

    What does not fit into its places it does not read.
    """

    tokenizer: Any
    module: Any
    device: torch.device

    @torch.no_grad()
    def pooled(self, words: str) -> torch.Tensor:
        """The state of the prompt as a whole, (1, width)."""
        places = int(min(self.tokenizer.model_max_length, self.module.config.max_position_embeddings))
        tokens = self.tokenizer(words, padding="max_length", truncation=True, max_length=places, return_tensors="pt")
        state: torch.Tensor = self.module(tokens.input_ids.to(self.device)).pooler_output
        return state
