"""The training's own door, run as a child: ``python -m bridge.training STAGE``."""

import argparse
import math
import os
import sys
from pathlib import Path
from typing import Any

from bridge.training import recipe as recipes
from bridge.training.data import cutouts, default_folder, fetch_all, photographs
from bridge.training.errors import TrainingError


def _train(stage: Any, name: str, recipe: dict[str, Any], arguments: argparse.Namespace) -> None:
    from bridge.training.loop import Schedule, train

    said = recipe[name]
    schedule = Schedule(
        steps=sum(phase[0] for phase in said["phases"]),
        learning_rate=said["learning_rate"],
        average=said["average"],
        seed=recipe["seed"],
    )
    train(
        stage,
        schedule,
        arguments.work / f"{name}.safetensors",
        identity=f"{recipe['name']} {name}",
        mixed_precision=arguments.precision,
        max_hours=arguments.max_hours,
        samples=arguments.work / f"{name}-samples",
    )


def _run(stage: str, arguments: argparse.Namespace) -> None:
    if stage == "data":
        fetch_all(arguments.data)
        return
    from bridge.training import build
    from bridge.training.lpips import Lpips, weights

    recipe = recipes.read(arguments.recipe)
    pictures = cutouts(arguments.data), photographs(arguments.data)
    if stage == "autoencoder":
        made = build.autoencoder_stage(recipe, Lpips(weights(arguments.data)), *pictures)
        _train(made, stage, recipe, arguments)
        return
    built = build.models(recipe, arguments.work, arguments.data, *pictures)
    if stage == "denoiser":
        _train(build.denoiser_stage(recipe, built, *pictures), stage, recipe, arguments)
    elif stage == "decoder":
        lpips = Lpips(weights(arguments.data))
        _train(build.autoencoder_stage(recipe, lpips, *pictures, built.autoencoder), stage, recipe, arguments)
    else:
        from bridge.training.export import export

        export(built, recipe, arguments.to)
        print(f"{arguments.to}: steps {built.steps}")


def main(argv: list[str] | None = None) -> int:
    """Run one stage, or all in turn; typed failures are one line on stderr and exit status 1."""
    stages = ("data", "autoencoder", "denoiser", "decoder", "export")
    parser = argparse.ArgumentParser(prog="python -m bridge.training", description=__doc__)
    parser.add_argument("stage", choices=[*stages, "all"])
    parser.add_argument("--recipe", type=Path, default=recipes.MINI, help="the TOML file that says everything")
    parser.add_argument("--data", type=Path, default=default_folder(), help="where fetched packages are kept")
    parser.add_argument("--work", type=Path, help="where training states and samples are kept")
    parser.add_argument("--to", type=Path, help="where export writes the checkpoint")
    parser.add_argument("--max-hours", type=float, default=math.inf, help="stop after so long; the next run goes on")
    parser.add_argument("--precision", choices=["no", "bf16", "fp16"], default="no")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    try:
        name = recipes.read(arguments.recipe)["name"]
        arguments.work = arguments.work or default_folder().parent / "training" / name
        arguments.to = arguments.to or arguments.work / "checkpoint"
        for stage in stages if arguments.stage == "all" else (arguments.stage,):
            _run(stage, arguments)
    except TrainingError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
