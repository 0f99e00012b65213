"""That server's settings, as far as they mean something here: which checkpoint paints, and what files are made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ....models.names import find_name
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo

__all__ = ["Options"]

_CHECKPOINT, _FORMAT = "sd_model_checkpoint", "samples_format"
_KINDS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
_TITLE = re.compile(r"(?P<name>.*?)(?: \[(?P<hash>[0-9a-f]{6,64})\])?")
# What would change pictures, as it is done here.
_AS_PAINTED: dict[str, Any] = {
    "CLIP_stop_at_last_layers": 1,
    "eta_ancestral": 1.0,
    "eta_ddim": 0.0,
    "eta_noise_seed_delta": 0,
    "img2img_background_color": "#ffffff",
    "img2img_color_correction": False,
    "initial_noise_multiplier": 1.0,
    "inpainting_mask_weight": 1.0,
    "sd_hypernetwork": "None",
    "sd_lora": "None",
    "sd_vae": "Automatic",
}
# Other things that clients ask for.
_ASKED_FOR: dict[str, Any] = {
    "enable_pnginfo": True,
    "face_restoration_model": None,
    "live_previews_enable": True,
    "send_seed": True,
    "upscaler_for_img2img": None,
}
_FIXED = {**_AS_PAINTED, **_ASKED_FOR}
_MOST_BYTES = 64 << 10


class Options:
    """Of all clients of this API together, as there; forgotten with the bridge's end. What has no effect is remembered
    all the same, so that clients find what they have set.

    Hashes of checkpoints are known once they have painted: before that, gigabytes would have to be read.
    """

    def __init__(self) -> None:
        self._checkpoint: str | None = None
        self._format = "png"
        self._said: dict[str, Any] = {}
        self._hashes: dict[str, str] = {}

    def learn(self, checkpoint: str, sha256: str) -> None:
        """A checkpoint has painted."""
        self._hashes[checkpoint] = sha256

    def all(self, checkpoints: Sequence[CheckpointInfo]) -> dict[str, Any]:
        """The answer to ``options``."""
        name = self._checkpoint or (checkpoints[0].name if checkpoints else "")
        return {
            **_FIXED,
            **self._said,
            _CHECKPOINT: self.title(name),
            "sd_checkpoint_hash": self._hashes.get(name, ""),
            _FORMAT: self._format,
        }

    def models(self, checkpoints: Sequence[CheckpointInfo]) -> list[dict[str, Any]]:
        """The answer to ``sd-models``. No path leaves the bridge: a file is called as the checkpoint."""
        return [
            {
                "title": self.title(entry.name),
                "model_name": entry.name,
                "hash": self._hashes.get(entry.name, "")[:10] or None,
                "sha256": self._hashes.get(entry.name),
                "filename": entry.name,
                "config": None,
            }
            for entry in checkpoints
        ]

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the options that were set, would change pictures, and do not."""
        return tuple(name for name, fixed in _AS_PAINTED.items() if self._said.get(name, fixed) != fixed)

    def sha256(self, checkpoint: str) -> str:
        """A checkpoint's hash; empty: it has not painted yet."""
        return self._hashes.get(checkpoint, "")

    def title(self, checkpoint: str) -> str:
        """What a checkpoint is called in lists."""
        sha256 = self._hashes.get(checkpoint)
        return f"{checkpoint} [{sha256[:10]}]" if sha256 else checkpoint

    def change(self, values: Mapping[str, Any], checkpoints: Sequence[CheckpointInfo]) -> tuple[str, ...]:
        """Set options for all that comes. Returns the names of those without effect.

        Raises:
            BridgeError: ``checkpoint_unknown``, ``out_of_range``. Then none is set.
        """
        checkpoint, kind, ignored = self.override(values, checkpoints)
        said = {**self._said, **{name: value for name, value in values.items() if name not in (_CHECKPOINT, _FORMAT)}}
        if len(json.dumps(said)) > _MOST_BYTES:
            raise BridgeError(
                "out_of_range", "All options together take more than {most} bytes.", "Set fewer.", most=_MOST_BYTES
            )
        self._checkpoint, self._format, self._said = checkpoint, kind, said
        return ignored

    def override(
        self, values: Mapping[str, Any], checkpoints: Sequence[CheckpointInfo]
    ) -> tuple[str | None, str, tuple[str, ...]]:
        """What options come to with these values over them: checkpoint (None: the bridge's default), kind of file, and
        the names of values without effect. Raises as :meth:`change`.
        """
        checkpoint, kind = self._checkpoint, self._format
        if values.get(_CHECKPOINT):
            checkpoint = self._find(str(values[_CHECKPOINT]), checkpoints)
        if values.get(_FORMAT):
            if str(values[_FORMAT]).lower() not in _KINDS:
                raise BridgeError(
                    "out_of_range", "There is no {option} {kind}.", "Choose png.", option=_FORMAT, kind=values[_FORMAT]
                )
            kind = _KINDS[str(values[_FORMAT]).lower()]
        unheeded = (
            name
            for name, value in values.items()
            if name not in (_CHECKPOINT, _FORMAT) and (name not in _FIXED or value != _FIXED[name])
        )
        return checkpoint, kind, tuple(unheeded)

    def _find(self, title: str, checkpoints: Sequence[CheckpointInfo]) -> str:
        matched = _TITLE.fullmatch(title)
        name = matched["name"] if matched else title
        known = find_name(name, (entry.name for entry in checkpoints))
        if known is not None:
            return known
        for entry in checkpoints:
            if len(name) >= 6 and self._hashes.get(entry.name, "").startswith(name.lower()):
                return entry.name
        names = ", ".join(entry.name for entry in checkpoints)
        raise BridgeError(
            "checkpoint_unknown", "No checkpoint is named {name}.", "There are: {shown}.", name=repr(name), shown=names
        )
