"""Questions to a teacher: pace, tries, money, and what is on the disk of it."""

import asyncio
import sqlite3
import time

import pytest

from micrographia.errors import InputError, OutputError, TeacherError
from micrographia.instruct.engine.asking import Asking, OutOfBudgetError, Pace, UnansweredError
from micrographia.instruct.engine.budget import Budget, Spending, most_tokens
from micrographia.instruct.engine.store import open_store
from micrographia.instruct.record import Usage
from micrographia.instruct.teachers.answers import SilentTeacherError, UnreadableReplyError

AGAIN = TeacherError("busy", retry_after_s=0.0)


@pytest.fixture
def ask(tmp_path, questions):
    """Put questions to a teacher; return what came of each, the account of requests, and the spending."""

    def ask(teacher, count=1, *, pace=None, budget=None, prepare=None):
        async def one(asking, assignment, prompt):
            async with asking.room:
                return await asking.ask(assignment, prompt, [])

        async def run(asking):
            asked = (one(asking, a, p) for a, p in questions(count))
            return await asyncio.gather(*asked, return_exceptions=True)

        with open_store(tmp_path) as store:
            spending = Spending(budget=budget, price=teacher.price)
            used = store.used()
            perhaps = store.perhaps_used()
            spending.spent = spending.amount(used.input_tokens + perhaps[0], used.output_tokens + perhaps[1])
            asking = Asking(teacher=teacher, store=store, spending=spending, pace=pace or Pace(), seed=0)
            if prepare is not None:
                prepare(store)
            found = asyncio.run(run(asking))
            return found, store.requests(), spending

    return ask


def test_an_answer_that_was_paid_for_is_not_asked_for_again(ask, queued):
    first, second = queued(["yes"] * 5), queued(["no"] * 5)
    (before, _, _), (after, requests, _) = ask(first, 5), ask(second, 5)
    assert [reply.answer for reply in before] == ["yes"] * 5
    assert before == after
    assert second.asked == []
    assert requests == {"answered": 5}


def test_another_model_setting_or_prompt_is_another_answer(ask, queued):
    ask(queued(["yes"]))
    other = queued(["no"])
    other.model = "queued-2"
    assert ask(other)[0][0].answer == "no"
    warmer = queued(["no"])
    warmer.settings = {"temperature": 1.0}
    assert ask(warmer)[0][0].answer == "no"


def test_a_question_is_put_again_until_it_is_answered_or_the_tries_are_up(ask, queued):
    teacher = queued([AGAIN, AGAIN, "yes"])
    (reply,), requests, _ = ask(teacher, pace=Pace(tries=3))
    assert reply.answer == "yes"
    assert requests == {"failed": 2, "answered": 1}
    (error,), _, _ = ask(
        queued([AGAIN] * 3), 1, pace=Pace(tries=3), prepare=lambda s: s._db.execute("delete from replies")
    )
    assert isinstance(error, UnansweredError)


def test_what_cannot_be_helped_is_not_tried_again(ask, queued):
    teacher = queued([TeacherError("rejected")])
    (error,), requests, _ = ask(teacher)
    assert isinstance(error, UnansweredError)
    assert requests == {"failed": 1}


def test_a_teacher_that_is_gone_ends_the_run_after_ten_questions(ask, queued):
    teacher = queued([TeacherError("gone")] * 100)
    found, requests, _ = ask(teacher, 100, pace=Pace(concurrency=1))
    assert requests == {"failed": 10}
    assert sum(isinstance(error, UnansweredError) for error in found) == 9
    assert "10 questions in a row" in str(found[-1])


def test_one_answer_between_failures_shows_that_the_teacher_is_there(ask, queued):
    teacher = queued(([TeacherError("bad")] * 9 + ["yes"]) * 3)
    found, requests, _ = ask(teacher, 30, pace=Pace(concurrency=1))
    assert requests == {"failed": 27, "answered": 3}
    assert all(isinstance(one, UnansweredError) for one in found if isinstance(one, Exception))


def test_a_wrong_key_is_told_once(ask, queued):
    found, requests, _ = ask(queued([InputError("no key")] * 50), 50, pace=Pace(concurrency=4))
    assert all(isinstance(error, InputError) for error in found)
    assert requests["failed"] <= 4


def test_no_more_are_under_way_than_allowed(ask, queued):
    teacher = queued([])
    ask(teacher, 40, pace=Pace(concurrency=3))
    assert teacher.most_together == 3


def test_the_rate_keeps_requests_apart(ask, queued):
    start = time.monotonic()
    ask(queued([]), 5, pace=Pace(per_minute=1200))
    assert time.monotonic() - start >= 4 * 0.05  # the first goes at once


def test_all_wait_while_the_provider_says_so(ask, queued):
    teacher = queued([TeacherError("busy", retry_after_s=0.3)])
    start = time.monotonic()
    found, requests, _ = ask(teacher, 2, pace=Pace(concurrency=1))
    assert [reply.answer for reply in found] == ["yes", "yes"]
    assert requests == {"failed": 1, "answered": 2}
    assert time.monotonic() - start >= 0.3


# A prompt of 100 + 100 bytes is thought to take at most 200 / 2 + 400 tokens, and its answer 100: 600 together.
# An answer of `Queued` takes 120.


def test_the_bound_on_a_request(questions):
    ((_, prompt),) = questions(1)
    assert most_tokens(prompt, pictures=0, max_tokens=100) == (500, 100)
    assert most_tokens(prompt, pictures=2, max_tokens=100) == (4500, 100)


@pytest.mark.parametrize("concurrency", [1, 3, 16])
@pytest.mark.parametrize(("limit", "answers"), [(599, 0), (600, 1), (719, 1), (720, 2), (1200, 6)])
def test_a_budget_of_tokens_is_never_exceeded_and_used_as_far_as_is_safe(ask, queued, concurrency, limit, answers):
    # another may go while spent + 600 <= limit: after k answers 120 k + 600 <= limit
    found, requests, spending = ask(
        queued([]), 20, pace=Pace(concurrency=concurrency), budget=Budget(limit=limit, unit="TOKENS")
    )
    assert requests.get("answered", 0) == answers
    assert spending.spent == 120 * answers <= limit
    assert spending.reached
    assert sum(isinstance(error, OutOfBudgetError) for error in found) == 20 - answers


def test_a_budget_in_dollars_counts_by_the_prices(ask, queued):
    # at most 500 tokens at 1 USD and 100 at 10 USD a million: 1500 µUSD; an answer costs 100 + 200 = 300 µUSD
    _, requests, spending = ask(queued([]), 20, budget=Budget(limit=2450e-6, unit="USD"))
    assert requests["answered"] == 4
    assert spending.spent == pytest.approx(1200e-6)


def test_an_earlier_run_in_the_folder_counts(ask, queued):
    budget = Budget(limit=1200, unit="TOKENS")
    ask(queued([]), 6, budget=budget)
    found, requests, _ = ask(queued([]), 7, budget=budget)
    assert requests == {"answered": 6}  # 720 spent, and 600 more do not fit
    assert isinstance(found[6], OutOfBudgetError)


def test_a_dollar_budget_needs_a_price():
    with pytest.raises(InputError, match="--price"):
        Spending(budget=Budget(limit=1, unit="USD"), price=None)


def test_a_request_that_was_dearer_than_thought_makes_all_later_ones_dearer(ask, queued):
    # the first is answered with twice the tokens that were thought possible: 1200 spent, and each later one may too
    dear = UnreadableReplyError("too long", usage=Usage(input_tokens=1000, output_tokens=200))
    found, requests, _ = ask(
        queued([dear]), 2, pace=Pace(concurrency=1, tries=1), budget=Budget(limit=2399, unit="TOKENS")
    )
    assert requests == {"unreadable": 1}
    assert isinstance(found[1], OutOfBudgetError)


def test_what_cannot_be_read_is_counted_and_what_never_came_may_be_billed(ask, queued, tmp_path):
    unreadable = UnreadableReplyError("no JSON", usage=Usage(input_tokens=90, output_tokens=10, cost_usd=19e-5))
    _, requests, spending = ask(queued([unreadable, SilentTeacherError("silent", retry_after_s=0.0), "yes"]))
    assert requests == {"unreadable": 1, "silent": 1, "answered": 1}
    assert spending.spent == 100 + 600 + 120
    with open_store(tmp_path) as store:
        assert (store.used().input_tokens, store.used().output_tokens) == (190, 30)
        assert store.perhaps_used() == (500, 100)


class Full:
    """A data base whose disk is full for some of its next transactions."""

    def __init__(self, real, full):
        self.real, self.full = real, full

    def __enter__(self):
        return self.real.__enter__()

    def __exit__(self, *what):
        return self.real.__exit__(*what)

    def __getattr__(self, name):
        return getattr(self.real, name)

    def cursor(self):
        if self.full.pop(0):
            raise sqlite3.OperationalError("database or disk is full")
        return self.real.cursor()


def test_when_the_disk_is_full_an_answer_that_came_is_kept_and_nothing_more_is_asked(ask, queued, tmp_path):
    # Each question is two transactions: sent, answered. The disk is full at the fourth, until the spare room is freed.
    def fill(store):
        store._db = Full(store._db, [False, False, False, True, False, True])

    teacher = queued([])
    found, _, _ = ask(teacher, 5, pace=Pace(concurrency=1), prepare=fill)
    assert len(teacher.asked) == 2
    assert [type(one) for one in found[1:]] == [OutputError] * 4
    assert "make room" in str(found[1])
    later = queued([])
    replies, requests, _ = ask(later, 5)
    assert len(later.asked) == 3
    assert requests == {"answered": 5}
    assert all(reply.answer == "yes" for reply in replies)
