from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from micrographia.atoms.compare import LabelledSites, SiteComparison, compare_sites, read_labelled_sites
from micrographia.cli import compare as command
from micrographia.cli.app import app
from micrographia.errors import InputError, ReadError
from micrographia.findings import SiteTable

WORDS = ("M", "X2", "V_X", "D_M")


def table(*rows: tuple[float, float, str]) -> LabelledSites:
    return LabelledSites(
        x_px=np.array([r[0] for r in rows], dtype=float),
        y_px=np.array([r[1] for r in rows], dtype=float),
        label=np.array([r[2] for r in rows], dtype=str),
    )


# Ten columns 10 px apart; what A says of them, against B:
#   X2 X2 X2 X2 V_X V_X M M - -      A   (one more V_X far away)
#   X2 X2 X2 V_X V_X V_X M M X2 D_M  B
A = table(*((10.0 * k, 0.5, w) for k, w in enumerate(("X2",) * 4 + ("V_X",) * 2 + ("M",) * 2)), (500.0, 0.0, "V_X"))
B = table(*((10.0 * k, 0.0, w) for k, w in enumerate(("X2",) * 3 + ("V_X",) * 3 + ("M",) * 2 + ("X2", "D_M"))))


def score(result: SiteComparison, label: str) -> tuple[float | None, ...]:
    s = next(s for s in result.scores if s.label == label)
    return s.precision, s.recall, s.f1, s.found_fraction


def test_scores_by_hand() -> None:
    result = compare_sites(A, B)
    assert len(result.pairs) == 8
    assert result.unmatched_a.tolist() == [8]
    assert result.unmatched_b.tolist() == [8, 9]
    assert score(result, "X2") == pytest.approx((3 / 4, 3 / 4, 6 / 8, 3 / 4))
    assert score(result, "V_X") == pytest.approx((2 / 3, 2 / 3, 4 / 6, 3 / 3))
    assert score(result, "M") == (1, 1, 1, 1)
    assert score(result, "D_M") == (None, 0, 0, 0)
    assert result.labels == ("M", "D_M", "X2", "V_X")
    assert result.confusion.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 3, 1], [0, 0, 0, 2]]
    assert result.offset_px == pytest.approx((0.0, 0.5))
    # Cohen: observed 7/8; chance (2*2 + 4*3 + 2*3) / 64 = 22/64; (7/8 - 22/64) / (1 - 22/64) = 34/42
    assert result.kappa == pytest.approx(34 / 42)


def test_kappa_against_the_closed_form_for_two_labels() -> None:
    # For a 2 x 2 table, kappa = 2 (ad - bc) / ((a + b)(b + d) + (a + c)(c + d)).
    a, b, c, d = 41, 7, 3, 19
    pairs = [("X2", "X2")] * a + [("X2", "V_X")] * b + [("V_X", "X2")] * c + [("V_X", "V_X")] * d
    tested = table(*((10.0 * k, 0.0, p[0]) for k, p in enumerate(pairs)))
    known = table(*((10.0 * k, 0.0, p[1]) for k, p in enumerate(pairs)))
    expected = 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))
    assert compare_sites(tested, known).kappa == pytest.approx(expected)


def test_a_label_without_support_has_no_score_rather_than_zero() -> None:
    result = compare_sites(table((0, 0, "V_X")), table((0, 0, "X2")))
    assert score(result, "V_X") == (0, None, None, None)
    assert score(result, "X2") == (None, 0, 0, 1)


def test_kappa_without_pairs_or_without_variety_is_undefined() -> None:
    assert compare_sites(table((0, 0, "M")), table((9, 9, "M"))).kappa is None
    assert compare_sites(table((0, 0, "M")), table((0, 0, "M"))).kappa is None


def test_matching_takes_most_pairs_where_greedy_would_take_the_nearest() -> None:
    # A at 0 and 1.5, B at 1.0 and 2.9: the nearest pair is (1.5, 1.0), which would leave A's 0 alone.
    result = compare_sites(table((0, 0, "M"), (1.5, 0, "M")), table((1.0, 0, "M"), (2.9, 0, "M")), tolerance_px=1.45)
    assert result.pairs.tolist() == [[0, 0], [1, 1]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_matching_is_optimal_against_trying_everything(seed: int, n_a: int, n_b: int) -> None:
    rng = np.random.default_rng(seed)
    a = table(*((*rng.uniform(0, 4, 2), "M") for _ in range(n_a)))
    b = table(*((*rng.uniform(0, 4, 2), "M") for _ in range(n_b)))
    distance = np.hypot(a.x_px[:, None] - b.x_px, a.y_px[:, None] - b.y_px)
    best = (0, 0.0)
    for size in range(1, min(n_a, n_b) + 1):
        for rows in itertools.combinations(range(n_a), size):
            for columns in itertools.permutations(range(n_b), size):
                chosen = distance[list(rows), list(columns)]
                if (chosen <= 1.5).all():
                    best = max(best, (size, -float(chosen.sum())))
    result = compare_sites(a, b, tolerance_px=1.5)
    assert len(result.pairs) == best[0]
    assert result.distances_px.sum() == pytest.approx(-best[1], abs=1e-9)
    assert len(set(result.pairs[:, 0])) == len(set(result.pairs[:, 1])) == len(result.pairs)


@st.composite
def sites(draw: st.DrawFn) -> LabelledSites:
    cells = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25, unique=True))
    words = draw(st.lists(st.sampled_from(WORDS), min_size=len(cells), max_size=len(cells)))
    return table(*((3.0 * c, 3.0 * r, w) for (c, r), w in zip(cells, words, strict=True)))


@settings(max_examples=40, deadline=None)
@given(sites())
def test_a_table_agrees_with_itself_perfectly(a: LabelledSites) -> None:
    result = compare_sites(a, a, tolerance_px=10.0)
    assert result.pairs.tolist() == [[k, k] for k in range(len(a))]
    assert all(score(result, s.label) == (1, 1, 1, 1) for s in result.scores)
    assert result.kappa == (1.0 if len(result.labels) > 1 else None)


@settings(max_examples=40, deadline=None)
@given(sites(), sites(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(a: LabelledSites, b: LabelledSites, random: object) -> None:
    order = list(range(len(a)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = LabelledSites(x_px=a.x_px[order], y_px=a.y_px[order], label=a.label[order])
    one, other = (compare_sites(x, b, tolerance_px=4.0) for x in (a, shuffled))
    assert one.confusion.tolist() == other.confusion.tolist()
    assert one.scores == other.scores
    assert {tuple(p) for p in one.pairs.tolist()} == {(order[i], k) for i, k in other.pairs.tolist()}


@settings(max_examples=40, deadline=None)
@given(sites(), sites())
def test_swapping_the_tables_transposes_the_confusion_matrix(a: LabelledSites, b: LabelledSites) -> None:
    one, other = compare_sites(a, b), compare_sites(b, a)
    assert one.labels == other.labels
    assert one.confusion.tolist() == other.confusion.T.tolist()
    assert one.unmatched_a.tolist() == other.unmatched_b.tolist()


def test_a_site_table_can_be_compared_as_it_is() -> None:
    found = SiteTable(
        x_px=np.array([0.0, 10.0]),
        y_px=np.zeros(2),
        sublattice=np.array(["X", "X"]),
        labels=("X2", "V_X"),
        posterior=np.array([[0.9, 0.1], [0.2, 0.8]]),
        residual=np.ones(2),
    )
    result = compare_sites(found, table((0, 0, "X2"), (10, 0, "V_X")))
    assert result.kappa == 1


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_tolerance_is_refused(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        compare_sites(A, B, tolerance_px=tolerance)


def test_a_tolerance_of_many_columns_is_refused_before_memory_runs_out() -> None:
    row = table(*((float(k), 0.0, "M") for k in range(300)))
    with pytest.raises(InputError, match="possible partners"):
        compare_sites(row, row, tolerance_px=250.0)


# ---- files and the command line ---------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for name, sites_ in (("a.csv", A), ("b.csv", B)):
        rows = "".join(f"{x},{w},note,{y}\n" for x, y, w in zip(sites_.x_px, sites_.y_px, sites_.label, strict=True))
        (tmp_path / name).write_text(f"x_px,label,extra,y_px\n{rows}")
    return str(tmp_path / "a.csv"), str(tmp_path / "b.csv")


def test_json_output_by_hand(files: tuple[str, str]) -> None:
    answer = CliRunner().invoke(app, ["compare", "sites", *files, "--json"])
    assert answer.exit_code == 0
    result = json.loads(answer.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert result["schema"] == "micrographia/compare-sites/1"
    assert (result["matched"], result["unmatched_tested"], result["unmatched_reference"]) == (8, 1, 2)
    assert result["kappa"] == pytest.approx(34 / 42)
    assert result["labels"]["D_M"]["precision"] is None
    assert result["confusion"]["X2"]["V_X"] == 1


def test_table_output_shows_a_dash_for_what_is_undefined(files: tuple[str, str]) -> None:
    answer = CliRunner().invoke(app, ["compare", "sites", *files])
    assert answer.exit_code == 0
    row = next(line for line in answer.stdout.splitlines() if "D_M" in line)
    assert "–" in row
    assert "nan" not in answer.stdout
    assert "Cohen's kappa 0.810" in answer.stdout


def test_within_reference_leaves_out_what_lies_outside_its_box(files: tuple[str, str]) -> None:
    # A lies at y = 0.5 and the reference at y = 0, so that its box holds only A's site at (500, 0)'s row, which is too
    # far right: nothing is inside, and that is said.
    answer = CliRunner().invoke(app, ["compare", "sites", *files, "--within-reference"])
    assert isinstance(answer.exception, InputError)
    flipped = CliRunner().invoke(app, ["compare", "sites", files[1], files[0], "--within-reference", "--json"])
    result = json.loads(flipped.stdout)
    # The box of A is x 0..500, y 0..0.5, and holds all of B.
    assert (result["left_out"], result["matched"]) == (0, 8)
    box = table((0, -1, "M"), (35, 1, "M"))
    assert A.within(box).x_px.tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"x_px,y_px\n1,2\n", "no column label"),
        (b"", "no column x_px"),
        (b"x_px,y_px,label\n", "no rows"),
        (b"x_px,y_px,label\n1,two,M\n", "row 1: y_px is 'two'"),
        (b"x_px,y_px,label\n1,nan,M\n", "row 1: y_px is 'nan'"),
        (b"x_px,y_px,label\n1,2\n", "label is empty"),
        (b"x_px,y_px,label\n1\n", "row 1: y_px is None"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a CSV file|no column"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=complaint) as caught:
        read_labelled_sites(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ReadError, match="cannot read"):
            read_labelled_sites(path)


def test_labels_may_be_any_words_and_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_bytes(b"\xef\xbb\xbfx_px, y_px ,label\r\n1,2,grain boundary\r\n")
    assert read_labelled_sites(path).label.tolist() == ["grain boundary"]


def test_the_family_is_registered_on_the_application() -> None:
    assert isinstance(command.compare, typer.Typer)
    assert "compare" in {group.name for group in app.registered_groups}
