"""Vendors' dialects for which no instrument's file is at hand, and doubts that no file at hand raises."""

import numpy as np
import pytest
import tifffile

from micrographia.read import read
from micrographia.read.axes import calibrate, luminance, planes
from micrographia.read.digitalmicrograph import context_from_tags
from micrographia.read.plausible import iso_date, positive

TESCAN = """
[MAIN]
Date=2019-01-08
Device=MIRA3 TESCAN
Magnification=12345
PixelSizeX=1.25e-08
PixelSizeY=1.25e-08
Time=11:25:58

[SEM]
Detector=In-Beam SE
DwellTime=1e-05
HV=10000.0
PredictedBeamCurrent=3.2e-10
StageTilt=5.0
WD=0.0061
"""


def dm(**info):
    return context_from_tags({"Microscope Info": info}, pixel_size_nm=None, reciprocal=False)


def test_tescan(tmp_path):
    path = tmp_path / "scan.tif"
    tag = (50431, "B", len(TESCAN) + 20, b"\x01\x02" * 10 + TESCAN.encode(), True)
    tifffile.imwrite(path, np.zeros((20, 30), dtype=np.uint8), extratags=[tag], metadata=None)
    scan = read(path)
    assert scan.pixel_size_nm == 12.5
    assert scan.context.known() == {
        "technique": "SEM",
        "energy_kev": 10.0,
        "detectors": ("In-Beam SE",),
        "probe_current_pa": 320.0,
        "dwell_us": 10.0,
        "working_distance_mm": 6.1,
        "magnification": 12345.0,
        "tilt_deg": 5.0,
        "date": "2019-01-08T11:25:58",
    }


@pytest.mark.parametrize(
    ("voltage", "formatted", "energy"),
    [(60e3, "60kV", 60.0), (60e3, "100kV", None), (60e3, None, 60.0), (0.0, "80kV", 80.0), (0.0, None, None)],
)
def test_voltage_tags_that_disagree_are_not_believed(voltage, formatted, energy):
    context = dm(Voltage=voltage, **{"Formatted Voltage": formatted})
    assert context.energy_kev == energy
    if formatted == "100kV":
        assert "beam energy is 60 keV in Voltage but 100 keV in Formatted Voltage: left unknown" in context.notes


def test_voltage_outside_of_any_microscope():
    context = dm(Voltage=4e7)
    assert context.energy_kev is None
    assert any("40000 keV" in note for note in context.notes)


@pytest.mark.parametrize(
    ("bar", "date"),
    [
        ({"Acquisition Date": "7/9/2014"}, None),
        ({"Acquisition Date": "7/9/2014", "System Info": 1.3049398597890626e17}, "2014-07-09"),
        ({"Acquisition Date": "27/08/2016", "Acquisition Time": "20:52:30"}, "2016-08-27T20:52:30"),
        ({"Acquisition Date": "03-Jul-16", "Acquisition Time": "6:20:54 PM"}, "2016-07-03T18:20:54"),
        ({"Acquisition Date": "8/8/2016"}, "2016-08-08"),
        ({"Acquisition Date": "yesterday"}, None),
        ({}, None),
    ],
)
def test_day_and_month(bar, date):
    context = context_from_tags({"DataBar": bar}, pixel_size_nm=None, reciprocal=False)
    assert context.date == date
    assert bool(context.notes) == (date is None and bool(bar))


@pytest.mark.parametrize(
    ("info", "technique"),
    [
        ({"Illumination Mode": "STEM NANOPROBE", "Operation Mode": "SCANNING"}, "STEM"),
        ({"Illumination Mode": "TEM", "Operation Mode": "IMAGING"}, "TEM"),
        ({"Illumination Mode": "TEM", "Operation Mode": "DIFFRACTION"}, "diffraction"),
        ({"Illumination Mode": "SEM"}, "SEM"),
        ({}, None),
    ],
)
def test_technique(info, technique):
    assert dm(**info).technique == technique


def test_camera_length_only_where_a_probe_scans():
    assert dm(**{"Illumination Mode": "TEM", "STEM Camera Length": 255.0}).camera_length_mm is None
    assert dm(**{"Illumination Mode": "STEM", "STEM Camera Length": 255.0}).camera_length_mm == 255.0


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("pm", 5e-4),
        ("Å", 0.05),
        ("nm", 0.5),
        ("µm", 500.0),
        ("μm", 500.0),
        ("mm", 5e5),
        ("m", 5e8),
        ("px", None),
        ("", None),
    ],
)
def test_units_of_length(unit, nm):
    axis = {"scale": 0.5, "units": unit}
    assert calibrate(axis, axis).pixel_size_nm == nm


def test_square_within_one_percent():
    assert calibrate({"scale": 1.009, "units": "nm"}, {"scale": 1.0, "units": "nm"}).pixel_size_nm == 1.0045
    assert calibrate({"scale": 1.011, "units": "nm"}, {"scale": 1.0, "units": "nm"}).pixel_size_nm is None


@pytest.mark.parametrize("value", [0, -0.03, "-1"])
def test_what_cannot_be_is_noted(value):
    notes = []
    assert positive(value, what="convergence semi-angle", unit="rad", notes=notes) is None
    assert len(notes) == 1


def test_missing_tag_is_no_doubt():
    notes = []
    assert positive([], what="probe current", unit="nA", notes=notes) is None
    assert iso_date("", formats=["%Y"], notes=notes) is None
    assert notes == []


def test_date_that_cannot_be_parsed_is_noted():
    notes = []
    assert iso_date("31 Feb 2020", formats=["%d %b %Y"], notes=notes) is None
    assert notes == ["date is recorded as '31 Feb 2020': not understood, left unknown"]


def test_colour_becomes_luminance_with_a_note_unless_it_is_grey():
    pixels = np.zeros((2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    pixels["R"] = pixels["G"] = pixels["B"] = 7
    grey, notes = luminance(pixels)
    assert (grey == 7).all()
    assert notes == ()
    pixels["R"] = 107
    colour, notes = luminance(pixels)
    assert colour == pytest.approx(7 + 0.299 * 100)
    assert len(notes) == 1


def test_rgba_png_and_16_bit(tmp_path):
    from PIL import Image

    colour = np.zeros((9, 9, 4), dtype=np.uint8)
    colour[..., 1], colour[..., 3] = 100, 255
    Image.fromarray(colour).save(tmp_path / "colour.png")
    assert read(tmp_path / "colour.png").frames == pytest.approx(np.full((1, 9, 9), 58.7))
    Image.fromarray(np.full((9, 9), 60000, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert read(tmp_path / "deep.png").frames.max() == 60000


def test_palette_image_is_looked_up(tmp_path):
    path = tmp_path / "scan.tif"
    palette = np.zeros((3, 256), dtype=np.uint16)
    palette[0] = np.arange(256)[::-1] * 257  # red falls with the index
    tifffile.imwrite(path, np.full((9, 9), 5, dtype=np.uint8), photometric="palette", colormap=palette)
    scan = read(path)
    assert scan.frames == pytest.approx(np.full((1, 9, 9), 0.299 * 250 * 257))
    assert any("palette" in note for note in scan.context.notes)


def test_time_series_is_a_stack():
    axes = [{"name": "t", "units": "s", "navigate": True}, *({"name": n, "units": "nm", "scale": 1} for n in "yx")]
    signal = {"data": np.zeros((3, 8, 8)), "axes": axes, "metadata": {}}
    assert [p.kind for p in planes(signal, name="series")] == ["frame"] * 3


def test_hyperspy_metadata(tmp_path):
    from rsciio.hspy import file_writer

    axis = {
        "offset": 0.0,
        "scale": 0.2,
        "units": "Å",
        "navigate": False,
        "_type": "UniformDataAxis",
        "is_binned": False,
    }
    tem = {
        "beam_energy": 80.0,
        "convergence_angle": 30.0,
        "camera_length": 90.0,
        "beam_current": 0.05,
        "acquisition_mode": "STEM",
        "Stage": {"tilt_alpha": 1.5},
    }
    signal = {
        "data": np.ones((9, 10)),
        "axes": [{"name": "y", "size": 9, **axis}, {"name": "x", "size": 10, **axis}],
        "metadata": {
            "General": {"title": "HAADF", "date": "2021-10-28", "time": "15:55:24"},
            "Acquisition_instrument": {"TEM": tem},
            "Signal": {"signal_type": ""},
        },
        "original_metadata": {},
        "learning_results": {},
        "models": {},
        "attributes": {"_lazy": False},
        "package_info": {},
        "tmp_parameters": {},
    }
    file_writer(str(tmp_path / "scan.hspy"), signal)
    scan = read(tmp_path / "scan.hspy")
    assert scan.pixel_size_nm == 0.02
    assert scan.context.known() == {
        "technique": "STEM",
        "energy_kev": 80.0,
        "convergence_mrad": 30.0,
        "camera_length_mm": 90.0,
        "probe_current_pa": 50.0,
        "tilt_deg": 1.5,
        "date": "2021-10-28T15:55:24",
    }


def test_min_is_white_is_said(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", np.eye(9, dtype=np.uint8), photometric="miniswhite")
    scan = read(tmp_path / "scan.tif")
    assert scan.frames[0, 0, 0] == 1
    assert any("min-is-white" in note for note in scan.context.notes)
