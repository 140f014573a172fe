"""What can be chosen about a teacher that is a language model."""

from __future__ import annotations

from dataclasses import dataclass

from micrographia.errors import InputError
from micrographia.instruct.teachers.prices import Price


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """How a language model is asked.

    Parameters
    ----------
    images : bool
        Whether the images are attached; local models of `gguf` read text only.
    temperature : float, optional
        Spread of the answers; None leaves it to the provider, for several models refuse to be told.
    max_tokens : int
        Longest answer [tokens]. What an answer may cost at most follows from it.
    timeout_s : float
        How long an answer is waited for [s].
    price : Price, optional
        What tokens cost; None takes the table of `prices`.
    threads : int
        Threads of a local model.

    Raises
    ------
    InputError
        A value is out of its range.

    Examples
    --------
    >>> TeacherSettings(temperature=0.0).max_tokens
    1024
    """

    images: bool = True
    temperature: float | None = None
    max_tokens: int = 1024
    timeout_s: float = 120.0
    price: Price | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature:g}; accepted is 0 to 2")
        if self.max_tokens < 1:
            raise InputError(f"the longest answer is {self.max_tokens} tokens; accepted is 1 or more")
        if not self.timeout_s > 0:
            raise InputError(f"the time to wait for an answer is {self.timeout_s:g} s; accepted is more than 0")
        if self.threads < 1:
            raise InputError(f"the number of threads is {self.threads}; accepted is 1 or more")
