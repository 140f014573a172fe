"""The references that a verdict names."""

import numpy as np
import pytest

from micrographia.qualify.evidence import Known, Seen
from micrographia.qualify.similarity.retrieval import nearest_references


def known_of(*images, accepted):
    count = len(accepted)
    return Known(
        ids=tuple(f"R{k}" for k in range(count)),
        accepted=np.array(accepted),
        specimens=np.arange(count),
        images=images,
        nets=(),
    )


def standardised_cosine(references, sample):
    variance, n = references.var(axis=0), len(references)
    scale = np.sqrt(((n - 1) * variance + 4 * variance.mean()) / (n + 3))
    a, b = (references - references.mean(axis=0)) / scale, (sample - references.mean(axis=0)) / scale
    return a @ b / np.linalg.norm(a, axis=1) / np.linalg.norm(b)


def test_the_nearest_of_either_side_are_named_with_the_mean_cosine_of_all_encoders():
    rng = np.random.default_rng(0)
    views = rng.normal(2, 1, (10, 4)), rng.normal(-1, 3, (10, 6))
    sample = rng.normal(2, 1, (1, 4)), rng.normal(-1, 3, (1, 6))
    accepted = np.arange(10) % 3 == 0
    found = nearest_references(Seen(images=sample, nets=()), known_of(*views, accepted=accepted), ["a", "b"], top=3)
    likeness = np.mean([standardised_cosine(v, s[0]) for v, s in zip(views, sample, strict=True)], axis=0)
    best = [
        k for side in (True, False) for k in sorted(np.flatnonzero(accepted == side), key=lambda k: -likeness[k])[:3]
    ]
    best.sort(key=lambda k: -likeness[k])
    assert [n.reference for n in found] == [f"R{k}" for k in best]
    np.testing.assert_allclose([n.similarity for n in found], likeness[best], atol=1e-6)
    assert [n.polarity for n in found] == ["accept" if accepted[k] else "reject" for k in best]
    assert {n.encoder for n in found} == {"a + b"}


def test_a_reference_itself_is_the_nearest_with_a_cosine_of_one():
    vectors = np.random.default_rng(1).normal(size=(6, 5))
    found = nearest_references(
        Seen(images=(vectors[2:3],), nets=()), known_of(vectors, accepted=[True, False] * 3), ["a"]
    )
    assert len(found) == 6
    assert (found[0].reference, found[0].similarity) == ("R2", pytest.approx(1))


def test_at_most_five_of_either_side_are_named():
    vectors = np.random.default_rng(2).normal(size=(20, 5))
    known = known_of(vectors, accepted=[True] * 17 + [False] * 3)
    found = nearest_references(Seen(images=(vectors[:1],), nets=()), known, ["a"])
    assert [sum(n.polarity == side for n in found) for side in ("accept", "reject")] == [5, 3]


def test_without_a_view_by_images_none_is_named():
    known = known_of(accepted=[True, False])
    assert nearest_references(Seen(images=(), nets=(np.zeros(1),)), known, []) == ()
