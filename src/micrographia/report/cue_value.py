"""The value of a cue as a page shows it."""

from __future__ import annotations

from micrographia.cues import Cue
from micrographia.cues.cue import length_unit
from micrographia.report.numbers import decimals, estimate, number


def cue_value(cue: Cue) -> str:
    """Return value, uncertainty, unit and direction of a cue, as HTML."""
    if cue.value is None:
        return '<span class="soft">–</span>'
    scale, unit = length_unit(cue.value) if cue.unit == "nm" else (1.0, cue.unit)
    unit = "" if unit == "intensity units" else unit
    value = cue.value / scale
    if cue.uncertainty is not None and cue.direction_deg is None and 0 < cue.uncertainty < 1e-3 * cue.value:
        shown = f"{value:.3g}"  # more digits would be true and of no use
    elif cue.uncertainty is None:
        shown = f"{value:.3g}"
    elif value >= 1e5:
        power = len(f"{value:.0f}") - 1
        exponent = str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        shown = f"({estimate(value / 10**power, cue.uncertainty / 10**power)}) × 10{exponent}"
    else:
        shown = estimate(value, cue.uncertainty / scale)
    shown = f'{shown} <span class="soft">{unit}</span>' if unit else shown
    if cue.direction_deg is None or cue.direction_sd_deg is None:
        return shown
    places = min(decimals(cue.direction_sd_deg), 2)
    spread = max(cue.direction_sd_deg, 10.0**-places)
    angle = f"at {number(cue.direction_deg, places)} ± {number(spread, places)}°"
    return f'{shown}<br><span class="soft">{angle}</span>'
