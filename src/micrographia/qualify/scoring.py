"""The score: parts, each z-normalised by the references, and their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from micrographia.qualify.evidence import Known, Seen
from micrographia.qualify.similarity.patches import left_out_patches, net_to_bank
from micrographia.qualify.similarity.shrunken import Direction, Together, fit_direction, left_out, together
from micrographia.qualify.similarity.weights import hybrid_weights
from micrographia.qualify.similarity.zscore import Spread, spread_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """References scored together, each by a fit that it, and all of its specimen, was left out of.

    Parameters
    ----------
    nets : float array (image, part)
        Net similarity by each part: views by images, by patches, by texts.
    spreads : tuple of Spread
        Statistics of each part.
    weights : float array (part,)
        Share of each part.
    score : float array (image,)
        Weighted sum of the z-scores.
    """

    nets: Float[np.ndarray, "image part"]
    spreads: tuple[Spread, ...]
    weights: Float[np.ndarray, " part"]
    score: Float[np.ndarray, " image"]


def score_together(known: Known, sides_by_side: tuple[Together, ...]) -> Scored:
    """Score references, or references and a sample that takes a side for the sake of argument.

    Whatever their order, every image is scored in the same way: that is what conformal p-values rest on.

    Parameters
    ----------
    known : Known
        The images.
    sides_by_side : tuple of Together
        What `together` makes of each view by images; it does not depend on sides.
    """
    by_image = [left_out(images, known.accepted, known.specimens) for images in sides_by_side]
    by_patches = [left_out_patches(bank, known.accepted, known.specimens) for bank in known.banks]
    nets = np.stack([*by_image, *by_patches, *known.nets], axis=1)
    return weighed(nets, known.accepted)


def weighed(nets: Float[np.ndarray, "image part"], accepted: Bool[np.ndarray, " image"]) -> Scored:
    """Return the score that follows from net similarities: their spreads, weights and sum."""
    spreads = tuple(spread_of(net, accepted) for net in nets.T)
    z = np.stack([s.z(net) for s, net in zip(spreads, nets.T, strict=True)], axis=1)
    weights = hybrid_weights(z, accepted)
    return Scored(nets=nets, spreads=spreads, weights=weights, score=z @ weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class Frozen:
    """A score fitted to references, to be applied to anything.

    Parameters
    ----------
    known : Known
        The references that it was fitted to.
    directions : tuple of Direction
        One for each view by images.
    scored : Scored
        The references' own scores, whose spreads and weights are used.
    """

    known: Known
    directions: tuple[Direction, ...]
    scored: Scored

    def nets(self, seen: Seen) -> Float[np.ndarray, "sample part"]:
        """Return the net similarity of samples by each part."""
        by_image = [d.net(v) for d, v in zip(self.directions, seen.images, strict=True)]
        banks = zip(self.known.banks, seen.patches, strict=True)
        by_patches = [net_to_bank(bank, self.known.accepted, patches) for bank, patches in banks]
        return np.stack([*by_image, *by_patches, *seen.nets], axis=1)

    def z(self, nets: Float[np.ndarray, "sample part"]) -> Float[np.ndarray, "sample part"]:
        """Return z-scores; the statistics are the references', never those of the samples."""
        return np.stack([s.z(net) for s, net in zip(self.scored.spreads, nets.T, strict=True)], axis=1)

    def score(self, seen: Seen) -> Float[np.ndarray, " sample"]:
        """Return the score of samples; higher is more acceptable."""
        total: Float[np.ndarray, " sample"] = self.z(self.nets(seen)) @ self.scored.weights
        return total

    def without_patches(self) -> Frozen:
        """Return the score of the other parts, for tiles of a sample, whose patches are not known."""
        if not self.known.banks:
            return self
        first = len(self.directions)
        kept = np.r_[:first, first + len(self.known.banks) : len(self.scored.weights)]
        weights = self.scored.weights[kept]
        scored = Scored(
            nets=self.scored.nets[:, kept],
            spreads=tuple(self.scored.spreads[k] for k in kept),
            weights=weights / weights.sum(),
            score=self.scored.score,
        )
        return replace(self, known=replace(self.known, banks=()), scored=scored)


def freeze(known: Known) -> Frozen:
    """Fit a score to the references of a criterion; both sides must occur."""
    return Frozen(
        known=known,
        directions=tuple(fit_direction(vectors, known.accepted) for vectors in known.images),
        scored=score_together(known, tuple(together(vectors) for vectors in known.images)),
    )
