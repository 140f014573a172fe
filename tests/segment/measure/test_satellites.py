"""Satellites are counted with their particle, with intervals that are known."""

import numpy as np
import pytest

from micrographia.segment.instances.instances import Instances
from micrographia.segment.measure import measure_satellites


def test_the_note_says_how_satellites_were_told():
    found = Instances(labels=np.ones((4, 4), dtype=np.int32), names=("powder",), parents=(None,))
    assert "outlines only" in measure_satellites(found)[0].note
    assert "does not cover what the mask has wrong" in measure_satellites(found, marked=True)[0].note


def test_two_of_four_particles_carry_three_satellites():
    labels = np.arange(1, 8, dtype=np.int32)[None, :].repeat(2, axis=0)
    found = Instances(labels=labels, names=("powder",) * 7, parents=(None, None, None, None, 1, 1, 2))
    share, number = measure_satellites(found)
    # Wilson: (1/2 + z²/8 ± z sqrt(1/16 + z²/64)) / (1 + z²/4), z = 1.96.
    assert (share.value, share.low, share.high) == pytest.approx((50.0, 15.0, 85.0), abs=0.01)
    # Garwood's interval of a count of 3 is 0.619 to 8.767.
    assert (number.value, number.low, number.high) == pytest.approx((0.75, 0.619 / 4, 8.767 / 4), abs=1e-3)


def test_without_particles_the_fraction_cannot_be_told():
    nothing = Instances(labels=np.zeros((4, 4), dtype=np.int32), names=(), parents=())
    share, number = measure_satellites(nothing)
    assert share.value is None
    assert number.value is None
    assert share.note == "There is no particle."
