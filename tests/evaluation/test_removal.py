"""Holes closed by several, and what is told of them."""

import numpy as np
from PIL import Image

from bridge.evaluation.held_out import MASKS
from bridge.evaluation.methods import other_methods
from bridge.evaluation.removal import OURS, OURS_EXACT, methods, removal


def test_everyone_takes_part_and_is_measured(mini, photograph, lpips, tmp_path):
    fills = methods(mini)
    assert {OURS, OURS_EXACT, "OpenCV Telea", "OpenCV Navier-Stokes", "OpenCV SHIFTMAP"} <= set(fills)
    # One that closes nothing at all, for comparison. SHIFTMAP takes ten seconds for each hole.
    few = {name: fills[name] for name in (OURS_EXACT, "OpenCV Telea")} | {"nobody": lambda rgb, _: rgb}
    found = removal(few, [photograph], lpips, say=lambda _: None, sheet=tmp_path / "sheet.png")
    assert found["nobody"]["lpips"] == found["nobody"]["lpips_in_box"] == 0
    assert found["nobody"]["seam_ratio"] == found["untouched"]["seam_ratio"]
    for name in (OURS_EXACT, "OpenCV Telea"):
        assert 0 < found[name]["lpips"] < found[name]["lpips_in_box"]
        assert found[name]["processor_seconds"] > 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        rows, columns = len(MASKS), len(few) + 1
        assert abs(sheet.width / sheet.height - columns / rows) < 0.02


def test_what_others_change_beyond_the_mask_is_undone(mini, photograph):
    mask = np.zeros(photograph.rgb.shape[:2], bool)
    mask[200:240, 200:240] = True
    for name in ("OpenCV Telea", "OpenCV Navier-Stokes"):
        filled = methods(mini)[name](photograph.rgb, mask)
        assert np.array_equal(filled[~mask], photograph.rgb[~mask])
        assert not np.array_equal(filled, photograph.rgb)


def test_gmic_takes_part_where_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "G'MIC matchpatch" not in other_methods()
    (tmp_path / "gmic").write_text("#!/bin/sh\n")
    (tmp_path / "gmic").chmod(0o755)
    assert "G'MIC matchpatch" in other_methods()
