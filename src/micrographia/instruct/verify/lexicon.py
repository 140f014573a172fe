"""Words that give an answer away: refusals, materials and objects that nobody measured."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from micrographia.instruct.tasks.aspects import ASPECTS

_REFUSALS: Final = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|afraid)|as an? (?:ai|language model|assistant|llm)"
    r"|i (?:cannot|can't|can not|do not|don't|could not|couldn't|won't) (?:\w+ ){0,3}?"
    r"(?:see|view|access|analy[sz]e|open|determine|answer|provide|tell|help|assist|interpret|look|process|have access)"
    r"|(?:no|without (?:an?|the)) (?:image|micrograph|picture|photo) (?:was |is |has been )?"
    r"(?:provided|attached|given|uploaded|available|included|shown)"
    r"|(?:please|could you) (?:provide|upload|attach|share)"
    r"|unable to (?:see|view|answer|determine|analy[sz]e|access|provide)"
    r"|cannot (?:see|view|access|open) (?:the |this |any |an )?(?:image|micrograph|picture|file)s?"
    r"|not (?:possible|enough information) to (?:answer|determine|tell|say)|(?:insufficient|need more) information"
    r"|(?:image|micrograph|picture)s? (?:is|are|was|were) not (?:available|provided|attached|accessible))\b",
    re.IGNORECASE,
)
_ELEMENTS: Final = frozenset(
    re.findall(
        r"[A-Z][a-z]?",
        "HHeLiBeBCNOFNeNaMgAlSiPSClArKCaScTiVCrMnFeCoNiCuZnGaGeAsSeBrKrRbSrYZrNbMoTcRuRhPdAgCdInSnSbTeIXeCsBaLaCePrNdPm"
        "SmEuGdTbDyHoErTmYbLuHfTaWReOsIrPtAuHgTlPbBiPoAtRnFrRaAcThPaU",
    )
)
_FORMULA: Final = re.compile(r"\b(?:[A-Z][a-z]?\d*){2,}\b")
_SYMBOL: Final = re.compile(r"[A-Z][a-z]?")
_MATERIALS: Final = re.compile(
    r"\b(?:alumin(?:i)?um|iron|steels?|copper|gold|silver|platinum|palladium|nickel|cobalt|titanium|tungsten|zinc"
    r"|chromium|molybdenum|magnesium|silicon|germanium|carbon|graphite|graphene|diamond|sulph?ur|selenium|oxygen|nitrogen"
    r"|hydrogen|lithium|sodium|potassium|calcium|zirconi(?:a|um)|alumina|silica|titania|ceria|hafni(?:a|um)|yttri(?:a|um)"
    r"|oxides?|nitrides?|carbides?|sulph?ides?|selenides?|silicates?|alloys?|superalloys?|metals?|metallic|ceramics?"
    r"|polymers?|plastics?|rubber|glass|quartz|cement|concrete|minerals?|clay|salts?|perovskites?|zeolites?|semiconductors?"
    r"|ferrite|austenite|martensite|pearlite|cementite|spheroidite|brass|bronze|solder|wood|cellulose|collagen|proteins?"
    r"|dna|bone|biological|organic|inorganic|tissue)\b",
    re.IGNORECASE,
)
_OBJECTS: Final = re.compile(
    r"\b(?:dislocations?|(?:grain|twin|phase|domain) boundar(?:y|ies)|grains?|twins?|stacking faults?|vacanc(?:y|ies)"
    r"|interstitials?|dopants?|impurit(?:y|ies)|precipitates?|inclusions?|dendrites?|nano\w+|tubes?|wires?|rods?"
    r"|spheres?|spherical|cubes?|cubic|hexagon(?:al|s)?|flakes?|platelets?|needles?|whiskers?|droplets?|bubbles?|crystals?"
    r"|crystallites?|atoms?|atomic|molecules?|bacteri(?:a|um)|virus(?:es)?|(?<!lattice )(?<!mean )cells?|nucle(?:us|i)"
    r"|membranes?|neurons?|hairs?|pollen|insects?|films?|coatings?|substrates?|steps|terraces|islands?|pillars?|electrodes?"
    r"|wafers?|chips?|circuits?|transistors?|scale bars?|info(?:rmation)? bars?|arrows?|labels?|logos?|water ?marks?"
    r"|scratch(?:es)?|contamination|dust|corrosion|rust|fatigue|loops?|melt pools?|powders?|delamination"
    r"|colou?rs?|red|green|blue|yellow)\b",
    re.IGNORECASE,
)
_THERE: Final = re.compile(
    r"\b(?:there (?:is|are)|shows?|contains?|reveals?|displays?|exhibits?|depicts?|presence of|signs of|evidence of"
    r"|consists? of|composed of|visible are|includes?|featuring)\s+([\w'’±.%-]+(?:\s+[\w'’±.%-]+){0,6}?)"
    r"(?=[,.;:!?]|\s(?:of|with|in|at|and|or|that|which|than|on|for|as|by|to|from|is|are|but|while|per|across|can|cover)\b|$)",
    re.IGNORECASE,
)
_HEADS: Final = re.compile(
    r"(?:structures?|patterns?|contrast|noise|textures?|features?|regions?|areas?|edges?|images?|micrographs?|values?|order"
    r"|periodicit\w+|repeats?|details?|differences?|objects?|things?|directions?|signals?|phases?|tones?|greys?|grays?"
    r"|lines?|boundar(?:y|ies)|defects?|share|parts?|number|amount|level|degree|kind|sort|variety|range|mix|mixture|lot"
    r"|[A-D]|total|mean|average|size|scale|width|diameter|length|density|coverage|more|less|fewer|none|nothing|everywhere|it"
    r"|px|nm|µm|%|bit|trace|evidence|sign|signs|presence|ratio|spread|alignment|symmetry|background|lattice|variation"
    r"|uniformity|distribution|cells?|sites?|spacings?|periods?|ground|one|two|both|dark|bright|\W*[\d.,±% -]+\W*)",
    re.IGNORECASE,
)
_FILES: Final = re.compile(
    r"\b[\w-]+\.(?:tiff?|png|jpe?g|bmp|gif|dm[34]|emd|emi|ser|mrc|hspy|npy|npz|csv|json|h5|hdf5|bcf)\b"
    r"|(?:[A-Za-z]:\\|(?<![\w./])/(?:home|data|tmp|mnt|work|usr|Users|var)/|\.\./|\b[0-9a-f]{24,}\b)",
    re.IGNORECASE,
)


def refusal(text: str) -> str:
    """Return the words by which a text refuses to answer; empty if it does not.

    Examples
    --------
    >>> refusal("I'm sorry, but I cannot see the image."), refusal("No cracks can be seen.")
    ("I'm sorry", '')
    """
    match = _REFUSALS.search(text)
    return match.group() if match else ""


def invented(sentence: str) -> str:
    """Return a material or an object that the sentence names and nobody measured; empty if there is none.

    Examples
    --------
    >>> invented("The TiO2 particles are round."), invented("There are three giraffes."), invented("There are 3 pores.")
    ('TiO2', 'giraffes', '')
    """
    for match in _FORMULA.finditer(sentence):
        symbols = _SYMBOL.findall(match.group())
        if len(symbols) > 1 and set(symbols) <= _ELEMENTS and not match.group().isupper():
            return match.group()
    for pattern in (_MATERIALS, _OBJECTS):
        if found := pattern.search(sentence):
            return found.group()
    for match in _THERE.finditer(sentence):
        words = match.group(1).split()
        if words and not _known_head(match.group(1).strip(" .,;")):
            return words[-1].strip(".,;")
    return ""


def file_named(text: str) -> str:
    """Return a file, a path or a hash that a text names; empty if there is none.

    Examples
    --------
    >>> file_named("As seen in field_02.tif, there is noise."), file_named("The ratio is 3.5.")
    ('field_02.tif', '')
    """
    match = _FILES.search(text)
    return match.group() if match else ""


@cache
def _known() -> re.Pattern[str]:
    names = "|".join(f"(?:{aspect.names})" for aspect in ASPECTS.values())
    things = "|".join(f"(?:{aspect.present_names})" for aspect in ASPECTS.values() if aspect.present_names)
    return re.compile(rf".*\b(?:{names}|{things})\W*$", re.IGNORECASE | re.DOTALL)


def _known_head(phrase: str) -> bool:
    """Whether what is said to be there ends in something that was measured or that says nothing."""
    return bool(_known().match(phrase)) or bool(_HEADS.fullmatch(phrase.split()[-1]))
