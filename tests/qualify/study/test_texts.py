"""Texts of both sides that hardly differ, and those that do."""

import numpy as np
import pytest

from micrographia.qualify.study.texts import _study, alike


def at(*degrees):
    """Unit vectors in the plane."""
    return np.array([[np.cos(np.radians(d)), np.sin(np.radians(d))] for d in degrees])


def test_cosines_across_and_within_sides():
    between, across, within = alike(at(0, 60), 3 * at(30))
    assert between == pytest.approx(1)
    assert across == pytest.approx(np.cos(np.radians(30)))
    assert within == pytest.approx(0.5)
    assert alike(at(0), at(90)) == (pytest.approx(0), pytest.approx(0), None)


def test_texts_are_flagged_where_sides_are_no_less_alike_than_words_for_the_same():
    flagged = _study("c", "e", (at(0, 60), at(30, 50)), ())
    assert flagged.hardly_differ
    assert flagged.explanation.startswith("texts hardly differ")
    clear = _study("c", "e", (at(0, 10), at(80, 90)), ())
    assert clear.hardly_differ is False
    assert f"{np.cos(np.radians(10)):.3f}" in clear.explanation
    assert _study("c", "e", (at(0), at(90)), ()).hardly_differ is None
