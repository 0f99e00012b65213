"""What guides are shown."""

from dataclasses import dataclass

import torch

__all__ = ["GuideInput"]


@dataclass(frozen=True)
class GuideInput:
    """What a guide is shown of a plane, in pixels and on the CPU: a `picture` (1, 3, h, w), 0..1.

    `kind` is the control kind that says what it means. None: it is what is painted on, and `mask` (1, 1, h, w) is 1
    where that is repainted; what lies there the guide must not look at. `role` says what of a reference is painted,
    whose picture is of a size of its own.
    """

    picture: torch.Tensor
    kind: str | None
    mask: torch.Tensor | None = None
    role: str = "subject"
