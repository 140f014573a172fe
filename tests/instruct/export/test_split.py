"""Images that are held out."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.instruct.export.split import held_out

names = st.sampled_from([a + b for a in "abcd" for b in "wxyz"])
groups = st.lists(st.tuples(names) | st.tuples(names, names), min_size=1, max_size=20)

on_a_busy_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@on_a_busy_machine
@given(groups, st.floats(0, 0.5), st.integers(0, 9))
def test_no_record_has_images_on_both_sides(groups, share, seed):
    val = held_out(groups, share=share, seed=seed)
    assert all(set(group) <= val or not set(group) & val for group in groups)


@on_a_busy_machine
@given(groups, st.floats(0, 0.5), st.integers(0, 9), st.randoms())
def test_the_order_of_records_does_not_matter(groups, share, seed, random):
    other = list(groups)
    random.shuffle(other)
    assert held_out(other, share=share, seed=seed) == held_out(groups, share=share, seed=seed)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.1, 10), (0.25, 25), (0.5, 50)])
def test_of_single_images_the_share_is_met_exactly(share, count):
    val = held_out([(f"{k:03d}",) for k in range(100)], share=share, seed=1)
    assert len(val) == count


def test_another_seed_holds_out_others():
    alone = [(f"{k:03d}",) for k in range(100)]
    assert held_out(alone, share=0.1, seed=0) != held_out(alone, share=0.1, seed=1)


def test_a_share_beyond_one_half_is_refused():
    with pytest.raises(InputError, match=r"0\.7"):
        held_out([("a",)], share=0.7, seed=0)
