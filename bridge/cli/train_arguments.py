"""The arguments of ``paintbridge train``."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_train"]


def add_train(parser: argparse.ArgumentParser) -> None:
    """Give ``paintbridge train`` its actions."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, words: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        made.set_defaults(action=name, child="bridge.training")
        made.add_argument("--json", action="store_true", help="print one JSON object")
        return made

    _recipe(action("data", "fetch what a recipe is trained on, by pinned name and hash"))
    _lora(action("lora", "train a LoRA on a folder of pictures of one style, for Paintbridge and other programs"))
    _trained(action("autoencoder", "train a recipe's first stage: pixels to latents and back"))
    denoiser = action("denoiser", "train its second stage: the UNet and the text encoder")
    _trained(denoiser)
    _init_from(denoiser)
    decoder = action("decoder", "refine the autoencoder's decoder, with the latents as they are")
    _trained(decoder)
    _init_from(decoder)
    export = action("export", "write what has been trained as a checkpoint")
    _recipe(export)
    _custom_dataset(export)
    _init_from(export)
    _exported(export)
    evaluate = action("evaluate", "measure a checkpoint made by mini's recipe, and the infill beside others'")
    _evaluated(evaluate)
    everything = action("all", "run every stage of a recipe in turn; each goes on from where it was stopped")
    _trained(everything)
    _exported(everything)


def _lora(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="pictures, 10 to 50 of one style")
    parser.add_argument(
        "--checkpoint", "--model", metavar="NAME", help="what the LoRA is for; none: the bridge's default"
    )
    parser.add_argument("--name", required=True, metavar="NAME", help="the LoRA's name, for prompts and for its file")
    parser.add_argument(
        "--caption",
        default="",
        metavar="TEXT",
        help="what the pictures are, where no NAME.txt beside NAME.png says so; the words that will call the style up",
    )
    _whole(parser, "--rank", 16, 1, 256, "the LoRA's rank: more holds more")
    parser.add_argument("--alpha", type=_positive, metavar="N", help="alpha over rank scales the LoRA; none: the rank")
    _whole(parser, "--resolution", None, 64, 2048, "edge of a square of as many pixels; none: the checkpoint's own")
    _whole(parser, "--steps", 1000, 1, 1_000_000, "training steps")
    parser.add_argument(
        "--learning-rate",
        type=_positive,
        default=1e-4,
        metavar="N",
        help="higher trains faster, and overfits sooner (0.0001)",
    )
    _whole(parser, "--batch", 1, 1, 64, "pictures in a step")
    _whole(parser, "--seed", 0, 0, (1 << 32) - 1, "the same seed trains the same LoRA")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where the LoRA goes; none: the bridge's own LoRAs")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="where the training's state and samples lie; none: the bridge's home",
    )
    parser.add_argument("--no-samples", action="store_true", help="paint no sample sheets, before and now, meanwhile")
    _max_hours(parser)


def _recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", nargs="?", default="mini", metavar="RECIPE", help="mini, or a TOML file that says everything (mini)"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where fetched packages are kept")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where training states and samples are kept")


def _custom_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER", help="train on these pictures in place of the recipe's own data"
    )
    parser.add_argument(
        "--caption", default="", metavar="TEXT", help="what they are, where no NAME.txt beside NAME.png says so"
    )


def _trained(parser: argparse.ArgumentParser) -> None:
    _recipe(parser)
    _custom_dataset(parser)
    _run(parser)


def _evaluated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint", nargs="?", default="mini", metavar="CHECKPOINT", help="mini, or a checkpoint's folder (mini)"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=("names", "seconds", "removal"),
        help="measure this part alone; may be given again",
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where fetched packages are kept")
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("evaluation-output"),
        metavar="FOLDER",
        help="where figures and sheets go (evaluation-output)",
    )
    parser.add_argument("--write", action="store_true", help="keep the figures in the checkpoint's card.json, too")
    parser.set_defaults(child="bridge.evaluation")


def _init_from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="init_from",
        type=Path,
        metavar="FOLDER",
        help="initialise from this checkpoint of the recipe's shape, where there is no state yet",
    )


def _exported(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where the checkpoint goes; none: beside the states")


def _run(parser: argparse.ArgumentParser) -> None:
    _max_hours(parser)
    parser.add_argument(
        "--precision",
        choices=("auto", "no", "bf16", "fp16"),
        default="auto",
        help="mixed precision; no: 32 bits throughout; auto: what this machine is fastest in (auto)",
    )


def _max_hours(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-hours", type=_hours, metavar="N", help="stop after so long; the same command goes on from there"
    )
    _whole(parser, "--processes", 1, 1, 64, "train in so many processes, one on each GPU")
    parser.add_argument(
        "--save-every", type=_positive, default=300.0, metavar="N", help="seconds between two saved states (300)"
    )


def _whole(parser: argparse.ArgumentParser, flag: str, default: int | None, low: int, high: int, words: str) -> None:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"a whole number between {low} and {high} is wanted, not {text!r}")
        return int(text)

    shown = "" if default is None else f" ({default})"
    parser.add_argument(flag, type=parse, default=default, metavar="N", help=f"{words}{shown}")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    # Written so that NaN fails too.
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted, not {text!r}")
    return value


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    # Written so that NaN fails too.
    if not hours >= 0:
        raise argparse.ArgumentTypeError(f"a number of hours is wanted, not {text!r}")
    return hours
