"""What one statement is, and the clause that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from micrographia.instruct.verify.mentions import Mention
from micrographia.instruct.verify.quantities import Quantity
from micrographia.instruct.verify.sentences import Letter

Kind = Literal[
    "value", "direction", "presence", "comparison", "similar", "grade", "conclusion", "difference", "tolerance"
]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One statement that can be held against the cues.

    Parameters
    ----------
    kind : str
        What is stated; see the fields.
    said : str
        The clause.
    cue : str, optional
        Of what; None where the sentence does not say.
    image : int, optional
        Of which image; None where it does not say.
    other : int, optional
        Image that it is compared with; None for all others.
    quantity : Quantity, optional
        The number.
    positive : bool
        Presence: there is some. Comparison: more. Grade: it is within the limits.
    low, high : float
        Limits of a grade, or of a number in words.
    """

    kind: Kind
    said: str
    cue: str | None = None
    image: int | None = None
    other: int | None = None
    quantity: Quantity | None = None
    positive: bool = True
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A clause with what it names: images, quantities, how many images there are, and the cue that is spoken of."""

    text: str
    named: list[Letter]
    told: list[Mention]
    images: int
    topic: str | None

    @property
    def lower(self) -> str:
        """The text in lower case, in which quantities are looked for."""
        return self.text.lower()
