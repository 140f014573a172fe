"""Numbers as people read them: no more digits than mean something."""

from __future__ import annotations

import math


def decimals(uncertainty: float) -> int:
    """Return the number of decimals that a value with this uncertainty deserves; 0 where it is 1 or more.

    One significant digit of the uncertainty, two where it begins with 1 or 2.

    Examples
    --------
    >>> decimals(0.065), decimals(0.012), decimals(12.0)
    (2, 3, 0)
    """
    if not (math.isfinite(uncertainty) and uncertainty > 0):
        return 2
    exponent = math.floor(math.log10(uncertainty))
    leading = uncertainty / 10.0**exponent
    return min(max(-exponent + (1 if leading < 2.95 else 0), 0), 8)


def number(value: float, places: int) -> str:
    """Return ``value`` with a fixed number of decimals, thousands set off, and a true minus sign; ``–`` if not finite.

    Examples
    --------
    >>> number(-1234.56, 1)
    '−1,234.6'
    """
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def estimate(value: float, standard_uncertainty: float) -> str:
    """Return ``value ± standard_uncertainty`` to the digits that the uncertainty allows.

    Examples
    --------
    >>> estimate(138.3, 12.4), estimate(0.01042, 0.00013)
    ('138 ± 12', '0.01042 ± 0.00013')
    """
    places = decimals(standard_uncertainty)
    return f"{number(value, places)} ± {number(standard_uncertainty, places)}"


def interval(low: float, high: float) -> str:
    """Return ``low–high`` to the digits that its width allows.

    Examples
    --------
    >>> interval(0.3018, 0.4312), interval(0, 3.2)
    ('0.30–0.43', '0–3.2')
    """
    places = decimals((high - low) / 2)
    return f"{_small(low, places)}–{number(high, places)}"


def value_and_interval(value: float, bounds: tuple[float, float]) -> tuple[str, str]:
    """Return a value and its interval, with equal decimals.

    Examples
    --------
    >>> value_and_interval(0.3581, (0.3018, 0.4312)), value_and_interval(0.0027, (0.0003, 0.0121))
    (('0.36', '0.30–0.43'), ('0.003', '0.0003–0.012'))
    """
    half = (bounds[1] - bounds[0]) / 2
    return "0" if 0 <= value < 0.05 * half else _small(value, decimals(half)), interval(*bounds)


def _small(value: float, places: int) -> str:
    """Return a value with so many decimals, or to one digit where they would all be zeros; 0 as ``0``."""
    if value == 0:
        return "0"
    return number(value, max(places, -math.floor(math.log10(value))) if 0 < value < 0.5 * 10.0**-places else places)


def magnitude(value: float, digits: int) -> str:
    """Return a value of any size to some digits, with a power of ten where it is very large or very small.

    Examples
    --------
    >>> magnitude(1.6712e6, 3), magnitude(12345, 3), magnitude(-0.52, 2)
    ('1.67 × 10⁶', '12,300', '−0.52')
    """
    if value == 0 or not math.isfinite(value):
        return number(value, 0)
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -4 < exponent < 5:
        return number(round(value, digits - 1 - exponent), max(digits - 1 - exponent, 0))
    power = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{number(value / 10.0**exponent, digits - 1)} × 10{power}"


def probability(p: float) -> str:
    """Return a probability with two decimals; near its ends, what it is known to be beyond.

    Examples
    --------
    >>> probability(0.9712), probability(0.9991), probability(0.0002)
    ('0.97', '> 0.99', '< 0.01')
    """
    if p > 0.995:
        return "> 0.99"
    if p < 0.005:
        return "< 0.01"
    return f"{p:.2f}"


def scale_bar_length(extent: float) -> float:
    """Return a round length (1, 2 or 5 times a power of ten) of a tenth to a fifth of ``extent``.

    Examples
    --------
    >>> scale_bar_length(19.5), scale_bar_length(512)
    (2.0, 100.0)
    """
    power = 10.0 ** math.floor(math.log10(extent / 4.5))
    return max((m * power for m in (1, 2, 5, 10) if m * power <= extent / 4.5), default=power)
