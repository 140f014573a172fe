"""Polygons hold the same pixels as the objects they were traced from."""

import numpy as np
import pytest
from drawn import disks
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.outlines import Outline, fill_outline, polygon_area, trace_outlines


def traced(mask):
    (outline,) = trace_outlines(Instances(labels=mask.astype(np.int32), names=("object",), parents=(None,)))
    return outline


def overlap(mask, outline):
    filled = fill_outline(outline, height_px=mask.shape[0], width_px=mask.shape[1])
    return (filled & mask).sum() / (filled | mask).sum()


def test_the_outline_of_a_disk_holds_its_area_in_few_points():
    mask = disks((100, 100), (50.3, 49.8, 30))
    outline = traced(mask)
    assert outline.area_px2 == pytest.approx(np.pi * 900, rel=0.01)
    # Traced pixel by pixel it has 4 points for each of the 60 rows and columns.
    assert len(outline.outer[0]) < 100
    radii = np.hypot(*(outline.outer[0] - [49.8, 50.3]).T)
    assert np.abs(radii - 30).max() < 1.0


def test_a_block_is_outlined_half_a_pixel_outside_of_its_pixels():
    mask = np.zeros((20, 20), dtype=bool)
    mask[4:8, 10:16] = True
    outline = traced(mask)
    assert outline.box_px == (9.5, 3.5, 6.0, 4.0)
    # Each corner is cut by a triangle of an eighth.
    assert outline.area_px2 == pytest.approx(24 - 4 / 8)


def test_a_ring_has_a_hole_and_two_pieces_have_two_outlines():
    ring = disks((60, 60), (30, 30, 25)) & ~disks((60, 60), (30, 30, 12))
    outline = traced(ring)
    assert (len(outline.outer), len(outline.holes)) == (1, 1)
    assert outline.area_px2 == pytest.approx(np.pi * (625 - 144), rel=0.01)
    assert overlap(ring, outline) == 1
    pieces = traced(disks((60, 60), (15, 15, 8), (45, 45, 8)))
    assert (len(pieces.outer), len(pieces.holes)) == (2, 0)


def test_objects_at_the_border_have_closed_outlines():
    mask = disks((40, 40), (0, 20, 15))
    outline = traced(mask)
    assert outline.box_px[1] == -0.5
    assert overlap(mask, outline) == 1


@settings(deadline=None, max_examples=30)
@given(
    half_axes=st.tuples(st.floats(3, 40), st.floats(3, 40)),
    centre=st.tuples(st.floats(45, 46), st.floats(45, 46)),
    angle=st.floats(0, np.pi),
)
def test_filling_an_outline_gives_the_object_back(half_axes, centre, angle):
    y, x = np.indices((92, 92))
    y, x = y - centre[0], x - centre[1]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    mask = (u / half_axes[0]) ** 2 + (v / half_axes[1]) ** 2 <= 1
    outline = traced(mask)
    assert overlap(mask, outline) > 0.97
    # Corners cut off are half a pixel in all; simplifying may move the line by 0.35 px, but to either side.
    assert outline.area_px2 == pytest.approx(mask.sum(), abs=1 + 0.02 * mask.sum())


def test_a_single_pixel_keeps_an_outline():
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 3] = True
    assert overlap(mask, traced(mask)) == 1


def test_the_area_of_a_triangle():
    assert polygon_area(np.array([[1.0, 1.0], [7.0, 1.0], [1.0, 5.0]])) == 12.0


def test_what_lies_past_the_image_is_cut_off():
    square = np.array([[-5.5, -5.5], [1.5, -5.5], [1.5, 1.5], [-5.5, 1.5]])
    assert fill_outline(Outline(outer=(square,)), height_px=4, width_px=4).sum() == 4
    assert fill_outline(Outline(outer=(square - 20,)), height_px=4, width_px=4).sum() == 0


def test_a_negative_tolerance_is_refused():
    with pytest.raises(InputError, match="0 or more"):
        trace_outlines(Instances(labels=np.zeros((4, 4), dtype=np.int32), names=(), parents=()), tolerance_px=-1)
