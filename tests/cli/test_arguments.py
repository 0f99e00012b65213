"""Arguments, exit codes and the page that lists them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bridge.cli import exits, main
from bridge.cli.arguments import build_parser, parse_rect
from bridge.cli.exits import CliError, Exit, exit_of
from bridge.cli.failures import as_cli_error
from bridge.cli.reference import PAGE, render
from bridge.client import BadAddress, BridgeNotFound, JobCancelled
from bridge.protocol.errors import CODES, BridgeError
from bridge.protocol.messages import Rect
from bridge.server.errors import StartError

FILL = ["fill", "a.png", "-o", "b.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["paint"], "invalid choice"),
        (FILL, "--mask --rect --own-mask --watch is required"),
        ([*FILL, "--mask", "m.png", "--rect", "1,2,3,4"], "not allowed with"),
        ([*FILL, "--rect", "1,2,3"], "x,y,width,height"),
        ([*FILL, "--rect", "1,2,3,4", "--strength", "0"], "between 0.01 and 1.0"),
        ([*FILL, "--rect", "1,2,3,4", "--strength", "nan"], "between"),
        ([*FILL, "--rect", "1,2,3,4", "--steps", "2.5"], "whole number"),
        ([*FILL, "--rect", "1,2,3,4", "--batch", "65"], "between 1 and 64"),
        ([*FILL, "--rect", "1,2,3,4", "--seed", "-1"], "between 0 and"),
        ([*FILL, "--rect", "1,2,3,4", "--mode", "magic"], "invalid choice"),
        ([*FILL, "--rect", "1,2,3,4", "--sampler", "Euler's own"], "invalid choice"),
        ([*FILL, "--rect", "1,2,3,4", "--context", "here"], "rectangle"),
        (["generate", "-o", "b.png", "--size", "512"], "WIDTHxHEIGHT"),
        (["generate", "-o", "b.png", "--size", "0x512"], "at least one"),
    ],
)
def test_a_wrong_command_line_is_told_apart(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == Exit.USAGE
    assert words in capsys.readouterr().err


def test_what_is_understood() -> None:
    parse = build_parser().parse_args
    args = parse(
        [*FILL, "--rect=-5,6,7,8", "--model", "big", "--context", "1,2,30,40", "--seed", "18446744073709551615"]
    )
    assert args.rect == Rect(-5, 6, 7, 8)
    assert args.context == Rect(1, 2, 30, 40)
    assert args.checkpoint == "big"
    assert args.seed == 2**64 - 1
    assert parse(["generate", "-o", "b.png", "--size", "640X480"]).size == (640, 480)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "1.5,2,3,4"])
def test_what_is_no_rectangle(text: str) -> None:
    with pytest.raises(ValueError, match="rectangle"):
        parse_rect(text)


def test_every_code_that_ends_a_command_has_an_exit_code() -> None:
    own = {cls.code for cls in (BadAddress, BridgeNotFound, JobCancelled, StartError)}
    assert CODES.keys() | own >= exits._NO_BRIDGE | exits._FAILED
    assert exit_of("out_of_memory") is Exit.OUT_OF_MEMORY
    assert exit_of("unauthorized") is Exit.NO_BRIDGE
    assert exit_of("worker_crashed") is Exit.FAILED
    assert exit_of("empty_selection") is Exit.REFUSED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CliError("a"), Exit.REFUSED),
        (BridgeError("checkpoint_unknown"), Exit.REFUSED),
        (BridgeError("worker_silent"), Exit.FAILED),
        (BridgeNotFound("a", "b", ()), Exit.NO_BRIDGE),
        (BadAddress("a", "b"), Exit.NO_BRIDGE),
        (StartError("a", "b"), Exit.NO_BRIDGE),
        (JobCancelled("a"), Exit.FAILED),
        (MemoryError(), Exit.OUT_OF_MEMORY),
    ],
)
def test_errors_of_other_rooms(error: Exception, code: Exit) -> None:
    found = as_cli_error(error)
    assert found is not None
    assert found.exit_code is code
    assert as_cli_error(ValueError("unforeseen")) is None


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert render(page) == page, "run make docs"
    for code in Exit:
        assert f"| {code.value} | {code.meaning} |" in page


def test_the_command_line_starts_without_what_is_slow() -> None:
    program = (
        "import sys, bridge.cli.arguments as a; a.build_parser();"
        "print([m for m in ('torch', 'numpy', 'pyvips', 'cv2', 'websockets', 'starlette', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_torch_never_comes_into_the_commands_process() -> None:
    program = (
        "import sys, bridge.cli.jobs, bridge.cli.demo, bridge.cli.doctor, bridge.cli.serve, bridge.cli.models;"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_second_port_has_a_short_name() -> None:
    parser = build_parser()
    assert parser.parse_args(["serve", "--a1111"]).a1111_port == 7860
    assert parser.parse_args(["serve", "--a1111-port", "7861"]).a1111_port == "7861"
    assert parser.parse_args(["serve"]).a1111_port is None
