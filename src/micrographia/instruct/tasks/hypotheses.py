"""What could have happened to an image or a specimen, and what would then be measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """What would change an image, and what would then be measured.

    Parameters
    ----------
    told : str
        The supposition, with B as the image that was changed.
    cue : str
        What it would change.
    expected : str
        Whether B would have more or less of it than A.
    because : str
        Why.
    """

    told: str
    cue: str
    expected: Literal["more", "less"]
    because: str


HYPOTHESES: Final = (
    Hypothesis(
        told="image B was recorded with a lower dose than image A",
        cue="signal to noise",
        expected="less",
        because="fewer electrons for each pixel leave more shot noise beside the same signal",
    ),
    Hypothesis(
        told="image B was averaged over more frames than image A",
        cue="signal to noise",
        expected="more",
        because="averaging keeps the signal and lowers the noise",
    ),
    Hypothesis(
        told="image B was taken further out of focus than image A",
        cue="sharpness",
        expected="less",
        because="defocus takes fine detail away",
    ),
    Hypothesis(
        told="image B was taken out of focus, and image A in focus",
        cue="edges",
        expected="less",
        because="blur flattens the slopes that make edges",
    ),
    Hypothesis(
        told="image B was taken at a higher magnification of the same specimen than image A",
        cue="dominant scale",
        expected="more",
        because="the same structure is then spread over more pixels",
    ),
    Hypothesis(
        told="the specimen of image B is better crystallised than that of image A",
        cue="regularity",
        expected="more",
        because="a crystal repeats, so that more of the variance lies in periodic peaks",
    ),
    Hypothesis(
        told="the specimen of image B was damaged until its order was lost, unlike that of image A",
        cue="regularity",
        expected="less",
        because="disorder takes variance out of the periodic peaks",
    ),
    Hypothesis(
        told="the specimen of image B was rolled or drawn in one direction, unlike that of image A",
        cue="anisotropy",
        expected="more",
        because="deformation stretches structures along one direction",
    ),
    Hypothesis(
        told="the specimen of image B was sintered longer than that of image A",
        cue="pore coverage",
        expected="less",
        because="pores, which are dark, close while a body sinters",
    ),
    Hypothesis(
        told="the particles of image B had longer to coarsen than those of image A",
        cue="particle diameter",
        expected="more",
        because="large particles grow at the cost of small ones",
    ),
    Hypothesis(
        told="the powder of image B is less densely spread than that of image A",
        cue="particle coverage",
        expected="less",
        because="fewer particles cover less of the area",
    ),
    Hypothesis(
        told="the specimen of image B went through more thermal cycles than that of image A",
        cue="cracks",
        expected="more",
        because="repeated strain makes cracks grow, which are dark lines",
    ),
    Hypothesis(
        told="the dark phase of image B grew at the cost of the bright one, compared with image A",
        cue="dark share",
        expected="more",
        because="the dark part of the area is what that phase takes up",
    ),
    Hypothesis(
        told="the fibres of image B were spun thicker than those of image A",
        cue="fibre width",
        expected="more",
        because="the width of a fibre is measured directly",
    ),
    Hypothesis(
        told="the detector of image B was set to a narrower range of greys than that of image A",
        cue="contrast",
        expected="less",
        because="a narrower range leaves less spread of the greys",
    ),
    Hypothesis(
        told="the lattice of image B holds more point defects than that of image A",
        cue="lattice defects",
        expected="more",
        because="a site with a defect differs from the mean cell",
    ),
)
"""What is supposed of image B beside image A; each predicts one cue."""
