"""Coefficients of agreement between raters, in closed form.

All compare the agreement that was found with the agreement of raters who label at random with the frequencies that
occur: 1 is full agreement, 0 is that of chance. They are undefined where every rating is the same, since chance agrees
fully, too.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int


def percent_agreement(counts: Int[np.ndarray, "item category"]) -> float | None:
    """Return the share of pairs of ratings that agree, averaged over items with at least two ratings.

    Parameters
    ----------
    counts : int array (item, category)
        How many raters put each item in each category.

    Returns
    -------
    float, optional
        From 0 to 1; None where no item has two ratings.

    Examples
    --------
    >>> percent_agreement(np.array([[2, 0], [1, 1], [0, 2], [0, 2]]))
    0.75
    """
    rated = counts[counts.sum(axis=1) >= 2]
    if not len(rated):
        return None
    size = rated.sum(axis=1)
    return float(((rated * (rated - 1)).sum(axis=1) / (size * (size - 1))).mean())


def cohen_kappa(one: Int[np.ndarray, " item"], other: Int[np.ndarray, " item"]) -> float | None:
    """Return Cohen's kappa of two raters who rated the same items.

    ``(p_o - p_e) / (1 - p_e)``, with p_e from the frequencies of each rater (Cohen 1960, 10.1177/001316446002000104).

    Parameters
    ----------
    one, other : int array (item,)
        Category of each item by either rater.

    Returns
    -------
    float, optional
        From -1 to 1; None where it is undefined.

    Examples
    --------
    >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    0.5
    """
    if not len(one):
        return None
    categories = np.union1d(one, other)
    found = float((one == other).mean())
    by_chance = float(sum((one == c).mean() * (other == c).mean() for c in categories))
    return None if by_chance >= 1 else (found - by_chance) / (1 - by_chance)


def fleiss_kappa(counts: Int[np.ndarray, "item category"]) -> float | None:
    """Return Fleiss' kappa of items that all have the same number of ratings.

    ``(P̄ - P̄_e) / (1 - P̄_e)``: P̄ the share of agreeing pairs, P̄_e the sum of the squared shares of the categories
    (Fleiss 1971, 10.1037/h0031619).

    Parameters
    ----------
    counts : int array (item, category)
        How many raters put each item in each category.

    Returns
    -------
    float, optional
        Up to 1; None where it is undefined, also where items differ in the number of ratings or it is below 2.

    Examples
    --------
    >>> round(fleiss_kappa(np.array([[3, 0], [0, 3], [2, 1], [1, 2]])), 4)
    0.3333
    """
    size = counts.sum(axis=1)
    found = percent_agreement(counts)
    if found is None or size.min() < 2 or size.min() != size.max():
        return None
    by_chance = float(((counts.sum(axis=0) / size.sum()) ** 2).sum())
    return None if by_chance >= 1 else (found - by_chance) / (1 - by_chance)


def krippendorff_alpha(counts: Int[np.ndarray, "item category"]) -> float | None:
    """Return Krippendorff's alpha of categories; raters may have left out items.

    ``1 - D_o / D_e`` with, over the n ratings of items that have at least two, the disagreement found
    ``D_o = Σ_u Σ_{c≠k} n_uc n_uk / (m_u - 1) / n`` and that of chance ``D_e = Σ_{c≠k} n_c n_k / (n (n - 1))``
    (Hayes and Krippendorff 2007, 10.1080/19312450709336664).

    Parameters
    ----------
    counts : int array (item, category)
        How many raters put each item in each category.

    Returns
    -------
    float, optional
        Up to 1; None where it is undefined.

    Examples
    --------
    >>> round(krippendorff_alpha(np.array([[2, 0], [0, 2], [1, 1], [1, 0]])), 4)
    0.4444
    """
    rated = counts[counts.sum(axis=1) >= 2]
    if not len(rated):
        return None
    size = rated.sum(axis=1)
    total = int(size.sum())
    found = float(((size**2 - (rated**2).sum(axis=1)) / (size - 1)).sum()) / total
    of_category = rated.sum(axis=0)
    by_chance = float(total**2 - (of_category**2).sum()) / (total * (total - 1))
    return None if by_chance == 0 else 1 - found / by_chance
