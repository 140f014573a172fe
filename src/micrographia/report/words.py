"""Findings in words: what a label means in this material, and the answer in a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from micrographia.context import Context
from micrographia.findings import LABELS, SUBLATTICE, DefectFindings, Finding
from micrographia.report.marks import PRISTINE
from micrographia.report.numbers import estimate, interval, number, value_and_interval

_NORMAL_95 = 1.959964


@dataclass(frozen=True, kw_only=True)
class Elements:
    """What the host and its substituents are called in a sentence.

    Parameters
    ----------
    metal, chalcogen : str
        Elements of the host.
    named : mapping of str to tuple of str
        For ``"D_M"`` and ``"D_X"``, the elements that were tried because the user named them.
    unnamed : mapping of str to tuple of str
        The elements that were tried though nobody named them.
    """

    metal: str = "metal"
    chalcogen: str = "chalcogen"
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unnamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of(context: Context, settings: Mapping[str, Any] | None = None) -> Elements:
        """Return the names that a context and the method's settings allow; general words where they do not tell.

        ``settings["hypotheses"]`` says which elements each label stands for: ``["M", "D_M:Ti", "D_X:S", ...]``.

        Examples
        --------
        >>> told = Context(host="WSe2", dopants=("Ti",), origin="user")
        >>> elements = Elements.of(told, {"hypotheses": ["M", "D_M:Ti", "X2", "D_X:S", "D_X:Te"]})
        >>> elements.metal, dict(elements.named), dict(elements.unnamed)
        ('W', {'D_M': ('Ti',)}, {'D_X': ('S', 'Te')})
        """
        formula = re.fullmatch(r"([A-Z][a-z]?)([A-Z][a-z]?)2", context.host or "")
        metal, chalcogen = formula.groups() if formula else ("metal", "chalcogen")
        named: dict[str, tuple[str, ...]] = {}
        unnamed: dict[str, tuple[str, ...]] = {}
        for hypothesis in (settings or {}).get("hypotheses", ()):
            label, _, element = str(hypothesis).partition(":")
            if element:
                group = named if element in (context.dopants or ()) else unnamed
                group[label] = (*group.get(label, ()), element)
        return Elements(metal=metal, chalcogen=chalcogen, named=named, unnamed=unnamed)


def label_words(label: str, elements: Elements, *, plural: bool = False) -> str:
    """Return what a label means in this material.

    Examples
    --------
    >>> selenide = Elements(metal="W", chalcogen="Se", named={"D_M": ("Ti",)}, unnamed={"D_X": ("S", "Te")})
    >>> label_words("V_X", selenide, plural=True)
    'single Se vacancies'
    >>> label_words("D_M", selenide), label_words("D_X", selenide)
    ('Ti on W site', 'another chalcogen (S or Te?) on Se site')
    """
    m, x = elements.metal, elements.chalcogen
    end, vacancy = ("s", "vacancies") if plural else ("", "vacancy")
    words = {
        "M": f"{m} atom{end}",
        "X2": f"{x} pair{end}",
        "V_M": f"{m} {vacancy}",
        "V_X": f"single {x} {vacancy}",
        "V_X2": f"double {x} {vacancy}",
        "M_X2": f"{m}-on-{x} antisite{end}",
    }
    if label == "D_M":
        return _substituent_words("D_M", m, "metal", elements, plural)
    if label == "D_X":
        return _substituent_words("D_X", x, "chalcogen", elements, plural)
    return words.get(label, LABELS[label])


def _substituent_words(label: str, host: str, kind: str, elements: Elements, plural: bool) -> str:
    """Say which element sits on a site of the host, and do not claim one that nobody named."""
    end = "s" if plural else ""
    named = " or ".join(elements.named.get(label, ()))
    guess = " or ".join(elements.unnamed.get(label, ()))
    if not named and not guess:
        return f"substituent{end} on {host} site{end}"
    if not guess:
        return f"{named} on {host} site{end}"
    other = f"{f'{named} or ' if named else ''}another {kind} ({guess}?)"
    return f"{host} sites with {other}" if plural else f"{other} on {host} site"


def sublattice_sizes(findings: DefectFindings) -> dict[str, int]:
    """Return the number of sites of each sublattice."""
    return {key: int((findings.sites.sublattice == key).sum()) for key in ("M", "X")}


def standard_uncertainty(finding: Finding) -> float:
    """Return the standard uncertainty of a count, a 95 % interval taken as 2 × 1.96 of them."""
    low, high = finding.count_interval
    return (high - low) / (2 * _NORMAL_95)


def defects_found(findings: DefectFindings) -> tuple[Finding, ...]:
    """Return the findings of defects that are the most probable label somewhere, the most frequent first."""
    found = [f for f in findings.findings if f.label not in PRISTINE and f.count > 0]
    return tuple(sorted(found, key=lambda f: -f.expected_count))


def amount(finding: Finding) -> str:
    """Return an expected count with its uncertainty: ``138 ± 12``, or for few, ``5 (95 % interval 2–10)``."""
    if finding.expected_count >= 20:
        return estimate(finding.expected_count, standard_uncertainty(finding))
    value, bounds = value_and_interval(finding.expected_count, finding.count_interval)
    return f"{value} (95 % interval {bounds})"


def headline(findings: DefectFindings) -> str:
    """Return the answer in a sentence."""
    elements, sizes = Elements.of(findings.micrograph.context, findings.settings), sublattice_sizes(findings)
    site_words = {"M": f"{elements.metal} sites", "X": f"{elements.chalcogen} sites"}
    found = defects_found(findings)
    if not found:
        return (
            f"No defects found among {number(sizes['M'], 0)} {site_words['M']} "
            f"and {number(sizes['X'], 0)} {site_words['X']}."
        )
    first = found[0]
    where = SUBLATTICE[first.label]
    name = label_words(first.label, elements, plural=round(first.expected_count) != 1)
    sentence = f"{amount(first)} {name} ({first.label}) among {number(sizes[where], 0)} {site_words[where]}"
    if first.density_per_nm2 is not None and first.density_interval_per_nm2 is not None:
        value, bounds = value_and_interval(first.density_per_nm2, first.density_interval_per_nm2)
        return f"{sentence}: {value} per nm² (95 % interval {bounds})."
    value, bounds = value_and_interval(
        100 * first.expected_count / sizes[where],
        (100 * first.count_interval[0] / sizes[where], 100 * first.count_interval[1] / sizes[where]),
    )
    return f"{sentence}: {value} % of them (95 % interval {bounds} %)."


def second_line(findings: DefectFindings) -> str:
    """Return what a reader asks next: the other kinds found, and how many of the absent ones there may be."""
    elements = Elements.of(findings.micrograph.context, findings.settings)
    others = [
        f"{amount(f)} {label_words(f.label, elements, plural=round(f.expected_count) != 1)} ({f.label})"
        for f in defects_found(findings)[1:]
    ]
    absent = [
        f"{label_words(f.label, elements, plural=True)} ({f.label}; 95 % interval {interval(*f.count_interval)})"
        for f in findings.findings
        if f.label not in PRISTINE and f.count == 0
    ]
    parts = []
    if others:
        parts.append(f"Also found: {_listed(others)}.")
    if absent:
        parts.append(f"Looked for and not found: {_listed(absent)}.")
    return " ".join(parts)


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
