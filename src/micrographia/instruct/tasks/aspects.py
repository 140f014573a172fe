"""Words for what was measured: how each cue is asked for, said, and recognised in what others say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from micrographia.cues.kinds import CUE_KINDS

Section = Literal["texture", "lattice", "objects", "quality"]


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """Words for one cue.

    Parameters
    ----------
    cue : str
        Name of the cue.
    section : str
        Part of a description that it belongs to.
    more, less : tuple of str
        What an image does that has more or less of it, before "than": ``"is more regular"``.
    most : str
        The same of the first among several: ``"is the most regular"``.
    names : str
        Regular expression of what the quantity is called, in lower case, as are the other expressions.
    more_words, less_words : str
        Regular expressions of what says more and less of it by itself, e.g. ``"noisier"``.
    grades : tuple of (float, str)
        Upper limit and word of each grade, ascending; the last limit is infinite. Empty where no words are agreed.
    present : str
        What is there where the value is not zero, in the plural; empty for what is always there.
    present_names : str
        Regular expression of what such a thing is called.
    """

    cue: str
    section: Section
    more: tuple[str, ...]
    less: tuple[str, ...]
    most: str
    names: str
    more_words: str = ""
    less_words: str = ""
    grades: tuple[tuple[float, str], ...] = ()
    present: str = ""
    present_names: str = ""

    @property
    def quantity(self) -> str:
        """What is measured, with its article: ``"the edge density"``."""
        return f"the {CUE_KINDS[self.cue].quantity}"

    @property
    def counts(self) -> bool:
        """Whether the value is a number of things."""
        return self.cue in _COUNTS


_COUNTS: Final = ("particles", "pores", "fibres", "layers")
_CRACKS: Final = r"(?:crack-like (?:dark )?lines?|cracks?|fractures?|fissures?)"
_ANY: Final = float("inf")


def _objects(name: str, things: str, called: str, size: str) -> tuple[Aspect, Aspect, Aspect]:
    """Return the aspects of one kind of object: how many, how large, how much of the image they cover."""
    wide, narrow, widest = ("wider", "thinner", "widest") if size == "width" else ("larger", "smaller", "largest")
    number = Aspect(
        cue=f"{name}s",
        section="objects",
        more=(f"shows more {things}", f"contains more {things}", f"holds a larger number of {things}"),
        less=(f"shows fewer {things}", f"contains fewer {things}", f"holds a smaller number of {things}"),
        most=f"shows the most {things}",
        names=rf"(?:number|count|amount) of (?:the )?{called}|{called}",
        present=things,
        present_names=called,
    )
    sized = Aspect(
        cue=f"{name} {size}",
        section="objects",
        more=(f"has {wide} {things}",),
        less=(f"has {narrow} {things}",),
        most=f"has the {widest} {things}",
        # A size or a coverage is not the objects: their names must not be taken for each other.
        names=rf"(?:diameters?|widths?|sizes?|thickness(?:es)?) of (?:the |these |its )?(?:\w+ )?{called}"
        rf"|{called} (?:diameters?|widths?|sizes?)"
        rf"|{called}(?: \w+){{0,3}} (?:wide|across|in diameter|in width|thick|in size)",
        more_words=rf"(?:larger|bigger|wider|thicker|coarser) {called}",
        less_words=rf"(?:smaller|tinier|narrower|thinner|finer) {called}",
    )
    covered = Aspect(
        cue=f"{name} coverage",
        section="objects",
        more=(f"has more of its area covered by {things}",),
        less=(f"has less of its area covered by {things}",),
        most=f"has the most of its area covered by {things}",
        names=rf"(?:area )?coverage (?:of|by|with) (?:the )?{called}|{called} (?:area )?coverage"
        rf"|covered (?:by|with) {called}|{called} cover(?:s|ed)?"
        rf"|share of (?:the|its) (?:image|area)(?: that)?(?: is)?(?: in| of)? {called}(?: covers?)?",
    )
    return number, sized, covered


_ALL: Final[tuple[Aspect, ...]] = (
    Aspect(
        cue="spacing",
        section="lattice",
        more=("repeats over a longer period", "has a wider spacing of its pattern"),
        less=("repeats over a shorter period", "has a narrower spacing of its pattern"),
        most="repeats over the longest period",
        names=r"(?:lattice )?spacings?|periods?(?: of the strongest repeat)?|repeat distance|pitch|lattice constant",
        more_words=r"wider[- ]spaced|longer repeat",
        less_words=r"closer[- ]spaced|shorter repeat",
    ),
    Aspect(
        cue="regularity",
        section="lattice",
        more=("is more regular", "looks more regular", "is more periodic"),
        less=("is less regular", "looks less regular", "is less periodic"),
        most="is the most regular",
        names=r"regularit(?:y|ies)|share of the variance(?: in periodic peaks)?|periodic(?: peaks| part| share| order)",
        more_words=r"more (?:regular|periodic|ordered)|better[- ]ordered|higher order",
        less_words=r"less (?:regular|periodic|ordered)|more (?:irregular|disordered|random)",
        grades=((3.0, "irregular"), (20.0, "partly regular"), (_ANY, "regular")),
    ),
    Aspect(
        cue="edges",
        section="texture",
        more=("has more edges", "has a higher edge density", "is richer in edges"),
        less=("has fewer edges", "has a lower edge density", "is poorer in edges"),
        most="has the highest edge density",
        names=r"edge densit(?:y|ies)|density of edges|edges?|edge length|amount of edge",
        more_words=r"more edges|richer in edges",
        less_words=r"fewer edges|less edges|poorer in edges",
        grades=((8.0, "hardly any edges"), (25.0, "few edges"), (60.0, "many edges"), (_ANY, "edges everywhere")),
    ),
    Aspect(
        cue="orientation entropy",
        section="texture",
        more=("has edges in more directions", "has more evenly spread edge directions"),
        less=("has edges in fewer directions", "has less evenly spread edge directions"),
        most="has edges in the most directions",
        names=r"(?:orientation(?:al)? )?entrop(?:y|ies)(?: of (?:the )?(?:edge )?(?:orientations?|directions?))?"
        r"|spread of (?:the )?edge directions",
        more_words=r"more evenly spread edge directions|edges in more directions",
        less_words=r"less evenly spread edge directions|edges in fewer directions",
    ),
    Aspect(
        cue="anisotropy",
        section="texture",
        more=("is more directional", "has a more aligned structure", "keeps more to one direction"),
        less=("is less directional", "has a less aligned structure", "keeps less to one direction"),
        most="is the most directional",
        names=r"anisotrop(?:y|ies)|directionality|(?:degree of )?alignment(?: of (?:the )?structures?)?",
        more_words=r"more (?:directional|anisotropic|aligned)|keeps? more to one direction|less isotropic",
        less_words=r"less (?:directional|anisotropic|aligned)|keeps? less to one direction|more isotropic",
        grades=(
            (0.15, "without a preferred direction"),
            (0.4, "slightly directional"),
            (0.7, "clearly directional"),
            (_ANY, "strongly directional"),
        ),
    ),
    Aspect(
        cue="contrast",
        section="quality",
        more=("has stronger contrast", "shows more contrast"),
        less=("has weaker contrast", "shows less contrast"),
        most="has the strongest contrast",
        names=r"(?<!phase )contrast(?: of (?:the )?intensities)?(?! between)",
        more_words=r"more contrast(?! between)",
        less_words=r"less contrast(?! between)",
    ),
    Aspect(
        cue="noise",
        section="quality",
        more=("is noisier", "has more noise", "shows stronger noise"),
        less=("is less noisy", "has less noise", "shows weaker noise"),
        most="is the noisiest",
        names=r"(?<!-)(?<!to )noise(?: level| of a pixel)?(?! ratio)|noisiness",
        more_words=r"noisier|more noisy|grainier",
        less_words=r"less noisy|less grainy|cleaner",
    ),
    Aspect(
        cue="signal to noise",
        section="quality",
        more=("has a higher signal-to-noise ratio", "has a better signal-to-noise ratio"),
        less=("has a lower signal-to-noise ratio", "has a poorer signal-to-noise ratio"),
        most="has the highest signal-to-noise ratio",
        names=r"signal[- ]to[- ]noise(?: ratios?)?|snrs?|s/n",
        grades=((3.0, "noisy"), (10.0, "slightly noisy"), (_ANY, "hardly noisy")),
    ),
    Aspect(
        cue="sharpness",
        section="quality",
        more=("is sharper", "looks sharper"),
        less=("is less sharp", "is more blurred"),
        most="is the sharpest",
        names=r"sharpness(?: of (?:the )?edges)?",
        more_words=r"sharper(?: edges)?|crisper|less blur(?:red|ry)|better[- ]focus(?:s?ed)?",
        less_words=r"less sharp|blurrier|more blur(?:red|ry)|softer(?: edges)?|worse[- ]focus(?:s?ed)?",
    ),
    Aspect(
        cue="dominant scale",
        section="texture",
        more=("has larger features", "is coarser in texture"),
        less=("has smaller features", "is finer in texture"),
        most="has the largest features",
        names=r"dominant (?:scale|size|length)s?(?: of (?:the )?texture)?|(?:feature|texture) (?:size|scale)s?"
        r"|sizes? of (?:the )?(?:typical )?features|typical features",
        more_words=r"coarser(?: in)?(?: texture)?|larger (?:typical )?features",
        less_words=r"finer(?: in)?(?: texture)?|smaller (?:typical )?features",
    ),
    *_objects("particle", "bright particles", r"(?:separate )?(?:bright )?(?<!dark )particles?", "diameter"),
    *_objects(
        "pore",
        "dark pores or particles",
        r"(?:separate )?(?:dark particles?|(?:dark )?pores?(?: or (?:dark )?particles?)?|voids?|holes?)",
        "diameter",
    ),
    *_objects("fibre", "fibres", r"fib(?:re|er)s?", "width"),
    Aspect(
        cue="layers",
        section="objects",
        more=("shows more layers",),
        less=("shows fewer layers",),
        most="shows the most layers",
        names=r"(?:number|count) of layers?|layers?",
        present="layers",
        present_names=r"layers",
    ),
    Aspect(
        cue="layering",
        section="objects",
        more=("is more clearly layered",),
        less=("is less clearly layered",),
        most="is the most clearly layered",
        names=r"layering(?: strength)?|strength of (?:the )?layering",
        more_words=r"more (?:clearly |strongly )?layered",
        less_words=r"less (?:clearly |strongly )?layered",
    ),
    Aspect(
        cue="cracks",
        section="objects",
        more=("has more crack-like dark lines", "shows a greater length of crack-like dark lines per area"),
        less=("has fewer crack-like dark lines", "shows a smaller length of crack-like dark lines per area"),
        most="has the most crack-like dark lines",
        names=rf"(?:density|length|amount|number) of {_CRACKS}(?: per area)?|crack (?:density|length)(?: per area)?"
        rf"|{_CRACKS}",
        more_words=rf"more cracked|more {_CRACKS}",
        less_words=rf"less cracked|(?:fewer|less) {_CRACKS}",
        present="crack-like dark lines",
        present_names=_CRACKS,
    ),
    Aspect(
        cue="crack width",
        section="objects",
        more=("has wider crack-like dark lines",),
        less=("has thinner crack-like dark lines",),
        most="has the widest crack-like dark lines",
        names=rf"widths? of (?:the )?{_CRACKS}|crack widths?|{_CRACKS}(?: \w+){{0,3}} (?:wide|in width)",
        more_words=rf"wider {_CRACKS}",
        less_words=rf"(?:narrower|thinner|finer) {_CRACKS}",
    ),
    Aspect(
        cue="lattice defects",
        section="lattice",
        more=("has more lattice cells that differ from the mean cell",),
        less=("has fewer lattice cells that differ from the mean cell",),
        most="has the most lattice cells that differ from the mean cell",
        names=r"lattice defects?|(?:share of )?lattice (?:cells|sites)(?: that differ(?: from the mean cell)?)?"
        r"|defect (?:share|density)",
        more_words=r"more (?:lattice defects|lattice cells)",
        less_words=r"(?:fewer|less) (?:lattice defects|lattice cells)",
    ),
    Aspect(
        cue="phase contrast",
        section="texture",
        more=("separates more clearly into dark and bright",),
        less=("separates less clearly into dark and bright",),
        most="separates the most clearly into dark and bright",
        names=r"phase contrast|phase separation|separation of (?:the )?dark and bright(?: phases)?"
        r"|contrast between (?:the )?phases",
        more_words=r"separates more clearly",
        less_words=r"separates less clearly",
    ),
    Aspect(
        cue="dark share",
        section="texture",
        more=("is dark over more of its area", "has more dark area"),
        less=("is dark over less of its area", "has less dark area"),
        most="is dark over the most of its area",
        names=r"(?:share of )?dark (?:share|part|areas?|fraction|regions?)(?: of (?:the|its) (?:area|image))?|is dark",
        more_words=r"dark over more|more dark area",
        less_words=r"dark over less|less dark area",
    ),
)
ASPECTS: Final[Mapping[str, Aspect]] = {aspect.cue: aspect for aspect in _ALL}
"""The aspects by the name of their cue; a cue without one is never asked for."""
