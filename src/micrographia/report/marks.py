"""How each site label is drawn: the same colour and shape in every figure and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PRISTINE: Final = ("M", "X2")
"""Labels of a perfect crystal; every other label is a defect."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Colour and outline of one label.

    Parameters
    ----------
    colour : str
        ``#rrggbb``, told apart with any common colour vision.
    shape : str
        ``"dot"``, ``"circle"``, ``"double circle"``, ``"square"``, ``"diamond"``, ``"triangle"`` or ``"hexagon"``.
    """

    colour: str
    shape: str


# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which stay distinct under colour blindness;
# the shapes say the same again for a print in grey.
MARKS: Final[Mapping[str, Mark]] = {
    "M": Mark(colour="#8fb8de", shape="dot"),
    "X2": Mark(colour="#e3cf9c", shape="dot"),
    "V_X": Mark(colour="#ff9500", shape="circle"),
    "V_X2": Mark(colour="#f0e442", shape="double circle"),
    "D_M": Mark(colour="#56b4e9", shape="diamond"),
    "D_X": Mark(colour="#00c08b", shape="triangle"),
    "V_M": Mark(colour="#e07bb4", shape="square"),
    "M_X2": Mark(colour="#f0552b", shape="hexagon"),
}
