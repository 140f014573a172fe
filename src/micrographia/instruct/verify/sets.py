"""Checks that need the whole set: all orders of a comparison, duplicates, balance of answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from micrographia.instruct.balance import Balance, Ledger
from micrographia.instruct.record import Check, Record
from micrographia.instruct.tasks.truth import AS_PREDICTED, LETTERS, OPPOSITE
from micrographia.instruct.tasks.words import rank
from micrographia.instruct.verify.duplicates import near_duplicates

_SURPLUS = "the same question has this answer more often than another"


@dataclass(frozen=True, kw_only=True, eq=False)
class SetChecks:
    """What was found of a whole set.

    Parameters
    ----------
    failed : mapping of int to Check
        What a record fails by the others beside it; the key is the hash of its id.
    swaps, consistent : int
        Sets of images that were asked about in several orders, all answered; and those with the same answer in each.
    duplicates : int
        Texts that say nearly the same as an earlier one, and questions that were asked twice.
    surplus : int
        Records left out for balance.
    before, after : Balance
        Answers of the verified records before and after that.
    """

    failed: Mapping[int, Check]
    swaps: int
    consistent: int
    duplicates: int
    surplus: int
    before: Balance
    after: Balance

    @property
    def consistency(self) -> float | None:
        """Share of sets of images with the same answer in every order; None where none was asked in several."""
        return self.consistent / self.swaps if self.swaps else None

    def judged(self, record: Record) -> Record:
        """Return a record of the set, with the check ``swap``, ``duplicate`` or ``balance`` that it failed."""
        check = self.failed.get(rank(record.id))
        if check is None:
            return record
        reason = f"{record.rejected_because}; {check.name}: {check.found}".removeprefix("; ")
        return replace(record, checks=(*record.checks, check), rejected_because=reason)


def check_set(records: Iterable[Record], *, balanced: bool = True) -> SetChecks:
    """Check what needs the whole set.

    Parameters
    ----------
    records : iterable of Record
        All records, once each, whether they passed their own checks or not. They are gone through once; of each, about
        0.2 kB is held, and 1 kB of a text. Swap consistency is counted over all answers of the asked form, right or
        wrong; duplicates and balance over the verified ones.
    balanced : bool
        Whether to reject the surplus of an answer over another to the same question.

    Returns
    -------
    SetChecks
        Its method ``judged`` gives each record with what it failed.

    Examples
    --------
    >>> check_set([]).consistency is None
    True
    """
    ledger = Ledger()
    orders: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    asked: dict[int, str] = {}
    failed: dict[int, Check] = {}

    def told() -> Iterator[tuple[str, str]]:
        for record in records:
            _note(record, ledger, orders, asked, failed)
            if record.verified and record.answer_type == "text" and rank(record.id) not in failed:
                yield record.id, f"{record.task} {record.answer}"

    for name, other in near_duplicates(told()).items():
        failed[rank(name)] = Check(name="duplicate", passed=False, found=f"says nearly the same as {other}")
    duplicates = len(failed)
    several = [found for found in orders.values() if len({order for _, order, _ in found}) > 1]
    broken = [found for found in several if len({said for _, _, said in found}) > 1]
    for found in broken:
        why = "in another order of the images the answer is another"
        failed |= {one: Check(name="swap", passed=False, found=why) for one, _, _ in found}
    ledger = ledger.without(failed.keys())
    surplus = ledger.surplus if balanced else frozenset()
    failed |= {one: Check(name="balance", passed=False, found=_SURPLUS) for one in surplus}
    return SetChecks(
        failed=failed,
        swaps=len(several),
        consistent=len(several) - len(broken),
        duplicates=duplicates,
        surplus=len(surplus),
        before=ledger.balance,
        after=ledger.without(surplus).balance,
    )


def order_free(record: Record) -> str:
    """Return an answer in a form that does not hang on the order of the images: whose letter it is, not which.

    Examples
    --------
    >>> from micrographia.instruct.record import Usage
    >>> asked = Record(id="1", images=("aa", "bb"), task="comparative", question="Which?", answer_type="choice",
    ...                reasoning="", answer="B", cues=(), teacher="t", model="t", prompt_sha256="", settings={},
    ...                usage=Usage(), checks=(), repaired=False, rejected_because="")
    >>> order_free(asked)
    'bb'
    """
    if len(record.answer) == 1 and record.answer in LETTERS[: len(record.images)]:
        return record.images[LETTERS.index(record.answer)]
    if record.answer in (AS_PREDICTED, OPPOSITE):
        # As predicted of A and B is the opposite of B and A.
        forward = record.images == tuple(sorted(record.images))
        return "forward" if forward == (record.answer == AS_PREDICTED) else "backward"
    return record.answer


def _note(
    record: Record,
    ledger: Ledger,
    orders: defaultdict[int, list[tuple[int, int, str]]],
    asked: dict[int, str],
    failed: dict[int, Check],
) -> None:
    """Keep of a record what the checks need."""
    number = rank(record.id)
    formed = all(check.passed is not False for check in record.checks if check.name in ("format", "refusal"))
    if record.answer_type == "choice" and len(record.images) > 1 and formed:
        key = rank(record.model, record.question, *sorted(record.images))
        orders[key].append((number, rank(*record.images), order_free(record)))
    if not record.verified:
        ledger.groups.join(record.images)
        return
    question = rank(record.model, record.question, *record.images)
    first = asked.setdefault(question, record.id)
    if first != record.id:
        failed[number] = Check(name="duplicate", passed=False, found=f"asks what {first} asked")
    else:
        ledger.enter(record)
