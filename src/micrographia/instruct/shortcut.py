"""How far somebody gets who reads the questions and never looks at an image."""

from __future__ import annotations

import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import scipy.optimize
import scipy.sparse
from jaxtyping import Float

from micrographia.instruct.balance import CLOSED, options_of
from micrographia.instruct.groups import Groups
from micrographia.instruct.record import Record
from micrographia.instruct.tasks.words import rank

FOLDS: Final = 5
MOST_RECORDS: Final = 20_000
POINTS: Final = 0.05
_NGRAM: Final = 3
_PENALTY: Final = 1.0
_STEPS: Final = 60
_SIGMAS: Final = 1.96
Split = Literal["image", "question"]
_SPLITS: Final[tuple[Split, ...]] = ("image", "question")


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """How often a reader of questions alone is right, on questions that were held out.

    Parameters
    ----------
    answer_type : str
        ``"binary"`` or ``"choice"``.
    split : str
        What was held out: ``"image"``: groups of images that are asked about together. ``"question"``: wordings, with
        their numbers left out of account.
    records : int
        Questions answered.
    accuracy : float, optional
        Share of right answers; None where there are less than two parts to split.
    half_width : float, optional
        Of its 95 % interval; records of one part are not independent of each other, parts are.
    chance : float
        What guessing among the answers that the question allows gives.
    """

    answer_type: str
    split: Split
    records: int
    accuracy: float | None
    half_width: float | None
    chance: float

    @property
    def holds(self) -> bool:
        """Whether the words help by no more than five points."""
        return self.accuracy is None or self.accuracy - self.chance <= POINTS


def shortcuts(records: Iterable[Record], *, seed: int, most: int = MOST_RECORDS) -> tuple[Shortcut, ...]:
    """Train a text-only reader, and score it on images and on wordings that it has not seen.

    The reader is a logistic regression on words, pairs and triples of words of the question, which knows the allowed
    answers.

    Parameters
    ----------
    records : iterable of Record
        Verified ones with one answer of a few are used.
    seed : int
        Seed of the split.
    most : int
        Most records of each type; of more, whole groups of images are chosen by hash.

    Returns
    -------
    tuple of Shortcut
        For each of binary and choice that occurs: split by image, split by question.

    Examples
    --------
    >>> shortcuts([], seed=0)
    ()
    """
    groups = Groups()
    asked: dict[str, list[_Asked]] = {kind: [] for kind in CLOSED}
    for record in records:
        groups.join(record.images)
        if record.verified and record.answer_type in CLOSED:
            asked[record.answer_type].append(
                # The same words come back in thousands of records; they are held once.
                _Asked(
                    sys.intern(record.question),
                    sys.intern(record.answer),
                    tuple(map(sys.intern, options_of(record))),
                    sys.intern(record.images[0]),
                )
            )
    found = []
    for kind in CLOSED:
        if chosen := _few(asked[kind], groups, seed, most):
            for split in _SPLITS:
                parts = [groups.of(one.image) if split == "image" else rank(_wording(one.question)) for one in chosen]
                found.append(_score(kind, split, chosen, parts, seed))
    return tuple(found)


@dataclass(frozen=True)
class _Asked:
    question: str
    answer: str
    options: tuple[str, ...]
    image: str


def _few(asked: Sequence[_Asked], groups: Groups, seed: int, most: int) -> list[_Asked]:
    by_group: defaultdict[int, list[_Asked]] = defaultdict(list)
    for one in asked:
        by_group[groups.of(one.image)].append(one)
    chosen: list[_Asked] = []
    for group in sorted(by_group, key=lambda number: rank(seed, number)):
        if len(chosen) >= most:
            break
        chosen += by_group[group]
    return chosen


def _wording(question: str) -> str:
    return re.sub(r"[\d.,]+", "#", question)


def _score(kind: str, split: Split, asked: Sequence[_Asked], parts: Sequence[int], seed: int) -> Shortcut:
    texts = {text: k for k, text in enumerate(sorted({one.question for one in asked}))}
    answers = {answer: k for k, answer in enumerate(sorted({a for one in asked for a in (one.answer, *one.options)}))}
    numbered = {part: k for k, part in enumerate(sorted(set(parts), key=lambda part: rank(seed, split, part)))}
    allowed = np.zeros((len(texts), len(answers)), dtype=bool)
    for one in asked:
        allowed[texts[one.question], [answers[answer] for answer in one.options or answers]] = True
    text = np.array([texts[one.question] for one in asked])
    truth = np.array([answers[one.answer] for one in asked])
    part = np.array([numbered[one] for one in parts])
    chance = float(np.mean(1 / allowed.sum(axis=1)[text]))
    accuracy = half_width = None
    if len(numbered) > 1:
        features = _features(list(texts))
        fold = part % min(FOLDS, len(numbered))
        right = np.zeros(len(asked))
        for held in np.unique(fold):
            train = fold != held
            # Records of the same words differ in their answers only: what counts is how often each was given.
            given = np.zeros(allowed.shape)
            np.add.at(given, (text[train], truth[train]), 1.0)
            scores = np.where(allowed, features @ _fit(features, given), -np.inf)
            right[~train] = (scores.argmax(axis=1)[text] == truth)[~train]
        accuracy = float(right.mean())
        away = np.bincount(part, weights=right - accuracy)
        half_width = _SIGMAS * math.sqrt(float((away**2).sum())) / len(asked)
    return Shortcut(
        answer_type=kind, split=split, records=len(asked), accuracy=accuracy, half_width=half_width, chance=chance
    )


def _grams(text: str) -> Iterator[str]:
    words = re.findall(r"[\w.%²]+", text.lower())
    for size in range(1, _NGRAM + 1):
        yield from (" ".join(words[k : k + size]) for k in range(len(words) - size + 1))


def _features(texts: Sequence[str]) -> scipy.sparse.csr_matrix:
    column: dict[str, int] = {}
    rows, columns = [], []
    for k, text in enumerate(texts):
        for gram in set(_grams(text)):
            rows.append(k)
            columns.append(column.setdefault(gram, len(column)))
    # A last column of ones serves as the constant.
    rows += range(len(texts))
    columns += [len(column)] * len(texts)
    return scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(column) + 1))


def _fit(
    features: scipy.sparse.csr_matrix, given: Float[np.ndarray, "text answer"]
) -> Float[np.ndarray, "feature answer"]:
    """Return the weights of a multinomial logistic regression with an L2 penalty; unseen texts do not count."""
    seen = np.flatnonzero(given.sum(axis=1))
    rows, given = features[seen], given[seen]
    total = given.sum(axis=1, keepdims=True)
    shape = (features.shape[1], given.shape[1])

    def loss(flat: Float[np.ndarray, " weight"]) -> tuple[float, Float[np.ndarray, " weight"]]:
        weights = flat.reshape(shape)
        scores = rows @ weights
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        value = -float((logs * given).sum()) + 0.5 * _PENALTY * float((weights**2).sum())
        slope = rows.T @ (np.exp(logs) * total - given) + _PENALTY * weights
        return value, slope.ravel()

    found = scipy.optimize.minimize(
        loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
    )
    weights: Float[np.ndarray, "feature answer"] = found.x.reshape(shape)
    return weights
