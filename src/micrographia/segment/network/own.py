"""What an image says of itself: its clear pixels teach what the same class looks like elsewhere in it.

On another specimen a network recognises a phase in part, where it looks like the training images, and misses the rest,
which looks like the part that was recognised. Its two opinions differ then. So where they differ widely, a discriminant
is learned from the clear pixels of the image at hand, and has a say in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from micrographia.segment.network.segmenter import Maps, PixelVote, Segmenter, features_at, joined, maps_of, resized

MOST_WEIGHT: Final = 0.3
_DISSENT: Final = (0.05, 0.15)
_CLEAR: Final = 0.6
_MOST_PIXELS: Final = 4000
_LEAST_SHARE: Final = 0.01
_SHRINKAGE: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Own:
    """A linear discriminant between the classes of one image.

    Parameters
    ----------
    classes : tuple of int
        Classes that it tells apart, counted from 0.
    slopes : float tensor (class, channel)
        Of the standardised features of `Maps.flat`.
    offsets : float tensor (class,)
        Of each class.
    weight : float
        How much it counts beside the network, whose log-probabilities count 1.
    """

    classes: tuple[int, ...]
    slopes: torch.Tensor
    offsets: torch.Tensor
    weight: float


def weight_of_own(dissent: float) -> float:
    """Return how much an image's own discriminant counts: nothing while the two opinions are as good as one.

    Parameters
    ----------
    dissent : float
        Share of pixels, 0 to 1, for which the two opinions name different classes.

    Examples
    --------
    >>> [round(weight_of_own(d), 2) for d in (0.02, 0.1, 0.4)]
    [0.0, 0.15, 0.3]
    """
    low, high = _DISSENT
    return MOST_WEIGHT * float(np.clip((dissent - low) / (high - low), 0, 1))


def learn_own(parts: Iterable[torch.Tensor], network: Segmenter, *, weight: float) -> Own | None:
    """Learn a discriminant from the clear pixels of an image.

    Clear are, of the pixels that the network gives a class, the three fifths of which it is surest. Classes with less
    than a hundredth of the pixels have no say: cracks, of which a few wrong ones would teach more wrong ones.

    Parameters
    ----------
    parts : iterable of float tensor (1, 1, height, width)
        Parts of the image, as the network is shown them.
    network : Segmenter
        The network.
    weight : float
        How much the discriminant is to count.

    Returns
    -------
    Own, optional
        None where fewer than two classes have enough pixels.

    Notes
    -----
    Learning from one's own answers: H. J. Scudder, IEEE Trans. Inf. Theory 11, 363 (1965),
    doi:10.1109/TIT.1965.1053799. Linear discriminant: R. A. Fisher, Ann. Eugenics 7, 179 (1936),
    doi:10.1111/j.1469-1809.1936.tb02137.x; its covariance is shrunk towards a sphere as by J. H. Friedman,
    J. Am. Stat. Assoc. 84, 165 (1989), doi:10.1080/01621459.1989.10478752.
    """
    network.eval()
    with torch.no_grad():
        seen = [maps_of(part, network.encoder) for part in parts]
        answers = [joined(*network.opinions(maps))[0].max(0) for maps in seen]
    surest = torch.cat([p.flatten() for p, _ in answers]).cpu().numpy()
    named = torch.cat([k.flatten() for _, k in answers]).cpu().numpy()
    rng = np.random.default_rng(0)
    clear = {}
    for k in np.unique(named).tolist():
        places = np.flatnonzero(named == k)
        if len(places) < _LEAST_SHARE * len(named):
            continue
        places = places[np.argsort(-surest[places], kind="stable")[: round(_CLEAR * len(places))]]
        places = np.sort(rng.choice(places, min(_MOST_PIXELS, len(places)), replace=False))
        clear[k] = (_features(seen, places) - network.vote.mean) / network.vote.sd
    if len(clear) < 2:
        return None
    classes = tuple(sorted(clear))
    slopes, offsets = discriminant([clear[k] for k in classes])
    return Own(classes=classes, slopes=slopes, offsets=offsets, weight=weight)


def _features(seen: list[Maps], places: np.ndarray) -> torch.Tensor:
    """Return the features (pixel, channel) of pixels, which are counted through parts of equal size, in order."""
    height, width = seen[0].image.shape[-2:]
    part, within = np.divmod(places, height * width)
    rows = np.stack(np.divmod(within, width), axis=1)
    return torch.cat([features_at(maps, rows[part == k]) for k, maps in enumerate(seen)])


def discriminant(groups: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Fisher's linear discriminant of groups that are equally likely.

    Parameters
    ----------
    groups : list of float tensor (pixel, channel)
        Features of each group.

    Returns
    -------
    slopes : float tensor (group, channel)
    offsets : float tensor (group,)
        The logarithm of each group's likelihood is slopes times features plus offset, but for what is common to all.
    """
    wide = [group.double() for group in groups]
    means = torch.stack([group.mean(0) for group in wide])
    within = sum(((g - m).T @ (g - m) / len(g) for g, m in zip(wide, means, strict=True)), torch.zeros(()))
    within = within / len(groups)
    within.diagonal().add_(_SHRINKAGE * within.diagonal().mean())
    slopes = torch.linalg.solve(within, means.T).T
    offsets = -(slopes * means).sum(1) / 2
    return slopes.to(groups[0].dtype), offsets.to(groups[0].dtype)


def adjusted(log_p: torch.Tensor, maps: Maps, vote: PixelVote, own: Own) -> torch.Tensor:
    """Return log-probabilities (batch, class, height, width) after the image's own discriminant had its say.

    Classes that it does not know keep their probability.
    """
    said = resized(vote.linear(maps, own.slopes, own.offsets), log_p.shape[-2:])
    known = log_p[:, own.classes]
    told = known + own.weight * (said - said.mean(1, keepdim=True))
    after = log_p.clone()
    after[:, own.classes] = told.log_softmax(1) + known.logsumexp(1, keepdim=True)
    return after
