"""Whatever colours a document has: what the bridge leaves alone comes back as it was."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from krita_docker import KritaDocker

WIDTH, HEIGHT = 160, 120
AREA = (60, 40, 30, 30)
LINEAR = "sRGB-elle-V2-g10.icc"
DTYPES = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32}
CASES = {
    "u8": ("RGBA", "U8", "", (0.05, 0.3, 0.9)),
    "u16": ("RGBA", "U16", "", (0.05, 0.3, 0.9)),
    "f16 linear": ("RGBA", "F16", LINEAR, (0.05, 0.3, 0.9)),
    "f32 linear": ("RGBA", "F32", LINEAR, (0.05, 0.3, 0.9)),
    "f32 wide": ("RGBA", "F32", "ClayRGB-elle-V2-srgbtrc.icc", (0.1, 0.8, 0.2)),
    "gray u8": ("GRAYA", "U8", "", (0.4,)),
}


def opened(docker: KritaDocker, model: str, depth: str, profile: str, colour: tuple[float, ...]) -> np.ndarray:
    """A document of one colour, an area of it selected; the values of a pixel."""
    scale = {"U8": 255, "U16": 65535}.get(depth, 1)
    values = (np.array([*colour, 1.0]) * scale).round(0 if scale > 1 else 6).astype(DTYPES[depth])
    data = np.broadcast_to(values, (HEIGHT, WIDTH, len(values))).tobytes()
    docker.open(f"made({WIDTH}, {HEIGHT}, {model!r}, {depth!r}, {profile!r})")
    docker.ask(f"fill({base64.b64encode(data).decode()!r})")
    docker.ask(f"select(*{AREA})")
    docker.ask("choose('mode', 'Remove')")
    return values.astype(np.float64) / scale


@pytest.mark.parametrize("case", CASES)
def test_a_colour_grows_together_as_itself(docker: KritaDocker, case: str) -> None:
    """Of a plain picture the infill can only make the same colour: whatever differs is the way there and back."""
    model, depth, profile, colour = CASES[case]
    wanted = opened(docker, model, depth, profile, colour)
    docker.generate()
    docker.apply()
    assert docker.ask("top()['space'] == [document().colorModel(), document().colorDepth(), document().colorProfile()]")
    found = docker.pixels(f"pixels(-1, 0, 0, {WIDTH}, {HEIGHT})", (HEIGHT, WIDTH, len(wanted)), DTYPES[depth])
    found = found.astype(np.float64) / {"U8": 255, "U16": 65535}.get(depth, 1)
    covered = found[..., -1] > 0
    assert covered.sum() > 700
    difference = np.abs(found[covered] - wanted)[:, :-1].max()
    assert difference <= (1 / 255 if depth == "U8" else 1e-3) * 1.0001
    docker.close_all()


def test_inks_look_the_same(docker: KritaDocker) -> None:
    """The same colour can be mixed of other inks: what counts is how it looks. Inks of 8 bits are coarse."""
    opened(docker, "CMYKA", "U8", "", (0.2, 0.5, 0.1, 0.1))
    docker.generate()
    before = docker.ask("seen_at(75, 55)")
    docker.apply()
    assert docker.ask("top()['space'][0]") == "CMYKA"
    assert np.abs(np.array(docker.ask("seen_at(75, 55)")) - before).max() <= 3
    docker.close_all()
