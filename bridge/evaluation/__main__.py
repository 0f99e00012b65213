"""The child that measures, for ``paintbridge train evaluate``: ``python -m bridge.evaluation ORDER``.

ORDER and what the child writes are as ``bridge.training.parent`` says.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ..diffusion.device import find_device
from ..models import MINI, ModelsError, inspect
from ..training.errors import TrainingError
from ..training.lpips import Lpips, weights
from ..training.mini_dataset import cutouts
from ..training.parent import Order, Parent, run_child
from ..training.sources import default_folder
from .figures import codes_of, keep, machine
from .filling import Filler
from .held_out import held_out
from .naming import naming
from .removal import methods, removal
from .speed import speed

__all__: list[str] = []


def _evaluate(order: Order, parent: Parent) -> dict[str, Any]:
    data = Path(order["data"] or default_folder())
    to = Path(order["to"])
    try:
        checkpoint = inspect(MINI if order["checkpoint"] == "mini" else Path(order["checkpoint"]))
    except ModelsError as error:
        raise TrainingError(error.message, error.hint, code=error.code) from error
    filler = Filler(checkpoint, find_device())
    photographs = held_out(data)
    lpips = Lpips(weights(data))
    parts = order["only"] or ["names", "seconds", "removal"]
    found: dict[str, Any] = {}
    if "names" in parts:
        codes = codes_of(checkpoint.card.known_names)
        by_code = {cutout.code: cutout for cutout in cutouts(data)}
        things = {name: by_code[code] for name, code in codes.items()}
        found["names"] = naming(filler, things, photographs, lpips, say=parent.say, sheet=to / "names.png")
    if "seconds" in parts:
        found["seconds"] = {**speed(filler, photographs, data), "machine": machine()}
    if "removal" in parts:
        sheet = to / "removal.png"
        found["removal"] = removal(methods(filler), photographs, lpips, say=parent.say, sheet=sheet)
    to.mkdir(parents=True, exist_ok=True)
    (to / "figures.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    kept = f" and in {keep(checkpoint, found)}" if order["write"] else ""
    return {
        "words": f"{_told(found)}\nThe figures are in {to / 'figures.json'}{kept}; sheets lie beside them.",
        **found,
    }


def _told(found: dict[str, Any]) -> str:
    lines = []
    if "names" in found:
        names = found["names"]
        lines.append(
            f"{names['names']} names, {names['pictures']} pictures: the thing's own cut-out is the nearest in "
            f"{names['nearest']:.0%}, among the nearest 5 in {names['among_nearest_5']:.0%}."
        )
    lines += [f"{name}: {value}" for part in ("seconds", "removal") for name, value in found.get(part, {}).items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_child({"evaluate": _evaluate}))
