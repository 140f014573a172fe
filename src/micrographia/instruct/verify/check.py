"""All checks of one answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Check, Reply
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.truth import truth
from micrographia.instruct.verify.claims import claims
from micrographia.instruct.verify.echo import echoed, repeated
from micrographia.instruct.verify.facts import Verdict, verdicts
from micrographia.instruct.verify.lexicon import file_named, invented, refusal
from micrographia.instruct.verify.quantities import half_digit
from micrographia.instruct.verify.sentences import sentences

CHECKS: Final = ("refusal", "format", "answer", "facts", "invented", "leak", "support")
"""Names of the checks, in the order in which they are made."""
_LEAST_WORDS: Final = 4
_MOST_WORDS: Final = 400
_LEAST_SUPPORT: Final = 0.5
_LEAST_FACTS: Final = 2
_SHORT_STEPS: Final = 25
_OPEN_END: Final = re.compile(
    r"(?:\b(?:is|are|was|the|an?|of|and|or|in|with|to|than|by|for|that|which|from)|[,;±(-])\s*$"
)
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def check(
    assignment: Assignment, reply: Reply, subjects: Sequence[Subject], *, forbidden: Collection[str] = ()
) -> tuple[Check, ...]:
    """Check one answer.

    Parameters
    ----------
    assignment : Assignment
        The question.
    reply : Reply
        What the teacher said.
    subjects : sequence of Subject
        The images, in the order of the assignment.
    forbidden : collection of str
        Words that must not be in the answer unless the question has them: of file names, folders and classes.

    Returns
    -------
    tuple of Check
        One of each of `CHECKS`: ``refusal``: it answers at all; ``format``: as it was asked to, whole, without a loop;
        ``answer``: the choice or the number is true (None of sentences); ``facts``: every statement in reasoning and
        answer that can be held against the cues is true; ``invented``: no material and no object that was not
        measured; ``leak``: no file, no forbidden word, no echo of what was given; ``support``: half of the sentences of
        a description at least can be verified, and two of its statements if it is of several cues; what cannot is named
        (then None).

    Examples
    --------
    >>> import numpy as np
    >>> from micrographia.cues.cue import Cue
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> asked = Assignment(task="diagnostic", images=("aa",), question="Is the edge density above 20?",
    ...                    answer_type="binary", cues=("edges",), template="diagnostic/1", rule="threshold",
    ...                    parameters={"cue": "edges", "threshold": 20.0, "side": "above"})
    >>> said = Reply(reasoning="The edge density is 12 px per 1000 px².", answer="no")
    >>> [one.name for one in check(asked, said, [image]) if one.passed is False]
    ['answer', 'facts']
    """
    steps = verdicts(reply.reasoning, assignment, subjects)
    told = verdicts(reply.answer, assignment, subjects) if assignment.answer_type == "text" else []
    return (
        _refusal(reply),
        _format(assignment, reply),
        _answer(assignment, reply, subjects),
        _facts([*steps, *told]),
        _invented(assignment, reply),
        _leak(assignment, reply, forbidden),
        _support(assignment, told),
    )


def normal_answer(assignment: Assignment, answer: str) -> str:
    """Return a choice as it is written in the options, a number without its unit; other answers as they are.

    Examples
    --------
    >>> asked = Assignment(task="diagnostic", images=("aa",), question="Is it?", answer_type="binary", cues=(),
    ...                    template="diagnostic/1", rule="threshold")
    >>> normal_answer(asked, " Yes. ")
    'yes'
    """
    plain = answer.strip().strip("\"'“”*.").strip()
    if assignment.answer_type in ("binary", "choice"):
        options = assignment.options or ("yes", "no")
        return next((option for option in options if option.lower() == plain.lower()), plain)
    if assignment.answer_type == "number" and assignment.unit:
        return plain.removesuffix(assignment.unit).strip()
    return plain if assignment.answer_type == "number" else answer.strip()


def _refusal(reply: Reply) -> Check:
    said = refusal(reply.answer) or refusal(reply.reasoning)
    if reply.refused or said:
        return Check(name="refusal", passed=False, found=f"will not answer: {said!r}" if said else "will not answer")
    return Check(name="refusal", passed=True, found="")


def _format(assignment: Assignment, reply: Reply) -> Check:
    found = _malformed(assignment, reply)
    return Check(name="format", passed=not found, found=found)


def _malformed(assignment: Assignment, reply: Reply) -> str:
    answer = normal_answer(assignment, reply.answer)
    if not answer:
        return "the answer is empty"
    if loop := repeated(reply.answer) or repeated(reply.reasoning):
        return f"repeats itself: {loop[:60]!r}"
    if _cut_off(reply.reasoning, short=_SHORT_STEPS):
        return f"the reasoning breaks off: {reply.reasoning[-40:]!r}"
    match assignment.answer_type:
        case "binary" | "choice":
            options = assignment.options or ("yes", "no")
            return "" if answer in options else f"{answer[:60]!r} is none of {', '.join(options)}"
        case "number":
            return "" if _NUMBER.fullmatch(answer) else f"{answer[:60]!r} is not a number"
        case _:
            words = len(answer.split())
            if not _LEAST_WORDS <= words <= _MOST_WORDS:
                return f"{words} words; a description has {_LEAST_WORDS} to {_MOST_WORDS}"
            return f"the answer breaks off: {answer[-40:]!r}" if _cut_off(answer) else ""


def _cut_off(text: str, *, short: int = 0) -> bool:
    """Whether a text ends inside a sentence; a few words may do without a full stop, if they end in one that can."""
    if not text.strip() or re.search(r"[.!?:)\]\"'”]\s*$", text.strip()):
        return False
    return len(text.split()) > short or bool(_OPEN_END.search(text))


def _answer(assignment: Assignment, reply: Reply, subjects: Sequence[Subject]) -> Check:
    if assignment.answer_type == "text":
        return Check(name="answer", passed=None, found="sentences are checked one by one")
    true = truth(assignment, subjects)
    if true is None:
        return Check(name="answer", passed=False, found="what was measured does not decide the question")
    answer = normal_answer(assignment, reply.answer)
    if contradiction := _concluded(assignment, reply.reasoning, answer, len(subjects)):
        return Check(name="answer", passed=False, found=f"the reasoning concludes {contradiction!r}, not {answer!r}")
    if true.value is None:
        said = f"{answer!r} is said, and {true.answer!r} is true"
        return Check(name="answer", passed=answer == true.answer, found="" if answer == true.answer else said)
    if not _NUMBER.fullmatch(answer):
        return Check(name="answer", passed=False, found=f"{answer[:60]!r} is not a number")
    if contradiction := _reckoned(assignment, reply.reasoning, answer):
        return Check(name="answer", passed=False, found=f"the reasoning says {contradiction}, not {answer}")
    allowed = true.tolerance or 0.0
    slack = min(half_digit(answer), allowed)
    passed = abs(float(answer) - true.value) <= allowed + slack
    found = "" if passed else f"{answer} is said, and {true.value:.6g} within {allowed:.2g} is true"
    return Check(name="answer", passed=passed, found=found)


def _concluded(assignment: Assignment, reasoning: str, answer: str, images: int) -> str:
    """Return what the reasoning says the answer is, if that is another of the options."""
    options = assignment.options or (("yes", "no") if assignment.answer_type == "binary" else ())
    for sentence in sentences(reasoning):
        for claim in claims(sentence, images):
            said = claim.said.strip().lower()
            if claim.kind == "conclusion" and said != answer.lower() and said in [one.lower() for one in options]:
                return claim.said.strip()
    return ""


def _reckoned(assignment: Assignment, reasoning: str, answer: str) -> str:
    """Return the value that the reasoning gives to what is asked for, if none that it gives is the answer, rounded."""
    cue = str(assignment.parameters["cue"])
    scale = float(assignment.parameters.get("scale", 1.0))
    given = [
        claim.quantity
        for sentence in sentences(reasoning)
        for claim in claims(sentence, 1, topic=cue)
        if claim.kind == "value" and claim.cue == cue and claim.quantity is not None and claim.quantity.relation == "is"
    ]
    said, rounded = float(answer) * scale, half_digit(answer) * scale
    alike = any(abs(said - one.value) <= 1.001 * max(rounded, one.half_digit) for one in given)
    return f"{given[-1].value / scale:g}" if given and not alike else ""


def _facts(judged: Sequence[Verdict]) -> Check:
    false = [one for one in judged if one.true is False]
    if false:
        return Check(name="facts", passed=False, found="; ".join(f"{one.why} [{one.kind}]" for one in false[:3]))
    true = sum(one.true is True for one in judged)
    return Check(name="facts", passed=True if true else None, found=f"{true} of {len(judged)} sentences verified")


def _invented(assignment: Assignment, reply: Reply) -> Check:
    # What the question itself supposes may be repeated.
    asked = f"{assignment.question} {' '.join(str(value) for value in assignment.parameters.values())}".lower()
    text = reply.answer if assignment.answer_type == "text" else ""
    for sentence in (one for part in (reply.reasoning, text) for one in sentences(part)):
        thing = invented(sentence)
        if thing and thing.lower() not in asked:
            return Check(name="invented", passed=False, found=f"{thing!r} was not measured")
    return Check(name="invented", passed=True, found="")


def _leak(assignment: Assignment, reply: Reply, forbidden: Collection[str]) -> Check:
    said = f"{reply.reasoning}\n{reply.answer}"
    if name := file_named(said):
        return Check(name="leak", passed=False, found=f"names a file or a hash: {name!r}")
    words = set(re.findall(r"\w+", said.lower())) - set(re.findall(r"\w+", assignment.question.lower()))
    if shared := sorted(words & {word.lower() for word in forbidden}):
        return Check(name="leak", passed=False, found=f"says {shared[0]!r}, a word of a file, a folder or a class")
    for part in (reply.reasoning, reply.answer):
        if echo := echoed(part, assignment):
            return Check(name="leak", passed=False, found=f"repeats {echo}")
    return Check(name="leak", passed=True, found="")


def _support(assignment: Assignment, told: Sequence[Verdict]) -> Check:
    if assignment.answer_type != "text":
        return Check(name="support", passed=None, found="")
    bare = [one.sentence for one in told if one.true is None]
    if not told or len(bare) > _LEAST_SUPPORT * len(told):
        return Check(name="support", passed=False, found=f"{len(bare)} of {len(told)} sentences cannot be verified")
    facts = sum(one.facts for one in told)
    if assignment.task == "description" and facts < min(_LEAST_FACTS, len(assignment.cues)):
        return Check(name="support", passed=False, found=f"true statements: {facts}; a description has {_LEAST_FACTS}")
    found = "; ".join(f"not verifiable: {one!r}" for one in bare)
    return Check(name="support", passed=None if bare else True, found=found)
