import subprocess
import sys

import pytest

from bridge.canvas.geometry import Edges, Rect, Size


def test_a_rect_knows_its_far_sides_area_and_slices():
    rect = Rect(3, 4, 10, 20)
    assert (rect.right, rect.bottom, rect.area, rect.size) == (13, 24, 200, Size(10, 20))
    assert rect.slices == (slice(4, 24), slice(3, 13))


def test_cutting_never_shifts():
    assert Rect(-5, -6, 10, 10).cut_to(Size(100, 100)) == Rect(0, 0, 5, 4)
    assert Rect(95, 90, 10, 20).cut_to(Size(100, 100)) == Rect(95, 90, 5, 10)
    assert Rect(100, 0, 10, 10).cut_to(Size(100, 100)) is None


def test_rects_that_touch_do_not_intersect():
    assert Rect(0, 0, 10, 10).intersection(Rect(10, 0, 5, 5)) is None
    assert Rect(0, 0, 10, 10).intersection(Rect(9, 9, 5, 5)) == Rect(9, 9, 1, 1)


def test_expanded_and_translated():
    assert Rect(5, 5, 2, 2).expanded(3) == Rect(2, 2, 8, 8)
    assert Rect(5, 5, 2, 2).translated(-5, 1) == Rect(0, 6, 2, 2)
    assert Rect(2, 2, 8, 8).contains(Rect(2, 2, 8, 8))
    assert not Rect(2, 2, 8, 8).contains(Rect(2, 2, 9, 8))


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-3, 4)])
def test_nothing_empty_is_a_size_or_a_rect(width, height):
    with pytest.raises(ValueError, match="at least one pixel"):
        Size(width, height)
    with pytest.raises(ValueError, match="at least one pixel"):
        Rect(0, 0, width, height)


def test_edges_tell_where_the_canvas_ends():
    assert Edges.of(Rect(0, 5, 100, 95), Size(100, 100)) == Edges(left=True, top=False, right=True, bottom=True)


def test_planning_imports_neither_numpy_nor_opencv():
    code = (
        "import sys, bridge.canvas.context, bridge.canvas.geometry, bridge.canvas.errors;"
        "print(sorted({'cv2', 'numpy', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
