"""The measures: what they call equal, and that they see what an eye would."""

import subprocess
import sys

import numpy as np

from bridge.evaluation.held_out import draw_mask
from bridge.evaluation.measures import likeness, seam_ratio, timed


def test_a_picture_is_like_itself_and_less_like_another_where_it_differs(lpips, photograph):
    mask = draw_mask("ellipse", 0)
    same = likeness(lpips, photograph.rgb, photograph.rgb, mask)
    assert same.whole == same.box == 0
    inverted = np.where(mask[..., None], 255 - photograph.rgb, photograph.rgb)
    other = likeness(lpips, inverted, photograph.rgb, mask)
    assert other.box > other.whole > 0


def test_a_step_along_the_outline_is_seen_and_grain_is_none(photograph):
    mask = draw_mask("rectangle", 0)
    assert 0.9 < seam_ratio(photograph.rgb, mask) < 1.1
    lighter = np.clip(photograph.rgb.astype(int) + 40 * mask[..., None], 0, 255).astype(np.uint8)
    assert seam_ratio(lighter, mask) > 3


def test_what_a_child_uses_is_counted_too():
    spin = "import time\nwhile time.process_time() < 0.4: pass"
    made = timed(lambda: subprocess.run([sys.executable, "-c", spin], check=True).returncode)
    assert made.value == 0
    assert made.processor_seconds >= 0.3
    assert made.seconds > 0
