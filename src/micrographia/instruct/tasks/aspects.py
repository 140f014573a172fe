"""Words for what was measured: how each cue is asked for, said, and recognised in what others say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

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
    quantity : str
        What is measured, with its article: ``"the edge density"``.
    more, less : tuple of str
        What an image does that has more or less of it, before "than": ``"is more regular"``.
    most : str
        The same of the first among several: ``"is the most regular"``.
    names : str
        Regular expression of what the quantity is called.
    more_words, less_words : str
        Regular expressions of what says more and less of it by itself, e.g. ``"noisier"``.
    grades : tuple of (float, str)
        Upper limit and word of each grade, ascending; the last limit is infinite. Empty where no words are agreed.
    present : str
        What is there where the value is not zero, in the plural; empty for what is always there.
    present_names : str
        Regular expression of what such a thing is called.
    floor : float
        Difference that means nothing, in the unit of the cue.
    counts : bool
        The value is a number of things.
    """

    cue: str
    section: Section
    quantity: str
    more: tuple[str, ...]
    less: tuple[str, ...]
    most: str
    names: str
    more_words: str = ""
    less_words: str = ""
    grades: tuple[tuple[float, str], ...] = ()
    present: str = ""
    present_names: str = ""
    floor: float = 0.0
    counts: bool = False


_ANY: Final = float("inf")
_SHARES: Final = ((5.0, "a trace"), (20.0, "a small part"), (50.0, "a large part"), (_ANY, "most"))


def _objects(name: str, plural: str, called: str, size: str) -> tuple[Aspect, Aspect, Aspect]:
    """Return the aspects of one kind of object: how many, how large, how much of the image they cover."""
    # A size or a coverage is not the objects: their names must not be taken for each other.
    size_word = "width" if size == "width" else "diameter"
    noun = called
    number = Aspect(
        cue=plural,
        section="objects",
        quantity=f"the number of {plural}",
        more=(f"shows more {plural}", f"contains more {plural}", f"holds a larger number of {plural}"),
        less=(f"shows fewer {plural}", f"contains fewer {plural}", f"holds a smaller number of {plural}"),
        most=f"shows the most {plural}",
        names=rf"(?:number|count|amount) of {noun}|{noun}",
        present=plural,
        present_names=noun,
        floor=0.5,
        counts=True,
    )
    sized = Aspect(
        cue=f"{name} {size_word}",
        section="objects",
        quantity=f"the mean {size_word} of the {plural}",
        more=(f"has the {'wider' if size == 'width' else 'larger'} {plural}",),
        less=(f"has the {'narrower' if size == 'width' else 'smaller'} {plural}",),
        most=f"has the {'widest' if size == 'width' else 'largest'} {plural}",
        names=rf"(?:diameters?|widths?|sizes?|thickness(?:es)?) of (?:the |these |its )?(?:\w+ )?{noun}|{noun} "
        r"(?:diameters?|widths?|sizes?)"
        rf"|{noun}(?: \w+){{0,3}} (?:wide|across|in diameter|in width|thick|in size)",
        more_words=rf"(?:larger|bigger|wider|thicker|coarser) {noun}",
        less_words=rf"(?:smaller|tinier|narrower|thinner|finer) {noun}",
    )
    covered = Aspect(
        cue=f"{name} coverage",
        section="objects",
        quantity=f"the share of the area that {plural} cover",
        more=(f"has more of its area covered by {plural}",),
        less=(f"has less of its area covered by {plural}",),
        most=f"has the most of its area covered by {plural}",
        names=rf"(?:area )?coverage (?:of|by|with) (?:the )?{noun}|{noun} (?:area )?coverage|covered (?:by|with) {noun}"
        rf"|share of the (?:image|area)(?: that)?(?: is)?(?: in| of)? {noun}(?: covers?)?|{noun} cover",
        grades=_SHARES,
        floor=0.5,
    )
    return number, sized, covered


_ALL: Final[tuple[Aspect, ...]] = (
    Aspect(
        cue="spacing",
        section="lattice",
        quantity="the period of the strongest periodicity",
        more=("repeats over the larger period", "has the wider spacing of its pattern"),
        less=("repeats over the smaller period", "has the narrower spacing of its pattern"),
        most="has the largest period",
        names=r"(?:lattice )?spacings?|periods?|(?:lattice )?periodicit(?:y|ies) of|pitch|lattice constant",
        more_words=r"wider[- ]spaced",
        less_words=r"closer[- ]spaced",
    ),
    Aspect(
        cue="regularity",
        section="lattice",
        quantity="the regularity (the share of the variance in periodic peaks)",
        more=("is more regular", "looks more regular", "is more periodic"),
        less=("is less regular", "looks less regular", "is less periodic"),
        most="is the most regular",
        names=r"regularit(?:y|ies)|share of the variance(?: in periodic peaks)?|periodic(?: peaks| part| share| order)",
        more_words=r"more (?:regular|periodic|ordered)|better[- ]ordered|higher order",
        less_words=r"less (?:regular|periodic|ordered)|more (?:irregular|disordered|random)",
        grades=((3.0, "irregular"), (20.0, "partly regular"), (_ANY, "regular")),
        floor=1.0,
    ),
    Aspect(
        cue="edges",
        section="texture",
        quantity="the edge density",
        more=("has more edges", "has the higher edge density", "is richer in edges"),
        less=("has fewer edges", "has the lower edge density", "is poorer in edges"),
        most="has the highest edge density",
        names=r"edge densit(?:y|ies)|density of edges|edges?|edge length|amount of edge",
        more_words=r"more edges|richer in edges",
        less_words=r"fewer edges|less edges|poorer in edges",
        grades=((8.0, "hardly any edges"), (25.0, "few edges"), (60.0, "many edges"), (_ANY, "edges everywhere")),
        floor=1.0,
    ),
    Aspect(
        cue="orientation entropy",
        section="texture",
        quantity="the orientation entropy of the edges",
        more=("has the more evenly spread edge directions", "has the higher orientation entropy"),
        less=("has the less evenly spread edge directions", "has the lower orientation entropy"),
        most="has the most evenly spread edge directions",
        names=r"orientation(?:al)? entrop(?:y|ies)|entrop(?:y|ies)(?: of (?:the )?(?:edge )?(?:orientations?|directions?))?",
        more_words=r"more evenly spread edge directions",
        less_words=r"less evenly spread edge directions",
        floor=0.05,
    ),
    Aspect(
        cue="anisotropy",
        section="texture",
        quantity="the anisotropy",
        more=("is more directional", "is more anisotropic", "keeps more to one direction"),
        less=("is less directional", "is less anisotropic", "keeps less to one direction"),
        most="is the most directional",
        names=r"anisotrop(?:y|ies)|directionality|degree of alignment",
        more_words=r"more (?:directional|anisotropic|aligned)|keeps more to one direction|stronger alignment|less isotropic",
        less_words=r"less (?:directional|anisotropic|aligned)|keeps less to one direction|more isotropic",
        grades=(
            (0.15, "without a preferred direction"),
            (0.4, "slightly directional"),
            (0.7, "clearly directional"),
            (_ANY, "strongly directional"),
        ),
        floor=0.03,
    ),
    Aspect(
        cue="contrast",
        section="quality",
        quantity="the contrast",
        more=("has the stronger contrast", "shows more contrast"),
        less=("has the weaker contrast", "shows less contrast"),
        most="has the strongest contrast",
        names=r"(?<!phase )contrast(?! between)",
        more_words=r"more contrast(?! between)",
        less_words=r"less contrast(?! between)",
    ),
    Aspect(
        cue="noise",
        section="quality",
        quantity="the noise of a pixel",
        more=("is noisier", "has more noise", "shows the stronger noise"),
        less=("is less noisy", "has less noise", "shows the weaker noise"),
        most="is the noisiest",
        names=r"(?<!-)(?<!to )noise(?: level| of a pixel)?(?! ratio)|noisiness",
        more_words=r"noisier|more noisy|grainier",
        less_words=r"less noisy|less grainy|cleaner",
    ),
    Aspect(
        cue="signal to noise",
        section="quality",
        quantity="the signal-to-noise ratio",
        more=("has the higher signal-to-noise ratio", "has the better signal-to-noise ratio"),
        less=("has the lower signal-to-noise ratio", "has the poorer signal-to-noise ratio"),
        most="has the highest signal-to-noise ratio",
        names=r"signal[- ]to[- ]noise(?: ratios?)?|SNRs?|S/N",
    ),
    Aspect(
        cue="sharpness",
        section="quality",
        quantity="the sharpness",
        more=("is sharper", "looks sharper"),
        less=("is less sharp", "is more blurred"),
        most="is the sharpest",
        names=r"sharpness|focus|blur(?:riness)?|resolution|information limit",
        more_words=r"sharper|crisper|less blurr?(?:ed|y)|better[- ]focus(?:s?ed)?",
        less_words=r"less sharp|blurrier|more blurr?(?:ed|y)|softer|worse[- ]focus(?:s?ed)?",
    ),
    Aspect(
        cue="dominant scale",
        section="texture",
        quantity="the dominant scale of the texture",
        more=("has the coarser texture", "is coarser in texture"),
        less=("has the finer texture", "is finer in texture"),
        most="has the coarsest texture",
        names=r"dominant (?:scale|size|length)s?(?: of (?:the )?texture)?|texture scale|(?:grain|feature) sizes?|texture",
        more_words=r"coarser(?: in)?(?: texture)?",
        less_words=r"finer(?: in)?(?: texture)?",
    ),
    *_objects("particle", "particles", r"particles?", "diameter"),
    *_objects("pore", "pores", r"pores?|voids?|holes?".replace("|", "|"), "diameter"),
    *_objects("fibre", "fibres", r"fib(?:re|er)s?", "width"),
    Aspect(
        cue="layers",
        section="objects",
        quantity="the number of layers",
        more=("shows more layers",),
        less=("shows fewer layers",),
        most="shows the most layers",
        names=r"(?:number|count) of layers?|layers?",
        present="layers",
        present_names=r"layers",
        floor=0.5,
        counts=True,
    ),
    Aspect(
        cue="layering",
        section="objects",
        quantity="the strength of layering",
        more=("is more clearly layered",),
        less=("is less clearly layered",),
        most="is the most clearly layered",
        names=r"layering(?: strength)?|strength of (?:the )?layering",
        more_words=r"more (?:clearly |strongly )?layered",
        less_words=r"less (?:clearly |strongly )?layered",
        floor=0.03,
    ),
    Aspect(
        cue="cracks",
        section="objects",
        quantity="the length of cracks per area",
        more=("is more cracked", "has the greater length of cracks per area"),
        less=("is less cracked", "has the smaller length of cracks per area"),
        most="is the most cracked",
        names=r"(?:density|length|amount|number) of cracks?(?: per area)?|crack (?:density|length)(?: per area)?|cracks?",
        more_words=r"more (?:cracked|cracks)",
        less_words=r"less cracked|fewer cracks|less cracks",
        present="cracks",
        present_names=r"cracks?|fractures?|fissures?",
        floor=0.1,
    ),
    Aspect(
        cue="crack width",
        section="objects",
        quantity="the width of the cracks",
        more=("has the wider cracks",),
        less=("has the narrower cracks",),
        most="has the widest cracks",
        names=r"widths? of (?:the )?cracks?|crack widths?|cracks?(?: \w+){0,3} (?:wide|in width)",
        more_words=r"wider cracks",
        less_words=r"(?:narrower|thinner|finer) cracks",
    ),
    Aspect(
        cue="lattice defects",
        section="lattice",
        quantity="the share of lattice sites that differ from the mean cell",
        more=("has the larger share of unusual lattice sites",),
        less=("has the smaller share of unusual lattice sites",),
        most="has the largest share of unusual lattice sites",
        names=r"lattice defects?|defects?|(?:share of )?(?:unusual )?lattice sites(?: that differ(?: from the mean cell)?)?"
        r"|defect (?:share|density)",
        more_words=r"more (?:lattice )?defect(?:s|ive)",
        less_words=r"(?:fewer|less) (?:lattice )?defect(?:s|ive)",
        floor=0.5,
    ),
    Aspect(
        cue="phase contrast",
        section="texture",
        quantity="the separation of dark and bright phases",
        more=("separates more clearly into dark and bright",),
        less=("separates less clearly into dark and bright",),
        most="separates the most clearly into dark and bright",
        names=r"phase contrast|phase separation|separation of (?:the )?dark and bright(?: phases)?|contrast between (?:the )?phases",
        more_words=r"separates more clearly",
        less_words=r"separates less clearly",
        floor=0.03,
    ),
    Aspect(
        cue="dark share",
        section="texture",
        quantity="the dark share of the area",
        more=("is dark over more of its area", "has the larger dark share"),
        less=("is dark over less of its area", "has the smaller dark share"),
        most="is dark over the most of its area",
        names=r"dark (?:share|part|area|fraction|regions?|tones?)(?: of (?:the|its) (?:area|image))?|is dark",
        more_words=r"dark over more",
        less_words=r"dark over less",
        floor=1.0,
    ),
)
ASPECTS: Final[Mapping[str, Aspect]] = {aspect.cue: aspect for aspect in _ALL}
"""The aspects by the name of their cue; a cue without one is never asked for."""
