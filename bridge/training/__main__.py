"""The child that trains, for the command line, which never loads a model: ``python -m bridge.training ORDER``.

ORDER and what the child writes are as ``bridge.training.parent`` says. When the parent closes standard input, the step
is finished and the state saved.
"""

import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import recipe as recipes
from .errors import TrainingError
from .parent import Action, Order, Parent, run_child
from .sources import default_folder

__all__: list[str] = []

STAGES = ("data", "autoencoder", "denoiser", "decoder", "export")


def _recipe_action(order: Order, parent: Parent) -> dict[str, Any]:
    """One stage of a recipe, on its own data or on a folder of pictures."""
    recipe = recipes.read(_recipe_file(order))
    data = Path(order["data"] or default_folder())
    images = order.get("images")
    name = Path(images).name if images else recipe["name"]
    work = Path(order["work"] or default_folder().parent / "training" / name)
    run = _run_custom_stage if images else _run_stage
    return run(order["action"], recipe, data, work, order, parent)


def _all(order: Order, parent: Parent) -> dict[str, Any]:
    """Every stage of a recipe in turn, as far as there is time."""
    until = time.monotonic() + 3600 * _hours(order)
    done: dict[str, Any] = {}
    for stage in STAGES[1:] if order.get("images") else STAGES:
        parent.say(f"{stage}:")
        left = (until - time.monotonic()) / 3600
        done = _recipe_action(order | {"action": stage, "max_hours": left}, parent)
        if not done.get("finished", True):
            break
    return done


def _recipe_file(order: Order) -> Path:
    shipped = recipes.MINI.parent / f"{order['recipe']}.toml"
    return shipped if shipped.is_file() else Path(order["recipe"])


def _hours(order: Order) -> float:
    return math.inf if order["max_hours"] is None else float(order["max_hours"])


def _run_stage(
    stage: str, recipe: dict[str, Any], data: Path, work: Path, order: Order, parent: Parent
) -> dict[str, Any]:
    from .mini_dataset import cutouts, photographs
    from .sources import fetch_all

    if stage == "data":
        return {"words": f"All packages are in {data}.", "files": [str(path) for path in fetch_all(data).values()]}
    from . import build
    from .lpips import Lpips, weights

    pictures = cutouts(data), photographs(data)
    if stage == "autoencoder":
        made = build.autoencoder_stage(recipe, Lpips(weights(data)), *pictures)
        return _train(made, stage, recipe, work, order, parent)
    built = build.models(recipe, work, data, *pictures, _init_from(order))
    if stage == "denoiser":
        return _train(build.denoiser_stage(recipe, built, *pictures), stage, recipe, work, order, parent)
    if stage == "decoder":
        made = build.autoencoder_stage(recipe, Lpips(weights(data)), *pictures, built.autoencoder)
        return _train(made, stage, recipe, work, order, parent)
    return _export(built, recipe, work, order)


def _run_custom_stage(
    stage: str, recipe: dict[str, Any], data: Path, work: Path, order: Order, parent: Parent
) -> dict[str, Any]:
    """One stage on a custom dataset, a folder of images."""
    from . import custom_dataset
    from .dataset import read_folder
    from .lpips import Lpips, weights
    from .text import read_merges

    folder = Path(order["images"])
    dataset = read_folder(folder, order["caption"], 2 * recipe["native_size"], 8, say=parent.say)
    recipe = custom_dataset.recipe_for_folder(recipe, folder.name, dataset)
    if stage == "autoencoder":
        return _train(
            custom_dataset.autoencoder_stage(recipe, Lpips(weights(data)), dataset), stage, recipe, work, order, parent
        )
    built = custom_dataset.models(recipe, work, read_merges(data), dataset, _init_from(order))
    if stage == "denoiser":
        return _train(custom_dataset.denoiser_stage(recipe, built, dataset), stage, recipe, work, order, parent)
    if stage == "decoder":
        made = custom_dataset.autoencoder_stage(recipe, Lpips(weights(data)), dataset, built.autoencoder)
        return _train(made, stage, recipe, work, order, parent)
    done = _export(built, recipe, work, order)
    written = Path(done["folder"]) / "card.json"
    card = custom_dataset.card(json.loads(written.read_text(encoding="utf-8")), folder.name, dataset)
    written.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return done


def _init_from(order: Order) -> Path | None:
    init_from = order.get("init_from")
    return Path(init_from) if init_from else None


def _export(built: Any, recipe: dict[str, Any], work: Path, order: Order) -> dict[str, Any]:
    from .export import export

    folder = Path(order.get("to") or work / "checkpoint")
    export(built, recipe, folder)
    return {
        "words": f"The checkpoint is in {folder}, with these pictures behind it: {built.pictures}.",
        "folder": str(folder),
    }


def _train(stage: Any, name: str, recipe: dict[str, Any], work: Path, order: Order, parent: Parent) -> dict[str, Any]:
    from .loop import TrainingSchedule, train
    from .precision import mixed_precision

    precision = mixed_precision(order["precision"])
    parent.say(f"mixed precision: {precision}")
    config = recipe[name]
    schedule = TrainingSchedule(
        steps=recipes.steps(config),
        learning_rate=config["learning_rate"],
        ema_decay=config["average"],
        seed=recipe["seed"],
    )
    path = work / f"{name}.safetensors"
    trained = train(
        stage,
        schedule,
        path,
        identity=f"{recipe['name']} {name}",
        mixed_precision=precision,
        max_hours=_hours(order),
        save_every=order["save_every"],
        samples=work / f"{name}-samples",
        say=parent.say,
        report=parent.report,
        stop=parent.stopped,
    )
    end = "Trained to the end" if trained.finished else f"Stopped at step {trained.step} of {schedule.steps}"
    goes_on = "" if trained.finished else " The same command goes on from there."
    words = f"{end}; the state is in {path}.{goes_on}"
    return {"words": words, "step": trained.step, "steps": schedule.steps, "finished": trained.finished}


def _lora(order: Order, parent: Parent) -> dict[str, Any]:
    """A LoRA, from a folder of images."""
    from ..diffusion import find_device
    from ..models import ModelsError, inspect
    from ..models.checkpoint_settings import with_settings
    from .dataset import read_folder
    from .lora import native_resolution, train_lora
    from .lora_file import check_name
    from .lora_stage import LoraParams

    folder = Path(order["to"])
    path = check_name(order["name"], folder)
    try:
        checkpoint = with_settings(replace(inspect(Path(order["checkpoint_path"])), id=order["checkpoint"]))
        params = LoraParams(
            name=order["name"],
            caption=order["caption"],
            rank=order["rank"],
            alpha=float(order["alpha"] or order["rank"]),
            resolution=order["resolution"] or native_resolution(checkpoint),
            steps=order["steps"],
            learning_rate=order["learning_rate"],
            batch=order["batch"],
            seed=order["seed"],
        )
        multiple = checkpoint.family.multiple
        dataset = read_folder(Path(order["images"]), params.caption, params.resolution, multiple, say=parent.say)
        parent.say(f"{len(dataset)} pictures, for {checkpoint.id}")
        work = Path(order["work"]) / params.name
        trained = train_lora(
            checkpoint,
            find_device(),
            dataset,
            params,
            state=work / "state.safetensors",
            to=path,
            samples=None if order["no_samples"] else work / "samples",
            max_hours=_hours(order),
            save_every=order["save_every"],
            say=parent.say,
            report=parent.report,
            stop=parent.stopped,
        )
    except ModelsError as error:
        raise TrainingError(error.message, error.hint, code=error.code) from error
    if not trained.finished:
        words = f"Stopped at step {trained.step} of {params.steps}. The same command goes on from there."
        return {"words": words, "step": trained.step, "steps": params.steps, "finished": False}
    words = f"{path} is ready. Write <lora:{params.name}:1> into a prompt to paint with it."
    return {"words": words, "path": str(path), "name": params.name, "steps": params.steps, "finished": True}


ACTIONS: dict[str, Action] = {
    **dict.fromkeys(STAGES, _recipe_action),
    "all": _all,
    "lora": _lora,
}


if __name__ == "__main__":
    sys.exit(run_child(ACTIONS))
