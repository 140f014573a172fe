"""Agreement between experts, from what they said of the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Int

from micrographia.qualify.library import Library, Opinion, Reference, contents, opinions
from micrographia.qualify.library.reference import WHOLE
from micrographia.qualify.study.coefficients import cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement

DRAWS: Final = 2000
"""Draws of a bootstrap."""

_LABELS: Final = ("reject", "accept")
_MISSING: Final = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Ratings:
    """What experts said of images on one criterion.

    Parameters
    ----------
    experts : tuple of str
        Who they are, by name.
    said : int array (image, expert)
        1 for accept, 0 for reject, -1 where the expert did not say.
    """

    experts: tuple[str, ...]
    said: Int[np.ndarray, "image expert"]

    @property
    def counts(self) -> Int[np.ndarray, "image 2"]:
        """How many experts rejected, and how many accepted each image."""
        return np.stack([(self.said == label).sum(axis=1) for label in (0, 1)], axis=1)


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A coefficient of agreement.

    Parameters
    ----------
    name : str
        ``"percent agreement"`` (a share, from 0 to 1), ``"Cohen's kappa"``, ``"Fleiss' kappa"`` or
        ``"Krippendorff's alpha"``.
    experts : tuple of str
        Between whom.
    images : int
        Images that it rests on.
    value : float, optional
        None where it is undefined: every rating is the same.
    interval : (float, float), optional
        95 % interval by bootstrap over images; None where more than one draw in twenty is undefined.
    """

    name: str
    experts: tuple[str, ...]
    images: int
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of experts on one criterion.

    Parameters
    ----------
    criterion, title : str
        The criterion.
    experts : tuple of str
        Who said something of it.
    images : int
        Images of which at least two experts said something.
    coefficients : tuple of Coefficient
        Of all experts, then Cohen's kappa of each pair; none where no image has two opinions.
    """

    criterion: str
    title: str
    experts: tuple[str, ...]
    images: int
    coefficients: tuple[Coefficient, ...]


def agreement(library: Library, *, rng: np.random.Generator) -> tuple[Agreement, ...]:
    """Return how far experts agree on each criterion of a library.

    References that name an expert count as that expert's opinion. Of several opinions of one expert on one image the
    newest counts; a region of an image is an image of its own.

    Parameters
    ----------
    library : Library
        The library.
    rng : numpy.random.Generator
        Draws the bootstrap.
    """
    held = contents(library)
    found = []
    for criterion in held.criteria:
        ratings = ratings_of(opinions(library, criterion.id), held.references[criterion.id])
        found.append(
            Agreement(
                criterion=criterion.id,
                title=criterion.title,
                experts=ratings.experts,
                images=int(np.count_nonzero((ratings.said != _MISSING).sum(axis=1) >= 2)),
                coefficients=coefficients_of(ratings, rng=rng),
            )
        )
    return tuple(found)


def ratings_of(said: Iterable[Opinion], references: Iterable[Reference]) -> Ratings:
    """Return opinions, and what references say in an expert's name, as a table.

    Parameters
    ----------
    said : iterable of Opinion
        Opinions on one criterion.
    references : iterable of Reference
        References of the same criterion; those without an expert say nothing here.
    """
    dated = [(o.given_at, (o.image_sha256, WHOLE), o.expert, o.opinion) for o in said]
    dated += [(r.added_at, (r.image_sha256, r.region), r.expert, r.polarity) for r in references if r.expert]
    newest: dict[tuple[str, str], dict[str, int]] = {}
    for _, image, expert, label in sorted(dated, key=lambda each: each[0]):  # stable: what came later stays later
        newest.setdefault(image, {})[expert] = _LABELS.index(label)
    experts = tuple(sorted({expert for of_image in newest.values() for expert in of_image}))
    table = [[newest[image].get(expert, _MISSING) for expert in experts] for image in sorted(newest)]
    return Ratings(experts=experts, said=np.array(table, dtype=int).reshape(len(table), len(experts)))


def coefficients_of(ratings: Ratings, *, rng: np.random.Generator, draws: int = DRAWS) -> tuple[Coefficient, ...]:
    """Return the coefficients of agreement that ratings allow, each with a bootstrap interval.

    Percent agreement and Krippendorff's alpha are over images with at least two opinions; Fleiss' kappa, of three and
    more experts, over images on which all of them spoke; Cohen's kappa over those on which both of a pair spoke.

    Parameters
    ----------
    ratings : Ratings
        What experts said.
    rng : numpy.random.Generator
        Draws images with replacement.
    draws : int
        How often.

    Examples
    --------
    >>> both = Ratings(experts=("Ann", "Bob"), said=np.array([[1, 1], [0, 0], [1, 0], [0, 0]]))
    >>> [(c.name, c.value) for c in coefficients_of(both, rng=np.random.default_rng(0))]
    [('percent agreement', 0.75), ("Krippendorff's alpha", 0.5333333333333333), ("Cohen's kappa", 0.5)]
    """
    given = ratings.said != _MISSING
    paired = np.flatnonzero(given.sum(axis=1) >= 2)
    if not len(paired):
        return ()
    counts = ratings.counts

    def of(name: str, experts: tuple[str, ...], rows: Rows, value: Callable[[Rows], float | None]) -> Coefficient:
        return Coefficient(
            name=name,
            experts=experts,
            images=len(rows),
            value=value(rows),
            interval=_bootstrap(rows, value, rng=rng, draws=draws),
        )

    found = [
        of("percent agreement", ratings.experts, paired, lambda rows: percent_agreement(counts[rows])),
        of("Krippendorff's alpha", ratings.experts, paired, lambda rows: krippendorff_alpha(counts[rows])),
    ]
    complete = np.flatnonzero(given.all(axis=1))
    if len(ratings.experts) >= 3 and len(complete):
        found.append(of("Fleiss' kappa", ratings.experts, complete, lambda rows: fleiss_kappa(counts[rows])))
    for a, b in combinations(range(len(ratings.experts)), 2):
        both = np.flatnonzero(given[:, a] & given[:, b])
        if len(both):
            one, other = ratings.said[:, a], ratings.said[:, b]
            pair = (ratings.experts[a], ratings.experts[b])
            found.append(of("Cohen's kappa", pair, both, _kappa_of(one, other)))
    return tuple(found)


Rows = Int[np.ndarray, " row"]


def _kappa_of(one: Int[np.ndarray, " image"], other: Int[np.ndarray, " image"]) -> Callable[[Rows], float | None]:
    return lambda rows: cohen_kappa(one[rows], other[rows])


def _bootstrap(
    rows: Rows, value: Callable[[Rows], float | None], *, rng: np.random.Generator, draws: int
) -> tuple[float, float] | None:
    """Return the percentile interval over images drawn with replacement; None where too many draws are undefined."""
    if len(rows) < 2:
        return None
    drawn = [value(rng.choice(rows, len(rows))) for _ in range(draws)]
    defined = [v for v in drawn if v is not None]
    if len(defined) < 0.95 * draws:
        return None
    low, high = np.quantile(defined, (0.025, 0.975))
    return float(low), float(high)
