"""What a sentence states of the images: values, limits, presence, comparisons, grades."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.verify.claim import Claim, Clause, Kind
from micrographia.instruct.verify.comparisons import comparisons
from micrographia.instruct.verify.mentions import DIFFERENCE, TOLERANCE, mentions, with_unit_of
from micrographia.instruct.verify.quantities import WORDS, Quantity, quantities, with_units
from micrographia.instruct.verify.sentences import after, before, clauses, letters

# What is only supposed is no statement: modals, conditions, and what a hypothesis predicts.
_SUPPOSED: Final = re.compile(
    r"\b(?:would|could|should|might|may|if|whether|suppos\w+|hypothes[ie]s|predicts?|expect(?:s|ed)?|assume[sd]?|assuming|asks?|asked"
    r"|suggest\w*|indicate[sd]? that|possibl[ey]|likely|probably|perhaps)\b|\?\s*$",
    re.IGNORECASE,
)
_BECAUSE: Final = re.compile(r",?\s*\b(?:because|since|as a result of|due to)\b.*$", re.IGNORECASE | re.DOTALL)
_NEGATED: Final = re.compile(
    r"\b(?:no|not|without|free of|free from|absence of|lacks?|lacking|devoid of|absent|none|neither|nor|never|missing"
    r"|zero|cannot|rules? out|invisible)\b|n't\b",
    re.IGNORECASE,
)
_NO_LONGER_NEGATED: Final = re.compile(
    r"\b(?:not only|no doubt|not just|cannot be (?:denied|overlooked))\b", re.IGNORECASE
)
# Words for grades besides those agreed in `aspects`: regular expression, cue, from, to.
_GRADES: Final[tuple[tuple[str, str, float, float], ...]] = (
    (r"(?:highly|very|perfectly|strongly|well) (?:regular|periodic|ordered|crystalline)", "regularity", 20.0, 1e9),
    (r"highly ordered|strictly periodic|perfect lattice", "regularity", 20.0, 1e9),
    (r"irregular|disordered|aperiodic|amorphous|random", "regularity", -1e9, 20.0),
    (r"regular(?:ly)?|periodic(?:ally)?|well[- ]ordered", "regularity", 3.0, 1e9),
    (r"(?:strongly|highly|very|clearly) (?:directional|anisotropic|aligned|oriented)", "anisotropy", 0.4, 1e9),
    (r"isotropic|non-directional|without (?:a |any )?preferred (?:direction|orientation)", "anisotropy", -1e9, 0.15),
    (r"directional|anisotropic|aligned", "anisotropy", 0.15, 1e9),
    (r"very noisy|extremely noisy", "signal to noise", -1e9, 3.0),
    (r"noisy|grainy", "signal to noise", -1e9, 10.0),
    (r"noise-free|hardly noisy|almost noise-free|very clean", "signal to noise", 10.0, 1e9),
)
_COUNTED: Final = (
    (r"many|numerous|plenty of|lots of|abundant|countless|a large number of", 10.0, 1e9),
    (r"dozens of", 20.0, 1e9),
    (r"hundreds of|thousands of", 80.0, 1e9),
    (r"few|a few|several|some|a handful of|sparse|scattered|isolated", 0.5, 30.0),
    (r"a single|only one|a lone", 0.5, 1.5),
    (r"a pair of|two", 1.5, 2.5),
)
_CONCLUSION: Final = re.compile(
    r"\b(?:the |so |my |final )*answer(?: is|:)\s*[\"'“]?([\w .,-]+?)[\"'”]?\s*[.!]?$|:\s*(yes|no)\s*[.!]?$",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def claims(sentence: str, images: int, *, topic: str | None = None) -> tuple[Claim, ...]:
    """Return what a sentence states.

    Parameters
    ----------
    sentence : str
        One sentence.
    images : int
        How many images there are.
    topic : str, optional
        Cue that is spoken of, where the sentence names none.

    Examples
    --------
    >>> [(c.kind, c.cue, c.image) for c in claims("A has more edges than B: 41 ± 1 in A and 30 ± 1 in B.", 2)]
    [('comparison', 'edges', 0), ('value', 'edges', 0), ('value', 'edges', 1)]
    """
    found: list[Claim] = []
    conclusion = _CONCLUSION.search(sentence)
    if conclusion:
        found.append(Claim(kind="conclusion", said=(conclusion.group(1) or conclusion.group(2)).strip()))
        sentence = sentence[: conclusion.start()]
    stated = _BECAUSE.sub("", sentence)
    if _SUPPOSED.search(stated):
        return tuple(found)
    speaker: int | None = None
    for clause in map(with_units, clauses(stated)):
        named, told = letters(clause, images), mentions(clause)
        measured = [mention.cue for mention in told if mention.cue not in (DIFFERENCE, TOLERANCE)]
        topic = measured[-1] if measured and not topic else topic
        context = Clause(text=clause, named=named, told=told, images=images, topic=measured[0] if measured else topic)
        compared = comparisons(context)
        found += compared
        found += _values(context, speaker)
        found += _presence(context, speaker, bool(compared))
        if not compared:
            found += _grades(context, speaker)
        speaker = named[-1].image if named else speaker
        topic = measured[-1] if measured else topic
    return tuple(found)


def _values(clause: Clause, speaker: int | None) -> list[Claim]:
    numbers = [
        q for q in quantities(clause.text) if not re.search(r"\b(?:images?|step|figure)\s*$", clause.text[: q.start])
    ]
    respectively = "respectively" in clause.text and len(clause.named) == len(numbers)
    found = []
    for k, number in enumerate(numbers):
        if re.match(
            r"\s*(?:standard )?(?:uncertainties|sigmas?|standard deviations?|images?|micrographs?)",
            clause.text[number.end :],
        ):
            continue
        cue = _cue_of(clause, number)
        image = clause.named[k].image if respectively else _image_of(clause, number, speaker)
        kind: Kind = "value"
        if number.unit == "°":
            kind = "direction"
        elif cue in (DIFFERENCE, TOLERANCE):
            kind, cue = ("difference" if cue == DIFFERENCE else "tolerance"), clause.topic
        denied = number.relation == "is" and re.search(r"\bnot\s+(?:\w+\s+)?$", clause.text[: number.start])
        found.append(Claim(kind=kind, said=clause.text, cue=cue, image=image, quantity=number, positive=not denied))
    return found


def _cue_of(clause: Clause, number: Quantity) -> str | None:
    """Return what a number is the value of: what is counted right after it, else what was named last, else next."""
    counted = next((m for m in clause.told if m.start >= number.end), None)
    if counted and not number.unit and counted.cue in ASPECTS and ASPECTS[counted.cue].counts:
        between = clause.text[number.end : counted.start]
        if re.fullmatch(r"\s*(?:[a-z-]+\s+){0,2}", between) and not re.search(r"\b(?:in|for|and|or|of|is)\b", between):
            return counted.cue
    earlier = [m for m in clause.told if m.end <= number.start]
    if len(earlier) > 1 and earlier[-2].cue == DIFFERENCE:
        # "The difference in edge density is ...": of the edge density, but the difference.
        between = clause.text[earlier[-2].end : earlier[-1].start]
        if re.fullmatch(r"\s+(?:in|of)(?: the)?\s+", between):
            return DIFFERENCE
    if earlier:
        return with_unit_of(earlier[-1].cue, number.unit)
    if clause.topic:
        return with_unit_of(clause.topic, number.unit)
    return with_unit_of(counted.cue, number.unit) if counted else None


def _image_of(clause: Clause, number: Quantity, speaker: int | None) -> int | None:
    if clause.images < 2:
        return 0
    directly = re.match(
        r"\s*(?:\(|in |for |of |on |at )?\s*(?:the )?(?:image |micrograph |picture )?([A-D])\b",
        clause.text[number.end :],
    )
    if directly:
        start = number.end + directly.start(1)
        found = next((letter.image for letter in clause.named if letter.start == start), None)
        if found is not None:
            return found
    earlier = before(clause.named, number.start)
    if earlier is not None:
        return earlier
    return speaker if speaker is not None else after(clause.named, number.end)


@cache
def _things() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (name, re.compile(rf"\b(?:{aspect.present_names})\b")) for name, aspect in ASPECTS.items() if aspect.present
    )


def _presence(clause: Clause, speaker: int | None, compared: bool) -> list[Claim]:
    """Return statements that something is there or not: objects named without a number."""
    found = []
    negated = _NEGATED.search(_NO_LONGER_NEGATED.sub("", clause.text))
    for name, pattern in _things():
        for match in pattern.finditer(clause.lower):
            mention = next((m for m in clause.told if m.start <= match.start() and match.end() <= m.end), None)
            # Part of a longer name, as in the diameter of particles, says nothing on presence by itself.
            if (
                mention is None
                or mention.cue != name
                or re.match(r"(?:number|count|amount|density|length)", clause.text[mention.start :])
            ):
                continue
            if compared or any(0 <= match.start() - q.end <= 25 for q in quantities(clause.text)):
                continue
            image = before(clause.named, match.start())
            image = after(clause.named, match.end()) if image is None else image
            image = image if image is not None else speaker if clause.images > 1 else 0
            lead = clause.text[: match.start()]
            word = re.search(rf"\b({'|'.join(WORDS)})\s+(?:\w+\s+){{0,2}}$", lead, re.IGNORECASE)
            many = next(
                (
                    (low, high)
                    for words, low, high in _COUNTED
                    if re.search(rf"\b(?:{words})\s+(?:\w+\s+){{0,2}}$", lead, re.IGNORECASE)
                ),
                None,
            )
            # A number in words is a value like any other.
            if word and ASPECTS[name].counts and not negated:
                value = float(WORDS[word.group(1).lower()])
                many = (value - 0.5, value + 0.5)
            if many and not negated and ASPECTS[name].counts:
                found.append(Claim(kind="grade", said=clause.text, cue=name, image=image, low=many[0], high=many[1]))
            else:
                found.append(Claim(kind="presence", said=clause.text, cue=name, image=image, positive=negated is None))
    return found


@cache
def _grade_words() -> tuple[tuple[re.Pattern[str], str, float, float], ...]:
    every = list(_GRADES)
    for name, aspect in ASPECTS.items():
        low = -1e9
        for limit, word in aspect.grades:
            every.append((re.escape(word), name, low, min(limit, 1e9)))
            low = limit
    # Longer words first: "partly regular" is not "regular".
    every.sort(key=lambda one: -len(one[0]))
    return tuple((re.compile(rf"\b(?:{words})\b"), name, low, high) for words, name, low, high in every)


def _grades(clause: Clause, speaker: int | None) -> list[Claim]:
    found = []
    taken: list[tuple[int, int]] = []
    for pattern, name, low, high in _grade_words():
        for match in pattern.finditer(clause.lower):
            lead = clause.text[: match.start()]
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            taken.append(match.span())
            if re.search(r"\b(?:more|less|most|least|equally)\s*$", lead, re.IGNORECASE):
                continue
            image = before(clause.named, match.start())
            image = speaker if image is None and clause.images > 1 else image if clause.images > 1 else 0
            negated = re.search(r"\b(?:not|isn't|no|nor|hardly|neither)\b(?:\s+\w+){0,2}\s*$", lead, re.IGNORECASE)
            found.append(
                Claim(
                    kind="grade", said=clause.text, cue=name, image=image, low=low, high=high, positive=negated is None
                )
            )
    return found
