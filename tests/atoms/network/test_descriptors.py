"""What is told is told, and what is not known is not looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.atoms.network.canonical import SIDE, CanonicalPatches
from micrographia.atoms.network.descriptors import KNOWABLE, PER_CHANNEL, SHARED, Conditions, Descriptors, describe
from micrographia.atoms.network.scattering import cross_section_A2
from micrographia.simulate import host

TOLD = Conditions(
    host="MoS2", dopant="Nb", energy_kev=80.0, convergence_mrad=30.0, collection_mrad=((50.0, 120.0), (70.0, 200.0))
)
OTHER = Conditions(
    host="WSe2", dopant="Te", energy_kev=300.0, convergence_mrad=18.0, collection_mrad=((90.0, 240.0), (30.0, 45.0))
)
PIXEL_A, DOSE = 0.21, 3e5
EVERYTHING = tuple(KNOWABLE)


def patches(channels=2, gain=1.0) -> CanonicalPatches:
    mean = gain * np.linspace(0.02, 0.03, channels)
    return CanonicalPatches(
        image=np.zeros((1, channels, SIDE, SIDE), dtype=np.float32),
        mean=mean[None].astype(np.float32),
        spread=(0.4 * mean[None]).astype(np.float32),
        covered=np.array([0.75], dtype=np.float32),
    )


def described(conditions=TOLD, known=EVERYTHING, *, seen=None, pixel_A=PIXEL_A, dose=DOSE) -> Descriptors:
    seen = seen or patches(len(conditions.collection_mrad))
    return describe(
        (conditions,),
        np.array([0]),
        covered=seen.covered,
        mean=seen.mean,
        spread=seen.spread,
        known=np.array([[name in known for name in KNOWABLE]]),
        pixel_per_a=np.array([PIXEL_A / 3.19]),
        pixel_A=np.array([pixel_A]),
        dose_e_per_A2=np.array([dose]),
    )


def alike(one: Descriptors, other: Descriptors) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ("shared", "channel", "brightness"))


@settings(max_examples=60, deadline=None)
@given(known=st.sets(st.sampled_from(KNOWABLE)))
def test_what_is_not_known_is_not_looked_at(known):
    # Each thing is replaced in turn where nobody knows it: the lattice constant that goes with the host included.
    instead = {
        "host": {"host": OTHER.host},
        "dopant": {"dopant": OTHER.dopant},
        "energy": {"energy_kev": OTHER.energy_kev},
        "detector": {"convergence_mrad": OTHER.convergence_mrad, "collection_mrad": OTHER.collection_mrad},
    }
    false = replace(TOLD, **{k: v for name, change in instead.items() if name not in known for k, v in change.items()})
    found = described(
        false,
        known,
        seen=patches(gain=1 if "brightness" in known else 7.0),
        pixel_A=PIXEL_A if "pixel" in known else 1e9,
        dose=DOSE if "dose" in known else 0.0,
    )
    assert alike(found, described(TOLD, known))
    assert all(np.isfinite(getattr(found, n)).all() for n in ("shared", "channel", "brightness"))


@pytest.mark.parametrize("name", KNOWABLE)
def test_what_is_known_is_looked_at(name):
    changed = {
        "host": replace(TOLD, host="MoSe2"),
        "dopant": replace(TOLD, dopant="V"),
        "energy": replace(TOLD, energy_kev=90.0),
        "detector": replace(TOLD, collection_mrad=((50.0, 121.0), (70.0, 200.0))),
    }.get(name, TOLD)
    found = described(
        changed,
        seen=patches(gain=1.01 if name == "brightness" else 1.0),
        pixel_A=PIXEL_A * (1.01 if name == "pixel" else 1),
        dose=DOSE * (1.1 if name == "dose" else 1),
    )
    assert not alike(found, described())


@settings(max_examples=20, deadline=None)
@given(known=st.sets(st.sampled_from(KNOWABLE)))
def test_the_flags_say_what_is_known(known):
    found = described(known=known)
    assert found.shared.shape == (1, SHARED)
    assert found.channel.shape == (1, 2, PER_CHANNEL)
    assert found.shared[0, 13:20].tolist() == [float(name in known) for name in KNOWABLE]
    # Expected brightness needs the host, energy, angles, and a signal in fractions of the beam.
    comparable = {"host", "energy", "detector", "brightness"} <= known
    assert (found.channel[0, :, 13] == float(comparable)).all()
    assert found.brightness.any() == comparable


def test_numbers_by_hand():
    found = described()
    # Mo 42, S 16, MoS2: a 3.19 Å and 3.13 Å thick; Nb 41, on the metal.
    composition = [(42 - 55) / 20, (16 - 30) / 15, (3.19 - 3.35) / 0.15, (3.13 - 3.3) / 0.2, (41 - 50) / 20, 1, 0]
    assert found.shared[0, :7] == pytest.approx(composition, abs=1e-6)
    assert found.shared[0, 7] == pytest.approx(np.log(0.8))
    assert found.shared[0, 8] == pytest.approx((30 - 28) / 8)
    # The pixel size in lattice constants is right: the lattice constant that follows is MoS2's.
    assert found.shared[0, 9] == pytest.approx((np.log(3.19) - 1.2) / 0.05, abs=1e-4)
    assert found.shared[0, 10] == pytest.approx(np.log10(DOSE) - 6, abs=1e-6)
    assert found.shared[0, 11] == pytest.approx(np.log(PIXEL_A / 3.19) + 2.6, abs=1e-6)
    assert found.shared[0, 12] == -0.25

    columns = (("Mo",), ("S", "S"), ("S",), ("Nb",))
    seen = cross_section_A2(columns, energy_kev=80.0, convergence_mrad=30.0, collection_mrad=TOLD.collection_mrad)
    for channel, (inner, outer) in enumerate(TOLD.collection_mrad):
        mo, pair, single, nb = seen[channel]
        ratios = [np.log(mo) + 4, np.log(2 * single / mo), np.log(pair / mo), np.log(2 * single / pair)]
        dopant = [4 * np.log(nb / mo)] * 2
        wanted = [np.log(inner / 60), np.log(outer / 150), *ratios, *dopant]
        assert found.channel[0, channel, :8] == pytest.approx(wanted, abs=1e-5)
        # A unit cell holds one metal and one pair, which scatters as something between one atom and two.
        cell_A2 = np.sqrt(3) / 2 * 3.19**2
        expected = (mo + (pair + 2 * single) / 2) / cell_A2
        mean, spread = patches().mean[0, channel], patches().spread[0, channel]
        assert found.brightness[0, channel] == pytest.approx([spread / expected, mean / expected - 1], rel=1e-4)
        assert found.channel[0, channel, 8:10] == pytest.approx([np.log(mean) + 3, np.log(0.4)], abs=1e-5)
        # Electrons in a canonical pixel, (a / 12)^2.
        electrons = mean * DOSE * (3.19 / 12) ** 2
        assert found.channel[0, channel, 10] == pytest.approx(np.log10(electrons) - 3, abs=1e-5)


def test_a_dopant_on_the_chalcogen_is_held_against_the_pair():
    told = replace(TOLD, dopant="Se")
    found = described(told)
    assert found.shared[0, 4:7] == pytest.approx([(34 - 50) / 20, 0, 1])
    columns = (("Se", "S"), ("S", "S"), ("Se",), ("S",))
    seen = cross_section_A2(columns, energy_kev=80.0, convergence_mrad=30.0, collection_mrad=told.collection_mrad)
    mixed, pair, alone, single = seen.T
    wanted = np.stack([4 * np.log(mixed / pair), 4 * np.log(alone / single)], axis=1)
    assert found.channel[0, :, 6:8] == pytest.approx(wanted, abs=1e-5)


def test_channels_change_places_with_their_detectors():
    swapped = described(replace(TOLD, collection_mrad=TOLD.collection_mrad[::-1]), seen=_reversed(patches()))
    straight = described()
    assert np.array_equal(swapped.shared, straight.shared)
    assert np.array_equal(swapped.channel, straight.channel[:, ::-1])
    assert np.array_equal(swapped.brightness, straight.brightness[:, ::-1])


def _reversed(seen: CanonicalPatches) -> CanonicalPatches:
    return replace(seen, mean=seen.mean[:, ::-1].copy(), spread=seen.spread[:, ::-1].copy())


def test_each_site_has_its_own_context():
    both = describe(
        (TOLD, OTHER),
        np.array([1, 0, 1]),
        **{name: np.repeat(getattr(patches(), name), 3, axis=0) for name in ("covered", "mean", "spread")},
        known=np.ones((3, 7), dtype=bool),
        pixel_per_a=np.full(3, PIXEL_A / host("MoS2").a_A),
        pixel_A=np.full(3, PIXEL_A),
        dose_e_per_A2=np.full(3, DOSE),
    )
    for row, conditions in enumerate((OTHER, TOLD, OTHER)):
        alone = described(conditions)
        assert np.array_equal(both.shared[row], alone.shared[0])
        assert np.array_equal(both.channel[row], alone.channel[0])
