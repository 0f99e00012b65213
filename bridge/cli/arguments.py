"""The arguments of every command. Ranges come from the protocol's own fields, so that a wrong value is refused here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..models.samplers import SAMPLERS
from ..plugins import TARGETS
from ..protocol.messages import MODES, SCALES, STRENGTHS, Rect, Submit
from ..server.settings import A1111_PORT, add_flags
from .conditions import CONDITION_KINDS, CONDITION_OPTIONS, parse_condition
from .exits import Exit
from .train_arguments import add_train

__all__ = ["CONTEXTS", "build_parser", "parse_rect"]

CONTEXTS = ("auto", "selection", "canvas")
_LIMITS = {entry.name: entry.metadata for entry in fields(Submit)}


def build_parser() -> argparse.ArgumentParser:
    """The parser. What it gives has ``module`` (the command's module in this package) and ``json``."""
    parser = argparse.ArgumentParser(
        prog="paintbridge",
        description="Repaint a selection of a picture with a diffusion model on this machine.",
        epilog="Exit codes: " + ", ".join(f"{code.value} {code.meaning}" for code in Exit) + ".",
    )
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, words: str, module: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        made.set_defaults(module=module, command=name)
        return made

    _serve(command("serve", "run the bridge until it is stopped", "serve"))
    page = command("open", "open the page, an editor in the browser, with a bridge if none runs", "opening")
    page.add_argument(
        "--print", action="store_true", help="print its address, which holds the token, instead of starting a browser"
    )
    _fill(command("fill", "repaint what is selected in a picture, in several, or in those that appear", "fills"))
    _refine(command("refine", "repaint a picture, or what is selected, keeping its forms", "jobs"))
    _generate(command("generate", "paint a new picture", "jobs"))
    _upscale(command("upscale", "enlarge a picture, or a part of it, and paint the detail that it then lacks", "jobs"))
    demo = command("demo", "show it all on a photograph that comes with Paintbridge", "demo")
    demo.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER", help="where the pictures go"
    )
    doctor = command("doctor", "say what was found on this machine, what is used and why", "doctor")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    token = command("token", "print the token that clients need", "tokens")
    token.add_argument(
        "--rotate", action="store_true", help="make a new one first; the old one is refused from then on"
    )
    token.add_argument(
        "--base-url",
        action="store_true",
        help="print it as an address, for clients of other servers' HTTP APIs that take nothing else",
    )
    _models(command("models", "list the checkpoints and LoRAs on this machine, add, fetch and remove them", "models"))
    add_train(
        command("train", "teach a checkpoint a style of your own, or train a small checkpoint from nothing", "train")
    )
    _plugins(command("plugins", "put the plug-ins into Krita and other hosts of this machine, or out again", "plugins"))
    return parser


def parse_rect(text: str) -> Rect:
    """``x,y,w,h`` in pixels.

    Raises:
        ValueError: anything else, or nothing inside.
    """
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError("a rectangle is x,y,width,height in whole pixels, such as 100,80,320,240") from None
    if width < 1 or height < 1:
        raise ValueError("a rectangle must be at least one pixel wide and high")
    return Rect(x, y, width, height)


def _serve(parser: argparse.ArgumentParser) -> None:
    add_flags(parser)
    parser.add_argument(
        "--a1111",
        action="store_const",
        dest="a1111_port",
        const=A1111_PORT,
        help="listen at port 7860 too, where clients of AUTOMATIC1111's API look",
    )


def _fill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", type=Path, nargs="*", metavar="IMAGE", help="PNG, TIFF, JPEG or WebP; one, or several"
    )
    selection = _selection(parser, required=True)
    selection.add_argument(
        "--own-mask", action="store_true", help="each picture's own mask, NAME.mask.png beside NAME.png"
    )
    selection.add_argument(
        "--watch",
        type=Path,
        metavar="FOLDER",
        help="fill what appears there with a mask of its own, as NAME.fill.png, until Ctrl-C",
    )
    parser.add_argument("--mode", choices=MODES["fill"], default="auto", help="what to do with the selection (auto)")
    _repaint(parser, output="picture to write; for several, a folder; none: NAME.fill.png beside each")


def _refine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF, JPEG or WebP")
    _selection(parser, required=False)
    _repaint(parser)


def _selection(parser: argparse.ArgumentParser, *, required: bool) -> argparse._MutuallyExclusiveGroup:
    selection = parser.add_mutually_exclusive_group(required=required)
    selection.add_argument(
        "--mask", type=Path, metavar="MASK", help="picture of the same size: white, or opaque, is selected"
    )
    selection.add_argument("--rect", type=_said(parse_rect), metavar="X,Y,W,H", help="select a rectangle, in pixels")
    return selection


def _repaint(parser: argparse.ArgumentParser, *, output: str = "") -> None:
    parser.add_argument(
        "--context",
        type=_context,
        default="auto",
        metavar="|".join((*CONTEXTS, "X,Y,W,H")),
        help="how much the model gets to see (auto)",
    )
    _number(parser, "--strength", "strength", "1: repaint freely; less: keep more of what is there")
    _number(parser, "--grow", "grow", "pixels to grow the selection by")
    _number(parser, "--feather", "feather", "pixels of feather")
    parser.add_argument("--strict", action="store_true", help="change nothing outside the selection")
    _job(parser, output=output)
    parser.add_argument(
        "--layer", type=Path, metavar="LAYER", help="write the layer too: transparent, of the picture's size"
    )


def _generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size", type=_said(_size), required=True, metavar="WxH", help="size in pixels, such as 512x512"
    )
    _job(parser)


def _upscale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF, JPEG or WebP")
    parser.add_argument("--scale", type=int, choices=SCALES, default=SCALES[0], help="how many times (2)")
    parser.add_argument(
        "--rect", type=_said(parse_rect), metavar="X,Y,W,H", help="enlarge this part alone, and write only that"
    )
    strength = STRENGTHS["upscale"]
    _number(parser, "--strength", "strength", f"more: paint more that was not there, and keep less ({strength:g})")
    _job(parser, output="picture to write; none: IMAGE's name with -2x or -4x, beside it")


def _job(parser: argparse.ArgumentParser, *, output: str = "") -> None:
    parser.add_argument(
        "--prompt",
        type=_said(_words),
        default="",
        metavar="TEXT",
        help="what is wanted; docs/prompts.md tells how to weigh words and add LoRAs",
    )
    parser.add_argument(
        "--condition",
        type=_said(parse_condition),
        action="append",
        default=[],
        metavar="KIND=FILE[,NAME=VALUE...]",
        help=f"be guided by a picture of the same size, several if repeated; KIND: {', '.join(CONDITION_KINDS)}; "
        f"NAME: {', '.join(CONDITION_OPTIONS)} (docs/conditions.md)",
    )
    parser.add_argument("--negative", type=_said(_words), default="", metavar="TEXT", help="what is not wanted")
    _number(parser, "--seed", "seed", "seed of the first picture; none: the bridge draws one")
    _number(parser, "--batch", "batch", "how many pictures; more than one are numbered: OUT-1.png, OUT-2.png")
    _number(parser, "--steps", "steps", "denoising steps; none: what suits the checkpoint")
    _number(parser, "--guidance", "guidance", "guidance scale; none: what suits the checkpoint")
    parser.add_argument("--sampler", choices=SAMPLERS, help="none: what suits the checkpoint")
    parser.add_argument(
        "--checkpoint", "--model", type=_said(_words), metavar="NAME", help="none: the bridge's default"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=not output, metavar="OUT", help=output or "picture to write"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object about what was done")


def _models(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, words: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        made.set_defaults(action=name)
        made.add_argument("--json", action="store_true", help="print one JSON object")
        return made

    listing = action("list", "list the checkpoints and LoRAs, and what lies beside them but cannot be used, and why")
    listing.add_argument(
        "--recommended", action="store_true", help="list checkpoints that are worth pulling from the hub instead"
    )
    action("info", "say everything about one checkpoint or LoRA").add_argument("name", metavar="NAME", help="its name")
    action("add", "use a checkpoint, a LoRA, or a folder of them, where it lies").add_argument(
        "path", type=Path, metavar="PATH", help="a diffusers folder, a .safetensors file, or a folder that holds some"
    )
    remove = action("remove", "take an added checkpoint or LoRA off the list, or delete a checkpoint that was pulled")
    remove.add_argument("name", metavar="NAME", help="its name, or the path that was added")
    remove.add_argument("--yes", action="store_true", help="delete without asking")
    pull = action("pull", "fetch a checkpoint from the Hugging Face hub: safetensors only, checked by hash")
    pull.add_argument("hub_id", metavar="OWNER/NAME", help="as on its page at the hub")
    pull.add_argument("--revision", metavar="REVISION", help="a branch, tag or commit; none: the newest")


def _plugins(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, words in (
        ("list", "list the hosts of this machine, and which of them have the plug-in"),
        ("install", "put the plug-in into every host that is found, in place of an older one, and enable it"),
        ("uninstall", "take the plug-in out again; nothing else is touched"),
    ):
        made = actions.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        made.set_defaults(action=name)
        made.add_argument(
            "host", nargs="?", choices=[target.name for target in TARGETS], metavar="HOST", help="none: every one"
        )
        made.add_argument(
            "--path", type=Path, metavar="FOLDER", help="where that host keeps what users add, if it is not found"
        )
        made.add_argument("--json", action="store_true", help="print one JSON object")


def _number(parser: argparse.ArgumentParser, flag: str, field: str, words: str) -> None:
    limits = _LIMITS[field]
    kind: type[int] | type[float] = float if isinstance(limits["min"], float) else int

    def parse(text: str) -> int | float:
        value = kind(text)
        # Written so that NaN fails too.
        if not limits["min"] <= value <= limits["max"]:
            raise ValueError(f"it must be between {limits['min']} and {limits['max']}")
        return value

    parser.add_argument(flag, type=_said(parse, f"a {'whole ' if kind is int else ''}number"), metavar="N", help=words)


def _said(parse: Callable[[str], Any], wanted: str = "") -> Callable[[str], Any]:
    """argparse shows a type's own words only for its own kind of error."""

    def said(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            words = f"{wanted} is wanted, not {text!r}" if wanted and "must be" not in str(error) else str(error)
            raise argparse.ArgumentTypeError(words) from None

    return said


def _words(text: str) -> str:
    # Arguments in another encoding than the system's come with lone surrogates, which no message can hold.
    if not text.isascii() and text != text.encode("utf-8", "replace").decode("utf-8"):
        raise ValueError("it must be text in UTF-8")
    return text


def _context(text: str) -> Any:
    return text if text in CONTEXTS else _said(parse_rect)(text)


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ValueError("a size is WIDTHxHEIGHT in whole pixels, such as 512x512") from None
    if width < 1 or height < 1:
        raise ValueError("a picture must be at least one pixel wide and high")
    return width, height
