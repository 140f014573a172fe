import csv
import io

import numpy as np
import pytest
from ase.io import write
from rich.console import Console

from micrographia.cli import simulate
from micrographia.read import read
from micrographia.simulate import cell, host

PROBE = ("--energy-kev", "80", "--convergence-mrad", "25", "--pixel-size-nm", "0.03")
HAADF = ("--collection-mrad", "76", "200")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def scan(run, *arguments):
    return run("simulate", "scan", *PROBE, *HAADF, *arguments)


@pytest.mark.parametrize("suffix", [".npy", ".hspy", ".tif"])
def test_a_doped_monolayer_is_written_with_its_context_and_its_truth(run, tmp_path, suffix):
    flags = (
        "--collection-mrad 50 120 --host WSe2 --dopant Ti --defect D_M=0.2 --defect V_X=0.1 --size-nm 4 3 --dose 1e6"
    )
    code, out, err = scan(run, *flags.split(), "--dose", "1e6", "--out", f"scan{suffix}")
    assert (code, err) == (0, "")
    assert out.split() == [f"scan{suffix}", "scan.sites.csv"]
    micrograph = read(f"scan{suffix}")
    assert micrograph.frames.shape == (2, 100, 134)
    assert micrograph.pixel_size_nm == pytest.approx(0.03)
    context = micrograph.context
    assert (context.host, context.dopants, context.energy_kev, context.dose_e_per_A2) == ("WSe2", ("Ti",), 80.0, 1e6)
    assert context.collection_mrad == ((76.0, 200.0), (50.0, 120.0))
    assert set(context.origins.values()) == {"user"}
    with open("scan.sites.csv", newline="") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"M", "D_M", "X2", "V_X"}
    x, y = (np.array([float(row[name]) for row in rows]) for name in ("x_px", "y_px"))
    assert min(x.min(), y.min()) >= -0.5
    assert x.max() < 133.5
    assert y.max() < 99.5
    assert len(rows) == pytest.approx(2 * 40.2 * 30 / (np.sqrt(3) / 2 * 3.32**2), rel=0.08)
    # Where the truth says tungsten, the scan is brighter than where it says titanium.
    haadf = micrograph.frames[0]
    labels = np.array([row["label"] for row in rows])
    peaks = haadf[np.round(y).astype(int), np.round(x).astype(int)]
    assert peaks[labels == "M"].mean() > 3 * peaks[labels == "D_M"].mean()


def test_the_truth_is_a_reference_for_compare_sites(run):
    scan(run, "--host", "MoS2", "--size-nm", "2", "2", "--out", "a.npy")
    code, out, _ = run("compare", "sites", "a.sites.csv", "a.sites.csv", "--json")
    assert code == 0
    assert '"kappa": 1.0' in out


def test_a_seed_makes_the_same_scan_again(run):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        scan(run, "--host", "MoS2", "--size-nm", "2", "2", "--dose", "1e5", "--seed", seed, "--out", f"{name}.npy")
    a, b, c = (np.load(f"{name}.npy") for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_structure_repeats_past_its_edges_and_has_no_truth(run, tmp_path):
    write("cell.xyz", cell(host("MoS2"), (2, 1)))
    code, out, err = scan(run, "--structure", "cell.xyz", "--out", "scan.npy")
    assert (code, out.split(), err) == (0, ["scan.npy"], "")
    small = read("scan.npy").frames[0]
    write("cell.xyz", cell(host("MoS2"), (4, 2)))
    scan(run, "--structure", "cell.xyz", "--out", "scan.npy")
    large = read("scan.npy").frames[0]
    assert large[: small.shape[0], : small.shape[1]] == pytest.approx(small, abs=2e-4 * float(small.max()))
    assert read("scan.npy").context.host is None
    assert not list(tmp_path.glob("*.sites.csv"))


def sites_of(name):
    with open(name, newline="") as file:  # noqa: PTH123
        return list(csv.DictReader(file))


def test_a_scan_with_everything_on_keeps_its_truth(run):
    basic = ("--collection-mrad", "50", "120", "--host", "WSe2", "--defect", "V_X2=0.05", "--size-nm", "3", "4.5")
    scan(run, *basic, "--seed", "3", "--out", "ideal.npy")
    flags = (
        "--drift-px 0.02 -0.04 --row-jitter-nm 0.004 --flyback-nm 0.05 --dwell-travel 1 --haze 0.3 --pulse-spread 0.4 "
        "--read-noise-e 0.5 --relaxation-nm 0.005 --cs-mm 0.0005 --astigmatism2-nm 0.5 40 --astigmatism3-nm 5 -10 "
        "--coma-nm 10 70 --dose 1e6 --seed 3 --out real.npy"
    )
    code, out, err = scan(run, *basic, *flags.split())
    assert (code, out.split(), err) == (0, ["real.npy", "real.sites.csv"], "")
    ideal, real = np.load("ideal.npy"), np.load("real.npy")
    assert real.shape == ideal.shape == (2, 150, 100)
    # Coma and astigmatism keep the signal, haze adds three tenths, and the scan covers 4 % less in height.
    assert real.mean(axis=(1, 2)) == pytest.approx(1.3 * ideal.mean(axis=(1, 2)), rel=0.03)
    before, after = sites_of("ideal.sites.csv"), sites_of("real.sites.csv")
    assert len(after) == pytest.approx(0.96 * len(before), rel=0.06)

    # The probe passes 0.96 of a line a line, and is where it should be at line 75: a site at line y shows at
    # (y - 0.04 * 75) / 0.96, give or take jitter of 0.13 px.
    def empty(rows):
        return np.array([(float(r["x_px"]), float(r["y_px"])) for r in rows if r["label"] == "V_X2"])

    x, y = empty(before).T
    row = (y - 0.04 * 75) / 0.96
    col = x - 0.02 * (row - 75)
    expected = np.stack([col + 0.5 / 0.3 * np.exp(-col / 20), row], axis=1)
    seen = empty(after)
    assert len(seen) >= 5
    assert max(np.abs(expected - at).max(axis=1).min() for at in seen) < 0.35


def test_relaxation_moves_the_truth(run):
    arguments = ("--host", "WSe2", "--defect", "V_X2=0.05", "--size-nm", "3", "3")
    for name, push in (("a", "0"), ("b", "0.012")):
        scan(run, *arguments, "--relaxation-nm", push, "--out", f"{name}.npy")
    a, b = ([(float(r["x_px"]), float(r["y_px"])) for r in sites_of(f"{name}.sites.csv")] for name in "ab")
    moved = np.hypot(*(np.array(a) - np.array(b)).T)
    # 0.12 Å are 0.4 px; some metals have two empty columns beside them, at 120° from each other.
    assert moved[moved > 0] == pytest.approx(np.full((moved > 0).sum(), 0.4), abs=2e-3)
    assert 0.02 < (moved > 0).mean() < 0.2


def test_a_structure_drifts_past_its_edges(run):
    write("cell.xyz", cell(host("MoS2"), (2, 40)))  # 0.6 by 22 nm: at its ends the probe is 5.5 nm aside
    scan(run, "--structure", "cell.xyz", "--drift-px", "0.5", "0", "--out", "scan.npy")
    frame = read("scan.npy").frames[0]
    assert frame[:30].max() == pytest.approx(frame[350:380].max(), rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "either --structure FILE or --host"),
        (("--host", "WSe2", "--structure", "x.cif"), "either --structure FILE or --host"),
        (("--host", "Adamantium"), "'Adamantium' is not a known MX2 monolayer"),
        (("--host", "WSe2", "--dopant", "Qq"), "'Qq' is not a chemical element"),
        (("--host", "WSe2", "--defect", "V_Q=0.1"), "'V_Q'; accepted is one of M, V_M"),
        (("--host", "WSe2", "--defect", "D_M=0.1"), "D_M and D_X need a dopant"),
        (("--host", "WSe2", "--defect", "V_X"), "LABEL=FRACTION"),
        (("--host", "WSe2", "--defect", "V_X=much"), "LABEL=FRACTION"),
        (("--host", "WSe2", "--defect", "V_X=1.5"), "at most 1 together"),
        (("--host", "WSe2", "--defect", "V_X=0.1", "--defect", "V_X=0.2"), "V_X twice"),
        (("--host", "WSe2", "--size-nm", "0", "4"), "0 x 4 nm"),
        (("--host", "WSe2", "--size-nm", "4000", "4"), "at most 500 nm"),
        (("--host", "WSe2", "--size-nm", "400", "400", "--pixel-size-nm", "0.001"), "1.6e+11 px"),
        (("--host", "WSe2", "--pixel-size-nm", "0"), "--pixel-size-nm is 0"),
        (("--host", "WSe2", "--pixel-size-nm", "nan"), "--pixel-size-nm is nan"),
        (("--host", "WSe2", "--energy-kev", "-80"), "energy_kev is -80 keV"),
        (("--host", "WSe2", "--convergence-mrad", "0"), "convergence_mrad is 0 mrad"),
        (("--host", "WSe2", "--collection-mrad", "200", "76"), "200 to 76 mrad"),
        (("--host", "WSe2", "--collection-mrad", "76", "300"), "outer <= 260"),
        (("--host", "WSe2", "--source-size-nm", "-1"), "source size is -1 nm"),
        (("--host", "WSe2", "--vibration-nm", "-1"), "thermal vibration is -10"),
        (("--host", "WSe2", "--dose", "-1"), "dose_e_per_A2 is -1"),
        (("--host", "WSe2", "--seed", "-1"), "--seed"),
        (("--host", "WSe2", "--energy-kev", "much"), "--energy-kev"),
        (("--host", "WSe2", "--method", "multislice"), "at most 6 nm a side, or --method kernels"),
        (("--host", "WSe2", "--out", "scan.png"), "accepted extensions are .npy .hspy .tif .tiff"),
        (("--host", "WSe2", "--out", "nowhere/scan.npy"), "there is no folder nowhere"),
        (("--host", "WSe2", "--drift-px", "0.1"), "--drift-px got '0.1'; accepted is two numbers"),
        (("--host", "WSe2", "--drift-px", "0.7", "0"), "drift_x_px is 0.7; accepted is from -0.5 to 0.5"),
        (("--host", "WSe2", "--row-jitter-nm", "-1"), "row_jitter_A is -10; accepted is 0 or more"),
        (("--host", "WSe2", "--flyback-nm", "nan"), "flyback_A is nan"),
        (("--host", "WSe2", "--dwell-travel", "2"), "dwell_travel is 2; accepted is from 0 to 1"),
        (("--host", "WSe2", "--haze", "-1"), "haze is -1"),
        (("--host", "WSe2", "--pulse-spread", "0.3"), "give a dose as well"),
        (("--host", "WSe2", "--read-noise-e", "0.3"), "give a dose as well"),
        (("--host", "WSe2", "--relaxation-nm", "0.2"), "push their neighbours by 2 Å"),
        (("--host", "WSe2", "--cs-mm", "nan"), "cs_mm is nan"),
        (("--host", "WSe2", "--coma-nm", "10"), "--coma-nm got '10'; accepted is two numbers"),
        (("--host", "WSe2", "--coma-nm", "inf", "0"), "coma_A is inf"),
        (("--host", "WSe2", "--coma-nm", "2000", "0"), "spread the probe over 12.5 Å"),
        (("--host", "WSe2", "--astigmatism2-nm", "1", "0", "--collection-mrad", "0", "20"), "a dark-field detector"),
        (
            ("--host", "WSe2", "--size-nm", "4", "4", "--method", "multislice", "--haze", "0.1"),
            "haze and detector noise go with --method kernels",
        ),
        (
            ("--host", "WSe2", "--size-nm", "4", "4", "--method", "multislice", "--astigmatism3-nm", "1", "0"),
            "astigmatism and coma go with --method kernels",
        ),
        (("--structure", "noise.cif", "--relaxation-nm", "0.01"), "--relaxation-nm goes with --host"),
        (("--structure", "nothing.cif"), "there is no file nothing.cif"),
        (("--structure", "noise.cif"), "cannot read noise.cif as a structure"),
        (("--structure", "noise.what"), "cannot read noise.what as a structure"),
        (("--structure", "no-cell.xyz"), "not a rectangle"),
        (("--structure", "noise.cif", "--size-nm", "2", "2"), "--size-nm goes with --host"),
        (("--structure", "noise.cif", "--rotation-deg", "2"), "--rotation-deg goes with --host"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, arguments, says):
    for name in ("noise.cif", "noise.what"):
        (tmp_path / name).write_text("loop_ of noise\n1 2\n")
    (tmp_path / "no-cell.xyz").write_text("1\n\nW 0 0 0\n")
    before = sorted(tmp_path.iterdir())
    code, out, err = scan(run, "--out", "scan.npy", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("micrographia: ")
    assert err.count("\n") == 1
    assert says in err
    assert sorted(tmp_path.iterdir()) == before


def test_a_truth_that_cannot_be_written_leaves_no_scan(run, tmp_path):
    (tmp_path / "scan.sites.csv").mkdir()
    code, _, err = scan(run, "--host", "MoS2", "--size-nm", "2", "2", "--out", "scan.npy")
    assert code == 2
    assert "cannot write scan.sites.csv" in err
    assert [p.name for p in tmp_path.iterdir()] == ["scan.sites.csv"]


def test_long_work_shows_a_bar_on_a_terminal_and_nothing_in_a_log(monkeypatch):
    for is_terminal in (True, False):
        shown = io.StringIO()
        monkeypatch.setattr(simulate, "stderr", Console(file=shown, force_terminal=is_terminal, width=100))
        monkeypatch.setattr(simulate, "_SHOW_PROGRESS_AFTER_S", -1.0)
        with simulate._late_progress("kernels") as tell:
            tell(1, 4)
            tell(4, 4)
        assert ("kernels" in shown.getvalue() and "4/4" in shown.getvalue()) == is_terminal
        assert bool(shown.getvalue()) == is_terminal


@pytest.mark.slow
def test_multislice_on_the_same_pixels(run):
    write("cell.xyz", cell(host("MoS2"), (3, 2)))
    arguments = ("--structure", "cell.xyz", "--vibration-nm", "0", "--source-size-nm", "0.03")
    scan(run, *arguments, "--out", "kernels.npy")
    code, _, _ = scan(run, *arguments, "--method", "multislice", "--out", "multislice.npy")
    assert code == 0
    ours, theirs = read("kernels.npy"), read("multislice.npy")
    assert ours.frames.shape == theirs.frames.shape
    # In a box of 1 nm abTEM's soft aperture brightens the probe by 1 / (3 * 5.7): 5.7 reciprocal pixels in radius.
    gain = float(np.vdot(ours.frames, theirs.frames) / np.vdot(ours.frames, ours.frames))
    assert 1.0 < gain < 1.08
    assert gain * ours.frames == pytest.approx(theirs.frames, abs=0.04 * float(theirs.frames.max()))
