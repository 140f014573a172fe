"""Whole runs against a provider on loopback: what is asked and written, and what each kind of fault leaves."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from loopback_provider import Say, provider
from recorded import alone, draw_images, recorded, told, truthfully, words_of, wrong

from micrographia.errors import InputError, OutputError, TeacherError
from micrographia.instruct.engine.asking import Pace
from micrographia.instruct.engine.budget import Budget
from micrographia.instruct.engine.generate import generate
from micrographia.instruct.engine.job import Asked, Job
from micrographia.instruct.engine.recheck import recheck
from micrographia.instruct.teachers.choose import load_teacher
from micrographia.instruct.teachers.prices import Price
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
PER_IMAGE = 3
PRICE = Price(input_usd_per_million=1.0, output_usd_per_million=4.0, source="user")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("pictures") / "secretfolder")


@pytest.fixture(scope="module")
def answers(images):
    return recorded(images, PER_IMAGE)


@pytest.fixture
def run(images, tmp_path):
    """Make records with a provider; return the account."""

    def run(running, *, budget=None, tries=3, concurrency=4, sources=None, timeout_s=60.0):
        settings = TeacherSettings(price=PRICE, timeout_s=timeout_s, max_tokens=200)
        job = Job(
            sources=tuple(map(str, sources or [images])),
            out=tmp_path / "out",
            teacher=load_teacher(running.teacher, settings=settings),
            asked=Asked(per_image=PER_IMAGE),
            pace=Pace(concurrency=concurrency, tries=tries),
            budget=budget,
        )
        return generate(job, progress=lambda done, total, figures: None)

    run.out = tmp_path / "out"
    run.rows = lambda: pq.read_table(run.out / "records.parquet").to_pylist()
    return run


def asked_once_each(running, answers):
    counts = Counter(words_of(body) for body in running.asked)
    return set(counts) == set(answers) and set(counts.values()) == {1}


def test_a_truthful_teacher_has_all_its_answers_verified_and_each_is_paid_once(run, answers):
    with provider(truthfully(answers)) as running:
        account = run(running)
        again = run(running)
    assert account.complete
    assert asked_once_each(running, answers)
    count = len(answers)
    assert count > 10
    assert (account.records.total, account.records.verified) == (count, count)
    assert account.requests.answered == count
    assert (account.spent.input_tokens, account.spent.output_tokens) == (200 * count, 50 * count)
    # 200 tokens at 1 USD and 50 at 4 USD a million
    assert account.spent.cost_usd == pytest.approx(count * 400e-6)
    assert again.records == account.records
    assert again.spent == account.spent
    rows = run.rows()
    assert len({row["id"] for row in rows}) == count
    assert {row["input_tokens"] for row in rows} == {200}
    assert {row["teacher"] for row in rows} == {"openai-compatible"}
    assert recheck(run.out, images=True, progress=lambda *_: None).differences == ()


def test_no_name_of_a_file_or_folder_is_sent_or_recorded_with_an_answer(run, answers):
    with provider(truthfully(answers)) as running:
        run(running)
    assert "secret" not in json.dumps(running.asked)
    assert "secret" not in json.dumps(run.rows())
    assert "127.0.0.1" not in (run.out / "account.json").read_text()
    assert all("secretname" in row["file"] for row in pq.read_table(run.out / "images.parquet").to_pylist())


def test_a_wrong_answer_is_repaired_once_and_then_kept_with_the_reason(run, answers):
    truth = truthfully(answers)
    stubborn = alone(answers)[0]

    def say(body, number):
        asked = words_of(body)
        first = asked in answers
        return wrong(body) if first or asked.startswith(stubborn) else truth(body, number)

    with provider(say) as running:
        account = run(running)
    count = len(answers)
    assert len(running.asked) == 2 * count
    assert account.records.repaired == count - 1
    (rejected,) = [row for row in run.rows() if not row["verified"]]
    assert "987654" in rejected["rejected_because"]
    assert rejected["repaired"]
    assert rejected["input_tokens"] == 400  # both answers
    assert account.records.rejected_because == {rejected["rejected_because"].partition(":")[0]: 1}
    assert account.complete  # a rejected answer is a result


def test_every_fault_is_in_the_account_and_nothing_is_lost(run, answers):
    truth = truthfully(answers)
    refused, never, *others = [*alone(answers), *sorted(set(answers) - set(alone(answers)))]
    faults = dict(
        zip(
            [*others[:4], refused, never],
            [
                [Say(status=429, headers={"Retry-After": "0"})] * 2,
                [Say(status=500)],
                [Say(content="no JSON at all")],
                [Say(content="{}", wait_s=8.0)],
                [Say(refusal="I cannot help with that.")],
                [Say(status=400)],
            ],
            strict=True,
        )
    )
    lock = threading.Lock()

    def say(body, number):
        with lock:
            left = faults.get(words_of(body))
            return left.pop(0) if left else truth(body, number)

    with provider(say) as running:
        account = run(running, timeout_s=4.0)
        assert not account.complete
        assert account.requests.model_dump() == {
            **{"answered": len(answers) - 2, "refused": 1, "unreadable": 1, "failed": 4, "silent": 1, "open": 0}
        }
        (unanswered,) = account.unanswered
        assert "HTTP 400" in unanswered.reason
        assert unanswered.question in never
        # the unreadable answer was paid for, the refusal too; what hung may have been billed, and is told apart
        assert account.spent.input_tokens == 200 * len(answers)
        assert account.spent.perhaps_output_tokens == 200
        (rejected,) = [row for row in run.rows() if not row["verified"]]
        assert rejected["question"] in refused
        assert rejected["rejected_because"].startswith("refusal:")
        before = len(running.asked)
        later = run(running)
        # only the question that was never answered is put again
        assert [words_of(body) for body in running.asked[before:]] == [never]
    assert later.unanswered == ()
    assert later.records.total == len(answers)


def test_a_server_that_dies_in_the_middle_ends_the_run_with_what_was_answered(run, answers):
    truth = truthfully(answers)
    with provider(lambda body, number: truth(body, number) if number < 5 else Say(status=503)) as running:
        with pytest.raises(TeacherError, match="10 questions in a row"):
            run(running, tries=1, concurrency=1)
        account = json.loads((run.out / "account.json").read_text())
        assert account["stopped"] == "error"
        assert "give the same command to go on" in account["stopped_because"]
        assert len(run.rows()) == account["records"]["total"] == 5
        before = len(running.asked)
        running.say = truth
        later = run(running)
    assert later.complete
    assert len(running.asked) - before == len(answers) - 5


def test_a_budget_ends_the_run_in_time_and_a_larger_one_goes_on(run, answers):
    with provider(truthfully(answers)) as running:
        account = run(running, budget=Budget(limit=6000, unit="TOKENS"))
        assert account.stopped == "budget"
        assert not account.complete
        paid = account.requests.answered
        assert 0 < paid < len(answers)
        assert account.spent.input_tokens + account.spent.output_tokens == 250 * paid <= 6000
        assert account.records.total == paid
        rest = run(running, budget=Budget(limit=1, unit="USD"))
    assert rest.complete
    assert asked_once_each(running, answers)


def test_duplicates_and_what_is_no_image_are_told_and_the_rest_goes_on(run, answers, images, tmp_path):
    other = tmp_path / "more"
    other.mkdir()
    (other / "copy.png").write_bytes((images / "secretname000.png").read_bytes())
    (other / "torn.png").write_bytes((images / "secretname001.png").read_bytes()[:100])
    with provider(truthfully(answers)) as running:
        account = run(running, sources=[images, other])
    assert asked_once_each(running, answers)
    assert (account.images.found, account.images.used, account.images.duplicates) == (8, 6, 1)
    assert [Path(one.file).name for one in account.images.unusable] == ["torn.png"]
    assert not account.complete


def test_a_full_disk_at_the_end_costs_nothing_that_was_paid_for(run, answers, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    with provider(truthfully(answers)) as running:
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.replace", full)
            with pytest.raises(OutputError, match="No space left on device"):
                run(running)
        assert not (run.out / "records.parquet").exists()
        assert list(run.out.rglob("*.partial")) == []
        account = run(running)
    assert account.complete
    assert asked_once_each(running, answers)


def test_a_teacher_that_cannot_be_used_ends_the_run_at_once(run, answers):
    with provider(lambda body, number: Say(status=401)) as running, pytest.raises(InputError, match="HTTP 401"):
        run(running, concurrency=2)
    assert len(running.asked) <= 2


COMMAND = (sys.executable, "-m", "micrographia", "instruct", "generate")


def begun(running, images, out, *more):
    """Start a run in a process of its own, on a provider that takes its time."""
    words = [*COMMAND, str(images), "--out", str(out), "--teacher", running.teacher, "--per-image", str(PER_IMAGE)]
    words += ["--max-tokens", "200", "--price", "1,4", "--concurrency", "2", *more]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stopped_by(kill, images, answers, run, after):
    """Have a run killed when so many questions were asked; return the provider, and how many were asked by then."""
    truth = truthfully(answers)
    reached = threading.Event()

    def slowly(body, number):
        if number + 1 >= after:
            reached.set()
        said = truth(body, number)
        return Say(content=said.content, wait_s=0.05)

    with provider(slowly) as running:
        process = begun(running, images, run.out)
        assert reached.wait(600), process.communicate()
        process.send_signal(kill)
        _, err = process.communicate(timeout=300)
        before = len(running.asked)
        running.say = truth
        account = run(running)
    return account, running, before, process.returncode, err


def test_after_kill_9_nothing_is_lost_and_nothing_is_asked_twice_but_what_was_under_way(run, images, answers):
    account, running, before, status, _ = stopped_by(signal.SIGKILL, images, answers, run, after=9)
    assert status == -signal.SIGKILL
    assert 9 <= before < len(answers)
    assert account.complete
    assert account.records.total == account.records.verified == len(answers)
    counts = Counter(words_of(body) for body in running.asked)
    assert set(counts) == set(answers)
    twice = sum(count - 1 for count in counts.values())
    # two may be under way at a time; one of them may not have gone out yet
    assert twice <= account.requests.open <= 2
    assert account.requests.answered == len(answers)
    # what was under way may have been billed; all else is in the account to the token
    assert account.spent.input_tokens == 200 * len(answers)
    assert account.spent.perhaps_output_tokens == 200 * account.requests.open


@pytest.mark.slow
def test_ctrl_c_leaves_an_account_and_goes_on(run, images, answers):
    account, running, before, status, err = stopped_by(signal.SIGINT, images, answers, run, after=9)
    assert status == 130
    assert err == "micrographia: interrupted; give the same command again to go on\n"
    assert before < len(answers)
    assert account.complete
    assert len(running.asked) <= len(answers) + 2


@pytest.mark.slow
def test_a_quota_is_told_before_anything_is_asked(images, answers, tmp_path):
    # files of this process may have 1 MB: less than what is set aside for answers
    out = tmp_path / "out"
    with provider(truthfully(answers)) as running:
        words = [*COMMAND, str(images), "--out", str(out), "--teacher", running.teacher]
        limited = f"ulimit -f 1024; exec {' '.join(words)}"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(["bash", "-c", limited], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert running.asked == []


def test_the_answer_to_a_number_is_sent_as_a_number():
    body = {"response_format": {"json_schema": {"schema": {"properties": {"answer": {"type": "number"}}}}}}
    assert json.loads(told(body, "12", "").content)["answer"] == 12.0
