"""How what a LoRA adds to a module's weight is made up of tensors: as a LoRA, a LoHa or a LoKr, and as a DoRA.

Hu et al. 2021, "LoRA"; Hyeon-Woo et al. 2022, "FedPara" (LoHa); Yeh et al. 2024, "Navigating Text-To-Image
Customization" (LyCORIS, LoKr); Liu et al. 2024, "DoRA". Tells it by names and shapes alone.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import LoraUnreadable

__all__ = ["DENOISER", "LoraKind", "LoraModule", "measure"]

Shape = tuple[int, ...]

DENOISER = "denoiser"
"""What the denoiser is called among parts here: kohya's trainer says "unet" of every architecture's."""


class LoraKind(enum.StrEnum):
    """How what is added to a weight is made up."""

    LORA = "LoRA"
    """The product of two narrow matrices."""

    LOHA = "LoHa"
    """The Hadamard product of two such products."""

    LOKR = "LoKr"
    """The Kronecker product of two matrices, each of them whole or a narrow product."""


# The tensors that a module of each kind may have, by their roles, and those that it must have.
_ROLES = {
    LoraKind.LORA: frozenset({"down", "up", "mid"}),
    LoraKind.LOHA: frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"}),
    LoraKind.LOKR: frozenset({f"lokr_{one}" for one in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")}),
}
_NEEDED = {
    LoraKind.LORA: frozenset({"down", "up"}),
    LoraKind.LOHA: frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}),
    LoraKind.LOKR: frozenset(),
}
_OF_ALL_KINDS = frozenset({"alpha", "dora_scale", "magnitude"})


@dataclass
class LoraModule:
    """A module that is changed: the `part` that it is in (`DENOISER`, or a text encoder as a diffusers folder calls
    it), its name with underscores for dots, and the names of its tensors by role.

    `kind` says how what is added is made up of them, times alpha / `rank`; `rank` is None where no product is narrow.
    The roles "dora_scale" (LyCORIS) and "magnitude" (peft) make it a DoRA. `taken_in` and `given_out` are the module's
    widths, those of some convolutions times their pixels; `linear` says that its tensors are matrices.
    """

    part: str
    name: str
    tensors: dict[str, str] = field(default_factory=dict)
    kind: LoraKind = LoraKind.LORA
    rank: int | None = None
    taken_in: int = 0
    given_out: int = 0
    linear: bool = True

    @property
    def decomposed(self) -> bool:
        """Whether it is a DoRA."""
        return "dora_scale" in self.tensors or "magnitude" in self.tensors


def measure(spelt: str, module: LoraModule, shapes: Mapping[str, Shape]) -> None:
    """Settles the module's kind, rank and widths by its tensors' roles and shapes; `spelt` is its name in the file.

    Raises LoraUnreadable where tensors of it are missing, or do not fit each other.
    """
    roles = module.tensors.keys() - _OF_ALL_KINDS
    kind = next((kind for kind, of_kind in _ROLES.items() if roles and roles <= of_kind), None)
    if kind is None and roles:
        raise _damaged(spelt)
    of_role = {role: shapes[name] for role, name in module.tensors.items()}
    if kind is None or not roles >= _NEEDED[kind] or (kind is LoraKind.LOKR and not _has_both_sides(of_role)):
        raise LoraUnreadable(
            "The LoRA is incomplete: it lacks tensors of {spelt}.",
            hint="Download or copy the file again.",
            spelt=spelt,
        )
    module.kind = kind
    if not _MEASURES[kind](module, of_role) or of_role.get("alpha", ()) not in ((), (1,)):
        raise _damaged(spelt)


def _damaged(spelt: str) -> LoraUnreadable:
    return LoraUnreadable(
        "The LoRA is damaged: the tensors of {spelt} do not fit each other.",
        hint="Download or copy the file again.",
        spelt=spelt,
    )


def _measure_lora(module: LoraModule, shapes: Mapping[str, Shape]) -> bool:
    down, up, mid = shapes["down"], shapes["up"], shapes.get("mid")
    if not (len(down) in (2, 4) and len(up) in (2, 4) and down[0] == up[1] > 0 and set(up[2:]) <= {1}):
        return False
    module.rank, module.taken_in, module.given_out, module.linear = down[0], down[1], up[0], len(down) == 2
    return mid is None or (len(mid) == 4 and mid[:2] == (down[0], down[0]) and down[2:] == (1, 1))


def _measure_loha(module: LoraModule, shapes: Mapping[str, Shape]) -> bool:
    sides = [_product(shapes, f"hada_w{one}", f"hada_t{one}") for one in (1, 2)]
    if sides[0] is None or sides[0] != sides[1]:
        return False
    (module.given_out, module.taken_in, *pixels), module.rank = sides[0]
    module.linear = not pixels
    return True


def _measure_lokr(module: LoraModule, shapes: Mapping[str, Shape]) -> bool:
    first, second = (_side(shapes, one) for one in (1, 2))
    if first is None or second is None or len(first[0]) != 2:
        return False
    module.rank = second[1] or first[1]
    module.given_out, module.taken_in = first[0][0] * second[0][0], first[0][1] * second[0][1]
    module.linear = len(second[0]) == 2
    return True


def _has_both_sides(shapes: Mapping[str, Shape]) -> bool:
    return all(f"lokr_{one}" in shapes or {f"lokr_{one}_a", f"lokr_{one}_b"} <= shapes.keys() for one in ("w1", "w2"))


def _side(shapes: Mapping[str, Shape], number: int) -> tuple[Shape, int | None] | None:
    """The shape of one side of a Kronecker product, and its rank if it is a narrow product; None: damaged."""
    name = f"lokr_w{number}"
    if name not in shapes:
        return _product(shapes, name, f"lokr_t{number}")
    beside = {f"{name}_a", f"{name}_b", f"lokr_t{number}"} & shapes.keys()
    return (shapes[name], None) if not beside and len(shapes[name]) in (2, 4) else None


def _product(shapes: Mapping[str, Shape], name: str, core: str) -> tuple[Shape, int] | None:
    """The shape of a narrow product and its rank; None: damaged.

    Its factors are (out, rank) and (rank, in); with a core between (LyCORIS, "Tucker decomposition"), of shape (rank,
    rank, height, width), the first lies turned.
    """
    first, second, middle = shapes[f"{name}_a"], shapes[f"{name}_b"], shapes.get(core)
    if len(first) != 2 or len(second) != 2:
        return None
    rank, out = first if middle else (first[1], first[0])
    if rank != second[0] or not rank or (middle and (len(middle) != 4 or middle[:2] != (rank, rank))):
        return None
    return (out, second[1], *(middle[2:] if middle else ())), rank


_MEASURES = {LoraKind.LORA: _measure_lora, LoraKind.LOHA: _measure_loha, LoraKind.LOKR: _measure_lokr}
