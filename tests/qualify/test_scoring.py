"""The score: its parts, z-normalised and weighed, against each of them written out."""

from dataclasses import replace

import numpy as np
import pytest

from micrographia.qualify.evidence import Known, Seen
from micrographia.qualify.scoring import freeze, score_together, weighed
from micrographia.qualify.similarity.patches import left_out_patches, net_to_bank, patch_bank
from micrographia.qualify.similarity.shrunken import fit_direction, left_out, together


def known_of(seed, positive, negative, apart=1.0):
    """Two views by images and one by texts."""
    rng = np.random.default_rng(seed)
    accepted = np.arange(positive + negative) < positive
    towards = np.where(accepted, apart, 0.0)
    return Known(
        ids=tuple(f"R{k}" for k in range(len(accepted))),
        accepted=accepted,
        specimens=np.arange(len(accepted)),
        images=tuple(rng.normal(size=(len(accepted), d)) + towards[:, None] for d in (3, 5)),
        nets=(0.1 * rng.normal(size=len(accepted)) + 0.1 * towards,),
    )


def scored(known):
    return score_together(known, tuple(together(v) for v in known.images))


def z_of(net, accepted):
    on, off = net[accepted], net[~accepted]
    middle = (on.mean() + off.mean()) / 2
    within = ((on - on.mean()) ** 2).sum() + ((off - off.mean()) ** 2).sum()
    about = (((on - middle) ** 2).mean() + ((off - middle) ** 2).mean()) / 2
    return (net - middle) / np.sqrt((within + 4 * about) / (len(net) + 2))


def weights_of(z, accepted):
    apart = np.maximum(z[accepted].mean(axis=0) - z[~accepted].mean(axis=0), 0)
    share = (apart**2 + 4 / min(accepted.sum(), (~accepted).sum())) ** 2
    return share / share.sum()


def test_the_score_is_the_weighted_z_of_the_parts_each_left_out():
    known = known_of(0, 8, 6)
    parts = [*(left_out(together(v), known.accepted, np.arange(14)) for v in known.images), known.nets[0]]
    found = scored(known)
    np.testing.assert_allclose(found.nets, np.stack(parts, axis=1), atol=1e-12)
    z = np.stack([z_of(part, known.accepted) for part in parts], axis=1)
    np.testing.assert_allclose(found.score, z @ weights_of(z, known.accepted), atol=1e-12)


def test_patches_are_a_part_between_images_and_texts_and_tiles_are_scored_without_them():
    known = known_of(9, 6, 5)
    patches = np.random.default_rng(1).normal(size=(11, 20, 4)).astype(np.float32)
    bank = patch_bank(patches)
    with_patches = replace(known, banks=(bank,))
    found, without = scored(with_patches), scored(known)
    own = left_out_patches(bank, known.accepted, known.specimens)
    np.testing.assert_allclose(found.nets, np.insert(without.nets, 2, own, axis=1), atol=1e-12)
    frozen = freeze(with_patches)
    rng = np.random.default_rng(2)
    images, net = tuple(rng.normal(size=(3, d)) for d in (3, 5)), rng.normal(size=3)
    samples = rng.normal(size=(3, 20, 4)).astype(np.float32)
    seen = Seen(images=images, nets=(net,), patches=(samples,))
    np.testing.assert_allclose(frozen.nets(seen)[:, 2], net_to_bank(bank, known.accepted, samples), rtol=1e-6)
    tiles = frozen.without_patches()
    kept = [0, 1, 3]
    expected = frozen.z(frozen.nets(seen))[:, kept] @ (found.weights[kept] / found.weights[kept].sum())
    np.testing.assert_allclose(tiles.score(Seen(images=images, nets=(net,))), expected, rtol=1e-9)


def test_with_many_references_the_better_part_weighs_more():
    known = known_of(1, 40, 40, apart=0.0)
    nets = np.random.default_rng(0).normal(size=(80, 2)) + np.where(known.accepted[:, None], [3.0, 0.5], 0)
    found = weighed(nets, known.accepted)
    assert found.weights[0] > 0.6
    assert found.weights.sum() == pytest.approx(1)
    assert found.score[known.accepted].mean() - found.score[~known.accepted].mean() > 2


def test_units_of_a_part_do_not_count():
    known = known_of(2, 12, 9)
    nets = np.random.default_rng(1).normal(size=(21, 3))
    before, after = (weighed(n, known.accepted).score for n in (nets, nets * [1, 0.01, 100] + [0, 5, -5]))
    np.testing.assert_allclose(after, before, rtol=1e-9)


def test_the_order_of_references_makes_no_difference():
    known = known_of(3, 9, 12)
    order = np.random.default_rng(0).permutation(21)
    np.testing.assert_allclose(scored(known.only(order)).score, scored(known).score[order], atol=1e-10)


def test_trading_the_sides_reverses_the_score():
    known = known_of(4, 25, 25)
    traded = Known(**{**vars(known), "accepted": ~known.accepted})
    traded = Known(**{**vars(traded), "nets": tuple(-n for n in known.nets)})
    np.testing.assert_allclose(scored(traded).score, -scored(known).score, atol=1e-10)


def test_what_is_frozen_scores_samples_by_the_statistics_of_the_references():
    known = known_of(5, 10, 8)
    frozen = freeze(known)
    rng = np.random.default_rng(6)
    seen = Seen(images=tuple(rng.normal(size=(4, d)) for d in (3, 5)), nets=(rng.normal(size=4),))
    nets = [fit_direction(v, known.accepted).net(s) for v, s in zip(known.images, seen.images, strict=True)]
    nets = np.stack([*nets, seen.nets[0]], axis=1)
    np.testing.assert_allclose(frozen.nets(seen), nets, atol=1e-12)
    z = (nets - [s.middle for s in frozen.scored.spreads]) / [s.sd for s in frozen.scored.spreads]
    np.testing.assert_allclose(frozen.score(seen), z @ frozen.scored.weights, atol=1e-12)


def test_a_sample_scores_the_same_whatever_others_are_scored_with_it():
    frozen = freeze(known_of(7, 25, 25))
    rng = np.random.default_rng(8)
    images, net = tuple(rng.normal(size=(5, d)) for d in (3, 5)), rng.normal(size=5)
    together_ = frozen.score(Seen(images=images, nets=(net,)))
    alone = [
        frozen.score(Seen(images=tuple(v[k : k + 1] for v in images), nets=(net[k : k + 1],)))[0] for k in range(5)
    ]
    np.testing.assert_allclose(alone, together_, rtol=1e-12)
