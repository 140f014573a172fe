"""What we write, we read back equal."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from micrographia.context import ORIGINS, Context
from micrographia.errors import OutputError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.read import read
from micrographia.report.scan_file import write_micrograph

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ORIGIN = st.sampled_from(ORIGINS)


def number(low, high):
    return st.none() | st.floats(low, high)


@st.composite
def micrographs(draw):
    channels = draw(st.integers(1, 4))
    shape = (channels, draw(st.integers(8, 12)), draw(st.integers(8, 12)))
    pair = st.tuples(st.floats(0, 100), st.floats(101, 1600))
    fields = {
        "technique": draw(st.none() | WORDS),
        "host": draw(st.none() | WORDS),
        "dopants": draw(st.none() | st.lists(WORDS, max_size=3).map(tuple)),
        "energy_kev": draw(number(0.05, 3000)),
        "convergence_mrad": draw(number(0.01, 200)),
        "collection_mrad": draw(st.none() | st.tuples(*[st.none() | pair] * channels)),
        "detectors": draw(st.none() | st.tuples(*[st.none() | WORDS] * channels)),
        "camera_length_mm": draw(number(0.1, 1e5)),
        "probe_current_pa": draw(number(1e-4, 1e9)),
        "dose_e_per_A2": draw(number(1e-4, 1e12)),
        "dwell_us": draw(number(1e-4, 1e8)),
        "working_distance_mm": draw(number(1e-3, 1e3)),
        "magnification": draw(number(0.1, 1e9)),
        "tilt_deg": draw(number(-180, 180)),
        "date": draw(st.none() | WORDS | st.just("2021-10-28")),
        "sample": draw(st.none() | WORDS),
    }
    origins = {name: draw(ORIGIN) for name, value in fields.items() if value is not None}
    return Micrograph(
        frames=draw(arrays(np.float32, shape, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))),
        pixel_size_nm=draw(st.none() | st.floats(1e-9, 1e12)),
        context=Context(**fields, notes=tuple(draw(st.lists(WORDS, max_size=2))), origins=origins),
        provenance=Provenance(file="drawn", sha256=None, reader="hypothesis", software="0"),
        pixel_size_origin=draw(ORIGIN),
    )


def of_sample(name):
    return Micrograph(
        frames=np.zeros((1, 8, 8), dtype=np.float32),
        pixel_size_nm=None,
        context=Context(sample=name, origin="file"),
        provenance=Provenance(file="drawn", sha256=None, reader="hypothesis", software="0"),
    )


def assert_equal(back, scan):
    assert back.frames.dtype == np.float32
    assert np.array_equal(back.frames, scan.frames)
    assert back.pixel_size_nm == scan.pixel_size_nm
    assert back.pixel_size_origin == scan.pixel_size_origin
    assert back.context == scan.context


@pytest.mark.parametrize("extension", ["npy", "hspy", "tif"])
@settings(max_examples=40, deadline=None)
@given(scan=micrographs())
@example(scan=of_sample("two  spaces"))
def test_any_micrograph_reads_back_equal(extension, scan):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"scan.{extension}"
        write_micrograph(scan, path)
        assert_equal(read(path), scan)
        left = {p.name for p in path.parent.iterdir()} - {path.name, "scan.yaml"}
        assert not left


def test_written_again_in_the_same_place(tmp_path, scan):
    for extension in ("npy", "hspy", "tiff"):
        path = tmp_path / f"scan.{extension}"
        write_micrograph(scan, path)
        write_micrograph(scan, path)
        assert_equal(read(path), scan)


def test_other_programs_find_the_scale(tmp_path, scan):
    import tifffile

    write_micrograph(scan, tmp_path / "scan.tif")
    with tifffile.TiffFile(tmp_path / "scan.tif") as file:
        top, bottom = file.pages[0].tags["XResolution"].value
        assert 1e7 / (top / bottom) == pytest.approx(0.0234, rel=1e-6)  # pixels a centimetre
    from rsciio.hspy import file_reader

    write_micrograph(scan, tmp_path / "scan.hspy")
    axes = file_reader(tmp_path / "scan.hspy")[0]["axes"]
    assert [(a["name"], a["units"]) for a in axes] == [("channel", ""), ("y", "nm"), ("x", "nm")]
    assert axes[1]["scale"] == 0.0234


def test_where_nothing_can_be_written(tmp_path, scan):
    with pytest.raises(OutputError, match="accepted extensions"):
        write_micrograph(scan, tmp_path / "scan.png")
    with pytest.raises(OutputError, match="no folder"):
        write_micrograph(scan, tmp_path / "absent" / "scan.npy")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_micrograph(scan, tmp_path / "file" / "scan.tif")
    (tmp_path / "scan.json").write_text("{}")
    with pytest.raises(OutputError, match=r"scan\.json is there too"):
        write_micrograph(scan, tmp_path / "scan.npy")


def test_a_failed_write_leaves_nothing(tmp_path, scan, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        write_micrograph(scan, tmp_path / "scan.npy")
    assert list(tmp_path.iterdir()) == []
