"""A bar is found in a picture, read, and cut off."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
from drawn_bars import HEIGHT, WIDTH, picture, with_bar
from PIL import Image

from micrographia.read import read
from micrographia.read.info_bar.bar import find_bar, find_rows, said

SAMPLES = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")) / "sem-nffa"


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
