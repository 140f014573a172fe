"""Questions on two images or more: which has more, what a hypothesis predicts, how they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from micrographia.instruct.assignment import Assignment, TaskKind
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.tasks.cells import ROOM, Cell, Group
from micrographia.instruct.tasks.hypotheses import HYPOTHESES
from micrographia.instruct.tasks.margins import TOO_CLOSE, compare
from micrographia.instruct.tasks.truth import AS_PREDICTED, OPPOSITE, truth
from micrographia.instruct.tasks.words import pick, rank

VERSION: Final = 1
_DIFFERENCES: Final = 5
_TWO: Final = (
    "Which image {does}, A or B?",
    "Of the images A and B, which one {does}?",
    "Compare A and B: which {does}?",
    "A or B: which of them {does}?",
)
_THREE: Final = (
    "Which of the images A, B and C {does}?",
    "Of A, B and C, which one {does}?",
    "Compare A, B and C: which {does}?",
)
_SUFFIX: Final = " If the difference is within the uncertainty, say that it is too close to call."
_DIFFER: Final = (
    "Describe how images A and B differ.",
    "What are the differences between images A and B?",
    "Compare images A and B: what sets them apart, and what do they share?",
)


_SUPPOSE: Final = (
    "Suppose that {told}. Then {quantity} would be {expected} in B than in A, because {because}. "
    "Do the images bear that out?",
    "Hypothesis: {told}. If it were so, {quantity} should be {expected} in B. Is the difference as predicted?",
    "If {told}, what would differ, and does it? Look at {quantity}, which should be {expected} in B.",
)
_OPTIONS_HINT: Final = f" Answer with: {AS_PREDICTED}, {OPPOSITE}, or {TOO_CLOSE}."


def comparative(cell: Cell) -> Iterator[Group]:
    """Yield groups of comparisons: in both orders, and as often too close to call as each letter.

    Parameters
    ----------
    cell : Cell
        Images.

    Yields
    ------
    tuple of Assignment
        The same words of two clear pairs and one close pair in both orders, or of a clear triple in its three
        rotations and a close one.
    """
    for aspect in ASPECTS.values():
        for turn, (which, phrases) in enumerate((("more", aspect.more), ("less", aspect.less))):
            does = pick(phrases, cell.seed, aspect.cue, which)
            asked = _ask(
                "comparative",
                pick(_TWO, cell.seed, aspect.cue, which).format(does=does) + _SUFFIX,
                aspect.cue,
                "compare",
                {"cue": aspect.cue, "which": which},
                ("A", "B", TOO_CLOSE),
            )
            yield from _in_pairs(cell, asked, turn=turn)
        asked = _ask(
            "comparative",
            pick(_THREE, cell.seed, aspect.cue).format(does=aspect.most) + _SUFFIX,
            aspect.cue,
            "compare",
            {"cue": aspect.cue, "which": "more"},
            ("A", "B", "C", TOO_CLOSE),
        )
        yield from _in_triples(cell, asked)


def hypothesis(cell: Cell) -> Iterator[Group]:
    """Yield groups of questions on hypotheses, balanced as comparisons are, and questions for differences.

    Parameters
    ----------
    cell : Cell
        Images.

    Yields
    ------
    tuple of Assignment
        The same words of two clear pairs and one close pair in both orders; or one pair, to be described.
    """
    for turn, supposed in enumerate(HYPOTHESES):
        question = pick(_SUPPOSE, cell.seed, supposed.told).format(
            told=supposed.told,
            quantity=ASPECTS[supposed.cue].quantity,
            expected={"more": "higher", "less": "lower"}[supposed.expected],
            because=supposed.because,
        )
        parameters = {"cue": supposed.cue, "expected": supposed.expected, "because": supposed.because}
        options = (AS_PREDICTED, OPPOSITE, TOO_CLOSE)
        asked = _ask("hypothesis", question + _OPTIONS_HINT, supposed.cue, "hypothesis", parameters, options)
        yield from _in_pairs(cell, asked, turn=turn)
    for a, b in combinations(cell.shuffled(cell.subjects, "differences"), 2):
        cues = _differing(cell, a, b)
        if len(cues) < 2:
            continue
        yield (
            Assignment(
                task="hypothesis",
                images=(a.sha256, b.sha256),
                question=pick(_DIFFER, cell.seed, a.sha256, b.sha256),
                answer_type="text",
                cues=cues,
                template=f"hypothesis/{VERSION}",
                rule="difference",
            ),
        )


def _differing(cell: Cell, a: Subject, b: Subject) -> tuple[str, ...]:
    """Return what two images are compared by: clear differences first, then what they share."""
    found: dict[str, list[str]] = {"clear": [], "close": []}
    for name in _names(cell, a, b):
        outcome = compare(a, b, name)
        if outcome is not None:
            found["close" if outcome == "close" else "clear"].append(name)
    return (*found["clear"][: _DIFFERENCES - 1], *found["close"][:1])


def _names(cell: Cell, a: Subject, b: Subject) -> list[str]:
    """Return the names of what both images have, in an order that depends on the pair."""
    shared = [name for name in ASPECTS if name in a.by_name and name in b.by_name]
    return sorted(shared, key=lambda name: rank(cell.seed, a.sha256, b.sha256, name))


def _in_pairs(cell: Cell, asked: Assignment, *, turn: int) -> Iterator[Group]:
    clear, close = _sorted_out(cell, asked, size=2)
    if not close:
        return
    # Those who ask for less start elsewhere, so that not always the same pairs are asked about.
    clear, close = _from(clear, turn), _from(close, turn)
    while len(clear) >= 2 and close:
        one, two, near = clear.pop(0), clear.pop(0), close.pop(0)
        yield (*_orders(one), *_orders(two), *_orders(near))
    if clear and close:
        yield (*_orders(clear[0]), close[0])


def _in_triples(cell: Cell, asked: Assignment) -> Iterator[Group]:
    clear, close = _sorted_out(cell, asked, size=3)
    for one, near in zip(clear[:2], close[:2], strict=False):
        yield (*_orders(one), near)


def _from(items: list[Assignment], start: int) -> list[Assignment]:
    cut = start % len(items) if items else 0
    return items[cut:] + items[:cut]


def _sorted_out(cell: Cell, asked: Assignment, *, size: int) -> tuple[list[Assignment], list[Assignment]]:
    """Return the question of all sets of images: of those that are clear, and of those too close to call."""
    clear: list[Assignment] = []
    close: list[Assignment] = []
    name = asked.cues[0]
    subjects = {subject.sha256: subject for subject, _ in cell.having(name)}
    for chosen in combinations(cell.shuffled(list(subjects.values()), name), size):
        one = replace(asked, images=tuple(subject.sha256 for subject in chosen))
        found = truth(one, chosen, room=ROOM)
        if found is not None:
            (close if found.answer == TOO_CLOSE else clear).append(one)
    return clear, close


def _orders(asked: Assignment) -> Group:
    """Ask the same with the images rotated, each order naming the next; of two images these are both orders."""
    turned = [replace(asked, images=asked.images[k:] + asked.images[:k]) for k in range(len(asked.images))]
    return tuple(replace(one, swaps_with=turned[(k + 1) % len(turned)].id) for k, one in enumerate(turned))


def _ask(
    task: TaskKind,
    question: str,
    cue: str,
    rule: str,
    parameters: Mapping[str, float | str],
    options: Sequence[str],
) -> Assignment:
    return Assignment(
        task=task,
        images=(),
        question=question,
        answer_type="choice",
        cues=(cue,),
        template=f"{task}/{VERSION}",
        rule=rule,
        options=tuple(options),
        parameters=parameters,
    )
