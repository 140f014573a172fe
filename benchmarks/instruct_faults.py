"""What is left of a run after each kind of fault: the same images and questions, a provider that misbehaves.

Every row is a run that meets the fault, and then the same run again with a provider that behaves. "Lost" are answers
that were paid for and had to be asked for again; "twice" are records that are there twice. What was under way when a
process was killed is told apart: nobody can know whether it was billed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "instruct" / "teachers"))

from loopback_provider import Provider, Say, provider
from recorded import draw_images, recorded, truthfully, words_of

from micrographia.errors import MicrographiaError
from micrographia.instruct.engine.account import Account
from micrographia.instruct.engine.asking import Pace
from micrographia.instruct.engine.budget import Budget
from micrographia.instruct.engine.generate import generate
from micrographia.instruct.engine.job import Asked, Job
from micrographia.instruct.teachers.choose import load_teacher
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

PER_IMAGE = 4
UNDER_WAY = 2
Speech = Callable[[dict, int], Say]


@dataclass
class Trial:
    """One fault: how the provider speaks, and how the run is stopped if it is not by the provider."""

    name: str
    speech: Callable[[Speech], Speech]
    how: str = "in process"
    budget: Budget | None = None


def every(n: int, fault: Say) -> Callable[[Speech], Speech]:
    """Return a provider of which every n-th answer is a fault."""
    return lambda truth: lambda body, number: fault if number % n == n - 1 else truth(body, number)


def after(n: int, fault: Say) -> Callable[[Speech], Speech]:
    """Return a provider that is of no use after n answers."""
    return lambda truth: lambda body, number: truth(body, number) if number < n else fault


def slowly(truth: Speech) -> Speech:
    return lambda body, number: Say(content=truth(body, number).content, wait_s=0.1)


TRIALS = (
    Trial("none", lambda truth: truth),
    Trial("HTTP 429 with Retry-After, each third", every(3, Say(status=429, headers={"Retry-After": "0"}))),
    Trial("HTTP 500, each third", every(3, Say(status=500))),
    Trial("malformed JSON, each third", every(3, Say(content="yes, I think so"))),
    Trial("a refusal, each seventh", every(7, Say(refusal="I cannot help with that."))),
    Trial("a hanging answer, each ninth", every(9, Say(content="{}", wait_s=6.0))),
    Trial("server gone after 10 answers", after(10, Say(status=503))),
    Trial("wrong key after 10 answers", after(10, Say(status=401))),
    Trial("kill -9 after 10 answers", slowly, how="kill"),
    Trial("Ctrl-C after 10 answers", slowly, how="interrupt"),
    Trial("disk full when results are written", lambda truth: truth, how="full"),
    Trial("budget of 4,000 tokens", lambda truth: truth, budget=Budget(limit=4000, unit="TOKENS")),
)


def job(images: Path, out: Path, running: Provider, budget: Budget | None = None) -> Job:
    settings = TeacherSettings(timeout_s=3.0, max_tokens=200)
    return Job(
        sources=(str(images),),
        out=out,
        teacher=load_teacher(running.teacher, settings=settings),
        asked=Asked(per_image=PER_IMAGE),
        pace=Pace(concurrency=UNDER_WAY),
        budget=budget,
    )


def in_a_process(images: Path, out: Path, running: Provider, sign: signal.Signals) -> str:
    """Run the command, and stop it when ten questions were asked."""
    words = [sys.executable, "-m", "micrographia", "instruct", "generate", str(images), "--out", str(out)]
    words += ["--teacher", running.teacher, "--per-image", str(PER_IMAGE), "--max-tokens", "200"]
    words += ["--concurrency", str(UNDER_WAY)]
    reached, speech = threading.Event(), running.say

    def say(body: dict, number: int) -> Say:
        if number >= 10:
            reached.set()
        return speech(body, number)

    running.say = say
    process = subprocess.Popen(words, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    reached.wait(300)
    process.send_signal(sign)
    return f"status {process.wait(60)}"


def meet(trial: Trial, images: Path, out: Path, running: Provider) -> str:
    """Run into the fault; return how the run ended."""
    if trial.how in ("kill", "interrupt"):
        return in_a_process(images, out, running, signal.SIGKILL if trial.how == "kill" else signal.SIGINT)
    full = mock.patch("pathlib.Path.replace", side_effect=OSError(28, "No space left on device"))
    try:
        with full if trial.how == "full" else mock.patch.dict({}):
            account = generate(job(images, out, running, trial.budget), progress=lambda *_: None)
    except MicrographiaError as error:
        return type(error).__name__
    return account.stopped if account.complete or account.stopped != "finished" else "finished, with a list"


def row(trial: Trial, images: Path, answers: dict, home: Path) -> str:
    out = home / trial.name.replace(" ", "-").replace(",", "")
    truth = truthfully(answers)
    with provider(trial.speech(truth)) as running:
        ended = meet(trial, images, out, running)
        running.say = truth
        account: Account = generate(job(images, out, running), progress=lambda *_: None)
    asked = Counter(words_of(body) for body in running.asked)
    useful = account.requests.answered + account.requests.refused
    again = sum(asked.values()) - useful - account.requests.unreadable - account.requests.failed
    lost = again - account.requests.silent - account.requests.open
    ids = [one["id"] for one in pq.read_table(out / "records.parquet").to_pylist()]
    r = account.requests
    cells = [trial.name, ended, str(sum(asked.values())), str(useful), f"{r.unreadable} / {r.failed}"]
    cells += [f"{r.silent} / {r.open}", f"{account.records.total} of {len(answers)}", str(account.records.verified)]
    return "| " + " | ".join([*cells, str(max(0, lost)), str(len(ids) - len(set(ids)))]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=7)
    options = parser.parse_args()
    print(
        "| fault | first run ended | requests | answers paid | unreadable / failed | silent / open | records | "
        "verified | lost | twice |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as home:
        images = draw_images(Path(home) / "images", options.images)
        answers = recorded(images, PER_IMAGE)
        for trial in TRIALS:
            print(row(trial, images, answers, Path(home)), flush=True)


if __name__ == "__main__":
    main()
