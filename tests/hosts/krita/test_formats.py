"""Whatever colours a document has: what the bridge leaves alone comes back as it was."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import pytest
from krita_docker import KritaDocker

WIDTH, HEIGHT = 160, 120
AREA = (60, 40, 30, 30)
LINEAR, WIDE = "sRGB-elle-V2-g10.icc", "ClayRGB-elle-V2-g22.icc"
DTYPES = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32}
LARGEST = {"U8": 255, "U16": 65535, "F16": 1, "F32": 1}


@dataclass(frozen=True)
class Case:
    """A document of one colour. ``colour``: 0..1, as Krita names the channels, alpha left out."""

    model: str
    depth: str
    profile: str
    colour: tuple[float, ...]


# The wide ones are far outside sRGB.
CASES = {
    "u8": Case("RGBA", "U8", "", (0.05, 0.3, 0.9)),
    "u8 linear": Case("RGBA", "U8", LINEAR, (0.05, 0.3, 0.9)),
    "u8 wide": Case("RGBA", "U8", WIDE, (0.1, 0.8, 0.2)),
    "u16": Case("RGBA", "U16", "sRGB-elle-V2-srgbtrc.icc", (0.05, 0.3, 0.9)),
    "u16 linear": Case("RGBA", "U16", LINEAR, (0.05, 0.3, 0.9)),
    "u16 wide": Case("RGBA", "U16", WIDE, (0.1, 0.8, 0.2)),
    "f16 linear": Case("RGBA", "F16", LINEAR, (0.05, 0.3, 0.9)),
    "f32 linear": Case("RGBA", "F32", LINEAR, (0.05, 0.3, 0.9)),
    "f32 wide": Case("RGBA", "F32", WIDE, (0.1, 0.8, 0.2)),
    "gray u8": Case("GRAYA", "U8", "", (0.4,)),
    "gray u16": Case("GRAYA", "U16", "", (0.4,)),
    "lab u16": Case("LABA", "U16", "", (0.5, 0.6, 0.4)),
}


def opened(docker: KritaDocker, case: Case) -> np.ndarray:
    """A document, an area of it selected; the values of a pixel."""
    largest = LARGEST[case.depth]
    values = (np.array([*case.colour, 1.0]) * largest).round(0 if largest > 1 else 6).astype(DTYPES[case.depth])
    data = np.broadcast_to(values, (HEIGHT, WIDTH, len(values))).tobytes()
    docker.open(f"made({WIDTH}, {HEIGHT}, {case.model!r}, {case.depth!r}, {case.profile!r})")
    assert case.profile in ("", docker.ask("document().colorProfile()")), "Krita has this profile"
    docker.ask(f"fill({base64.b64encode(data).decode()!r})")
    docker.ask(f"select(*{AREA})")
    return values.astype(np.float64) / largest


@pytest.mark.parametrize("name", CASES)
def test_a_colour_grows_together_as_itself(docker: KritaDocker, name: str) -> None:
    """Of a plain picture the infill can only make the same colour: whatever differs is the way there and back."""
    case = CASES[name]
    wanted = opened(docker, case)
    docker.generate("remove")
    docker.apply()
    assert docker.ask("top()['space'] == [document().colorModel(), document().colorDepth(), document().colorProfile()]")
    found = docker.pixels(f"pixels(-1, 0, 0, {WIDTH}, {HEIGHT})", (HEIGHT, WIDTH, len(wanted)), DTYPES[case.depth])
    found = found.astype(np.float64) / LARGEST[case.depth]
    covered = found[..., -1] > 0
    assert covered.sum() > 700
    difference = np.abs(found[covered] - wanted)[:, :-1].max()
    assert difference <= (1 / 255 if case.depth == "U8" else 1e-3) * 1.0001
    docker.close_all()


def test_inks_look_as_after_kritas_own_conversion(docker: KritaDocker) -> None:
    """The same colour can be mixed of other inks: what counts is how it looks. Inks of 8 bits are coarse, and their
    tables there and back no inverses: Krita's own conversion to sRGB and back changes how they look by some levels.
    """
    opened(docker, Case("CMYKA", "U8", "", (0.2, 0.5, 0.1, 0.1)))
    alone = docker.ask(
        "space = document().colorModel(), document().colorDepth(), document().colorProfile()\n"
        "copy = document().clone()\n"
        "copy.setColorSpace('RGBA', 'F32', SRGB)\n"
        "copy.setColorSpace(*space)\n"
        "copy.waitForDone()\n"
        "seen = list(copy.projection(75, 55, 1, 1).pixelColor(0, 0).getRgb())\n"
        "copy.close()\n"
        "seen"
    )
    docker.generate("remove")
    docker.apply()
    assert docker.ask("top()['space'][0]") == "CMYKA"
    assert np.abs(np.array(docker.ask("seen_at(75, 55)")) - alone).max() <= 1
    docker.close_all()
