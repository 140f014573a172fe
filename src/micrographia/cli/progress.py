"""What long jobs show on a terminal, and what they say when they are interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from micrographia.cli.app import stderr


class _Rate(ProgressColumn):
    """Steps a second over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def bar(unit: str) -> Iterator[Callable[..., None]]:
    """Give a callback that shows how much is done, how fast it goes and how long it takes still, on a terminal."""
    shown = Progress(
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )

    def tell(done: int, total: int, figures: str = "") -> None:
        if not shown.tasks:
            # What an earlier run did is not to count as speed.
            shown.add_task("", completed=done, total=total)
            shown.start()
        shown.update(shown.tasks[0].id, completed=done, total=total, description=figures)

    try:
        yield tell
    finally:
        if shown.live.is_started:  # else stopping prints an empty line
            shown.stop()


@contextmanager
def resumable() -> Iterator[None]:
    """Say after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        stderr.print("micrographia: interrupted; give the same command again to go on", markup=False)
        raise typer.Exit(130) from None


def say(line: str) -> None:
    """Print a line of the result."""
    Console(highlight=False, emoji=False, soft_wrap=True).print(line, markup=False)
