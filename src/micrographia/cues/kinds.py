"""What each measured cue is, in words and with the least difference that matters, for those that speak of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from micrographia.cues.lines import LINES_UNIT
from micrographia.cues.structure import EDGES_UNIT


@dataclass(frozen=True, kw_only=True)
class CueKind:
    """What a cue measures, in words.

    Parameters
    ----------
    name : str
        Name of the cue, one of `MEASURED_CUES`.
    unit : str
        Its unit; ``"px"`` stands for a length, which has the unit nm where the size of a pixel is known.
    quantity : str
        What it is the measure of, after "the", e.g. ``"edge density"``.
    more, less : str
        What an image with a higher, or a lower, value has or is: ``"more edges"``.
    present : str, optional
        What is there where the value is above zero, e.g. ``"cracks"``; None where the cue does not tell presence.
    floor : float
        The least difference that matters besides uncertainty, in ``unit``; of a length, where the unit is nm, as many
        pixels.
    """

    name: str
    unit: str
    quantity: str
    more: str
    less: str
    present: str | None
    floor: float

    @property
    def is_length(self) -> bool:
        """Whether it is a length, in nm where the size of a pixel is known."""
        return self.unit == "px"

    def floor_in_unit(self, pixel_size_nm: float | None) -> float:
        """Return the least difference that matters in the unit that the cue has at this size of a pixel.

        Examples
        --------
        >>> CUE_KINDS["spacing"].floor_in_unit(0.5), CUE_KINDS["particles"].floor_in_unit(0.5)
        (0.15, 0.5)
        """
        return self.floor * pixel_size_nm if self.is_length and pixel_size_nm else self.floor


def _kind(name: str, unit: str, words: tuple[str, str, str], *, floor: float, present: str | None = None) -> CueKind:
    quantity, more, less = words
    return CueKind(name=name, unit=unit, quantity=quantity, more=more, less=less, present=present, floor=floor)


_KINDS: Final = (
    _kind(
        "spacing",
        "px",
        ("period of the strongest repeat", "a longer repeat", "a shorter repeat"),
        floor=0.3,
        present="a periodic repeat",
    ),
    _kind("regularity", "%", ("regularity", "a more regular structure", "a less regular structure"), floor=2.0),
    _kind("edges", EDGES_UNIT, ("edge density", "more edges", "fewer edges"), floor=3.0),
    _kind(
        "orientation entropy",
        "bit",
        ("spread of edge directions", "edges in more directions", "edges in fewer directions"),
        floor=0.1,
    ),
    _kind("anisotropy", "", ("alignment of structure", "more aligned structure", "less aligned structure"), floor=0.05),
    _kind("contrast", "%", ("contrast of intensities", "stronger contrast", "weaker contrast"), floor=3.0),
    _kind("noise", "intensity units", ("noise of a pixel", "more noise", "less noise"), floor=0.5),
    _kind("signal to noise", "", ("signal-to-noise ratio", "a higher signal-to-noise ratio", "a lower one"), floor=0.5),
    _kind("sharpness", "% per px", ("sharpness of edges", "sharper edges", "softer edges"), floor=3.0),
    _kind("dominant scale", "px", ("size of typical features", "larger features", "smaller features"), floor=1.0),
    _kind(
        "particles",
        "",
        ("number of bright particles", "more bright particles", "fewer bright particles"),
        floor=0.5,
        present="separate bright particles",
    ),
    _kind(
        "particle diameter",
        "px",
        ("mean diameter of bright particles", "larger bright particles", "smaller bright particles"),
        floor=1.0,
    ),
    _kind(
        "particle coverage",
        "%",
        (
            "share of the area that bright particles cover",
            "more of the area covered by bright particles",
            "less of the area covered by bright particles",
        ),
        floor=1.0,
    ),
    _kind(
        "pores",
        "",
        ("number of dark pores or particles", "more dark pores or particles", "fewer dark pores or particles"),
        floor=0.5,
        present="separate dark pores or dark particles",
    ),
    _kind(
        "pore diameter",
        "px",
        (
            "mean diameter of dark pores or particles",
            "larger dark pores or particles",
            "smaller dark pores or particles",
        ),
        floor=1.0,
    ),
    _kind(
        "pore coverage",
        "%",
        (
            "share of the area that dark pores or particles cover",
            "more of the area covered by dark pores or particles",
            "less of the area covered by dark pores or particles",
        ),
        floor=1.0,
    ),
    _kind("fibres", "", ("number of fibres", "more fibres", "fewer fibres"), floor=0.5, present="fibres"),
    _kind("fibre width", "px", ("width of fibres", "wider fibres", "thinner fibres"), floor=1.0),
    _kind(
        "fibre coverage",
        "%",
        (
            "share of the area that fibres cover",
            "more of the area covered by fibres",
            "less of the area covered by fibres",
        ),
        floor=3.0,
    ),
    _kind("layers", "", ("number of layers", "more layers", "fewer layers"), floor=0.5, present="layers"),
    _kind(
        "layering",
        "",
        ("strength of layering", "a more clearly layered structure", "a less clearly layered structure"),
        floor=0.05,
    ),
    _kind(
        "cracks",
        LINES_UNIT,
        ("length of crack-like dark lines per area", "more crack-like dark lines", "fewer crack-like dark lines"),
        floor=0.2,
        present="crack-like dark lines",
    ),
    _kind(
        "crack width",
        "px",
        ("width of crack-like dark lines", "wider crack-like dark lines", "thinner crack-like dark lines"),
        floor=1.0,
    ),
    _kind(
        "lattice defects",
        "%",
        (
            "share of lattice cells that differ from the mean cell",
            "more lattice cells that differ from the mean cell",
            "fewer lattice cells that differ from the mean cell",
        ),
        floor=0.2,
        present="lattice cells that differ from the mean cell",
    ),
    _kind(
        "phase contrast",
        "",
        (
            "separation of dark and bright",
            "a clearer separation of dark and bright",
            "a less clear separation of dark and bright",
        ),
        floor=0.02,
    ),
    _kind("dark share", "%", ("share of dark areas", "more dark area", "less dark area"), floor=2.0),
)

MEASURED_CUES: Final[tuple[str, ...]] = tuple(kind.name for kind in _KINDS)
"""Names of all measured cues, in the order of `micrographia.cues.measure.measure`."""

CUE_KINDS: Final[Mapping[str, CueKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""What each of them is."""
