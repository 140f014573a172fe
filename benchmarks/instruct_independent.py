"""Is every verifiable answer true? Recomputed without the package: from the table of cues, and from the pixels.

Nothing of micrographia is imported. What benchmarks/instruct.py wrote is read: records.jsonl, cues.json and the pixels
in frames/. Two routes:

table: the question and the answer are parsed here, by expressions of this script; values, uncertainties and units come
    from cues.json; the limits of what differs are written down again below. As a control the same is asked of every
    record with a wrong answer, and of every sentence with its first number half as large again.
pixels: contrast, dark share, phase contrast, edges, anisotropy with its direction, orientation entropy, dominant scale
    and spacing are measured again, with numpy, scipy and scikit-image, from their definitions.

Run:  python benchmarks/instruct_independent.py --out bench-instruct
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import fft, ndimage
from skimage.filters import threshold_otsu

# Least difference that matters, in the unit of the cue; of lengths in px.
FLOORS = {
    **{
        "spacing": 0.3,
        "regularity": 2.0,
        "edges": 3.0,
        "orientation entropy": 0.1,
        "anisotropy": 0.05,
        "contrast": 3.0,
    },
    **{"noise": 0.5, "signal to noise": 0.5, "sharpness": 3.0, "dominant scale": 1.0, "particles": 0.5, "pores": 0.5},
    **{"fibres": 0.5, "layers": 0.5, "particle diameter": 1.0, "pore diameter": 1.0, "fibre width": 1.0},
    **{"crack width": 1.0, "particle coverage": 1.0, "pore coverage": 1.0, "fibre coverage": 3.0, "layering": 0.05},
    **{"cracks": 0.2, "lattice defects": 0.2, "phase contrast": 0.02, "dark share": 2.0},
}
LENGTHS = ("spacing", "dominant scale", "particle diameter", "pore diameter", "fibre width", "crack width")
# What a sentence calls each quantity; the longest name wins.
NAMES = {
    "spacing": ("period of the strongest repeat",),
    "regularity": ("regularity", "its variance in periodic peaks"),
    "edges": ("edge density",),
    "orientation entropy": ("spread of edge directions",),
    "anisotropy": ("alignment of structure", "anisotropy"),
    "contrast": ("contrast of intensities",),
    "noise": ("noise of a pixel",),
    "signal to noise": ("signal-to-noise ratio", "above the noise, at a ratio"),
    "sharpness": ("sharpness of edges",),
    "dominant scale": ("size of typical features",),
    "particles": ("number of bright particles", "bright particles"),
    "particle diameter": ("mean diameter of bright particles",),
    "particle coverage": ("share of the area that bright particles cover", "bright particles cover"),
    "pores": (
        "number of dark pores or particles",
        "dark pores or particles",
        "dark pores or dark particles",
        "dark pores",
    ),
    "pore diameter": ("mean diameter of dark pores or particles",),
    "pore coverage": ("share of the area that dark pores or particles cover", "dark pores or particles cover"),
    "fibres": ("number of fibres", "fibres"),
    "fibre width": ("width of fibres",),
    "fibre coverage": ("share of the area that fibres cover", "fibres cover"),
    "layers": ("number of layers", "layers"),
    "layering": ("strength of layering",),
    "cracks": ("length of crack-like dark lines per area", "crack-like dark lines", "cracks"),
    "crack width": ("width of crack-like dark lines",),
    "lattice defects": ("share of lattice cells that differ from the mean cell",),
    "phase contrast": ("separation of dark and bright",),
    "dark share": ("share of dark areas", "dark part take up"),
}
# What says "more" (+1) and "less" (-1) of a cue in a comparison.
SIGNS = [
    (r"less sharp|more blurred", -1),
    (r"\b(?:less|fewer|lower|smaller|thinner|narrower|weaker|poorer|finer|shorter)\b", -1),
    (r"\b(?:more|most|higher|highest|larger|largest|wider|widest|stronger|strongest|longer|longest|better|sharper"
     r"|sharpest|noisier|noisiest|greater|richer|coarser)\b", 1),
]  # fmt: skip
GRADES = {
    "irregular": ("regularity", -math.inf, 3.0),
    "partly regular": ("regularity", 3.0, 20.0),
    "regular": ("regularity", 20.0, math.inf),
    "hardly any edges": ("edges", -math.inf, 8.0),
    "few edges": ("edges", 8.0, 25.0),
    "many edges": ("edges", 25.0, 60.0),
    "edges everywhere": ("edges", 60.0, math.inf),
    "without a preferred direction": ("anisotropy", -math.inf, 0.15),
    "slightly directional": ("anisotropy", 0.15, 0.4),
    "clearly directional": ("anisotropy", 0.4, 0.7),
    "strongly directional": ("anisotropy", 0.7, math.inf),
    "noisy": ("signal to noise", -math.inf, 3.0),
    "slightly noisy": ("signal to noise", 3.0, 10.0),
    "hardly noisy": ("signal to noise", 10.0, math.inf),
}
SCALES = {"µm": 1e3, "mm": 1e6, "nm": 1.0}
NUMBER = r"-?\d+(?:\.\d+)?"
VALUE = re.compile(
    rf"(?P<value>{NUMBER})(?: ± (?P<sd>{NUMBER}))?"
    r"(?: (?P<unit>px per 1000 px²|% per px|intensity units|%|nm|µm|mm|px|bit))?"
    r"(?P<degrees>°)?"
)

Cue = dict[str, Any]


class Table:
    """What was measured on each image."""

    def __init__(self, path: Path) -> None:
        self.images = json.loads(path.read_text(encoding="utf-8"))
        self.cues = {sha: {cue["name"]: cue for cue in image["cues"]} for sha, image in self.images.items()}

    def cue(self, sha: str, name: str) -> Cue:
        """Return one cue of an image."""
        return self.cues[sha][name]

    def sd(self, sha: str, name: str) -> float:
        """Return its standard uncertainty, 0 of an exact count."""
        return float(self.cue(sha, name)["uncertainty"] or 0.0)

    def floor(self, sha: str, name: str) -> float:
        """Return the least difference that matters."""
        size = self.images[sha]["pixel_size_nm"]
        least = FLOORS[name] * (size if name in LENGTHS and size else 1.0)
        return max(least, 0.02 * abs(self.cue(sha, name)["value"] or 0.0)) if name in LENGTHS else least

    def side(self, sha: str, name: str, limit: float) -> int:
        """Return 1 above, -1 below, 0 too near."""
        away = self.cue(sha, name)["value"] - limit
        return 0 if abs(away) <= 2 * self.sd(sha, name) + self.floor(sha, name) else int(math.copysign(1, away))

    def allowed(self, a: str, b: str, name: str) -> float:
        """Return by how much two images must differ."""
        return 2 * math.hypot(self.sd(a, name), self.sd(b, name)) + max(self.floor(a, name), self.floor(b, name))

    def order(self, a: str, b: str, name: str) -> int:
        """Return 1 if a has more than b, -1 less, 0 too close to call."""
        one, other = self.cue(a, name), self.cue(b, name)
        if one["unit"] != other["unit"]:
            raise ValueError(f"{name} in {one['unit']} and {other['unit']}")
        away = one["value"] - other["value"]
        return 0 if abs(away) <= self.allowed(a, b, name) else int(math.copysign(1, away))


def numbers(text: str) -> list[float]:
    """Return the numbers of a text with units, lengths in nm."""
    found = []
    for match in VALUE.finditer(text):
        if not re.search(r"[\w²]$", text[: match.start()]):
            found.append(float(match["value"]) * SCALES.get(match["unit"] or "", 1.0))
    return found


def spoken_of(text: str) -> list[tuple[int, str]]:
    """Return where which quantities are named, longest names first taken."""
    names = sorted(
        ((name, cue) for cue, all_names in NAMES.items() for name in all_names), key=lambda one: -len(one[0])
    )
    taken = [False] * len(text)
    found = []
    for name, cue in names:
        for match in re.finditer(rf"\b{re.escape(name)}\b", text, re.IGNORECASE):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                found.append((match.start(), cue))
    return sorted(found)


def yes_no(record: dict[str, Any], table: Table) -> bool:
    question, sha = record["question"], record["images"][0]
    limits = numbers(question)
    if not limits:
        values = [(table.cue(sha, name)["value"], name) for name in record["cues"]]
        there = [value is not None and value - 2 * table.sd(sha, name) > 0 for value, name in values]
        zero = [value is not None and value <= table.floor(sha, name) for value, name in values]
        if not any(there) and not all(zero):
            return False
        absent = bool(re.search(r"free of|missing|there are no", question))
        return record["answer"] == ("yes" if any(there) != absent else "no")
    (name,) = record["cues"]
    if name not in [cue for _, cue in spoken_of(question)]:
        return False
    up = bool(re.search(r"\b(?:above|exceed|greater than|more than)\b", question))
    down = bool(re.search(r"\b(?:below|smaller than|less than)\b", question))
    side = table.side(sha, name, limits[-1])
    return up != down and side != 0 and record["answer"] == ("yes" if (side > 0) == up else "no")


def chosen(record: dict[str, Any], table: Table) -> bool:
    question, images, answer = record["question"], record["images"], record["answer"]
    (name,) = record["cues"]
    if answer in ("horizontal", "vertical"):
        across = table.cue(images[0], name)["direction_deg"]
        runs = (across + 90) % 180
        return answer == ("horizontal" if min(runs, 180 - runs) < 45 else "vertical")
    if answer in ("low", "middle", "high"):
        low, high = sorted(numbers(question))
        sides = (table.side(images[0], name, low), table.side(images[0], name, high))
        return {"low": (-1, -1), "middle": (1, -1), "high": (1, 1)}[answer] == sides
    if "opposite to the prediction" in record["options"]:
        expected = 1 if re.search(r"\bhigher in B\b", question) else -1
        found = table.order(images[1], images[0], name)
        return (
            answer == {expected: "as predicted", -expected: "opposite to the prediction", 0: "too close to call"}[found]
        )
    asked = question.split("If the difference")[0]
    sign = sign_of(asked)
    best = max(images, key=lambda sha: sign * table.cue(sha, name)["value"])
    clear = all(table.order(best, other, name) == sign for other in images if other != best)
    return answer == ("ABC"[images.index(best)] if clear else "too close to call")


def sign_of(text: str) -> int:
    return next(sign for pattern, sign in SIGNS if re.search(pattern, text))


def number(record: dict[str, Any], table: Table) -> bool:
    (name,) = record["cues"]
    cue = table.cue(record["images"][0], name)
    unit = re.search(r"in (nm|µm|mm|pixels|percent)\b", record["question"])
    scale = SCALES.get(unit[1], 1.0) if unit else 1.0
    if unit and cue["unit"] != {"pixels": "px", "percent": "%"}.get(unit[1], "nm"):
        return False
    if name not in [found for _, found in spoken_of(record["question"])]:
        return False
    value, places = float(record["answer"]) * scale, len(record["answer"].partition(".")[2])
    allowed = 2 * (cue["uncertainty"] or 0.0) + (
        0.01 * abs(cue["value"]) + 0.5 * 10**-places * scale if cue["uncertainty"] else 0
    )
    return abs(value - cue["value"]) <= allowed + 1e-9


def says(sentence: str, record: dict[str, Any], table: Table) -> tuple[int, int]:
    """Return how many statements of a sentence are true, and how many false."""
    images = record["images"]
    true = false = 0

    def judge(holds: bool) -> None:
        nonlocal true, false
        true, false = true + holds, false + (not holds)

    told = spoken_of(sentence)
    default = record["cues"][0]
    for match in VALUE.finditer(sentence):
        part_of_unit = "1000 px" in sentence[max(0, match.start() - 4) : match.end() + 3]
        if not match["unit"] and (part_of_unit or re.search(r"[\w²]$", sentence[: match.start()])):
            continue
        before = [cue for place, cue in told if place < match.start()]
        after = [cue for place, cue in told if place >= match.end() and place - match.end() < 3]
        name = after[0] if after and not match["unit"] else before[-1] if before else told[0][1] if told else default
        lead = sentence[: match.start()]
        said = float(match["value"]) * SCALES.get(match["unit"] or "", 1.0)
        digit = 0.5 * 10 ** -len(match["value"].partition(".")[2]) * SCALES.get(match["unit"] or "", 1.0)
        if match["degrees"]:
            truth = [table.cue(images[0], cue).get("direction_deg") for cue in ("spacing", "anisotropy")]
            judge(any(t is not None and abs((said - t + 90) % 180 - 90) <= digit + 1e-9 for t in truth))
        elif re.search(r"(?:above|below|than|within)(?: the)? $", lead) or re.search(r"tolerance of $", lead):
            if "differ" in sentence:
                tolerances = [table.allowed(a, b, name) for a in images for b in images if a < b]
                judge(any(abs(said - t) <= 2 * digit + 0.06 * t for t in tolerances))
            else:
                side = 1 if re.search(r"(?:above|than) $", lead) else -1
                judge(any(table.side(sha, name, said) == side for sha in images))
        elif re.search(r"difference of $|differ by $", lead):
            gaps = [
                abs(table.cue(a, name)["value"] - table.cue(b, name)["value"]) for a in images for b in images if a < b
            ]
            judge(any(abs(said - gap) <= digit + 0.06 * gap for gap in gaps))
        else:
            letter = re.match(r" in ([A-C])\b", sentence[match.end() :])
            cue = table.cue(images["ABC".index(letter[1])] if letter else images[0], name)
            unit = "nm" if match["unit"] in SCALES else match["unit"] or ""
            close = abs(said - cue["value"]) <= digit + 1e-9 and unit == cue["unit"]
            sd = match["sd"]
            if sd is not None:
                sd_digit = 0.5 * 10 ** -len(sd.partition(".")[2]) * SCALES.get(match["unit"] or "", 1.0)
                close &= abs(float(sd) * SCALES.get(match["unit"] or "", 1.0) - cue["uncertainty"]) <= sd_digit + 1e-9
            judge(close)
    for match in re.finditer(r"\b([A-C]) ((?:(?!, |\.|: ).)*?) than ([A-C])\b", sentence):
        first, second = (images["ABC".index(match[k])] for k in (1, 3))
        name = default if len(record["cues"]) == 1 else compared(match[2], record["cues"], sentence)
        judge(table.order(first, second, name) == sign_of(match[2]))
    if re.search(r"which is too close to call|cannot be told apart", sentence):
        judge(table.order(images[0], images[1], told[0][1]) == 0)
    absent = re.search(
        r"(?:There are no|No|The image is free of) ([a-z -]+?)(?: are visible| can be made out)?\.$", sentence
    )
    if absent and told:
        judge(table.cue(images[0], told[0][1])["value"] == 0)
    for word, (name, low, high) in GRADES.items():
        if re.search(rf"(?:is|are|has|There are) {re.escape(word)}\b", sentence):
            cue = table.cue(images[0], name)
            reach = 2 * table.sd(images[0], name)
            judge(low <= cue["value"] - reach and cue["value"] + reach < high)
    return true, false


CLAIMS = {
    "spacing": r"repeats over|spacing of its pattern",
    "regularity": r"regular|periodic",
    "edges": r"edges(?! in)|edge density",
    "orientation entropy": r"edges in|edge directions",
    "anisotropy": r"directional|aligned|one direction",
    "contrast": r"contrast",
    "noise": r"noise(?! ratio)|noisy",
    "signal to noise": r"signal-to-noise",
    "sharpness": r"sharp|blurred",
    "dominant scale": r"features|in texture",
    "layers": r"layers",
    "layering": r"layered",
    "particles": r"(?:more|fewer|number of) bright particles",
    "particle diameter": r"(?:larger|smaller) bright particles",
    "particle coverage": r"covered by bright",
    "pores": r"(?:more|fewer|number of) dark pores",
    "pore diameter": r"(?:larger|smaller) dark pores",
    "pore coverage": r"covered by dark",
    "fibres": r"(?:more|fewer|number of) fibres",
    "fibre width": r"(?:wider|thinner) fibres",
    "fibre coverage": r"covered by fibres",
    "cracks": r"(?:more|fewer|length of) crack-like",
    "crack width": r"(?:wider|thinner) crack-like",
    "lattice defects": r"lattice cells",
    "phase contrast": r"separates",
    "dark share": r"is dark over|dark area",
}


def compared(words: str, cues: list[str], sentence: str) -> str:
    fitting = [name for name in cues if re.search(CLAIMS[name], words)]
    if len(fitting) != 1:
        raise ValueError(f"{words!r} of {cues}: {sentence}")
    return fitting[0]


def sentences(record: dict[str, Any]) -> list[str]:
    text = record["reasoning"] + ("\n" + record["answer"] if record["answer_type"] == "text" else "")
    parts = re.split(
        r"(?<=[.!?])\s+|\n", re.sub(r"^(?:Texture|Lattice|Objects|Image quality): ", "", text, flags=re.MULTILINE)
    )
    # What a hypothesis supposes is no statement.
    return [part for part in parts if part and not part.startswith("The hypothesis predicts")]


def noise_of(grey: np.ndarray) -> float:
    """Return the standard deviation of the noise by Immerkaer's mask, doi:10.1006/cviu.1996.0060, with a median."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    return float(np.median(np.abs(ndimage.convolve(grey, mask)))) / 0.6745 / 6


class Pixels:
    """The same quantities measured again, from their definitions, by other means."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cache  # noqa: B019 - lives as long as the script
    def of(self, sha: str) -> dict[str, float]:
        """Measure an image."""
        raw = np.load(self.folder / f"{sha}.npy").astype(np.float64)
        low, high = np.percentile(raw, (1, 99))
        grey = np.clip((raw - low) / max(high - low, 1e-12), -0.5, 1.5)
        smooth = ndimage.gaussian_filter(grey, 1.5)
        level = threshold_otsu(smooth)
        dark = smooth <= level
        share = float(dark.mean())
        apart = float(smooth[~dark].mean() - smooth[dark].mean()) if 0 < share < 1 else 0.0
        down, right = (
            ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(grey, 1.5, axis=1 - k, order=0), 1.5, axis=k, order=1)
            for k in (0, 1)
        )
        noise = noise_of(grey) / (math.sqrt(8 * math.pi) * 1.5**2)
        slope2 = down**2 + right**2
        slope = np.sqrt(np.where(slope2 > (3.5 * noise) ** 2, slope2 - 2 * noise**2, 0.0))
        xx, yy, xy = (
            float((right**2).mean()) - noise**2,
            float((down**2).mean()) - noise**2,
            -float((right * down).mean()),
        )
        turns = np.rint(np.arctan2(-down, right) * 36 / math.pi).astype(int) % 36
        weights = np.bincount(turns.ravel(), weights=slope2.ravel(), minlength=36) / slope2.sum()
        spread = 100 * math.sqrt(max(float(raw.var()) - noise_of(raw) ** 2, 0.0))
        return {
            "contrast": spread / float(raw.mean()) if raw.min() >= 0 else math.nan,
            "dark share": 100 * share,
            "phase contrast": share * (1 - share) * apart**2 / float(smooth.var()),
            "edges": 1000 * float(slope.mean()),
            "anisotropy": math.hypot(xx - yy, 2 * xy) / max(xx + yy, 1e-12),
            "direction": math.degrees(math.atan2(2 * xy, xx - yy) / 2) % 180,
            "orientation entropy": -float(sum(w * math.log2(w) for w in weights if w > 0)),
            "dominant scale": self._scale(grey),
            "spacing": self._period(grey),
        }

    @staticmethod
    def _scale(grey: np.ndarray) -> float:
        """Return the width of the autocorrelation at half height, radially averaged, without a fitted plane."""
        rows, cols = np.indices(grey.shape)
        terms = np.column_stack([np.ones(grey.size), rows.ravel(), cols.ravel()])
        flat = grey - (terms @ np.linalg.lstsq(terms, grey.ravel(), rcond=None)[0]).reshape(grey.shape)
        shape = [2 * n for n in grey.shape]
        ones = fft.irfft2(np.abs(fft.rfft2(np.ones(grey.shape), shape)) ** 2, shape)
        power = fft.irfft2(np.abs(fft.rfft2(flat, shape)) ** 2, shape)
        most = min(grey.shape) // 4
        lags = np.arange(-most, most + 1)
        part = power[np.ix_(lags, lags)] / ones[np.ix_(lags, lags)]
        radius = np.rint(np.hypot(lags[:, None], lags[None, :])).astype(int)
        ring = ndimage.mean(part, radius, np.arange(most + 1))
        top = flat.var() - noise_of(grey) ** 2
        curve = np.concatenate([[1.0], ring[1:] / max(top, 1e-12)])
        below = np.flatnonzero(curve < 0.5)
        if not len(below):
            return math.nan
        end = int(below[0])
        return 2 * (end - 1 + float((curve[end - 1] - 0.5) / (curve[end - 1] - curve[end])))

    @staticmethod
    def _period(grey: np.ndarray) -> float:
        """Return the period of the highest peak over the radial median of the spectrum."""
        window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
        power = np.abs(fft.fftshift(fft.fft2((grey - grey.mean()) * window))) ** 2
        y, x = (fft.fftshift(fft.fftfreq(n)) for n in grey.shape)
        radius = np.hypot(y[:, None], x[None, :])
        ring = np.rint(radius * min(grey.shape)).astype(int)
        ground = np.asarray(ndimage.median(power, ring, np.arange(ring.max() + 1)))[ring]
        height = np.where((ring >= 4) & (radius < 0.5), power / np.maximum(ground, 1e-12), 0)
        return 1 / float(radius.flat[int(height.argmax())])

    def agrees(self, record: dict[str, Any], table: Table) -> str:
        """Return ``same``, ``near`` or ``other`` for an answer, empty where no quantity of it is measured here."""
        name, images, answer = record["cues"][0], record["images"], record["answer"]
        if len(record["cues"]) != 1 or name not in self.of(images[0]) or record["answer_type"] == "text":
            return ""
        scales = [(table.images[sha]["pixel_size_nm"] or 1.0) if name in LENGTHS else 1.0 for sha in images]
        values = [self.of(sha)[name] * scale for sha, scale in zip(images, scales, strict=True)]
        if any(math.isnan(value) for value in values):
            return ""
        reach = [2 * table.sd(sha, name) + table.floor(sha, name) for sha in images]
        question = record["question"]
        if record["answer_type"] == "number":
            unit = re.search(r"in (nm|µm|mm)\b", question)
            away = abs(float(answer) * (SCALES[unit[1]] if unit else 1.0) - values[0])
            return "same" if away <= reach[0] else "near" if away <= 2 * reach[0] else "other"
        if record["answer_type"] == "binary":
            up = bool(re.search(r"\b(?:above|exceed|greater than|more than)\b", question))
            away = (values[0] - numbers(question)[-1]) * (1 if (answer == "yes") == up else -1)
            return "same" if away > 0 else "near" if -away <= reach[0] else "other"
        if answer in ("horizontal", "vertical"):
            runs = (self.of(images[0])["direction"] + 90) % 180
            return "same" if answer == ("horizontal" if min(runs, 180 - runs) < 45 else "vertical") else "other"
        if answer in ("low", "middle", "high"):
            low, high = sorted(numbers(question))
            mine = "low" if values[0] < low else "high" if values[0] > high else "middle"
            return (
                "same"
                if mine == answer
                else "near"
                if min(abs(values[0] - low), abs(values[0] - high)) <= reach[0]
                else "other"
            )
        allowed = math.hypot(reach[0], reach[1])
        if answer == "too close to call":
            ordered = sorted(values, reverse=True)
            away = ordered[0] - ordered[1] if len(values) > 2 else abs(values[0] - values[1])
            return "same" if away <= allowed else "near" if away <= 2 * allowed else "other"
        if answer in "ABC":
            sign = sign_of(question.split("If the difference")[0])
            k = "ABC".index(answer)
            away = min(sign * (values[k] - other) for j, other in enumerate(values) if j != k)
        else:
            expected = 1 if re.search(r"\bhigher in B\b", question) else -1
            away = (values[1] - values[0]) * expected * (1 if answer == "as predicted" else -1)
        return "same" if away > 0 else "near" if -away <= allowed else "other"


def wrong(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with another answer."""
    if record["answer_type"] == "number":
        return record | {"answer": f"{3 * float(record['answer']) + 10:.3f}"}
    options = record["options"] or ["yes", "no"]
    return record | {"answer": options[(options.index(record["answer"]) + 1) % len(options)]}


def half_more(sentence: str) -> str:
    """Return a sentence with its first number half as large again."""
    return re.sub(NUMBER, lambda found: f"{1.5 * float(found[0]) + 0.1:.3f}", sentence, count=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    table = Table(given.out / "cues.json")
    pixels = Pixels(given.out / "frames")
    lines = (given.out / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if not record["rejected_because"]]
    routes = {"binary": yes_no, "choice": chosen, "number": number}
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    again: dict[str, Counter[str]] = defaultdict(Counter)
    said: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        kind = record["answer_type"]
        if kind in routes:
            holds = routes[kind](record, table)
            answers[kind]["true" if holds else "false"] += 1
            answers[kind]["wrong but true"] += routes[kind](wrong(record), table)
            if not holds:
                print("FALSE", record["question"], "|", record["answer"])
            found = pixels.agrees(record, table)
            again[record["cues"][0] if found else "not measured here"][found or "none"] += 1
        for sentence in sentences(record):
            true, false = says(sentence, record, table)
            said[record["task"]]["true"] += true
            said[record["task"]]["false"] += false
            said[record["task"]]["bare"] += not true + false
            if (other := half_more(sentence)) != sentence:
                said[record["task"]]["changed"] += 1
                said[record["task"]]["caught"] += says(other, record, table)[1] > 0
            if false:
                print("FALSE", record["id"], sentence)
    print(f"{len(records)} verified records\n")
    print("| answers, from the table of cues | true | false | with a wrong answer: called true |\n|---|---|---|---|")
    for kind, count in answers.items():
        print(f"| {kind} | {count['true']} | {count['false']} | {count['wrong but true']} |")
    print("\n| sentences, from the table of cues | true | false | without a statement | changed: caught |")
    print("|---|---|---|---|---|")
    for task, count in sorted(said.items()):
        caught = f"{count['caught']} of {count['changed']}"
        print(f"| {task} | {count['true']} | {count['false']} | {count['bare']} | {caught} |")
    print("\n| answers, from the pixels | same | within the tolerance | other |\n|---|---|---|---|")
    total: Counter[str] = Counter()
    for name, count in sorted(again.items()):
        if name != "not measured here":
            print(f"| {name} | {count['same']} | {count['near']} | {count['other']} |")
            total += count
    everything = sum(sum(count.values()) for count in again.values())
    print(f"| all | {total['same']} | {total['near']} | {total['other']} |")
    print(f"\n{100 * total.total() / everything:.0f} % of the answers rest on a quantity measured from the pixels here")


if __name__ == "__main__":
    main()
