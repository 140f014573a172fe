"""Charts hold what they were given."""

import re

import numpy as np
import pytest

from micrographia.report.charts import bars, histogram, profile


def labels(svg):
    return re.findall(r'text-anchor="(?:middle|end)">([^<]*)</text>', svg)


def heights(svg):
    return [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', svg)]


def test_every_value_is_in_a_bar_of_a_round_width():
    values = np.concatenate([np.full(10, 1.05), np.full(30, 3.0)])
    svg = histogram(values, title="Diameter", unit="µm", counted="pores")
    counts = [int(n) for n in re.findall(r"µm: (\d+)</title>", svg)]
    assert sum(counts) == 40
    assert max(heights(svg)) / min(h for h in heights(svg) if h > 0) == pytest.approx(3.0, rel=0.01)
    assert re.search(r"<title>1 to 1\.5 µm: 10</title>", svg)


def test_equal_values_make_one_bar():
    assert len(heights(histogram(np.full(7, 2.5), title="d", unit="px", counted="n"))) == 1


@pytest.mark.parametrize(
    ("top", "expected"), [(40.0, "20"), (30_000.0, "20,000"), (5e6, "2 × 10⁶"), (4e-4, "2 × 10⁻⁴")]
)
def test_tick_labels_are_numbers_that_people_write(top, expected):
    shown = labels(bars(np.array([0.0, 1.0]), np.array([top]), title="x", unit="", counted="n"))
    assert expected in shown
    assert not [label for label in shown if "e+" in label or "e-" in label]


def test_a_profile_starts_at_zero_and_keeps_its_ends():
    svg = profile(np.arange(2000.0), np.full(2000, 5.0), title="Position", unit="µm", side="thickness")
    points = re.search(r'points="([^"]*)"', svg).group(1).split()
    assert 300 < len(points) <= 700
    assert points[0].startswith("44.0,")
    assert "0" in labels(svg)


def test_words_of_others_stay_words():
    assert "<b>" not in bars(np.array([0.0, 1.0]), np.array([1.0]), title="<b>", unit="<b>", counted="<b>")
