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
