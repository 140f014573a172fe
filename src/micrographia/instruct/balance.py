"""Whether the words of a question tell its answer, and which records to leave out so that they do not."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from micrographia.instruct.groups import Groups
from micrographia.instruct.record import Record
from micrographia.instruct.tasks.words import rank

WITHIN: Final = (0.45, 0.55)
CLOSED: Final = ("binary", "choice")


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How often each answer is given.

    Parameters
    ----------
    binary : mapping of str to int
        Number of ``yes`` and of ``no``.
    choices : mapping of str to int
        Number of each option.
    questions : int
        Different questions, word for word, that have one answer of a few.
    uneven : int
        Those of them for which some answer is given more often than another.
    """

    binary: Mapping[str, int]
    choices: Mapping[str, int]
    questions: int
    uneven: int

    @property
    def yes_share(self) -> float | None:
        """Share of ``yes`` among binary answers; None where there are none."""
        total = sum(self.binary.values())
        return self.binary.get("yes", 0) / total if total else None

    @property
    def holds(self) -> bool:
        """Whether the share of ``yes`` is within 45 to 55 %, or there is none to speak of."""
        share = self.yes_share
        return share is None or WITHIN[0] <= share <= WITHIN[1]


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Which records give which answer to which question, word for word: 16 bytes a record.

    Parameters
    ----------
    found : dict
        For each question, as a number, and answer: id and first image of each record, in turn, as numbers.
    options : dict
        For each question: its kind of answer, and what may be answered.
    groups : Groups
        Images that are asked about together.
    """

    found: dict[int, dict[str, array[int]]] = field(default_factory=dict)
    options: dict[int, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    groups: Groups = field(default_factory=Groups)

    def enter(self, record: Record) -> None:
        """Take note of a record; of the answer only if it is verified and one of a few."""
        self.groups.join(record.images)
        if record.verified and record.answer_type in CLOSED:
            question = rank(record.question)
            self.options.setdefault(question, (record.answer_type, options_of(record)))
            entries = self.found.setdefault(question, {}).setdefault(record.answer, array("Q"))
            entries.extend((rank(record.id), rank(record.images[0])))

    def without(self, ids: Collection[int]) -> Ledger:
        """Return the same without some records."""
        left = Ledger(options=self.options, groups=self.groups)
        for question, by_answer in self.found.items():
            left.found[question] = {
                answer: array("Q", (part for one in _pairs(entries) if one[0] not in ids for part in one))
                for answer, entries in by_answer.items()
            }
        return left

    @property
    def surplus(self) -> frozenset[int]:
        """Ids, as numbers, of what to leave out, so that every question has each of its answers equally often.

        The same words, threshold included, then go with every answer alike: who reads the question alone is right by
        chance only. What balances within a group of images is kept first, so that it does in a split by groups too.
        """
        out: set[int] = set()
        for question, by_answer in self.found.items():
            answers = self._answers(question)
            left: dict[str, list[int]] = {answer: [] for answer in answers}
            for grouped in self._by_group(by_answer).values():
                least = min(len(grouped.get(answer, ())) for answer in answers)
                for answer, ids in grouped.items():
                    left[answer] += sorted(ids)[least:]
            least = min(len(ids) for ids in left.values())
            for ids in left.values():
                out.update(sorted(ids)[least:])
        return frozenset(out)

    @property
    def balance(self) -> Balance:
        """How often each answer is given."""
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in CLOSED}
        questions = uneven = 0
        for question, by_answer in self.found.items():
            said = {answer: len(by_answer.get(answer, ())) // 2 for answer in self._answers(question)}
            if any(said.values()):
                questions += 1
                uneven += len(set(said.values())) > 1
                counts[self.options[question][0]].update(said)
        return Balance(
            binary=dict(counts["binary"]), choices=dict(counts["choice"]), questions=questions, uneven=uneven
        )

    def _by_group(self, by_answer: Mapping[str, array[int]]) -> dict[int, dict[str, list[int]]]:
        grouped: dict[int, dict[str, list[int]]] = {}
        for answer, entries in by_answer.items():
            for one, image in _pairs(entries):
                grouped.setdefault(self.groups.root(image), {}).setdefault(answer, []).append(one)
        return grouped

    def _answers(self, question: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.options[question][1], *self.found[question])))


def _pairs(entries: array[int]) -> Iterator[tuple[int, int]]:
    return zip(entries[::2], entries[1::2], strict=True)


def options_of(record: Record) -> tuple[str, ...]:
    """Return what could be answered; empty where a record does not say.

    Examples
    --------
    >>> from micrographia.instruct.record import Usage
    >>> asked = Record(id="1", images=("aa",), task="diagnostic", question="Is it?", answer_type="binary", reasoning="",
    ...                answer="no", cues=(), teacher="t", model="t", prompt_sha256="", settings={}, usage=Usage(),
    ...                checks=(), repaired=False, rejected_because="")
    >>> options_of(asked)
    ('yes', 'no')
    """
    return ("yes", "no") if record.answer_type == "binary" else record.options
