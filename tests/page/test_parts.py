"""The page's parts without a browser: its modules in Node, their types, and the files of others that come with it."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import pyvips
from PIL import Image

import bridge.server
from bridge.protocol import messages

PAGE = Path(bridge.server.__file__).parent / "page"
MOST_LINES = 300


def node(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["node", *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_its_modules_do_what_they_say(node_folder: Path) -> None:
    node(node_folder, "--test", "--test-reporter=spec", "scenes/units.test.mjs")


def test_its_types_hold(node_folder: Path) -> None:
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", "--project", "tsconfig.json"],
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "TypeScript" not in done.stderr, done.stderr
    # What others wrote is read for its types, and not judged.
    ours = [line for line in done.stdout.splitlines() if not line.split("(")[0].count("/page/vendor/")]
    assert not ours, "\n".join(ours)


def test_what_others_wrote_is_what_npm_has_locked(node_folder: Path) -> None:
    package = node_folder / "node_modules" / "@msgpack" / "msgpack"
    vendored = PAGE / "vendor" / "msgpack"
    names = sorted(path.relative_to(vendored).as_posix() for path in vendored.rglob("*.mjs"))
    assert "index.mjs" in names
    for name in names:
        assert (vendored / name).read_bytes() == (package / "dist.esm" / name).read_bytes(), name
    assert (vendored / "LICENSE.txt").read_bytes() == (package / "LICENSE").read_bytes()
    assert sorted(path.name for path in (PAGE / "vendor").iterdir()) == ["msgpack"]


def test_its_files_are_short_and_ask_for_nothing_elsewhere() -> None:
    for path in PAGE.rglob("*"):
        if path.is_file() and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert text.count("\n") <= MOST_LINES, path
            assert "https://" not in text, path
            assert text.count("http://") == text.count("http://www.w3.org/2000/svg"), path


class _Form(HTMLParser):
    """The page's fields by id, their choices, and the names of radio buttons with theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str | None]] = {}
        self.choices: dict[str, list[str]] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("input", "textarea", "select") and "id" in given:
            self.fields[given["id"] or ""] = given
        if tag == "select":
            self._select = given.get("id") or ""
        if tag == "option" or given.get("type") == "radio":
            name = self._select if tag == "option" else given["name"] or ""
            self.choices.setdefault(name, []).append(given["value"] or "")


def test_its_form_has_the_ranges_and_choices_of_the_protocol() -> None:
    form = _Form()
    form.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    limits = {name: field.spec.metadata for name, field in messages.job_fields().items()}
    for name in ("steps", "guidance", "grow", "feather"):
        for end in ("min", "max"):
            assert float(form.fields[name][end] or "") == limits[name][end], name
    for name in ("prompt", "negative_prompt"):
        assert int(form.fields[name]["maxlength"] or "") == limits[name]["max"], name
    # The slider counts percent, and at 0 nothing would be repainted.
    assert (form.fields["strength"]["min"], form.fields["strength"]["max"]) == ("1", "100")
    # Maps are not made here yet.
    assert set(form.choices["kind"]) == set(messages.JobKind) - {messages.JobKind.ESTIMATE}
    assert set(form.choices["mode"]) == set(messages.MODES["fill"])
    assert tuple(map(int, form.choices["scale"])) == messages.SCALES
    # Nobody can draw a rectangle for it here.
    assert set(form.choices["context"]) == set(messages.ContextKind) - {messages.ContextKind.RECT}
    jobs = (PAGE / "ui" / "jobs.mjs").read_text(encoding="utf-8")
    assert all(f"\n  {stage}: " in jobs for stage in messages.Stage)


def save_kinds(folder: Path) -> None:
    """PNGs of every colour type, row filter and order, by OpenCV, Pillow and libvips."""
    random = np.random.default_rng(5)
    colour = random.integers(0, 256, (37, 53, 4), np.uint8)
    cv2.imwrite(str(folder / "rgb.png"), colour[..., :3])
    cv2.imwrite(str(folder / "rgba.png"), colour)
    cv2.imwrite(str(folder / "grey.png"), colour[..., 0])
    cv2.imwrite(str(folder / "rgb16.png"), random.integers(0, 65536, (37, 53, 3), np.uint16))
    cv2.imwrite(str(folder / "rgba16.png"), random.integers(0, 65536, (37, 53, 4), np.uint16))
    picture = Image.fromarray(np.ascontiguousarray(colour[..., :3]))
    Image.fromarray(np.ascontiguousarray(colour[..., :2]), "LA").save(folder / "grey-alpha.png")
    picture.quantize(200).save(folder / "palette.png", transparency=bytes(range(200)))
    picture.quantize(13).save(folder / "palette4.png", bits=4)
    picture.convert("1").save(folder / "bits.png")
    picture.save(folder / "one-clear.png", transparency=tuple(int(value) for value in colour[3, 5, :3]))
    for name in ("NONE", "SUB", "UP", "AVG", "PAETH"):
        options = [cv2.IMWRITE_PNG_FILTER, getattr(cv2, f"IMWRITE_PNG_FILTER_{name}")]
        cv2.imwrite(str(folder / f"filter-{name}.png"), colour, options)
    pyvips.Image.new_from_array(colour).copy(interpretation="srgb").pngsave(
        str(folder / "interlaced.png"), interlace=True
    )


def rgba(path: Path) -> np.ndarray:
    """A file's pixels as Pillow and OpenCV read them, rounded to 8 bits."""
    wide = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if wide.dtype == np.uint16:
        narrow = np.rint(wide / 257).astype(np.uint8)
        return np.asarray(Image.fromarray(narrow[..., [2, 1, 0, *range(3, narrow.shape[2])]]).convert("RGBA"))
    return np.asarray(Image.open(path).convert("RGBA"))


def test_pngs_of_every_kind_are_read_and_written_to_the_byte(node_folder: Path, tmp_path: Path) -> None:
    save_kinds(tmp_path)
    kinds = sorted(tmp_path.glob("*.png"))
    node(node_folder, "scenes/png.mjs", str(tmp_path))
    for path in kinds:
        wanted = rgba(path)
        read = np.fromfile(path.with_suffix(".rgba"), np.uint8).reshape(wanted.shape)
        assert np.array_equal(read, wanted), path.name
        assert np.array_equal(rgba(path.with_suffix(".out.png")), wanted), path.name
    assert Image.open(tmp_path / "rgb.out.png").mode == "RGB"
    assert len(kinds) == 16


def test_a_png_that_ends_too_early_is_refused(node_folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "short.png"), np.zeros((8, 8), np.uint8))
    file = bytearray((tmp_path / "short.png").read_bytes())
    # The header promises more rows than there are.
    file[20:24] = (1000).to_bytes(4, "big")
    (tmp_path / "short.png").write_bytes(file)
    with pytest.raises(AssertionError, match="ends too early"):
        node(node_folder, "scenes/png.mjs", str(tmp_path))
