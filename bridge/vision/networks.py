"""Estimators in memory: networks of transformers' classes with how their pictures are prepared, Marigold, HED."""

from typing import Any

import torch
from torch import nn

from ..diffusion.device import is_out_of_memory
from ..models import CheckpointUnreadable, Estimator
from .hed import load_hed
from .marigold import load_marigold
from .preprocessing import Preprocessor, read_preprocessor

__all__ = ["Prepared", "load_estimator"]


class Prepared(nn.Module):
    """A network `module`, and `prepare`, which makes its input of a picture (3, h, w), 0..1."""

    def __init__(self, module: Any, prepare: Preprocessor) -> None:
        super().__init__()
        self.module = module
        self.prepare = prepare


def load_estimator(files: Estimator) -> nn.Module:
    """The estimator's network, on the CPU, in float32. No code of the files' runs, and no pickle is read.

    Raises CheckpointUnreadable where its weights do not fit its config, or are not all there; EstimatorUnsupported
    where its pictures are to be prepared as is not known.
    """
    if files.architecture == "HED":
        return load_hed(files)
    if files.architecture == "MarigoldNormalsPipeline":
        return load_marigold(files)
    return Prepared(_load_transformer(files), read_preprocessor(files.path))


def _load_transformer(files: Estimator) -> Any:
    import transformers

    loader: Any = getattr(transformers, files.architecture)
    try:
        network, report = loader.from_pretrained(
            files.path,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (ImportError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointUnreadable(
            "{name} cannot be loaded as a {architecture}: its weights do not fit its config.json.",
            hint="Download or copy the folder again.",
            name=files.path.name,
            architecture=files.architecture,
        ) from error
    mismatched = (key[0] for key in report["mismatched_keys"])
    wrong = sorted({*report["missing_keys"], *report["unexpected_keys"], *mismatched})
    if wrong:
        raise CheckpointUnreadable(
            "The weights of {name} are not those of a {architecture}: {count} are missing or too many, such as "
            "{example}.",
            hint="Download or copy the folder again.",
            name=files.path.name,
            architecture=files.architecture,
            count=len(wrong),
            example=wrong[0],
        )
    return network
