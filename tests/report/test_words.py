from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.context import Context
from micrographia.findings import LABELS, DefectFindings, Finding, Marginal
from micrographia.report.numbers import (
    decimals,
    estimate,
    interval,
    number,
    probability,
    scale_bar_length,
    value_and_interval,
)
from micrographia.report.sections import lattice_words, marginal_words
from micrographia.report.words import Elements, amount, headline, label_words, second_line


def finding(label: str, expected: float, bounds: tuple[float, float], *, density: bool = True) -> Finding:
    area = 360.0
    return Finding(
        label=label,
        count=round(expected),
        expected_count=expected,
        count_interval=bounds,
        density_per_nm2=expected / area if density else None,
        density_interval_per_nm2=(bounds[0] / area, bounds[1] / area) if density else None,
    )


@pytest.mark.parametrize(
    ("value", "sd", "shown"),
    [
        (138.3, 12.4, "138 ± 12"),
        (0.0104219, 0.00013, "0.01042 ± 0.00013"),
        (26.41, 2.6, "26.4 ± 2.6"),
        (1234.56, 0.9, "1,234.6 ± 0.9"),
        (-0.034, 0.3, "0.0 ± 0.3"),
    ],
)
def test_an_estimate_has_the_digits_of_its_uncertainty(value: float, sd: float, shown: str) -> None:
    assert estimate(value, sd) == shown


@given(st.floats(1e-6, 1e6))
def test_rounding_to_its_decimals_keeps_an_uncertainty_within_a_sixth(uncertainty: float) -> None:
    shown = float(number(uncertainty, decimals(uncertainty)).replace(",", ""))
    assert shown == pytest.approx(uncertainty, rel=1 / 6)


@given(st.floats(0, 1))
def test_a_probability_never_rounds_to_certainty(p: float) -> None:
    shown = probability(p)
    assert shown == "< 0.01" if p < 0.005 else shown == "> 0.99" if p > 0.995 else abs(float(shown) - p) <= 0.00501
    assert shown not in ("0", "1", "0.00", "1.00")


@given(st.floats(1e-3, 1e6))
def test_a_scale_bar_is_round_and_fits(extent: float) -> None:
    length = scale_bar_length(extent)
    assert 0.088 * extent < length <= extent / 4.5 * 1.000001
    assert f"{length:.6e}"[0] in "125"


def test_interval_shows_zero_as_zero() -> None:
    assert interval(0.0, 4.4) == "0–4.4"


def test_headline_names_count_host_sites_density_and_interval(findings: DefectFindings) -> None:
    answer = dataclasses.replace(findings, findings=(finding("V_X", 138.2, (115.0, 162.0)), finding("D_M", 5, (2, 10))))
    chalcogens = int((findings.sites.sublattice == "X").sum())
    # sd = (162 - 115) / 3.92 = 12.0; density 138.2 / 360 = 0.384, interval 115/360 = 0.319 to 162/360 = 0.450
    assert headline(answer) == (
        f"138 ± 12 single Se vacancies (V_X) among {chalcogens} Se sites: 0.38 per nm² (95 % interval 0.32–0.45)."
    )
    assert second_line(answer) == "Also found: 5 (95 % interval 2–10) Ti on W sites (D_M)."


def test_headline_without_a_pixel_size_gives_a_share_of_sites(findings: DefectFindings) -> None:
    answer = dataclasses.replace(findings, findings=(finding("V_X", 20.0, (10.0, 30.0), density=False),))
    chalcogens = int((findings.sites.sublattice == "X").sum())
    assert "nm" not in headline(answer)
    assert f"{100 * 20 / chalcogens:.0f} % of them" in headline(answer)


def test_headline_without_defects_says_so_and_bounds_what_may_hide(bare_findings: DefectFindings) -> None:
    assert headline(bare_findings).startswith("No defects found among ")
    assert "Looked for and not found" in second_line(bare_findings)
    assert "V_X; 95 % interval 0–" in second_line(bare_findings)


def test_few_are_given_as_an_interval_as_plus_minus_would_reach_below_zero() -> None:
    assert amount(finding("D_M", 2.2, (0.4, 6.1))) == "2.2 (95 % interval 0.4–6.1)"


@pytest.mark.parametrize("host", [None, "graphite", "MoSSe"])
def test_an_unreadable_host_falls_back_to_roles(host: str | None) -> None:
    context = Context() if host is None else Context(host=host, origin="user")
    elements = Elements.of(context)
    assert (elements.metal, elements.chalcogen) == ("metal", "chalcogen")
    assert label_words("D_M", elements) == "substituent on metal site"
    assert all(label_words(label, elements) for label in LABELS)


def test_an_element_that_nobody_named_is_not_claimed() -> None:
    told = Context(host="WSe2", dopants=("Ti", "S"), origin="user")
    hypotheses = {"hypotheses": ["M", "D_M:Ti", "X2", "D_X:S", "D_X:Te", "M_X2"]}
    assert label_words("D_M", Elements.of(told, hypotheses)) == "Ti on W site"
    assert label_words("D_X", Elements.of(told, hypotheses)) == "S or another chalcogen (Te?) on Se site"
    unasked = Elements.of(Context(host="WSe2", dopants=("Ti",), origin="user"), hypotheses)
    assert label_words("D_X", unasked) == "another chalcogen (S or Te?) on Se site"
    assert label_words("D_X", unasked, plural=True) == "Se sites with another chalcogen (S or Te?)"
    assert label_words("D_X", Elements.of(told)) == "substituent on Se site"


@pytest.mark.parametrize(
    ("value", "bounds", "shown"),
    [
        (0.0256, (0.0, 2.64), ("0", "0–2.6")),
        (0.0027, (0.0003, 0.0121), ("0.003", "0.0003–0.012")),
        (0.98, (0.10, 4.66), ("1.0", "0.1–4.7")),
        (103.0, (84.2, 124.6), ("103", "84–125")),
    ],
)
def test_small_numbers_are_not_rows_of_zeros(value: float, bounds: tuple[float, float], shown: tuple[str, str]) -> None:
    assert value_and_interval(value, bounds) == shown


def test_lattice_words_follow_the_uncertainty(findings: DefectFindings) -> None:
    assert "3.3 % larger" in lattice_words(findings)
    assert "7 % too large" in lattice_words(findings)  # 1.0335 ** 2 = 1.068
    lattice = dataclasses.replace(findings.lattice, header_pixel_size_nm=0.0371, spacings_px=(8.85, 8.851, 8.852))
    words = lattice_words(dataclasses.replace(findings, lattice=lattice))
    assert "agrees with the lattice of WSe2" in words
    assert "not noticeably stretched" in words


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((0.02, 0.06, 0.84, 0.06, 0.02), "narrow it down"),
        ((0.2, 0.2, 0.2, 0.2, 0.2), "hardly say"),
        ((0.0, 0.0, 0.05, 0.25, 0.7), "edge of the range"),
    ],
)
def test_a_marginal_says_how_much_was_learned(weights: tuple[float, ...], words: str) -> None:
    marginal = Marginal(name="energy_kev", unit="keV", values=(60.0, 80.0, 100.0, 120.0, 140.0), weights=weights)
    assert words in marginal_words(marginal)
