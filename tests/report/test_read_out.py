"""What speaks for a class, and what was attended to, as numbers and as figures."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from micrographia.embed.read_out import LevelReadOut, PatchEvidence, ReadOut
from micrographia.report.qualification_pictures import Shown
from micrographia.report.read_out import (
    evidence_figure,
    looks_svg,
    patch_evidence_result,
    read_out_figure,
    read_out_result,
)

PICTURE = Shown(uri="data:,", width_px=64, height_px=32, pixel_size_nm=None)
SEEN = ReadOut(
    levels=(LevelReadOut(patch_px=16, patch_stream=0.25, graph_stream=0.75),),
    patches=np.array([[0.5, 1.0, 2.5, 4.0]] * 2, dtype=np.float32),
    patch_px=16,
    sentences=tuple((f"sentence {k}", weight) for k, weight in enumerate((0.5, 0.2, 0.1, 0.1, 0.06, 0.04))),
)


def tint(svg):
    """Return the picture in an SVG as (row, column, channel)."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", svg)[1]))))


def test_what_is_looked_at_as_on_average_stays_clear_and_four_times_that_is_full():
    drawn = tint(looks_svg(SEEN.patches, 16))
    assert drawn[0, :, 3].tolist() == [0, 0, round(255 * 0.75 / 2), round(255 * 0.75)]
    assert drawn[0, 0, :3].tolist() == [255, 176, 0]


def test_the_figure_names_the_five_heaviest_sentences_and_what_is_fair():
    page = read_out_figure(read_out_result(SEEN), "picture-0", PICTURE)
    assert [f"sentence {k}" in page for k in range(6)] == [True] * 5 + [False]
    assert "16.7 % each if all were alike" in page
    assert "25.0 %" in page
    assert "75.0 %" in page


def test_large_images_have_tables_of_64_parts_a_side():
    """Evidence of patches put together adds up; looks are means, also of the part that the edge cuts off."""
    rng = np.random.default_rng(0)
    added, looks = rng.normal(size=(130, 65)), rng.uniform(0, 2, (130, 65))
    found = patch_evidence_result(PatchEvidence(patch_px=16, added=added.astype(np.float32)))
    assert found.part_px == 48
    assert np.shape(found.added_nats) == (44, 22)
    assert np.sum(found.added_nats) == pytest.approx(added.sum(), abs=1e-2)
    seen = read_out_result(ReadOut(levels=(), patches=looks.astype(np.float32), patch_px=16, sentences=()))
    assert seen.parts[43][21] == pytest.approx(looks[129:, 63:].mean(), abs=1e-4)
    assert seen.parts[0][0] == pytest.approx(looks[:3, :3].mean(), abs=1e-4)


def test_the_map_of_evidence_is_blue_for_and_red_against():
    found = patch_evidence_result(PatchEvidence(patch_px=16, added=np.array([[0.5, -0.25, 0, 0]] * 2, np.float32)))
    page = evidence_figure(found, "pores & co", "picture-0", PICTURE)
    drawn = tint(page)
    assert drawn[0, 0, 2] > drawn[0, 0, 0]
    assert drawn[0, 1, 0] > drawn[0, 1, 2]
    assert drawn[0, 0, 3] == pytest.approx(2 * drawn[0, 1, 3], abs=1)
    assert drawn[0, 2, 3] == 0
    assert "full colour at 0.50 nats" in page
    assert "Blue speaks for pores &amp; co, red against it" in page
