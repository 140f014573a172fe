"""``micrographia instruct``: instruction data from images, checked against what is measured on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from micrographia.cli.app import app, stderr
from micrographia.cli.batch import require_folder
from micrographia.cli.flags import NoInfoBarFlag
from micrographia.cli.progress import bar, say
from micrographia.errors import InputError

if TYPE_CHECKING:
    from micrographia.instruct.assignment import TaskKind
    from micrographia.instruct.engine.account import Account
    from micrographia.instruct.engine.estimate import Estimate
    from micrographia.instruct.teachers.teacher import Teacher

instruct = typer.Typer(
    help="Make questions and answers about micrographs, each checked against what is measured.", no_args_is_help=True
)
app.add_typer(instruct, name="instruct")

DataFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of `instruct generate`.")]


@instruct.command("generate")
def generate(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Images, FILE::image, or folders of images.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the results; one begun earlier goes on.")
    ],
    teacher: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="cues (measured facts in words), gguf:PACKAGE or gguf:FILE, openai-compatible:URL#MODEL, or "
            "PROVIDER:MODEL such as openai:gpt-5-mini, google-gla:gemini-2.5-flash, anthropic:claude-haiku-4-5.",
        ),
    ] = "cues",
    tasks: Annotated[
        str | None,
        typer.Option(metavar="TASK,...", help="Kinds of task; by default all of them."),
    ] = None,
    per_image: Annotated[int, typer.Option(min=1, help="Most questions for each image, on average.")] = 10,
    budget: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Most to spend in this folder, e.g. 2.50USD or 100000TOKENS.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would ask and cost; ask nothing, write nothing.")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions under way at a time.")] = 8,
    rate: Annotated[float | None, typer.Option(metavar="N", help="Most requests a minute.")] = None,
    shots: Annotated[int, typer.Option(min=0, max=3, help="Worked examples in each prompt.")] = 0,
    no_reasoning: Annotated[bool, typer.Option("--no-reasoning", help="Ask for answers without their steps.")] = False,
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Send measured facts only, for models that do not see.")
    ] = False,
    temperature: Annotated[
        float | None, typer.Option(help="Spread of the answers; by default what the provider has.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 1024,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="How long an answer is waited for.")] = 120.0,
    price: Annotated[
        str | None,
        typer.Option(metavar="INPUT,OUTPUT", help="USD for a million tokens sent and answered, if the table is wrong."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is chosen.")] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler that measures, e.g. tcp://10.0.0.1:8786; default: here."),
    ] = None,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Ask a teacher about images, check each answer, and write what is true and what is not with the reason.

    An interrupted run goes on where it stopped when the same command is given again: nothing is asked, or paid, twice.
    """
    from micrographia.instruct.assignment import TASKS
    from micrographia.instruct.engine.asking import Pace
    from micrographia.instruct.engine.budget import parse_budget
    from micrographia.instruct.engine.estimate import estimate
    from micrographia.instruct.engine.generate import generate as make
    from micrographia.instruct.engine.job import Asked, Job
    from micrographia.instruct.teachers.teacher_settings import TeacherSettings

    wanted = TASKS if tasks is None else tuple(name.strip() for name in tasks.split(",") if name.strip())
    settings = TeacherSettings(
        images=not no_images, temperature=temperature, max_tokens=max_tokens, timeout_s=timeout, price=_price(price)
    )
    job = Job(
        sources=tuple(images),
        out=out,
        teacher=_teacher(teacher, settings),
        asked=Asked(
            tasks=cast("tuple[TaskKind, ...]", wanted),
            per_image=per_image,
            shots=shots,
            reasoning=not no_reasoning,
            seed=seed,
            info_bar=not no_info_bar,
        ),
        pace=Pace(concurrency=concurrency, per_minute=rate),
        budget=None if budget is None else parse_budget(budget),
        scheduler=scheduler,
    )
    if dry_run:
        return _tell_estimate(estimate(job))
    require_folder(out)
    try:
        with bar("images") as tell:
            account = make(job, progress=tell)
    except KeyboardInterrupt:
        stderr.print("micrographia: interrupted; give the same command again to go on", markup=False)
        raise typer.Exit(130) from None
    _tell_account(account, out)
    if not account.complete:
        raise typer.Exit(2)
    return None


@instruct.command("check")
def check(
    folder: DataFolder,
    images: Annotated[
        bool, typer.Option("--images", help="Measure the images anew, rather than trust cues.parquet.")
    ] = False,
) -> None:
    """Check every record again: by what was measured, or by what is measured now."""
    from micrographia.instruct.engine.recheck import recheck

    with bar("images" if images else "records") as tell:
        found = recheck(folder, images=images, progress=tell)
    say(f"{found.records:,} records, {found.verified:,} verified: {found.agreeing:,} come out as they were recorded")
    for line in found.differences:
        stderr.print(f"micrographia: {line}", markup=False)
    if found.differences:
        raise typer.Exit(2)


@instruct.command("export")
def export(
    folder: DataFolder,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the exported files.")],
    form: Annotated[str, typer.Option("--format", metavar="parquet|llava|sharegpt", help="Form of the records.")],
    everything: Annotated[bool, typer.Option("--all", help="Rejected records too.")] = False,
    val: Annotated[float, typer.Option(metavar="SHARE", help="Share of the images to hold out for validation.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 0,
) -> None:
    """Write verified records for training programs, with pictures named by hash, split by image."""
    from micrographia.instruct.export.write import ExportSettings, Format
    from micrographia.instruct.export.write import export as write
    from micrographia.report.folder import new_folder

    settings = ExportSettings(format=cast("Format", form), verified_only=not everything, held_out=val, seed=seed)
    require_folder(out)
    with new_folder(out) as draft, bar("pictures") as tell:
        made = write(folder, draft, settings=settings, progress=tell)
    counts = (f"{made.records[split]:,} in {out / made.files[split]}" for split in ("train", "val"))
    say(f"{sum(made.records.values()):,} records: {', '.join(counts)}")


def _teacher(name: str, settings: Any) -> Teacher:
    from micrographia.instruct.teachers.choose import load_teacher

    return load_teacher(name, settings=settings)


def _price(text: str | None) -> Any:
    from micrographia.instruct.teachers.prices import Price

    if text is None:
        return None
    try:
        sent, answered = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            f"--price is {text!r}; accepted is two prices in USD for a million tokens, sent and answered: 0.25,2"
        ) from error
    return Price(input_usd_per_million=sent, output_usd_per_million=answered, source="user")


def _tell_estimate(found: Estimate) -> None:
    say(f"{found.images:,} images, of which {found.measured} were measured for this estimate")
    say(f"requests: {found.requests:,}, and up to as many again for repairs")
    say(
        f"tokens: about {found.input_tokens:,} sent and {found.output_tokens:,} answered; at most "
        f"{found.most_input_tokens:,} and {found.most_output_tokens:,}"
    )
    if found.cost_usd is None or found.most_cost_usd is None:
        say("cost: not known, for the teacher's prices are not; give --price INPUT,OUTPUT")
    else:
        say(f"cost: about {found.cost_usd:.2f} USD, at most {found.most_cost_usd:.2f} USD")


def _tell_account(account: Account, out: Path) -> None:
    records, spent = account.records, account.spent
    say(f"{records.total:,} records: {records.verified:,} verified, {records.rejected:,} rejected")
    if spent.input_tokens:
        cost = "" if spent.cost_usd is None else f", {spent.cost_usd:.4f} USD"
        say(f"tokens: {spent.input_tokens:,} sent, {spent.output_tokens:,} answered{cost}")
    say(f"results: {out}")
    for unusable in account.images.unusable:
        stderr.print(f"micrographia: {unusable.reason}", markup=False)
    for unanswered in account.unanswered[:_MOST_LISTED]:
        stderr.print(f"micrographia: no answer to {unanswered.question!r}: {unanswered.reason}", markup=False)
    if len(account.unanswered) > _MOST_LISTED:
        more = len(account.unanswered) - _MOST_LISTED
        stderr.print(f"micrographia: {more:,} more questions without an answer are in account.json", markup=False)
    if account.stopped == "budget":
        stderr.print(
            "micrographia: the budget is reached; give the same command with a larger one to go on", markup=False
        )


_MOST_LISTED = 5
