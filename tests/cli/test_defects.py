"""`defects` and `analyse` from the command line: results, batches, context, and what bad input gets."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from micrographia.read import read

PROBE = ("--energy-kev", 80, "--convergence-mrad", 30)
HAADF, MAADF = ("--collection-mrad", 70, 200), ("--collection-mrad", 40, 100)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A two-channel scan with 5 % Se vacancies whose file tells everything, and the same without a context."""
    folder = tmp_path_factory.mktemp("scans")
    from micrographia.cli import simulate  # noqa: F401  (registers the command)
    from micrographia.cli.app import app
    from micrographia.cli.flags import fold_pairs

    words = [
        *(
            "simulate",
            "scan",
            "--host",
            "WSe2",
            "--defect",
            "V_X=0.05",
            "--size-nm",
            "6",
            "6",
            "--pixel-size-nm",
            "0.03",
        ),
        *("--source-size-nm", "0.05", "--dose", "1e6", "--seed", "4", "--out", folder / "known.hspy"),
        *(*PROBE, *HAADF, *MAADF),
    ]
    app(args=fold_pairs([str(w) for w in words]), standalone_mode=False)
    return folder


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_results_are_complete_and_agree_with_the_truth(run, scans, tmp_path):
    status, out, err = run("defects", scans / "known.hspy", "--out", tmp_path / "r")
    assert (status, err) == (0, "")
    assert {p.name for p in (tmp_path / "r").iterdir()} == {
        *("sites.csv", "sites.parquet", "result.json", "overlay.png", "report.html"),
        *("opinions.csv", "opinions.parquet"),
    }
    table = rows(tmp_path / "r" / "sites.csv")
    assert list(table[0])[:4] == ["x_px", "y_px", "sublattice", "label"]
    assert list(table[0])[-2:] == ["entropy_nats", "residual"]
    truth = {(round(float(t["x_px"])), round(float(t["y_px"]))): t["label"] for t in rows(scans / "known.sites.csv")}
    near = [(dx, dy) for dx in (0, -1, 1) for dy in (0, -1, 1)]
    for row in table:
        x, y = round(float(row["x_px"])), round(float(row["y_px"]))
        labels = [truth[x + dx, y + dy] for dx, dy in near if (x + dx, y + dy) in truth]
        assert labels[:1] == [row["label"]]
    summary = json.loads((tmp_path / "r" / "result.json").read_text())
    assert summary["schema"] == "micrographia/defects/1"
    vacancies = sum(row["label"] == "V_X" for row in table)
    assert f"V_X {vacancies} " in out


def test_a_flag_wins_over_the_file_and_the_report_says_so(run, scans, tmp_path):
    assert run("defects", scans / "known.hspy", "--energy-kev", 60, "--out", tmp_path / "r")[0] == 0
    context = json.loads((tmp_path / "r" / "result.json").read_text())["context"]
    assert "energy_kev is 80 in the file and 60 as given: the given value is used" in json.dumps(context)


def test_a_batch_finishes_lists_failures_and_exits_with_2(run, scans, tmp_path):
    (tmp_path / "broken.dm4").write_text("no scan")
    status, out, err = run("analyse", tmp_path / "broken.dm4", scans / "known.hspy", "--out", tmp_path / "r")
    assert status == 2
    assert err.count("\n") == 1
    assert "broken.dm4" in err
    assert (tmp_path / "r" / "known" / "report.html").is_file()
    assert "broken.dm4" in (tmp_path / "r" / "report.html").read_text()
    assert "broken.dm4: failed" in out
    told = json.loads((tmp_path / "r" / "known" / "result.json").read_text())["description"]
    spacing = next(cue for cue in told["cues"] if cue["name"] == "spacing")
    # {10} of WSe2: 0.332 nm times the root of 3/4.
    assert abs(spacing["value"] - 0.28752) < 3 * spacing["uncertainty"]
    assert "{10} rows" in spacing["sentence"]
    assert {one["cue"] for one in told["sentences"]}.isdisjoint({"particles", "lattice defects", "edges"})


def test_a_lattice_without_a_host_is_named_with_its_spacing(run, scans, tmp_path):
    context = tmp_path / "no-host.yaml"
    context.write_text("technique: STEM\n")
    np.save(tmp_path / "bare.npy", read(scans / "known.hspy").frames[0])
    (tmp_path / "bare.yaml").write_text("pixel_size_nm: 0.03\n")
    status, _, err = run("analyse", tmp_path / "bare.npy", "--context", context, "--out", tmp_path / "r")
    assert (status, err) == (0, "")
    page = (tmp_path / "r" / "report.html").read_text()
    assert "--host" in page
    # The lattice constant of WSe2, 0.332 nm, over 0.03 nm a pixel.
    assert "11.0" in page
    told = json.loads((tmp_path / "r" / "result.json").read_text())["description"]
    assert told["sentences"][0]["cue"] == "spacing"
    assert told["cues"][0]["value"] == pytest.approx(0.28752, rel=0.005)  # 0.332 nm times the root of 3/4


def test_a_picture_without_a_lattice_still_gets_a_report(run, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    status, out, _ = run("analyse", tmp_path / "noise.png", "--out", tmp_path / "r")
    assert status == 0
    assert "not decided" in out
    assert "No hexagonal lattice shows" in (tmp_path / "r" / "report.html").read_text()


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.dm4").write_bytes(b"")
    (folder / "text.dm4").write_text("hello")
    (folder / "zero.tif").write_bytes(b"")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(folder / "one.png")
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(folder / "black.png")
    noise = np.random.default_rng(0).normal(size=(128, 128)).astype(np.float32)
    for name, array in {
        "noise": noise,
        "nan": np.where(noise > 3, np.nan, noise),
        "stack": np.stack([noise] * 3),
    }.items():
        np.save(folder / f"{name}.npy", array)
        (folder / f"{name}.yaml").write_text("host: WSe2\n")
    np.save(folder / "bare.npy", noise)
    (folder / "wrong.yaml").write_text("hots: WSe2\n")
    return folder


@pytest.mark.parametrize("command", ["defects", "analyse"])
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("empty.dm4", "0 bytes"),
        ("text.dm4", "not what its extension .dm4 says"),
        ("zero.tif", "0 bytes"),
        ("one.png", "1 x 1 px"),
        ("black.png", "all pixels"),
        ("nan.npy", "NaN"),
        ("stack.npy", "stack of 3 frames"),
        ("bare.npy", "no sidecar"),
        ("nowhere.dm4", "does not exist"),
    ],
)
def test_unusable_files_exit_with_2_one_line_and_nothing_written(run, bad, tmp_path, command, file, says):
    status, out, err = run(command, bad / file, "--host", "WSe2", "--out", tmp_path / "r")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--host", "Unobtainium2"), "accepted is one of TiS2"),
        (("--host", "WSe2", "--dopant", "Xx"), "not a chemical element"),
        (("--host", "WSe2", "--dopant", "Se"), "already an element of the host"),
        (("--host", "WSe2", "--collection-mrad", 200, 70), "0 <= inner < outer"),
        (("--host", "WSe2", *HAADF, *MAADF, *HAADF), "3 entries for 2 channel(s)"),
        (("--host", "WSe2", "--energy-kev", -80), "energy_kev is -80 keV"),
        (("--host", "WSe2", "--convergence-mrad", 0), "convergence_mrad is 0 mrad"),
        (("--host", "WSe2", "--pixel-size-nm", 0), "positive"),
        (("--host", "WSe2", "--defect-prior", "V_X=2"), "between 0 and 0.5"),
        (("--host", "WSe2", "--defect-prior", "nonsense"), "LABEL=FRACTION"),
    ],
)
def test_impossible_context_exits_with_2_one_line_and_nothing_written(run, scans, tmp_path, flags, says):
    status, out, err = run("defects", scans / "known.hspy", *flags, "--out", tmp_path / "r")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not (tmp_path / "r").exists()


def test_missing_or_misspelt_context_file(run, scans, bad, tmp_path):
    for file, says in (("nowhere.yaml", "cannot be read"), ("wrong.yaml", "hots")):
        status, _, err = run("defects", scans / "known.hspy", "--context", bad / file, "--out", tmp_path / "r")
        assert (status, err.count("\n")) == (2, 1)
        assert says in err


def test_out_that_cannot_be_a_folder_is_refused_before_the_work(run, scans, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        status, _, err = run("defects", scans / "known.hspy", "--out", out)
        assert (status, err.count("\n")) == (2, 1)
    assert (tmp_path / "file").read_text() == "mine"


def test_noise_has_no_sites_for_defects(run, bad, tmp_path):
    status, _, err = run("defects", bad / "noise.npy", "--out", tmp_path / "r")
    assert (status, err.count("\n")) == (2, 1)
    assert "no hexagonal lattice shows" in err


@pytest.mark.parametrize("field", ["field02", "field25"])
def test_real_pair_of_ti_doped_wse2(run, samples, tmp_path, field):
    folder = samples / "stem-wse2-ti" / field
    status, _, err = run(
        *("defects", folder / "adf1.dm4", folder / "adf2.dm4", "--channels", "--host", "WSe2", "--dopant", "Ti"),
        *("--out", tmp_path / "r"),
    )
    assert (status, err) == (0, "")
    status, out, _ = run("compare", "sites", tmp_path / "r" / "sites.csv", folder / "sites.csv", "--json")
    scores = json.loads(out)["labels"]
    summary = json.loads((tmp_path / "r" / "result.json").read_text())
    assert status == 0
    # The bars of the first step: sites within 2 px, vacancies too, few spurious, V_X F1, detectors the right way round.
    assert sum(s["found"] for s in scores.values()) >= 0.99 * sum(s["reference"] for s in scores.values())
    assert scores["V_X"]["found"] >= 0.99 * scores["V_X"]["reference"]
    assert scores["V_X"]["f1"] >= 0.90
    inner = {m["name"]: np.dot(m["values"], m["weights"]) for m in summary["marginals"]}
    assert inner["inner_mrad[0]"] > inner["inner_mrad[1]"] + 10
