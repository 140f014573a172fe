from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.segment import measure
from micrographia.segment.measure import Measurement, Scale


def measured(**changes: Any) -> Measurement:
    given = {
        "name": "area fraction",
        "of": "oxide",
        "value": 22.0,
        "unit": "%",
        "low": 20.0,
        "high": 24.5,
        "count": 8,
        "counted": "fields",
        "method": "Pixels over pixels.",
    }
    return Measurement(**{**given, **changes})


def test_half_width_is_half_the_interval() -> None:
    assert measured().half_width == 2.25
    assert measured(low=None, high=None).half_width is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": math.nan}, "finite"),
        ({"high": math.inf}, "finite"),
        ({"value": None, "low": None, "high": None}, "say why"),
        ({"high": None}, "half an interval"),
        ({"value": None, "note": "unknown"}, "half an interval"),
        ({"value": 25.0}, "outside"),
    ],
)
def test_a_number_that_cannot_be_trusted_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        measured(**changes)


@pytest.mark.parametrize("size", [0.0, -1.0, math.nan, math.inf])
def test_a_pixel_has_a_positive_size(size: float) -> None:
    with pytest.raises(InputError, match="positive"):
        Scale(pixel_size_nm=size)


@given(size=st.floats(0.01, 1e5), length=st.floats(0.1, 1e4))
def test_lengths_areas_and_densities_agree(size: float, length: float) -> None:
    scale = Scale(pixel_size_nm=size)
    edge, _ = scale.length(length)
    assert scale.area(length**2)[0] == pytest.approx(edge**2)
    # One object in a square of that edge, in 1/mm²: a micrometre squared is 1e-6 mm².
    assert scale.density(1 / length**2)[0] == pytest.approx(1e6 / edge**2)


def test_without_a_pixel_size_everything_stays_in_pixels() -> None:
    scale = Scale(pixel_size_nm=None)
    assert scale.length(3.0) == (3.0, "px")
    assert scale.area(3.0) == (3.0, "px²")
    assert scale.density(3.0) == (3.0, "1/px²")


def test_all_names_are_the_public_ones() -> None:
    modules = type(measure)
    public = {n for n, v in vars(measure).items() if not n.startswith("_") and not isinstance(v, modules)}
    assert set(measure.__all__) == public
