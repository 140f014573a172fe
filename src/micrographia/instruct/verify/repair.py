"""The one attempt to repair an answer: what was wrong is said, and the question is asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.prompts.render import form
from micrographia.instruct.record import Check, Reply
from micrographia.instruct.teachers.teacher import Prompt

_ADVICE: Final = {
    "refusal": "Everything needed is in the list of measured facts; answer from it.",
    "format": "Keep to the form of the answer that is asked for.",
    "answer": "Compare the measured values again, with their uncertainties.",
    "facts": "Copy numbers and units from the list, and state nothing that is not in it.",
    "invented": "Name no material and no object that is not in the list.",
    "leak": "Use sentences of your own; do not copy the list, the question or the instructions.",
    "support": "Every sentence must state something that is in the list.",
}
# The true answer must not be told: a copied answer would pass every check and teach nothing about the teacher.
_TELLS_ANSWER: Final = ("answer",)


def repair_prompt(assignment: Assignment, reply: Reply, checks: Sequence[Check], prompt: Prompt) -> Prompt:
    """Return the prompt that asks once more, with what was wrong; the true answer is not told.

    Parameters
    ----------
    assignment : Assignment
        The question.
    reply : Reply
        The answer that failed.
    checks : sequence of Check
        What failed.
    prompt : Prompt
        The first prompt, which is repeated.

    Examples
    --------
    >>> asked = Assignment(task="diagnostic", images=("aa",), question="Is it?", answer_type="binary", cues=(),
    ...                    template="diagnostic/1", rule="threshold")
    >>> failed = [Check(name="format", passed=False, found="'maybe' is none of yes, no")]
    >>> first = Prompt(system="Answer.", user="Is it?", sha256="0")
    >>> print(repair_prompt(asked, Reply(reasoning="", answer="maybe"), failed, first).user)
    Is it?
    <BLANKLINE>
    Your last answer was: maybe
    It was not accepted:
    - 'maybe' is none of yes, no. Keep to the form of the answer that is asked for.
    Answer again. The answer is "yes" or "no".
    """
    faults = []
    for one in checks:
        if one.passed is False:
            found = "" if one.name in _TELLS_ANSWER else f"{one.found.rstrip('.')}. "
            faults.append(f"- {found}{_ADVICE.get(one.name, '')}".rstrip())
    said = reply.answer.strip()[:400] or "(empty)"
    user = "\n".join(
        [
            f"{prompt.user}\n",
            f"Your last answer was: {said}",
            "It was not accepted:",
            *faults,
            f"Answer again. {form(assignment)}",
        ]
    )
    digest = hashlib.sha256("\x1f".join(("repair", prompt.sha256, user)).encode()).hexdigest()
    return Prompt(system=prompt.system, user=user, sha256=digest)
