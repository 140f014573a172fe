"""What texts tell: whether positive and negative ones differ, and whether other words change the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from scipy.stats import rankdata

from micrographia.errors import InputError
from micrographia.qualify.prepare import Prepared
from micrographia.qualify.similarity.net import net_similarity, unit
from micrographia.qualify.similarity.zscore import spread_of


class Paraphrases(BaseModel):
    """Other words for the texts of a criterion."""

    model_config = ConfigDict(extra="forbid", strict=True)

    accept: list[str] = []
    reject: list[str] = []


@dataclass(frozen=True, kw_only=True)
class Paraphrased:
    """What changes where a paraphrase stands for all texts of its side.

    Parameters
    ----------
    text, side : str
        The paraphrase, and ``"accept"`` or ``"reject"``.
    rank_correlation : float, optional
        Spearman's, between the references' net similarities to the criterion's own texts and to these; None where one
        of them does not vary.
    sign_flips : float
        Share of references whose z has the other sign.
    """

    text: str
    side: Literal["accept", "reject"]
    rank_correlation: float | None
    sign_flips: float


@dataclass(frozen=True, kw_only=True)
class TextStudy:
    """The texts of a criterion as one encoder reads them.

    Parameters
    ----------
    criterion, encoder : str
        Which.
    between_means : float
        Cosine between the mean positive and the mean negative text.
    across, within : float
        Mean cosine of a positive with a negative text, and of two texts of one side; within is None where no side has
        two texts.
    hardly_differ : bool, optional
        Whether across is not below within; None where that cannot be said.
    explanation : str
        The same in a sentence.
    paraphrases : tuple of Paraphrased
        Those that were given.
    """

    criterion: str
    encoder: str
    between_means: float
    across: float
    within: float | None
    hardly_differ: bool | None
    explanation: str
    paraphrases: tuple[Paraphrased, ...]


def read_paraphrases(path: Path, *, known: Sequence[str]) -> dict[str, Paraphrases]:
    """Read paraphrases: for each id of a criterion, lists ``accept`` and ``reject``.

    Raises
    ------
    InputError
        The file is not of that form, or names a criterion that is not known.
    """
    try:
        read = TypeAdapter(dict[str, Paraphrases]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        raise InputError(
            f"{path} holds no paraphrases; write for instance {{cracks: {{accept: [a whole layer], reject: []}}}}"
        ) from error
    if stray := [name for name in read if name not in known]:
        raise InputError(f"{path} has criterion {stray[0]!r}; accepted are those of the library: {', '.join(known)}")
    return read


def study_texts(prepared: Prepared, paraphrases: Mapping[str, Paraphrases]) -> tuple[TextStudy, ...]:
    """Return what the texts of each criterion tell, by each encoder that reads them.

    Criteria without texts on both sides are left out.

    Parameters
    ----------
    prepared : Prepared
        What `prepare` made of the library.
    paraphrases : mapping of str to Paraphrases
        By criterion.
    """
    found = []
    readers = {e.name: e for e in prepared.encoders}
    for ready in prepared.ready:
        name = ready.criterion.id
        given = paraphrases.get(name, Paraphrases())
        for encoder, sides in prepared.text_sides[name].items():
            own = (sides[0].astype(np.float64), sides[1].astype(np.float64))
            changed: list[Paraphrased] = []
            some = bool(given.accept or given.reject)
            if some and min(ready.known.counts) > 0:
                images = prepared.comparable(prepared.contents.references[name], encoder)
                before = net_similarity(images, *own)
                for side, texts in (("accept", given.accept), ("reject", given.reject)):
                    for text in texts:
                        other = readers[encoder].embed_texts([text]).astype(np.float64)
                        pair = (other, own[1]) if side == "accept" else (own[0], other)
                        after = net_similarity(images, *pair)
                        changed.append(_changed(text, side == "accept", before, after, ready.known.accepted))
            found.append(_study(name, encoder, own, tuple(changed)))
    return tuple(found)


def alike(
    positive: Float[np.ndarray, "positive dimension"], negative: Float[np.ndarray, "negative dimension"]
) -> tuple[float, float, float | None]:
    """Return the cosine of the mean texts, the mean cosine across sides, and within them.

    Examples
    --------
    >>> alike(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 1.0]]))[0].__round__(6)
    1.0
    """
    on, off = unit(positive), unit(negative)
    means = unit(np.stack([on.mean(axis=0), off.mean(axis=0)]))
    same = [float(side[a] @ side[b]) for side in (on, off) for a in range(len(side)) for b in range(a)]
    return float(means[0] @ means[1]), float((on @ off.T).mean()), float(np.mean(same)) if same else None


def _study(
    criterion: str, encoder: str, own: tuple[np.ndarray, np.ndarray], changed: tuple[Paraphrased, ...]
) -> TextStudy:
    between, across, within = alike(*own)
    hardly = None if within is None else across >= within
    told = f"a positive and a negative text have cosine {across:.3f}"
    if within is None:
        told += "; with two texts of a side it could be said whether that is much."
    else:
        told = f"texts {'hardly ' if hardly else ''}differ: {told}, two of one side {within:.3f}."
    return TextStudy(
        criterion=criterion,
        encoder=encoder,
        between_means=between,
        across=across,
        within=within,
        hardly_differ=hardly,
        explanation=told,
        paraphrases=changed,
    )


def _changed(text: str, accept: bool, before: np.ndarray, after: np.ndarray, accepted: np.ndarray) -> Paraphrased:
    ranks = np.stack([rankdata(before), rankdata(after)])
    varies = bool((ranks.std(axis=1) > 0).all())
    signs = [np.sign(spread_of(net, accepted).z(net)) for net in (before, after)]
    return Paraphrased(
        text=text,
        side="accept" if accept else "reject",
        rank_correlation=float(np.corrcoef(ranks)[0, 1]) if varies else None,
        sign_flips=float((signs[0] != signs[1]).mean()),
    )
