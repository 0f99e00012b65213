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
        made.set_defaults(action=name)
        made.add_argument("--json", action="store_true", help="print one JSON object")
        return made

    _recipe(action("data", "fetch what a recipe is trained on, by pinned name and hash"))
    _trained(action("autoencoder", "train a recipe's first stage: pixels to latents and back"))
    denoiser = action("denoiser", "train its second stage: the UNet and the text encoder")
    _trained(denoiser)
    _begun(denoiser)
    decoder = action("decoder", "refine the autoencoder's decoder, with the latents as they are")
    _trained(decoder)
    _begun(decoder)
    export = action("export", "write what has been trained as a checkpoint")
    _recipe(export)
    _begun(export)
    _exported(export)
    everything = action("all", "run every stage of a recipe in turn; each goes on from where it was stopped")
    _trained(everything)
    _exported(everything)


def _recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", nargs="?", default="mini", metavar="RECIPE", help="mini, or a TOML file that says everything (mini)"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where fetched packages are kept")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where training states and samples are kept")


def _trained(parser: argparse.ArgumentParser) -> None:
    _recipe(parser)
    add_run(parser)


def _begun(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="begun",
        type=Path,
        metavar="FOLDER",
        help="begin from this checkpoint of the recipe's shape, where there is no state yet",
    )


def _exported(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where the checkpoint goes; none: beside the states")


def add_run(parser: argparse.ArgumentParser) -> None:
    """What every training takes."""
    parser.add_argument(
        "--max-hours", type=_hours, metavar="N", help="stop after so long; the same command goes on from there"
    )
    parser.add_argument(
        "--precision", choices=("no", "bf16", "fp16"), default="no", help="mixed precision; no: 32 bits throughout (no)"
    )


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    # Written so that NaN fails too.
    if not hours >= 0:
        raise argparse.ArgumentTypeError(f"a number of hours is wanted, not {text!r}")
    return hours
