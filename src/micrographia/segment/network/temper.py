"""Probabilities that are no surer than two opinions agree.

A network that learned from few images is as sure on another specimen as it was on its own. How often it errs there
nobody can tell it, but its two opinions, which err in different ways, differ the more often the more it errs. So its
probabilities are flattened until they admit as many errors as that.
"""

from __future__ import annotations

import math
from typing import Final

import torch

ERRORS_OF_DISSENT: Final = 0.8
"""Errors of the answer for each pixel on which the two opinions differ: fewer than one, as the answer is better than
either opinion. Measured on training images of specimens that had been left out, see the log."""

HOTTEST: Final = 20.0
"""Where opinions differ more often than any flattening explains, the flattening stops here."""

_LEAST: Final = 1e-12
_EVERY: Final = 4
_HALVINGS: Final = 20


def temperature(p: torch.Tensor, *, dissent: float) -> float:
    """Return the temperature at which probabilities admit the errors that a dissent tells of.

    Parameters
    ----------
    p : float tensor (batch, class, height, width)
        Probabilities of the answer. Every fourth row and column are looked at.
    dissent : float
        Share of pixels, 0 to 1, for which the two opinions name different classes.

    Returns
    -------
    float
        Between 1, where the probabilities admit that much as they are, and `HOTTEST`. Probabilities are never
        sharpened: that two opinions agree proves nothing.

    Notes
    -----
    Of networks that differ by their training alone, the share of pixels on which two of them differ is the share on
    which one errs, without any label: Y. Jiang et al., ICLR 2022, arXiv:2106.13799. Tempering keeps the order of
    classes: C. Guo et al., ICML 2017, arXiv:1706.04599.

    Examples
    --------
    Of two classes at 0.99 and 0.01, one in ten is to be wrong: the odds of 99 become 9, and ln 99 / ln 9 = 2.09.

    >>> p = torch.tensor([0.99, 0.01])[None, :, None, None]
    >>> round(temperature(p, dissent=0.1 / ERRORS_OF_DISSENT), 2)
    2.09
    """
    errors = ERRORS_OF_DISSENT * dissent
    some = p[..., ::_EVERY, ::_EVERY]

    def admitted(log_temperature: float) -> float:
        return float(1 - tempered(some, torch.tensor(math.exp(log_temperature))).amax(1).mean())

    low, high = 0.0, math.log(HOTTEST)
    if admitted(low) >= errors:
        return 1.0
    if admitted(high) <= errors:
        return HOTTEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if admitted(middle) < errors else (low, middle)
    return math.exp((low + high) / 2)


def tempered(p: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
    """Return probabilities to the power of 1/temperature, normalised: the likeliest class stays the likeliest.

    Parameters
    ----------
    p : float tensor (batch, class, height, width)
        Probabilities; less than 1e-12 counts as that.
    temperature : float tensor, of any shape that goes with (batch, 1, height, width)
        1 changes nothing; the higher, the flatter.
    """
    return p.clamp_min(_LEAST).log_().div_(temperature).softmax(1)
