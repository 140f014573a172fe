"""Ways to score that leave out a part of the method, to see what the part contributes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from micrographia.qualify.evidence import Known, View
from micrographia.qualify.scoring import score_together, weighed
from micrographia.qualify.similarity.net import unit
from micrographia.qualify.similarity.patches import left_out_patches
from micrographia.qualify.similarity.shrunken import Together, together

Nets = Literal["shrunken", "plain", "accepted only"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way to score.

    Parameters
    ----------
    name : str
        What it is called.
    parts : tuple of int
        Which views it uses.
    nets : str
        Net similarity of images: ``"shrunken"``, as verdicts use; ``"plain"``, the mean cosine to accepted less that
        to rejected references; ``"accepted only"``, the mean cosine to accepted references, and to positive texts.
    z : bool
        Whether each part is z-normalised.
    equal : bool
        Whether parts have equal weights; otherwise as verdicts have them.
    """

    name: str
    parts: tuple[int, ...]
    nets: Nets = "shrunken"
    z: bool = True
    equal: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Company:
    """References of a criterion, and all that can be computed before sides are taken.

    Parameters
    ----------
    known : Known
        The references.
    views : tuple of View
        The parts: by images, by patches, by texts.
    sides_by_side : tuple of Together
        What `together` makes of each view by images.
    cosines : tuple of float array (reference, reference)
        Cosines between embeddings as they are, one array for each view by images.
    to_positive : tuple of float array (reference,)
        Mean cosine to the positive texts, one array for each view by texts.
    """

    known: Known
    views: tuple[View, ...]
    sides_by_side: tuple[Together, ...]
    cosines: tuple[Float[np.ndarray, "reference reference"], ...]
    to_positive: tuple[Float[np.ndarray, " reference"], ...]


def company_of(
    known: Known, views: tuple[View, ...], to_positive: tuple[Float[np.ndarray, " reference"], ...]
) -> Company:
    """Lay out references for variants; see `Company` for the parameters."""
    units = [unit(vectors) for vectors in known.images]
    return Company(
        known=known,
        views=views,
        sides_by_side=tuple(together(vectors) for vectors in known.images),
        cosines=tuple(u @ u.T for u in units),
        to_positive=to_positive,
    )


def variants_of(company: Company) -> tuple[Variant, ...]:
    """Return the ways to score that differ for this criterion; the first one is that of verdicts.

    Of one encoder without texts, for instance, there is no hybrid, and no z-score changes the order.
    """
    views = company.views
    every = tuple(range(len(views)))
    images, patches, texts = (
        tuple(k for k in every if views[k].modality == modality) for modality in ("image", "patches", "text")
    )
    variants = [Variant(name="all parts", parts=every)]
    if images and texts:
        variants += [Variant(name="image only", parts=images + patches), Variant(name="text only", parts=texts)]
    if images and patches:
        without = tuple(k for k in every if k not in patches)
        variants += [Variant(name="without patches", parts=without), Variant(name="patches only", parts=patches)]
    variants.append(Variant(name="without negatives", parts=every, nets="accepted only"))
    if len(every) > 1:
        variants.append(Variant(name="without z-score", parts=every, z=False))
    if images:
        variants.append(Variant(name="plain net cosine", parts=every, nets="plain"))
    encoders = tuple(dict.fromkeys(v.encoder for v in views))
    if len(encoders) > 1:
        for name in encoders:
            variants.append(Variant(name=f"{name} alone", parts=tuple(k for k in every if views[k].encoder == name)))
    if len(every) > 1:
        variants.append(Variant(name="hybrid, equal weights", parts=every, equal=True))
    return tuple(variants)


def nets_of(company: Company, accepted: Bool[np.ndarray, " reference"]) -> dict[Nets, Float[np.ndarray, "_r _part"]]:
    """Return the net similarities of each reference, it and its specimen left out, in each way.

    Parameters
    ----------
    company : Company
        The references.
    accepted : bool array (reference,)
        The sides that they take.
    """
    known = replace(company.known, accepted=accepted)
    to_accepted = [_mean_to(c, accepted, known.specimens) for c in company.cosines]
    to_rejected = [_mean_to(c, ~accepted, known.specimens) for c in company.cosines]
    plain = [a - r for a, r in zip(to_accepted, to_rejected, strict=True)]
    by_patches = [left_out_patches(bank, accepted, known.specimens) for bank in known.banks]
    return {
        "shrunken": score_together(known, company.sides_by_side).nets,
        "plain": np.stack([*plain, *by_patches, *known.nets], axis=1),
        "accepted only": np.stack([*to_accepted, *by_patches, *company.to_positive], axis=1),
    }


def score_by(
    variant: Variant, nets: dict[Nets, Float[np.ndarray, "_r _part"]], accepted: Bool[np.ndarray, " reference"]
) -> Float[np.ndarray, " reference"]:
    """Return the score of each reference by a variant.

    Parameters
    ----------
    variant : Variant
        How to score.
    nets : mapping of str to float array (reference, part)
        What `nets_of` returns.
    accepted : bool array (reference,)
        The sides that they take.

    Examples
    --------
    >>> none = np.zeros((2, 2))
    >>> nets = {"shrunken": np.array([[1.0, 0.0], [-1.0, 0.2]]), "plain": none, "accepted only": none}
    >>> raw = Variant(name="without z-score", parts=(0, 1), z=False)
    >>> score_by(raw, nets, np.array([True, False])).round(6).tolist()
    [1.0, -0.8]
    """
    own = nets[variant.nets][:, list(variant.parts)]
    score: Float[np.ndarray, " reference"]
    if not variant.z:
        score = own.sum(axis=1)
        return score
    scored = weighed(own, accepted)
    if not variant.equal:
        return scored.score
    score = np.mean([s.z(net) for s, net in zip(scored.spreads, own.T, strict=True)], axis=0)
    return score


def _mean_to(
    cosine: Float[np.ndarray, "reference reference"], side: Bool[np.ndarray, " reference"], specimens: np.ndarray
) -> Float[np.ndarray, " reference"]:
    """Return the mean cosine to the references of a side that are of other specimens; 0 where there are none."""
    others = (specimens[:, None] != specimens[None, :]) & side[None, :]
    mean: Float[np.ndarray, " reference"] = (cosine * others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    return mean
