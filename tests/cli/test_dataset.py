import io
import re

import pytest
from patch_source import FakeSource
from rich.console import Console

from micrographia.cli import progress
from micrographia.errors import ContextError
from micrographia.simulate.datasets.dataset import open_dataset
from micrographia.simulate.patches.prior import ImagingPrior

pytestmark = pytest.mark.enable_socket  # Dask talks to its own processes through sockets

MODULE = "micrographia.simulate"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What the command asks the generator for, in a folder of its own."""
    calls = []

    def recipe(catalogue, **options):
        if options["size_px"] % 2:
            raise ContextError(f"the patch size is {options['size_px']} px; accepted is an even number")
        calls.append((catalogue, options))
        return FakeSource(seed=options["seed"], channels=options["channels"], with_clean=options["clean"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"{MODULE}.patches.recipe.recipe", recipe)
    return calls


def test_a_data_set_is_written_and_added_to(run, asked, tmp_path):
    flags = ["--seed", "3", "--prior", "--clean", "--channels", "2", "--size", "32", "--workers", "1"]
    code, out, err = run("simulate", "dataset", "--out", "set", "--patches", "200", *flags)
    assert (code, err) == (0, "")
    folder, summary = out.splitlines()
    assert folder == "set"
    assert re.fullmatch(r"200 patches, [\d,]+ patches/s, [\d.e-]+ GB", summary)
    catalogue, options = asked[0]
    assert (len(catalogue.compounds), len(catalogue.conditions)) == (96, 6)
    wanted = {"prior": True, "size_px": 32, "seed": 3, "channels": 2, "clean": True, "library": None, "workers": 1}
    assert {name: value for name, value in options.items() if name != "progress"} == wanted
    assert len(open_dataset(tmp_path / "set")) == 200
    made_by = "micrographia simulate dataset --out DIR --patches 200 --size 32 --prior --seed 3 --channels 2 --clean"
    assert f"\n{made_by}\n" in (tmp_path / "set/README.md").read_text()
    code, out, _ = run("simulate", "dataset", "--out", "set", "--patches", "200", *flags)
    assert code == 0
    assert re.fullmatch(r"200 patches, [\d.e-]+ GB; all were there", out.splitlines()[1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--patches", "0"), "--patches"),
        (("--patches", "many"), "--patches"),
        (("--size", "15"), "--size"),
        (("--size", "257"), "--size"),
        (("--size", "33"), "accepted is an even number"),
        (("--seed", "-1"), "--seed"),
        (("--channels", "0"), "--channels"),
        (("--workers", "0"), "--workers"),
        (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "a scheduler has workers of its own"),
        (("--scheduler", "nonsense"), "there is no Dask scheduler at 'nonsense'"),
        (("--catalogue", "nothing.json"), "nothing.json"),
        (("--out", "file"), "is a file"),
        (("--out", "."), "holds files but no data set"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(run, asked, tmp_path, arguments, says):
    (tmp_path / "file").write_text("mine")
    code, out, err = run("simulate", "dataset", "--out", "set", "--patches", "16", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("micrographia: ")
    assert err.count("\n") == 1
    assert says in err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_tells_how_to_go_on(run, asked, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{MODULE}.datasets.dataset.write_dataset", interrupted)
    code, out, err = run("simulate", "dataset", "--out", "set", "--patches", "16")
    assert (code, out) == (130, "")
    assert err == "micrographia: interrupted; give the same command again to go on\n"


def test_the_bar_shows_rate_and_time_left_on_a_terminal_and_nothing_in_a_log(monkeypatch):
    for is_terminal in (True, False):
        shown = io.StringIO()
        monkeypatch.setattr(progress, "stderr", Console(file=shown, force_terminal=is_terminal, width=100))
        with progress.bar("patches") as tell:
            tell(600, 1000)  # were there
            for done in (700, 800, 900):
                tell(done, 1000)
        assert ("patches" in shown.getvalue() and "900/1000" in shown.getvalue()) == is_terminal
        assert bool(shown.getvalue()) == is_terminal


def test_what_an_earlier_run_did_is_no_speed():
    from rich.progress import Progress

    seconds = [0.0]
    bar = Progress(progress._Rate(), disable=True, get_time=lambda: seconds[0])
    task = bar.add_task("patches", completed=600_000, total=1_000_000)
    for done in (600_000, 605_000, 610_000, 615_000):
        bar.update(task, completed=done)
        seconds[0] += 0.5
    assert progress._Rate().render(bar.tasks[0]).plain == "10,000/s"


def test_the_kernels_of_a_catalogue(run, tmp_path, monkeypatch):
    calls = []

    def build_library(catalogue, out, **options):
        calls.append((len(catalogue.cases), out, options["prior"], options["workers"]))
        return out

    monkeypatch.setattr(f"{MODULE}.patches.library.build_library", build_library)
    out = tmp_path / "lib"
    assert run("simulate", "catalogue", "--out", out) == (0, f"{out}\n", "")
    assert run("simulate", "catalogue", "--out", out, "--prior", "--workers", "2")[0] == 0
    assert calls == [(576, out, None, None), (576, out, ImagingPrior(), 2)]
    code, _, err = run("simulate", "catalogue", "--out", out, "--catalogue", tmp_path / "nothing.json")
    assert code == 2
    assert "nothing.json" in err
