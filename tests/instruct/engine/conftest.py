import asyncio

import pytest

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Reply, Usage
from micrographia.instruct.teachers.prices import Price
from micrographia.instruct.teachers.teacher import Prompt, Teacher


class Queued(Teacher):
    """A teacher that says what it was given to say, one after the other; an exception is raised."""

    name = "queued:1"
    model = "queued-1"
    settings = {"temperature": 0.0}  # noqa: RUF012
    price = Price(input_usd_per_million=1.0, output_usd_per_million=10.0, source="user")
    max_tokens = 100

    def __init__(self, says):
        self.says = list(says)
        self.asked = []
        self.together = self.most_together = 0

    async def reply(self, assignment, prompt, subjects):
        self.asked.append(assignment.id)
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        await asyncio.sleep(0)
        self.together -= 1
        said = self.says.pop(0) if self.says else "yes"
        if isinstance(said, BaseException):
            raise said
        cost = self.price.usd(100, 20)
        return Reply(reasoning="", answer=said, usage=Usage(input_tokens=100, output_tokens=20, cost_usd=cost))


def question(number):
    return Assignment(
        task="diagnostic",
        images=(f"{number:064x}",),
        question=f"Is it {number}?",
        answer_type="binary",
        cues=("edges",),
        template="diagnostic/1",
        rule="threshold",
    )


@pytest.fixture
def queued():
    return Queued


@pytest.fixture
def questions():
    """Questions with their prompts."""
    return lambda count: [
        (question(n), Prompt(system="s" * 100, user=f"Is it {n:03d}?" + "u" * 90, sha256=f"p{n}")) for n in range(count)
    ]
