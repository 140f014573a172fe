"""What the network is shown in training: the right place, the right arms, no more than is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from micrographia.atoms.network.descriptors import KNOWABLE
from micrographia.findings import LABELS
from micrographia.learn.context.sites import (
    CALIBRATED,
    UNCALIBRATED,
    HeldOut,
    SiteStream,
    draw_known,
    network_input,
    places,
)
from micrographia.simulate.datasets.stream import PatchStream
from micrographia.simulate.patches.prior import ImagingPrior
from micrographia.simulate.patches.recipe import IDEAL, PatchRecipe, compound_of
from micrographia.simulate.specimens.catalogue import labels, read_catalogue
from micrographia.simulate.specimens.hosts import ROLES, host

FINE = ImagingPrior(pixel_A=(0.12, 0.16), source_sigma_A=(0.15, 0.2))


@pytest.fixture(scope="module")
def source(small, made_up_library):
    return PatchRecipe(catalogue=small, library=made_up_library, seed=5, imaging=FINE, realism=IDEAL, clean=True)


def batch_of(source, groups):
    return PatchStream(source, groups=groups, groups_per_batch=groups).batch(0)


def placed(batch, source, *, misfit=False, seed=0):
    of = {name: values.numpy() for name, values in batch.items()}
    a_A = np.array([host(compound_of(source, int(group)).host).a_A for group in of["group"]])
    return places(of, a_A / of["pixel_A"], np.random.default_rng(seed), misfit=misfit)


def centroid(image, x, y, sigma_px):
    """Brightness centroid within a Gaussian window that follows it."""
    left, top, reach = int(x - 3 * sigma_px), int(y - 3 * sigma_px), int(6 * sigma_px) + 2
    rows, columns = np.mgrid[top : top + reach, left : left + reach]
    part = image[top : top + reach, left : left + reach]
    for _ in range(30):
        window = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma_px**2)) * part
        # As wide a window as the column is: a step brings the centre only half the way.
        x, y = x + 2 * ((window * columns).sum() / window.sum() - x), y + 2 * ((window * rows).sum() / window.sum() - y)
    return x, y


def test_nineteen_compounds_and_one_condition_are_held_out():
    catalogue, held_out = read_catalogue(), HeldOut()
    gone = held_out.compounds(catalogue)
    assert len(gone) == 19
    assert all(c.host == "NbSe2" or c.dopant == "Re" for c in gone)
    rest = held_out.rest(catalogue)
    assert (len(rest.compounds), len(rest.conditions)) == (77, 5)
    assert not {c.name for c in gone} & {c.name for c in rest.compounds}
    assert "NbSe2" not in {c.host for c in rest.compounds}
    assert "Re" not in {c.dopant for c in rest.compounds}
    assert "200 keV MAADF" not in {c.name for c in rest.conditions}
    # Nothing else is gone, and the order is kept.
    assert tuple(c for c in catalogue.compounds if c not in gone) == rest.compounds


def test_near_by_hand():
    # 200 keV, 25 mrad, 50 mrad: within 10 % (e^0.1 = 1.105), 3 mrad, and 15 mrad of either detector's inner angle.
    cases = [
        ((200, 25, 50, 100), True),
        ((220, 25, 50, 100), True),  # 1.100
        ((222, 25, 50, 100), False),  # 1.110
        ((182, 25, 50, 100), True),  # 1.099
        ((180, 25, 50, 100), False),  # 1.111
        ((200, 27.9, 50, 100), True),
        ((200, 28.1, 50, 100), False),
        ((200, 22.1, 64.9, 100), True),
        ((200, 25, 65.1, 100), False),
        ((200, 25, 100, 35.1), True),
        ((200, 25, 100, 34.9), False),
        ((80, 30, 50, 50), False),
    ]
    energy, convergence, first, second = (
        torch.tensor(v, dtype=torch.float64) for v in zip(*(c for c, _ in cases), strict=True)
    )
    batch = {"energy_kev": energy, "convergence_mrad": convergence, "inner_mrad_0": first, "inner_mrad_1": second}
    assert HeldOut().near(read_catalogue(), batch, 2).tolist() == [near for _, near in cases]
    only_first = HeldOut().near(read_catalogue(), batch, 1)
    assert only_first.tolist() == [near and case[2] < 65 for case, near in cases]


def test_a_training_stream_never_shows_what_is_held_out(small, made_up_library):
    # Half of the prior's conditions that it may draw here are near: they are taken out of the batch.
    prior = ImagingPrior(energy_kev=(190.0, 210.0), convergence_mrad=(24.0, 26.0), inner_mrad=(45.0, 90.0))
    source = PatchRecipe(
        catalogue=small, library=made_up_library, seed=1, imaging=prior, realism=IDEAL, continuous=True, size_px=32
    )
    patches = PatchStream(source, groups=12, groups_per_batch=12)
    held_out, catalogue = HeldOut(), read_catalogue()
    near = held_out.near(catalogue, patches.batch(0), 1)
    assert 0 < near.sum() < near.size
    (found,) = SiteStream(patches, held_out=held_out, catalogue=catalogue)
    (whole,) = SiteStream(patches)
    assert {len(v) for v in found.values()} == {int((~near).sum())}
    assert torch.equal(found["label"], whole["label"][torch.from_numpy(~near)])


@pytest.mark.parametrize("calibrated", [True, False])
def test_how_much_is_told(calibrated):
    count = 40_000
    known = draw_known(count, np.random.default_rng(0), calibrated=calibrated)
    told = CALIBRATED if calibrated else UNCALIBRATED
    everything, some = told["everything"], told["some"]
    wanted = dict.fromkeys(("host", "energy", "detector"), everything + 0.6 * some)
    wanted |= dict.fromkeys(("pixel", "dose"), calibrated * everything + 0.6 * some)
    # A dopant is not known without its host.
    wanted |= {"dopant": everything + 0.36 * some, "brightness": float(calibrated)}
    for n, name in enumerate(KNOWABLE):
        p = wanted[name]
        assert known[:, n].mean() == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / count)), name
    assert not (known[:, KNOWABLE.index("dopant")] & ~known[:, KNOWABLE.index("host")]).any()
    # All that can be, or nothing: by decision, or because some of it happened to be all or none. Host and dopant: both
    # with 0.36, neither with 0.4; four others.
    counts = [known.all(axis=1).sum(), (~known).all(axis=1).sum()]
    p = everything + some * 0.36 * 0.6**4 if calibrated else told["nothing"] + some * 0.4 * 0.4**4
    assert counts[not calibrated] == pytest.approx(p * count, abs=4.5 * np.sqrt(p * (1 - p) * count))
    assert counts[calibrated] == 0


def test_patches_of_one_scene_are_told_and_laid_alike(source):
    patches = PatchStream(replace(source, channels=2, clean=False, every_label=True), groups=2, groups_per_batch=2)
    batch = patches.batch(0)
    (found,) = SiteStream(patches, calibrated=False)
    _, scene = np.unique(batch["seed"], return_inverse=True)
    for name in ("shared", "brightness", "present"):
        rows = found[name].numpy().reshape(len(scene), -1)
        assert all(np.ptp(rows[scene == n], axis=0).max() == 0 for n in range(scene.max() + 1)), name
    # Without noise of its own, what differs between a scene's labels is at the centre: the corner pixels agree.
    corner = batch["image"][:, 0, 0, 0].numpy()
    laid = found["image"].numpy()
    # The last scene of a group may lack some labels.
    whole = np.nonzero(np.bincount(scene) > 4)[0]
    assert whole.size > 10
    for n in whole[:3]:
        mates = np.nonzero(scene == n)[0]
        assert len(set(batch["label"][mates].tolist())) == len(mates)
        metal, pair = (mates[np.isin(batch["label"][mates], [list(LABELS).index(x) for x in names])] for names in
                       (("M", "V_M", "D_M"), ("X2", "V_X", "V_X2", "D_X", "M_X2")))  # fmt: skip
        for side in (metal, pair):
            assert np.corrcoef(laid[side][:, 0].reshape(len(side), -1)).min() > 0.5
            assert np.ptp(corner[side]) < 0.2 * corner.mean()


def test_a_blank_channel_is_not_there(source):
    patches = PatchStream(replace(source, clean=False), groups=1, groups_per_batch=1)
    (one,), (two,) = SiteStream(patches, slots=1), SiteStream(patches, slots=2)
    assert (two["present"].numpy() == [1, 0]).all()
    for name in ("image", "channel", "brightness"):
        assert torch.equal(two[name][:, :1], one[name])
        assert not two[name][:, 1].any()


def test_a_site_is_where_drift_and_flyback_took_it(source):
    shaken = replace(
        source,
        realism=replace(IDEAL, drift_px=(-0.05, 0.05), flyback_A=(0.5, 1.0), offset_px=(-8.0, 8.0)),
        seed=6,
    )
    batch = batch_of(shaken, groups=30)
    x, y, _, _ = placed(batch, shaken)
    pixel_A = batch["pixel_A"].numpy()
    metal = np.nonzero(batch["label"].numpy() == PatchStream.labels.index("M"))[0]
    past = batch["first_column_px"].numpy() + x
    lag = batch["flyback_px"].numpy() * np.exp(-past / batch["flyback_recovery_px"].numpy())
    shift = np.abs(batch["drift_x_px"].numpy() * batch["offset_y_px"].numpy())
    assert len(metal) > 150
    # There is something to be missed.
    assert (lag[metal] > 0.3).sum() >= 10
    assert (shift[metal] > 0.15).sum() >= 20
    for n in metal:
        image = batch["clean"][n, 0].numpy().astype(float)
        found = centroid(image - image.min(), x[n], y[n], 0.3 / pixel_A[n])
        assert np.hypot(found[0] - x[n], found[1] - y[n]) < 0.05, n


def test_arms_end_at_the_three_neighbours(source):
    batch = batch_of(source, groups=4)
    pixel_A = batch["pixel_A"].numpy()
    ends = np.zeros((len(pixel_A), 3), dtype=bool)
    sides = set()
    for seed in range(6):
        x, y, right, down = placed(batch, source, seed=seed)
        assert np.abs((right * down).sum(axis=1)).max() < 1e-9
        assert np.hypot(*right.T) == pytest.approx(np.hypot(*down.T))
        sides |= set(np.sign(right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]))
        for n in range(0, len(x), 5):
            image = batch["clean"][n, 0].numpy().astype(float)
            at = x[n] + right[n, 0], y[n] + right[n, 1]
            found = centroid(image - image.min(), *at, 0.3 / pixel_A[n])
            assert np.hypot(found[0] - at[0], found[1] - at[1]) < 0.05
            # Opposite to a neighbour the honeycomb is hollow.
            hollow = map_coordinates(image, [[y[n] - right[n, 1]], [x[n] - right[n, 0]]], order=1)[0]
            assert hollow < 0.2 * map_coordinates(image, [[at[1]], [at[0]]], order=1)[0]
            turn = np.rad2deg(np.arctan2(right[n, 1], right[n, 0])) - batch["rotation_deg"][n].item()
            ends[n, int(turn // 120) % 3] = True
    # Every neighbour comes to lie to the right at times, and either side down.
    assert ends[::5].mean() > 0.8
    assert sides == {-1.0, 1.0}


def test_arms_are_sheared_as_drift_shears_them(source):
    shaken = replace(source, realism=replace(IDEAL, drift_px=(-0.05, 0.05)), seed=7)
    batch = batch_of(shaken, groups=4)
    pixel_A = batch["pixel_A"].numpy()
    x, y, right, _ = placed(batch, shaken)
    straight = placed({**batch, "drift_x_px": 0 * batch["drift_x_px"], "drift_y_px": 0 * batch["drift_y_px"]}, shaken)
    assert np.hypot(*(right - straight[2]).T).max() > 0.3
    for n in range(0, len(x), 5):
        image = batch["clean"][n, 0].numpy().astype(float)
        at = x[n] + right[n, 0], y[n] + right[n, 1]
        found = centroid(image - image.min(), *at, 0.3 / pixel_A[n])
        assert np.hypot(found[0] - at[0], found[1] - at[1]) < 0.05


def test_a_misfit_is_as_large_as_a_lattice_fit_would_make_it(source):
    batch = batch_of(replace(source, size_px=16, clean=False), groups=30)
    pixel_A = batch["pixel_A"].numpy()
    exact, missed = placed(batch, source), placed(batch, source, misfit=True)
    off_A = np.stack([missed[n] - exact[n] for n in range(2)], axis=1) * pixel_A[:, None]
    # A standard deviation uniform from 0 to 0.12 Å: the mean square is 0.12^2 / 3, of a spread of 2.4 of itself.
    count = off_A.size
    assert np.mean(off_A**2) == pytest.approx(0.12**2 / 3, rel=4.5 * 2.4 / np.sqrt(count))
    length = np.hypot(*exact[2].T)
    bent = (missed[2] - exact[2]) / length[:, None]
    assert bent.std() == pytest.approx(0.01, rel=4.5 / np.sqrt(2 * bent.size))


def test_the_networks_input_is_what_the_patches_are(source, small):
    source = replace(source, channels=2, clean=False)
    batch = batch_of(source, groups=4)
    rng = np.random.default_rng(0)
    found = network_input(batch, source, np.ones((256, 7), dtype=bool), rng, misfit=False)
    assert found["image"].shape == (256, 2, 36, 36)
    truth = [ROLES.index(PatchStream.labels[n]) for n in batch["label"]]
    assert found["label"].tolist() == truth
    block = source.groups(0, 4)
    for n in range(0, 256, 17):
        compound = next(c for c in small.compounds if c.host == block.index["host"][n])
        assert [r for r, plays in zip(ROLES, found["in_play"][n], strict=True) if plays] == list(labels(compound))
    assert found["in_play"][torch.arange(256), found["label"]].all()
    # Whoever does not know the dopant must reckon with all labels.
    known = np.ones((256, 7), dtype=bool)
    known[:, KNOWABLE.index("dopant")] = False
    assert network_input(batch, source, known, rng, misfit=False)["in_play"].all()


def test_shuffled_context_is_another_sites(source):
    batch = batch_of(source, groups=8)
    known = np.ones((512, 7), dtype=bool)
    straight, shuffled = (
        network_input(batch, source, known, np.random.default_rng(0), misfit=False, shuffled=s) for s in (False, True)
    )
    # The patches are the same, the labels too; the host told is right for half of the sites, by chance.
    assert torch.equal(straight["image"], shuffled["image"])
    assert torch.equal(straight["label"], shuffled["label"])
    same = (straight["shared"][:, 0] == shuffled["shared"][:, 0]).double().mean().item()
    assert same == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(512))
    assert shuffled["in_play"].all()
    # What is told is someone's: the values are the same ones in another order.
    for column in (0, 7, 10):
        assert torch.equal(straight["shared"][:, column].sort()[0], shuffled["shared"][:, column].sort()[0])


def test_a_stream_shows_each_patch_as_often_as_it_is_told_and_one_channel_at_times(source):
    patches = PatchStream(replace(source, channels=2, clean=False), groups=4, groups_per_batch=2)
    shown = list(SiteStream(patches, seed=3, views=3))
    assert len(shown) == 6
    for first in (0, 3):
        labels_of = [s["label"] for s in shown[first : first + 3]]
        assert all(torch.equal(labels_of[0], other) for other in labels_of[1:])
        assert not torch.equal(shown[first]["image"], shown[first + 1]["image"])
    present = torch.cat([s["present"] for s in shown])
    # Both channels half of the time, and never none.
    assert (present.sum(dim=1) >= 1).all()
    share = (present.sum(dim=1) == 2).double().mean().item()
    assert share == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(len(present)))
    again = list(SiteStream(patches, seed=3, views=3))
    assert all(torch.equal(a[name], b[name]) for a, b in zip(shown, again, strict=True) for name in a)
