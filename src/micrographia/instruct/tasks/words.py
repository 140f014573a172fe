"""Values in words, and choices among phrases that depend on a hash and nothing else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final, TypeVar

from micrographia.cues.cue import Cue, length_unit

_Choice = TypeVar("_Choice")
_NICE: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_MOST_DIGITS: Final = 6
_VALUE_DIGITS: Final = 4


def rank(*said: object) -> int:
    """Return a number that depends on what is said and on nothing else: the first 64 bits of a SHA-256.

    Examples
    --------
    >>> rank("seed", 1) == rank("seed", 1), rank("seed", 1) == rank("seed", 2)
    (True, False)
    """
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, said)).encode()).digest()[:8], "big")


def pick(choices: Sequence[_Choice], *said: object) -> _Choice:
    """Return one of the choices, always the same for what is said."""
    return choices[rank(*said) % len(choices)]


def with_unit(value: float, unit: str) -> str:
    """Return a threshold in words, in the unit that suits it.

    Examples
    --------
    >>> with_unit(2500.0, "nm"), with_unit(25.0, "%"), with_unit(0.4, "")
    ('2.5 µm', '25 %', '0.4')
    """
    scale, name = length_unit(value) if unit == "nm" else (1.0, unit)
    return f"{value / scale:.6g} {name}".rstrip()


def measured(cue: Cue) -> str:
    """Return a measured value with its uncertainty and unit, to the digits that the uncertainty deserves.

    Examples
    --------
    >>> measured(Cue(name="particle diameter", value=2512.3, uncertainty=148.0, unit="nm", sentence=""))
    '2.51 ± 0.15 µm'
    >>> measured(Cue(name="particles", value=12.0, uncertainty=None, unit="", sentence=""))
    '12'
    """
    if cue.value is None:
        return "not told"
    scale, name = length_unit(cue.value) if cue.unit == "nm" else (1.0, cue.unit)
    value, sd = cue.value / scale, (cue.uncertainty or 0.0) / scale
    # Of an uncertainty far below the value, the last digits say nothing to anybody.
    places = min(_places(value, sd), max(0, _VALUE_DIGITS - 1 - _exponent(value)))
    said = f"{value:.{places}f}"
    if round(sd, places) > 0:
        said += f" ± {sd:.{places}f}"
    return f"{said} {name}".rstrip()


def difference(a: Cue, b: Cue, allowed: float) -> tuple[str, str]:
    """Return the distance of two values and what their uncertainties allow, each with unit.

    Examples
    --------
    >>> a, b = (Cue(name="edges", value=v, uncertainty=0.5, unit="px per 1000 px²", sentence="") for v in (30.0, 28.0))
    >>> difference(a, b, 2.41)
    ('2.0 px per 1000 px²', '2.4 px per 1000 px²')
    """
    away = abs((a.value or 0.0) - (b.value or 0.0))
    scale, name = length_unit(max(away, allowed)) if a.unit == "nm" else (1.0, a.unit)
    places = _places(max(away, allowed) / scale, min(away, allowed) / scale)
    return tuple(f"{v / scale:.{places}f} {name}".rstrip() for v in (away, allowed))  # type: ignore[return-value]


def _places(value: float, sd: float) -> int:
    """Decimal places: two digits of the uncertainty, else three of the value; none of a whole number without one."""
    if sd <= 0:
        return 0 if value == round(value) else max(0, 2 - _exponent(value))
    return min(_MOST_DIGITS, max(0, 1 - _exponent(sd)))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def nice_numbers(low: float, high: float) -> tuple[float, ...]:
    """Return the round numbers from ``low`` to ``high``, both above zero.

    Examples
    --------
    >>> nice_numbers(0.9, 3.0)
    (1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
    """
    if low <= 0 or high < low:
        return ()
    tens = range(_exponent(low), _exponent(high) + 1)
    # Through a text, so that 1.2e-1 is 0.12 and not its neighbour.
    numbers = (float(f"{digit:g}e{ten}") for ten in tens for digit in _NICE)
    return tuple(number for number in numbers if low <= number <= high)
