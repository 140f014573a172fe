"""What to ask of a block of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from micrographia.errors import InputError
from micrographia.instruct.assignment import TASKS, Assignment, TaskKind
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.cells import Cell, Group, cells
from micrographia.instruct.tasks.describe import description
from micrographia.instruct.tasks.several import comparative, hypothesis
from micrographia.instruct.tasks.single import counting, diagnostic, sizing
from micrographia.instruct.tasks.words import rank

_GROUPS: Final[Mapping[TaskKind, Callable[[Cell], Iterator[Group]]]] = {
    "description": description,
    "diagnostic": diagnostic,
    "comparative": comparative,
    "hypothesis": hypothesis,
    "counting": counting,
    "sizing": sizing,
}


def plan(
    subjects: Sequence[Subject], *, tasks: Sequence[TaskKind] = TASKS, per_image: int, seed: int
) -> tuple[Assignment, ...]:
    """Choose what is asked of a block of images; the same images and seed give the same questions, in any order.

    Images are put into cells of about six. Questions that have one true answer of a few are asked in groups inside a
    cell, the same words as often for each answer: words alone do not tell the answer, in any split by cells.
    Of one image alone nothing is asked that takes another for balance.

    Parameters
    ----------
    subjects : sequence of Subject
        The block.
    tasks : sequence of str
        Kinds of task that are wanted.
    per_image : int
        Most questions for each image, on average; a question on two images counts once.
    seed : int
        Seed of the choices.

    Returns
    -------
    tuple of Assignment
        Questions, each once; groups stay together.

    Raises
    ------
    InputError
        A task is not known, or ``per_image`` is less than 1.

    Examples
    --------
    >>> plan([], per_image=10, seed=0)
    ()
    """
    if stray := [task for task in tasks if task not in _GROUPS]:
        raise InputError(f"task is {stray[0]!r}; accepted is one of {', '.join(TASKS)}")
    if per_image < 1:
        raise InputError(f"questions per image are {per_image}; accepted is 1 or more")
    planned = [one for cell in cells(subjects, seed=seed) for one in _of_cell(cell, tasks, per_image)]
    return tuple({one.id: one for one in planned}.values())


def _of_cell(cell: Cell, tasks: Sequence[TaskKind], per_image: int) -> Iterator[Assignment]:
    """Take groups of the tasks in turn, from the task that has least so far, while they fit."""
    room = per_image * len(cell.subjects)
    waiting = {task: _shuffled(cell, task) for task in TASKS if task in tasks}
    taken = dict.fromkeys(waiting, 0)
    while waiting:
        task = min(waiting, key=lambda one: taken[one])
        if not waiting[task]:
            del waiting[task]
            continue
        group = waiting[task].pop()
        if len(group) <= room:
            room -= len(group)
            taken[task] += len(group)
            yield from group


def _shuffled(cell: Cell, task: TaskKind) -> list[Group]:
    return sorted(_GROUPS[task](cell), key=lambda group: rank(cell.seed, task, *(one.id for one in group)))
