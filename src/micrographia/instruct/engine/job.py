"""What is to be made: images, teacher, tasks, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from micrographia.errors import InputError
from micrographia.instruct.assignment import TASKS, TaskKind
from micrographia.instruct.engine.asking import Pace
from micrographia.instruct.engine.budget import Budget
from micrographia.instruct.teachers.teacher import Teacher

BLOCK: Final = 64
"""Images that are in memory at a time, twice: while one block is asked about, the next one is measured."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of the images, and in which words. Records depend on it, and on the teacher.

    Parameters
    ----------
    tasks : tuple of str
        Kinds of task.
    per_image : int
        Most questions for each image, on average.
    shots : int
        Worked examples in each prompt.
    reasoning : bool
        Whether steps are asked for before the answer.
    seed : int
        Seed of all that is chosen.
    info_bar : bool
        Whether bars of print are looked for and cut off.

    Raises
    ------
    InputError
        A task is not known, or none is given.

    Examples
    --------
    >>> Asked(tasks=("counting",)).per_image
    10
    """

    tasks: tuple[TaskKind, ...] = TASKS
    per_image: int = 10
    shots: int = 0
    reasoning: bool = True
    seed: int = 0
    info_bar: bool = True

    def __post_init__(self) -> None:
        stray = [task for task in self.tasks if task not in TASKS]
        if stray or not self.tasks:
            raise InputError(
                f"--tasks is {', '.join(stray) or 'empty'}; accepted is one or more of {', '.join(TASKS)}, with commas "
                "between"
            )
        if self.per_image < 1:
            raise InputError(f"--per-image is {self.per_image}; accepted is 1 or more")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A set of records to make.

    Parameters
    ----------
    sources : tuple of str
        Files and folders.
    out : Path
        Folder for the results.
    teacher : Teacher
        Who answers.
    asked : Asked
        What is asked.
    pace : Pace
        How fast.
    budget : Budget, optional
        What may be spent.
    scheduler : str, optional
        Address of a Dask scheduler that measures; by default this computer does.
    """

    sources: tuple[str, ...]
    out: Path
    teacher: Teacher
    asked: Asked
    pace: Pace
    budget: Budget | None = None
    scheduler: str | None = None

    @property
    def kind(self) -> str:
        """Kind of teacher, as records name it: without addresses, which concern nobody else."""
        return self.teacher.name.partition(":")[0]

    def settings(self) -> dict[str, Any]:
        """Return all that records depend on besides the images."""
        return {
            "teacher": self.kind,
            "model": self.teacher.model,
            "teacher settings": dict(self.teacher.settings),
            "tasks": list(self.asked.tasks),
            "per image": self.asked.per_image,
            "shots": self.asked.shots,
            "reasoning": self.asked.reasoning,
            "seed": self.asked.seed,
            "info bar": self.asked.info_bar,
            "block": BLOCK,
        }
