import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from micrographia.errors import ContextError, InputError, ReadError
from micrographia.simulate.patches.library import needed, role_tables
from micrographia.simulate.patches.prior import Imaging, ImagingPrior, draw_imaging
from micrographia.simulate.patches.recipe import GROUP, IDEAL, PatchRecipe, Realism, recipe
from micrographia.simulate.patches.render import SCENE, expected_signal
from micrographia.simulate.patches.spectra import BEYOND_MRAD, NODE, detector_weights
from micrographia.simulate.specimens.catalogue import labels
from micrographia.simulate.specimens.hosts import ROLES


@pytest.fixture(scope="module")
def plain(small, library_folder):
    return PatchRecipe(catalogue=small, library=library_folder, seed=3, size_px=32, clean=True)


@pytest.fixture(scope="module")
def many(plain):
    """2560 small patches with every effect."""
    return replace(plain, size_px=16).groups(0, 40)


@pytest.fixture(scope="module")
def made_up_grid(small, tmp_path_factory):
    """A library for any probe of the prior whose kernels cost nothing: Gaussians, fainter at large angles."""
    folder = tmp_path_factory.mktemp("grid")
    record = needed(small, ImagingPrior())
    (folder / "library.json").write_text(record.model_dump_json(), encoding="utf-8")
    one = 1e-5 * np.exp(-BEYOND_MRAD / 60)[:, None] * np.exp(-8 * NODE**2)
    shape = (len(record.probes), len(record.columns), *one.shape)
    weight = 1 + np.arange(shape[1])[:, None, None]
    np.save(folder / "spectra.npy", np.broadcast_to(weight * one, shape).astype(np.float32))
    return folder


def same(one, other):
    return (
        np.array_equal(one.levels, other.levels)
        and np.array_equal(one.clean, other.clean)
        and one.index.keys() == other.index.keys()
        and all(np.array_equal(values, other.index[name]) for name, values in one.index.items())
    )


def residuals(made, channel=0):
    """What is recorded less what was expected, in standard deviations, pixel by pixel."""
    index = {name: values[:, None, None] for name, values in made.index.items()}
    dose = index["electrons_per_px"]
    per_level = index[f"fraction_per_level_{channel}"]
    signal = (made.levels[:, channel] - index[f"zero_level_{channel}"]) * per_level
    expected = made.clean[:, channel].astype(float) * dose
    variance = expected * (1 + index["pulse_spread"] ** 2) + index["read_noise_e"] ** 2
    # Counts of one electron a level are not rounded; all else is, by the variance of a box.
    rounded = (per_level * dose > 1.0001) | (index["pulse_spread"] > 0) | (index["read_noise_e"] > 0)
    variance = variance + np.where(rounded, (per_level * dose) ** 2 / 12, 0.0)
    return (signal * dose - expected) / np.sqrt(variance), expected


def assert_standard(found, expected):
    # Excess kurtosis of a Poisson count is 1 / lambda.
    error = 5 / np.sqrt(found.size)
    assert found.mean() == pytest.approx(0, abs=error)
    assert found.var() == pytest.approx(1, abs=np.sqrt(2 + float(np.mean(1 / expected))) * error)


def test_a_group_is_the_same_alone_and_among_others(plain):
    run = plain.groups(2, 4)
    assert run.levels.shape == (4 * GROUP, 1, 32, 32)
    alone = plain.groups(4, 1)
    third = slice(2 * GROUP, 3 * GROUP)
    among = replace(
        alone, levels=run.levels[third], clean=run.clean[third], index={n: v[third] for n, v in run.index.items()}
    )
    assert same(alone, among)
    assert same(alone, pickle.loads(pickle.dumps(plain)).groups(4, 1))
    assert (run.index["group"] == np.repeat([2, 3, 4, 5], GROUP)).all()


def test_another_seed_gives_other_patches(plain):
    one, other = plain.groups(0, 4), replace(plain, seed=4).groups(0, 4)
    for name in ("seed", "rotation_deg", "dose_e_per_A2", "pixel_A"):
        assert not np.isin(one.index[name], other.index[name]).any()


def test_no_two_patches_share_a_stream(many):
    assert np.unique(many.index["seed"]).size == many.levels.shape[0]


def test_without_the_clean_signal_the_patches_are_the_same(plain):
    quick = replace(plain, clean=False).groups(1, 2)
    assert quick.clean is None
    assert np.array_equal(quick.levels, plain.groups(1, 2).levels)


def test_cases_take_turns(many, small):
    cases = list(zip(many.index["host"][::GROUP], many.index["condition_0"][::GROUP], strict=True))
    every = {(c.host, k.name) for c in small.compounds for k in small.conditions}
    for turn in range(10):
        assert set(cases[4 * turn : 4 * turn + 4]) == every


def test_labels_are_equally_likely(many, small):
    for compound in small.compounds:
        own = many.index["label"][many.index["host"] == compound.host]
        names, seen = np.unique(own, return_counts=True)
        assert sorted(names) == sorted(labels(compound))
        assert chisquare(seen).pvalue > 1e-3


def test_the_index_says_what_each_patch_was_made_of(many, plain):
    index, real, prior = many.index, plain.realism, plain.imaging
    for name, (low, high) in {
        "defect_fraction": real.defect_fraction,
        "relaxation_A": real.relaxation_A,
        "haze": real.haze,
        "drift_x_px": real.drift_px,
        "offset_y_px": real.offset_px,
        "dwell_travel": real.dwell_travel,
        "pulse_spread": real.pulse_spread,
        "read_noise_e": real.read_noise_e,
        "dose_e_per_A2": prior.dose_e_per_A2,
        "pixel_A": prior.pixel_A,
        "rotation_deg": prior.rotation_deg,
    }.items():
        place = (index[name] - low) / (high - low)
        if name in ("defect_fraction", "dose_e_per_A2"):
            place = np.log(index[name] / low) / np.log(high / low)
        assert kstest(place, "uniform").pvalue > 1e-3, name
    assert index["electrons_per_px"] == pytest.approx(index["dose_e_per_A2"] * index["pixel_A"] ** 2)
    assert kstest(index["row_jitter_px"] * index["pixel_A"] / 0.08, "uniform").pvalue > 1e-3
    assert ((index["first_column_px"] >= 0) & (index["first_column_px"] < 512 - 16)).all()
    assert {len(values) for values in index.values()} == {40 * GROUP}
    for group in range(0, 40, 7):
        shared = slice(group * GROUP, (group + 1) * GROUP)
        for name in ("host", "dopant", "energy_kev", "inner_mrad_0", "outer_mrad_0", "source_sigma_A"):
            assert np.unique(index[name][shared]).size == 1


def test_a_patch_can_be_made_again_from_its_index(plain, library, compound):
    made = plain.groups(6, 1)
    index = made.index
    scenes = np.zeros(GROUP, dtype=SCENE)
    for name in SCENE.names:
        scenes[name] = [ROLES.index(r) for r in index["label"]] if name == "role" else index[name]
    name = f"{index['host'][0]}:{index['dopant'][0]}"
    imaging = Imaging(
        probe=library.probes[0],
        collection_mrad=((float(index["inner_mrad_0"][0]), float(index["outer_mrad_0"][0])),),
        source_sigma_A=float(index["source_sigma_A"][0]),
    )
    seen = role_tables(library, compound(name), imaging)
    for n in (0, 13, 63):
        out = np.empty((1, 32, 32), dtype=np.float32)
        expected_signal(scenes[n], seen, int(scenes[n]["role"]), out)
        assert np.array_equal(out, made.clean[n])


def test_what_is_recorded_is_what_was_expected_and_its_noise(many):
    found, expected = residuals(many)
    assert_standard(found, expected)


def test_faint_patches_are_not_cut_off_at_no_electrons(plain):
    # One electron a pixel and less: pulses of one electron fall below none, and the amplifier swings both ways.
    faint = replace(
        plain,
        imaging=ImagingPrior(dose_e_per_A2=(1e3, 5e3)),
        realism=Realism(pulse_spread=(0.5, 0.5), read_noise_e=(0.5, 0.5)),
    ).groups(0, 8)
    found, expected = residuals(faint)
    assert expected.mean() < 1.5
    assert_standard(found, expected)
    assert (faint.levels > 0).mean() > 0.999


def test_an_ideal_patch_holds_one_site_and_the_noise_of_electrons(plain):
    ideal = replace(plain, realism=IDEAL, imaging=ImagingPrior(dose_e_per_A2=(1e4, 1e6))).groups(0, 8)
    for name in (*(n for n in SCENE.names if n.startswith(("drift", "offset"))), "defect_fraction", "relaxation_A",
                 "haze", "row_jitter_px", "flyback_px", "dwell_travel", "pulse_spread", "read_noise_e"):  # fmt: skip
        assert not ideal.index[name].any(), name
    assert not ideal.index["zero_level_0"].any()
    assert ideal.index["fraction_per_level_0"] * ideal.index["electrons_per_px"] == pytest.approx(np.ones(8 * GROUP))
    assert_standard(*residuals(ideal))
    # Planes along metal-chalcogen bonds are mirrors, and so stand a close-packed row along y on its head.
    along = replace(plain, realism=IDEAL, imaging=ImagingPrior(rotation_deg=(90.0, 90.0))).groups(0, 4)
    mirrored = along.clean[:, 0, 1:, :][:, ::-1]
    scale = np.ptp(along.clean, axis=(1, 2, 3))[:, None, None]
    assert mirrored / scale == pytest.approx(along.clean[:, 0, 1:, :] / scale, abs=1e-4)


def test_neighbours_have_defects_where_they_are_asked_for(plain):
    wide = replace(plain, imaging=ImagingPrior(pixel_A=(0.3, 0.3)))
    ideal = replace(wide, realism=IDEAL).groups(0, 4)
    bare = replace(wide, realism=replace(IDEAL, defect_fraction=(0.2, 0.2))).groups(0, 4)
    change = np.abs(bare.clean - ideal.clean).max(axis=(1, 2, 3)) / np.ptp(ideal.clean, axis=(1, 2, 3))
    assert change.min() > 0.02


def test_channels_share_the_scan_but_not_the_noise(plain, small):
    both = replace(plain, channels=2, realism=IDEAL).groups(0, 8)
    assert both.levels.shape == (8 * GROUP, 2, 32, 32)
    assert (both.index["condition_0"] != both.index["condition_1"]).all()
    first = {str(n) for n in both.index["condition_0"]}
    assert first == {c.name for c in small.conditions}
    # The same atoms at the same places: what is bright on one detector is bright on the other.
    for n in range(0, 8 * GROUP, 37):
        assert np.corrcoef(both.clean[n, 0].ravel(), both.clean[n, 1].ravel())[0, 1] > 0.9
    noises = []
    for channel in (0, 1):
        found, expected = residuals(both, channel)
        assert_standard(found, expected)
        noises.append(found.ravel())
    assert np.mean(noises[0] * noises[1]) == pytest.approx(0, abs=5 / np.sqrt(noises[0].size))


def test_a_single_channel_is_the_first_of_several(plain):
    # Geometry does not depend on how many detectors look on.
    one, two = plain.groups(0, 1), replace(plain, channels=2).groups(0, 1)
    shared = [name for name in SCENE.names if name != "role"]
    assert all(np.array_equal(one.index[name], two.index[name]) for name in (*shared, "label"))


def test_a_scene_can_be_made_with_every_label(plain, small):
    made = replace(plain, size_px=16, every_label=True).groups(0, 24)
    index = made.index
    for group in range(24):
        rows = index["group"] == group
        own = labels(next(c for c in small.compounds if (c.host, c.dopant) == (index["host"][rows][0],
                                                                                index["dopant"][rows][0])))  # fmt: skip
        scenes, first, count = np.unique(index["seed"][rows], return_index=True, return_counts=True)
        order = np.argsort(first)
        assert (count[order][:-1] == len(own)).all()
        assert count.sum() == GROUP
        for seed in scenes[order][:-1]:
            mates = rows & (index["seed"] == seed)
            assert set(index["label"][mates]) == set(own)
            assert all(len(set(index[name][mates])) == 1 for name in (*SCENE.names, "dose_e_per_A2") if name != "role")
    # None is favoured by scenes that are cut short: as often as without.
    once = replace(plain, size_px=16).groups(0, 24).index["label"]
    for label in ROLES:
        assert abs((index["label"] == label).sum() - (once == label).sum()) < 6 * np.sqrt((once == label).sum())


def test_real_defects_differ_from_simulated_ones_by_what_is_allowed_for(plain):
    ideal = replace(plain, realism=IDEAL, every_label=True)
    doubted = replace(ideal, realism=replace(IDEAL, discrepancy=(1.0, 1.0)))
    found = []
    for group in range(24):
        one, other = ideal.groups(group, 1), doubted.groups(group, 1)
        label, seed = one.index["label"], one.index["seed"]
        for pristine in ("M", "X2"):
            assert np.array_equal(one.clean[label == pristine], other.clean[label == pristine])
        for defect, pristine in (("V_M", "M"), ("V_X", "X2"), ("V_X2", "X2")):
            at, perfect = (np.nonzero((seed == seed[0]) & (label == x))[0][0] for x in (defect, pristine))
            change, real = (made.clean[at, 0] - made.clean[perfect, 0] for made in (one, other))
            error = float((real * change).sum() / (change**2).sum()) - 1
            # A missing column is known within 2 %, one half as bright within 10 % of what it lacks.
            found.append(error / (0.1 if defect == "V_X" else 0.02))
            assert np.abs(real - (1 + error) * change).max() < 2e-4 * np.abs(change).max()
    assert np.std(found) == pytest.approx(1, abs=4.5 / np.sqrt(2 * len(found)))
    assert np.mean(found) == pytest.approx(0, abs=4.5 / np.sqrt(len(found)))


def test_every_probe_and_detector_of_the_prior_can_be_rendered():
    prior, rng = ImagingPrior(), np.random.default_rng(0)
    for _ in range(1000):
        drawn = draw_imaging(prior, rng, channels=1)
        weights = detector_weights(drawn.probe.convergence_mrad, drawn.collection_mrad[0])
        # What is scattered nowhere is not seen: both ends of the detector weigh the same, up to their sign.
        assert abs(weights.sum()) < 1e-12


def test_conditions_come_from_the_prior_if_they_are_to_be_continuous(plain, made_up_grid, small):
    narrow = ImagingPrior(largest_outer_mrad=220.0)
    made = replace(plain, library=made_up_grid, continuous=True, channels=2, size_px=16, imaging=narrow).groups(0, 12)
    assert set(made.index["condition_0"]) == {"prior"}
    energy, host = made.index["energy_kev"][::GROUP], made.index["host"][::GROUP]
    assert np.unique(energy).size == 12
    assert ((energy >= 30) & (energy <= 300)).all()
    assert np.unique(made.index["defocus_A"]).size == 12
    assert all({host[n], host[n + 1]} == {c.host for c in small.compounds} for n in range(0, 12, 2))
    assert np.isfinite(made.clean).all()


def test_settings_are_plain_and_complete(plain, tmp_path):
    settings = json.loads(json.dumps(plain.settings()))
    assert settings["catalogue"]["compounds"][0]["host"] == plain.catalogue.compounds[0].host
    assert settings["realism"]["haze"] == list(plain.realism.haze)
    assert settings["software"].startswith("micrographia ")
    assert replace(plain, library=tmp_path).settings() == plain.settings()  # wherever the library lies
    for change in ({"seed": 4}, {"size_px": 64}, {"realism": IDEAL}, {"imaging": ImagingPrior(pixel_A=(0.2, 0.2))},
                   {"continuous": True}, {"channels": 2}, {"clean": False}, {"every_label": True},
                   {"catalogue": replace(plain.catalogue, compounds=plain.catalogue.compounds[:1])}):  # fmt: skip
        assert replace(plain, **change).settings() != plain.settings()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size_px": 14}, "patch size is 14 px; accepted is an even number from 16 to 256"),
        ({"size_px": 33}, "patch size is 33 px"),
        ({"size_px": 258}, "patch size is 258 px"),
        ({"seed": -1}, "seed is -1; accepted is a whole number from 0 on"),
        ({"channels": 0}, "number of channels is 0; accepted is 1 or more"),
        ({"channels": 3}, "no 3 conditions of the catalogue share a probe; ask for fewer channels"),
    ],
)
def test_impossible_recipes_are_refused(plain, change, message):
    with pytest.raises(ContextError, match=message):
        replace(plain, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"haze": (0.2, 0.1)},
        {"haze": (-0.1, 0.1)},
        {"defect_fraction": (0.0, 1.1)},
        {"dwell_travel": (0.0, 1.5)},
        {"read_noise_e": (0.0, float("inf"))},
        {"drift_px": (float("nan"), 0.1)},
    ],
)
def test_impossible_realism_is_refused(change):
    with pytest.raises(ContextError, match=f"the range of {next(iter(change))} is .*; accepted is low <= high"):
        Realism(**change)


def test_a_recipe_brings_its_library(small, library_folder, plain):
    made = recipe(small, library=library_folder, size_px=32, seed=3, clean=True, workers=1)
    assert made == replace(plain, library=library_folder.resolve())


def test_an_impossible_recipe_builds_nothing(small, tmp_path):
    with pytest.raises(ContextError, match="patch size is 15 px"):
        recipe(small, library=tmp_path / "library", size_px=15, workers=1)
    assert not (tmp_path / "library").exists()


def test_without_a_library_there_are_no_patches(plain, tmp_path):
    with pytest.raises(ReadError, match="is not a finished kernel library"):
        replace(plain, library=tmp_path).groups(0, 1)


@pytest.mark.parametrize(("first", "count"), [(0, 0), (-1, 1)])
def test_groups_that_are_none_are_refused(plain, first, count):
    with pytest.raises(InputError, match="groups from group"):
        plain.groups(first, count)
