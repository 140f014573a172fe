"""Whether a sample meets its criteria, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    from micrographia.micrograph import Micrograph

Decision = Literal["accept", "reject", "abstain"]
Reason = Literal["decided", "ambiguous", "novel", "insufficient references"]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """A reference that a verdict rests on, and how like it the sample is.

    Parameters
    ----------
    reference : str
        Its id in the library.
    polarity : str
        ``"accept"`` or ``"reject"``.
    similarity : float
        Cosine of the angle between sample and reference, after centring and scaling by the references: -1 to 1.
    encoder : str
        Whose embedding was compared.
    """

    reference: str
    polarity: Literal["accept", "reject"]
    similarity: float
    encoder: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one encoder, by images or by texts, contributed to a score.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    modality : str
        ``"image"``: sample against reference images; ``"patches"``: its patches against those of accepted images;
        ``"text"``: sample against the criterion's texts.
    net : float
        Net similarity of the sample: higher where it is more like what is accepted.
    z : float, optional
        ``net`` in units of its spread over the references, counted from midway between the classes; None without
        references of both kinds. Not a probability.
    weight : float
        Its share in the score; the weights of a verdict add up to 1.
    """

    encoder: str
    modality: Literal["image", "patches", "text"]
    net: float
    z: float | None
    weight: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WhereEvidence:
    """How each part of a sample would score by itself: where in the image the evidence lies.

    Parameters
    ----------
    score : float array (row, col)
        Score of each tile, in the unit of the verdict's; negative is like what is rejected.
    tile_px : int
        Side of a tile [px].
    step_px : int
        Distance between neighbouring tiles [px]; the first starts at the top left corner.
    """

    score: Float[np.ndarray, "row col"]
    tile_px: int
    step_px: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """Whether a sample meets one criterion, and what that rests on.

    Parameters
    ----------
    criterion : str
        Id of the criterion.
    title : str
        The criterion in words.
    verdict : str
        ``"accept"``, ``"reject"`` or ``"abstain"``.
    reason : str
        ``"decided"``; or why not: ``"ambiguous"`` (the references do not tell at this level), ``"novel"`` (unlike all
        references) or ``"insufficient references"``.
    explanation : str
        The same in a sentence, with numbers.
    score : float, optional
        Weighted sum of the parts' z; higher is more acceptable; None where there is nothing to compare with.
    p_accept, p_reject : float, optional
        Conformal p-values of "the sample is acceptable" and of "it is to be rejected", in (0, 1].
    p_familiar : float, optional
        Conformal p-value of "the sample is of the kind of the references", in (0, 1].
    rejected_share : float, optional
        Share of samples with this score that are to be rejected, were both kinds equally frequent, as far as the
        references tell, in [0, 1].
    missing : (int, int)
        How many more references to accept, and to reject, a decision at this level needs.
    parts : tuple of Part
        What each encoder and modality contributed.
    references : tuple of Nearest
        The nearest references of either kind, the nearest first.
    where : WhereEvidence, optional
        Map of the evidence.
    unlike : bool array (row, col), optional
        Which of equal parts of the image are least like anything accepted, of all that patches compare; None where
        patches were not compared.
    counts : (int, int)
        References to accept, and to reject, that it rests on.
    remarks : tuple of str
        What a reader must know.
    """

    criterion: str
    title: str
    verdict: Decision
    reason: Reason
    explanation: str
    score: float | None
    p_accept: float | None
    p_reject: float | None
    p_familiar: float | None
    rejected_share: float | None
    missing: tuple[int, int]
    counts: tuple[int, int]
    parts: tuple[Part, ...]
    references: tuple[Nearest, ...]
    where: WhereEvidence | None = None
    unlike: Bool[np.ndarray, "row col"] | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Qualification:
    """The verdicts on one sample.

    Parameters
    ----------
    micrograph : Micrograph
        The sample.
    verdicts : tuple of Verdict
        One a criterion, in the library's order.
    disposition : str
        ``"reject"`` if any criterion rejects, else ``"abstain"`` if any abstains, else ``"accept"``.
    library_id, library_version : str
        Which references, exactly.
    encoders : mapping of str to str
        Version of each encoder by its name.
    settings : mapping
        Resolved settings, JSON-ready.
    remarks : tuple of str
        What a reader must know about the sample as a whole.
    """

    micrograph: Micrograph
    verdicts: tuple[Verdict, ...]
    disposition: Decision
    library_id: str
    library_version: str
    encoders: Mapping[str, str]
    settings: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
