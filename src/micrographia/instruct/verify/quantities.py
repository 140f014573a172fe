"""Numbers in sentences: value, uncertainty, unit, and whether they are values or limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

_LENGTHS_NM: Final = {"nm": 1.0, "µm": 1e3, "mm": 1e6, "Å": 0.1, "pm": 1e-3, "m": 1e9, "cm": 1e7}
_UNITS: Final[tuple[tuple[str, str], ...]] = (
    (r"px (?:per|in|/) ?1,?000 ?px(?:²|2|\^2)|pixels per 1,?000 (?:square pixels|px²)", "px per 1000 px²"),
    (r"per 1,?000 ?[×x] ?1,?000 ?px", "per 1000 × 1000 px"),
    (r"(?:%|percent) per (?:px|pixel)", "% per px"),
    (r"%|percent|per cent", "%"),
    (r"(?:nm|nanomet(?:re|er)s?)(?![a-z²])", "nm"),
    (r"(?:[µμu]m|micromet(?:re|er)s?|microns?)(?![a-z²])", "µm"),
    (r"(?:mm|millimet(?:re|er)s?)(?![a-z²])", "mm"),
    (r"(?:pm|picomet(?:re|er)s?)(?![a-z²])", "pm"),
    (r"(?:cm|centimet(?:re|er)s?)(?![a-z²])", "cm"),
    (r"(?:Å|[Åå]ngstr[oö]ms?|angstroms?)", "Å"),
    (r"bits?\b", "bit"),
    (r"intensity units?", "intensity units"),
    (r"°(?! ?C)|degrees?\b", "°"),
    (r"(?:px|pixels?)(?![²\w])", "px"),
    (r"(?:k?eV|kV|mV|V|s|ms|µs|K|°\s?C|MPa|GPa|g|kg|Hz|dB|mol|A|nA|pA)(?!\w)", "foreign"),
)
_NUMBER: Final = r"[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?"
_SAID: Final = re.compile(
    rf"(?<![\w.,])(?P<value>{_NUMBER})(?:\s?(?:±|\+/-|\+-|\+\s?/\s?-|plus or minus)\s?(?P<sd>{_NUMBER}))?"
    rf"\s?[-]?(?P<unit>{'|'.join(f'(?:{pattern})' for pattern, _ in _UNITS)})?(?!\w)"
)
_MORE: Final = (
    r"above|over|exceed(?:s|ed|ing)?|more than|greater than|larger than|higher than|at least|beyond|no less than"
)
_LESS: Final = r"below|under|less than|fewer than|smaller than|lower than|at most|up to|no more than|within"
_THRESHOLD: Final = r"threshold|limit|cut-?off"
_RELATION: Final = re.compile(
    rf"(?P<not>(?:\bnot|n't|\bnever|\bneither|\bnor)\s+(?:\w+\s+)?)?"
    rf"\b(?:(?P<more>{_MORE})|(?P<less>{_LESS})|(?P<limit>{_THRESHOLD}))"
    r"(?:\s+the)?(?:\s+(?:threshold|limit|value|cut-?off))?(?:\s+(?:of|is|at|to))?\s*$",
    re.IGNORECASE,
)
_BETWEEN: Final = re.compile(rf"\bbetween\s+{_NUMBER}\s*\S*\s+and\s*$|\bbetween\s*$", re.IGNORECASE)
WORDS: Final = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
    **{"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "twenty": 20},
    **{"thirty": 30, "fifty": 50, "hundred": 100, "dozen": 12},
}
_SHARED: Final = re.compile(
    rf"(?<![\w.,])({_NUMBER})(\s*(?:and|to|or|–|-)\s*)({_NUMBER})(\s?(?:{'|'.join(f'(?:{p})' for p, _ in _UNITS)}))"
)
Relation = Literal["is", "more", "less", "limit"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number in a clause.

    Parameters
    ----------
    value, sd : float
        The number, and what follows a ±.
    half_digit : float
        Half of the last digit that is written.
    unit : str
        Unit as it is written in cues; lengths as nm, with value and others converted; empty for none.
    relation : str
        ``"is"``: a value. ``"more"``, ``"less"``: what a value is said to be above or below. ``"limit"``: called so.
    start, end : int
        Where it stands.
    """

    value: float
    sd: float | None
    half_digit: float
    unit: str
    relation: Relation
    start: int
    end: int


def quantities(clause: str) -> list[Quantity]:
    """Return the numbers of a clause.

    Examples
    --------
    >>> [(q.value, q.sd, q.unit, q.relation) for q in quantities("It is 2.5 ± 0.1 µm, which is above 2 µm.")]
    [(2500.0, 100.0, 'nm', 'is'), (2000.0, None, 'nm', 'more')]
    """
    found: list[Quantity] = []
    for match in _SAID.finditer(clause):
        unit = _unit(match.group("unit"))
        scale = _LENGTHS_NM.get(unit, 1.0)
        said = match.group("value").replace(",", "").replace("−", "-")
        sd = match.group("sd")
        found.append(
            Quantity(
                value=float(said) * scale,
                sd=None if sd is None else float(sd.replace(",", "").replace("−", "-")) * scale,
                half_digit=half_digit(said) * scale,
                unit="nm" if unit in _LENGTHS_NM else unit,
                relation=_relation(clause[: match.start()]),
                start=match.start(),
                end=match.end(),
            )
        )
    return found


def with_units(clause: str) -> str:
    """Give a number its unit where only the second of two has it.

    Examples
    --------
    >>> with_units("It is between 12 and 40 %.")
    'It is between 12 % and 40 %.'
    """
    return _SHARED.sub(r"\1\4\2\3\4", clause)


def half_digit(number: str) -> float:
    """Return half of the last digit of a number as it is written.

    Examples
    --------
    >>> half_digit("2.50"), half_digit("30"), half_digit("1e3")
    (0.005, 0.5, 500.0)
    """
    mantissa, _, exponent = number.lower().partition("e")
    places = len(mantissa.partition(".")[2])
    return 0.5 * float(f"1e{int(exponent or 0) - places}")


def _unit(said: str | None) -> str:
    if not said:
        return ""
    return next(unit for pattern, unit in _UNITS if re.fullmatch(pattern, said))


def _relation(before: str) -> Relation:
    if _BETWEEN.search(before):
        return "less" if re.search(r"and\s*$", before) else "more"
    match = _RELATION.search(before)
    if match is None:
        return "is"
    if match.group("limit"):
        return "limit"
    return "more" if bool(match.group("more")) != bool(match.group("not")) else "less"
