"""What a bar burnt into a picture says: from the print and the length of its line."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from micrographia.read import read
from micrographia.read.info_bar import InfoBar, Word, find_bar, find_rows, said, scale_line

WIDTH, HEIGHT = 1024, 768
SAMPLES = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")) / "sem-nffa"


def picture(seed=0, height=HEIGHT):
    """A textured specimen, as no bar is."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(30, 220, (height // 8 + 1, WIDTH // 8))
    return np.kron(small, np.ones((8, 8)))[:height].astype(np.uint8)


def with_bar(prints, *, line=(10, 130), at=(640, 704), light=True, length="2 µm", ticks=True):
    """Burn a bar into a picture: a line with ends at the given columns, its length above it, and more print."""
    ground, ink = (255, 0) if light else (0, 255)
    image = Image.fromarray(picture())
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, at[0], WIDTH, at[1] - 1], fill=ground)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 16)
    row = at[0] + 44
    draw.line([line[0], row, line[1], row], fill=ink, width=1)
    if ticks:
        for x in line:
            draw.line([x, row - 6, x, row + 6], fill=ink, width=1)
    draw.text((line[0] + 4, at[0] + 8), length, fill=ink, font=font)
    for n, text in enumerate(prints):
        draw.text((220 + 260 * (n % 3), at[0] + 8 + 26 * (n // 3)), text, fill=ink, font=font)
    return np.asarray(image)


def saved(folder: Path, pixels: np.ndarray, name="picture.png") -> Path:
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def test_a_bar_is_found_where_it_is_and_nowhere_else():
    assert find_rows(with_bar(["EHT = 5.00 kV", "WD = 4.1 mm"])) == slice(640, 704)
    assert find_rows(with_bar(["15.0kV"], light=False)) == slice(640, 704)
    assert find_rows(picture()) is None
    # A bright specimen without print, and a dark one, are no bars.
    for tone in (0, 255):
        plain = picture()
        plain[600:700] = tone
        assert find_rows(plain) is None
    assert find_rows(np.full((64, 64), 255, dtype=np.uint8)) is None


@pytest.mark.parametrize("line", [(10, 65), (7, 145), (33, 400)])
def test_the_line_is_measured_between_its_ends(line):
    bar = with_bar(["EHT = 5.00 kV", "Mag = 10.00 K X"], line=line)[640:704]
    found = scale_line(bar)
    assert found is not None
    assert found[1:] == line


def test_a_line_with_its_length_in_the_middle_is_measured_as_a_whole():
    band = np.zeros((30, 512), dtype=np.uint8)
    band[12, 321:512] = 255  # a frame
    band[6, 341:398] = band[6, 435:492] = 255
    word = Word(text="500 µm", x_px=400.0, y_px=0.0, width_px=32.0, height_px=13.0)
    assert scale_line(band, (word,)) == (6, 341, 491)
    # One piece alone does not tell how long the line is.
    band[6, 341:398] = 0
    assert scale_line(band, (word,)) is None


def test_a_frame_and_a_logo_are_no_scale_line():
    bar = with_bar(["EHT = 5.00 kV"], line=(10, 65))[640:704].copy()
    bar[0], bar[-1] = 0, 0  # a frame around it
    bar[10:50, 900:990] = 0  # a logo
    assert scale_line(bar)[1:] == (10, 65)
    bare = np.full((60, WIDTH), 255, dtype=np.uint8)
    bare[10:50, 900:990] = 0
    assert scale_line(bare) is None


def bar_that_says(*lines, line_px=(10.0, 90.0)):
    words = tuple(
        Word(text=text, x_px=10.0 if n == 0 else 200.0 + 150 * n, y_px=4.0, width_px=80.0, height_px=12.0)
        for n, text in enumerate(lines)
    )
    return InfoBar(rows=slice(640, 700), words=words, line_px=line_px)


@pytest.mark.parametrize(
    ("prints", "fields"),
    [
        (
            # As a reader of print gives the bar of a Zeiss: letters for digits, blanks lost.
            ("100 μm", "EHT=3.00kV", "Date:18Jul2014", "Signal A = SE2", "Stage at T=O.0°", "Time :16:13:06",
             "Mag =", "250X", "Aperture Size = 30.00 μm Stage at Z = 48.000 mm"),
            {"energy_kev": 3.0, "magnification": 250.0, "tilt_deg": 0.0, "detectors": ("SE2",),
             "date": "2014-07-18T16:13:06", "working_distance_mm": None},
        ),
        (
            ("200 nm", "EHT=3.00kV", "D = 2.4 mm", "Mag = 100.00 KX Signal A = InLens", "Date:6Dec2013"),
            {"energy_kev": 3.0, "magnification": 1e5, "working_distance_mm": 2.4, "detectors": ("InLens",),
             "date": "2013-12-06"},
        ),
        (("5µm", "15.0kV", "X5,000", "WD 10.1mm"),
         {"energy_kev": 15.0, "working_distance_mm": 10.1, "magnification": 5000.0, "technique": "SEM"}),
        (("5µm", "HV 10.00 kV", "WD 9.8 mm", "det: ETD"), {"energy_kev": 10.0, "detectors": ("ETD",)}),
        (
            # As the bar of a Helios: what a number is stands above it.
            ("500 nm", "5.00 kV", "HV", "6.3 pA", "mag 田", "120 ×", "mode", "SE", "|det", "ETD", "4.0 mm", "WD"),
            {"energy_kev": 5.0, "magnification": 120.0, "detectors": ("ETD",), "working_distance_mm": 4.0},
        ),
        (("2 µm", "EHT = 5.00 kV", "EHT = 6.00 kV"), {"energy_kev": None, "technique": "SEM"}),  # which of them?
        (("500 nm", "HV=200kV", "x 40k"), {"energy_kev": 200.0, "magnification": 4e4, "technique": None}),
    ],
)  # fmt: skip
def test_what_is_printed_is_understood(prints, fields):
    context, _ = said(bar_that_says(*prints, line_px=(10.0, 80.0)), width_px=WIDTH)
    for name, value in fields.items():
        assert getattr(context, name) == value, name
    assert set(context.origins.values()) == {"info bar"}


@pytest.mark.parametrize(
    ("prints", "size_nm", "doubt"),
    [
        (("2 µm", "Mag = 10.00 K X"), 25.0, None),  # 2 µm / 80 px; a print 256 mm wide
        (("2 μrr", "Mag = 10.00 K X"), 25.0, None),  # µm, as print is misread
        (("500 nm",), 6.25, None),
        (("20 µm", "Mag = 10.00 K X"), None, "do not go together"),  # a print 2.56 m wide
        (("2 nm", "Mag = 10.00 K X"), None, "do not go together"),
        (("7 µm",), None, "no round length"),
        (("100 pm",), None, "no length was read"),  # µm, more likely
        (("EHT = 5.00 kV", "4.0 mm", "WD"), None, "no length was read"),  # a length, but not at the line
        (("500 nm", "6.40 µm", "HFW"), 6.25, None),  # 6.4 µm / 1024 px is 6.25 nm too
        (("500 nm", "HFW 9.00 µm"), None, "do not go together"),
        (("EHT = 5.00 kV", "WD = 4 mm"), None, "no length was read"),
        (("Aperture Size = 30.00 µm",), None, "no length was read"),
    ],
)
def test_the_pixel_size_is_length_over_line_or_unknown_with_a_reason(prints, size_nm, doubt):
    context, found = said(bar_that_says(*prints), width_px=WIDTH)
    assert found == size_nm
    (note,) = context.notes
    assert (doubt or "in 80 ± 1 px") in note
    _, without = said(bar_that_says(*prints, line_px=None), width_px=WIDTH)
    assert without is None


def test_a_picture_is_read_with_its_bar_and_without_it(tmp_path):
    path = saved(tmp_path, with_bar(["EHT = 5.00 kV", "WD = 4.1 mm", "Signal A = InLens", "Mag = 10.00 K X"]))
    found = read(path)
    # 2 µm over 120 px.
    assert found.pixel_size_nm == pytest.approx(2000 / 120, rel=1e-3)
    assert found.pixel_size_origin == "info bar"
    assert found.frames.shape == (1, 640, WIDTH)
    assert np.array_equal(found.frames[0], picture()[:640])
    assert (found.context.energy_kev, found.context.working_distance_mm) == (5.0, 4.1)
    assert found.context.origins["energy_kev"] == "info bar"
    whole = read(path, info_bar=False)
    assert whole.frames.shape == (1, HEIGHT, WIDTH)
    assert whole.pixel_size_nm is None
    assert whole.context.energy_kev is None


def test_a_band_of_print_that_says_nothing_is_kept(tmp_path):
    path = saved(tmp_path, with_bar(["Prof. Dr. A. Nobody", "Institute"], length="overview"))
    found = read(path)
    assert found.frames.shape == (1, HEIGHT, WIDTH)
    assert found.pixel_size_nm is None
    assert "look like an info bar, but nothing of it is understood: kept" in found.context.notes[-1]


def test_a_dark_bar_is_read_as_well(tmp_path):
    path = saved(tmp_path, with_bar(["HV 15.0 kV", "WD 10.1 mm"], light=False, length="5 µm", line=(20, 220)))
    found = read(path)
    assert found.pixel_size_nm == pytest.approx(25.0, rel=1e-3)
    assert (found.context.energy_kev, found.context.working_distance_mm) == (15.0, 10.1)


@pytest.mark.parametrize("where", ["classes", "sizing/fibres", "sizing/particles"])
def test_real_bars(where):
    if not SAMPLES.is_dir():
        pytest.skip(f"there is no folder {SAMPLES}; set MICROGRAPHIA_SAMPLES")
    with (SAMPLES / "classes.csv").open(encoding="utf-8") as file:
        described = {row["file"]: row["description"] for row in csv.DictReader(file)}
    for path in sorted((SAMPLES / where).glob("*.jpg")):
        found = read(path)
        assert found.pixel_size_nm is not None, (path.name, found.context.notes)
        assert found.context.energy_kev is not None, path.name
        # All were taken with microscopes of one make, that print 372 mm wide: the pixel size by another route, within
        # 1 %, or the one pixel to which a line is drawn.
        assert found.context.magnification is not None
        by_magnification_nm = 372e6 / found.context.magnification / WIDTH
        (line,) = (m for note in found.context.notes if (m := re.search(r"in (\d+) ± 1 px", note)))
        assert found.pixel_size_nm == pytest.approx(by_magnification_nm, rel=max(0.01, 1 / int(line.group(1)))), (
            path.name
        )
        if path.name in described:
            volts = re.search(r"EHT = ([\d.]+) kV", described[path.name])
            assert volts is not None
            assert found.context.energy_kev == float(volts.group(1))


@pytest.mark.parametrize(
    ("name", "recorded_nm"),
    [
        ("FEI-Helios-Ebeam-8bits.tif", 3372.4),
        ("test_tiff_Zeiss_SEM_512pix.tif", 11.649976),
        ("test_tiff_Zeiss_SEM_1k.tif", 2614.514),
    ],
)
def test_bars_say_what_their_files_tags_say(name, recorded_nm):
    path = SAMPLES.parent / "formats" / "rsciio" / name
    if not path.is_file():
        pytest.skip(f"there is no file {path}; set MICROGRAPHIA_SAMPLES")
    whole, cut = read(path, info_bar=False), read(path)
    assert cut.frames.shape[1] < whole.frames.shape[1]
    # What the file states comes first.
    assert cut.pixel_size_nm == whole.pixel_size_nm == pytest.approx(recorded_nm, rel=1e-6)
    assert cut.pixel_size_origin == "file"
    assert {name: cut.context.origins[name] for name in whole.context.origins} == dict(whole.context.origins)
    bar = find_bar(whole.frames[0].astype(np.uint8))
    context, size_nm = said(bar, width_px=whole.frames.shape[2])
    assert bar.line_px is not None
    within = max(0.015, 1 / (bar.line_px[1] - bar.line_px[0]))
    assert size_nm == pytest.approx(recorded_nm, rel=within)
    for field in ("energy_kev", "magnification", "detectors"):
        both = getattr(context, field), getattr(whole.context, field)
        assert None in both or both[0] == both[1], field
