"""The scale of a bar: its line, measured between the ends, and the length beside it, where they go together."""

import numpy as np
import pytest
from drawn_bars import WIDTH, bar_that_says, with_bar

from micrographia.read.info_bar.bar import said
from micrographia.read.info_bar.scale import scale_line
from micrographia.read.info_bar.words import Word


@pytest.mark.parametrize("line", [(10, 65), (7, 145), (33, 400)])
def test_the_line_is_measured_between_its_ends(line):
    bar = with_bar(["EHT = 5.00 kV", "Mag = 10.00 K X"], line=line)[640:704]
    found = scale_line(bar)
    assert found is not None
    assert found[1:] == line


def test_a_line_with_its_length_in_the_middle_is_measured_as_a_whole():
    band = np.zeros((30, 512), dtype=np.uint8)
    band[12, 321:512] = 255  # a frame
    band[6, 341:398] = band[6, 435:492] = 255
    word = Word(text="500 µm", x_px=400.0, y_px=0.0, width_px=32.0, height_px=13.0)
    assert scale_line(band, (word,)) == (6, 341, 491)
    # One piece alone does not tell how long the line is.
    band[6, 341:398] = 0
    assert scale_line(band, (word,)) is None


def test_a_frame_and_a_logo_are_no_scale_line():
    bar = with_bar(["EHT = 5.00 kV"], line=(10, 65))[640:704].copy()
    bar[0], bar[-1] = 0, 0  # a frame around it
    bar[10:50, 900:990] = 0  # a logo
    assert scale_line(bar)[1:] == (10, 65)
    bare = np.full((60, WIDTH), 255, dtype=np.uint8)
    bare[10:50, 900:990] = 0
    assert scale_line(bare) is None


@pytest.mark.parametrize(
    ("prints", "size_nm", "doubt"),
    [
        (("2 µm", "Mag = 10.00 K X"), 25.0, None),  # 2 µm / 80 px; a print 256 mm wide
        (("2 μrr", "Mag = 10.00 K X"), 25.0, None),  # µm, as print is misread
        (("500 nm",), 6.25, None),
        (("20 µm", "Mag = 10.00 K X"), None, "do not go together"),  # a print 2.56 m wide
        (("2 nm", "Mag = 10.00 K X"), None, "do not go together"),
        (("7 µm",), None, "no round length"),
        (("100 pm",), None, "no length was read"),  # µm, more likely
        (("EHT = 5.00 kV", "4.0 mm", "WD"), None, "no length was read"),  # a length, but not at the line
        (("500 nm", "6.40 µm", "HFW"), 6.25, None),  # 6.4 µm / 1024 px is 6.25 nm too
        (("500 nm", "HFW 9.00 µm"), None, "do not go together"),
        (("EHT = 5.00 kV", "WD = 4 mm"), None, "no length was read"),
        (("Aperture Size = 30.00 µm",), None, "no length was read"),
    ],
)
def test_the_pixel_size_is_length_over_line_or_unknown_with_a_reason(prints, size_nm, doubt):
    context, found = said(bar_that_says(*prints), width_px=WIDTH)
    assert found == size_nm
    (note,) = context.notes
    assert (doubt or "in 80 ± 1 px") in note
    _, without = said(bar_that_says(*prints, line_px=None), width_px=WIDTH)
    assert without is None
