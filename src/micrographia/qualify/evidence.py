"""What is compared: the references of a criterion as each part of a score sees them, and a sample likewise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from micrographia.qualify.similarity.patches import PatchBank
from micrographia.qualify.similarity.shrunken import Neighbours, neighbours_of

Modality = Literal["image", "patches", "text"]


@dataclass(frozen=True, kw_only=True)
class View:
    """One encoder and one modality: a part of a score.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    modality : str
        ``"image"``: against reference images. ``"patches"``: their patches against those of accepted ones. ``"text"``:
        against the criterion's texts.
    """

    encoder: str
    modality: Modality


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """The references of a criterion.

    Parameters
    ----------
    ids : tuple of str
        Their ids in the library.
    accepted : bool array (reference,)
        Which were accepted; the others were rejected.
    specimens : int array (reference,)
        References of one specimen have one number; every reference its own where specimens are not known.
    images : tuple of float array (reference, dimension)
        Embeddings, one array for each view by images.
    banks : tuple of PatchBank
        Patches, one bank for each view by patches.
    nets : tuple of float array (reference,)
        Net similarities to the criterion's texts, one array for each view by texts.
    """

    ids: tuple[str, ...]
    accepted: Bool[np.ndarray, " reference"]
    specimens: Int[np.ndarray, " reference"]
    images: tuple[Float[np.ndarray, "reference _dimension"], ...]
    nets: tuple[Float[np.ndarray, " reference"], ...]
    banks: tuple[PatchBank, ...] = ()

    @property
    def counts(self) -> tuple[int, int]:
        """How many were accepted, and how many rejected."""
        positive = int(np.count_nonzero(self.accepted))
        return positive, len(self.accepted) - positive

    @cached_property
    def neighbours(self) -> tuple[Neighbours, ...]:
        """The references laid out for retrieval, one layout for each view by images."""
        return tuple(neighbours_of(vectors) for vectors in self.images)

    def only(self, rows: Int[np.ndarray, " row"]) -> Known:
        """Return some of the references."""
        return Known(
            ids=tuple(self.ids[int(k)] for k in rows),
            accepted=self.accepted[rows],
            specimens=self.specimens[rows],
            images=tuple(vectors[rows] for vectors in self.images),
            nets=tuple(net[rows] for net in self.nets),
            banks=tuple(bank.only(rows) for bank in self.banks),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Samples, or tiles of one, as the same views see them.

    Parameters
    ----------
    images : tuple of float array (sample, dimension)
        Embeddings, one array for each view by images.
    patches : tuple of float32 array (sample, patch, dimension)
        Patches as `pooled_patches` gives them, one array for each view by patches; none for tiles of a sample.
    nets : tuple of float array (sample,)
        Net similarities to the criterion's texts, one array for each view by texts.
    """

    images: tuple[Float[np.ndarray, "sample _dimension"], ...]
    nets: tuple[Float[np.ndarray, " sample"], ...]
    patches: tuple[Float32[np.ndarray, "sample patch _dimension"], ...] = ()
