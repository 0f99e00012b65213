"""The arguments of every command. Ranges come from the protocol's own fields, so that a wrong value is refused here."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..control_kinds import map_kinds
from ..plugins import TARGETS
from ..protocol.messages import ContextKind, JobKind, Rect
from ..server.settings import A1111_PORT, add_flags
from .exits import Exit
from .job_flags import add_job_flags, checked
from .train_arguments import add_train

__all__ = ["CONTEXTS", "build_parser", "parse_rect"]

CONTEXTS = tuple(str(kind) for kind in ContextKind if kind != ContextKind.RECT)


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
    _estimate(command("estimate", "make a map of a picture, such as its depth, for use as a condition", "estimating"))
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
    add_train(command("train", "train a LoRA of a style of your own, or a small checkpoint from nothing", "train"))
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
    _repaint(parser, JobKind.FILL, output="picture to write; for several, a folder; none: NAME.fill.png beside each")


def _refine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF, JPEG or WebP")
    _selection(parser, required=False)
    _repaint(parser, JobKind.REFINE)


def _selection(parser: argparse.ArgumentParser, *, required: bool) -> argparse._MutuallyExclusiveGroup:
    selection = parser.add_mutually_exclusive_group(required=required)
    selection.add_argument(
        "--mask", type=Path, metavar="MASK", help="picture of the same size: white, or opaque, is selected"
    )
    selection.add_argument("--rect", type=checked(parse_rect), metavar="X,Y,W,H", help="select a rectangle, in pixels")
    return selection


def _repaint(parser: argparse.ArgumentParser, kind: JobKind, *, output: str = "") -> None:
    parser.add_argument(
        "--context",
        type=_context,
        default="auto",
        metavar="|".join((*CONTEXTS, "X,Y,W,H")),
        help="how much the model gets to see (auto)",
    )
    _job(parser, kind, output=output)
    parser.add_argument(
        "--layer", type=Path, metavar="LAYER", help="write the layer too: transparent, of the picture's size"
    )


def _generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size", type=checked(_size), required=True, metavar="WxH", help="size in pixels, such as 512x512"
    )
    _job(parser, JobKind.GENERATE)


def _upscale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF, JPEG or WebP")
    parser.add_argument(
        "--rect", type=checked(parse_rect), metavar="X,Y,W,H", help="enlarge this part alone, and write only that"
    )
    _job(parser, JobKind.UPSCALE, output="picture to write; none: IMAGE's name with -2x or -4x, beside it")


def _estimate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("control_kind", choices=map_kinds(), metavar="KIND", help=", ".join(map_kinds()))
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF, JPEG or WebP")
    parser.add_argument(
        "--rect", type=checked(parse_rect), metavar="X,Y,W,H", help="make a map of this part alone, and write only that"
    )
    _job(parser, JobKind.ESTIMATE)


def _job(parser: argparse.ArgumentParser, kind: JobKind, *, output: str = "") -> None:
    add_job_flags(parser, kind)
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


def _context(text: str) -> Any:
    return text if text in CONTEXTS else checked(parse_rect)(text)


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ValueError("a size is WIDTHxHEIGHT in whole pixels, such as 512x512") from None
    if width < 1 or height < 1:
        raise ValueError("a picture must be at least one pixel wide and high")
    return width, height
