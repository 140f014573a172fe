"""Whatever is wrong with a file, one line says it, and nothing else comes out."""

import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from micrographia.errors import InputError, ReadError
from micrographia.read import list_images, read
from micrographia.read.dispatch import choose, open_file, to_micrograph
from micrographia.report.scan_file import write_micrograph

REAL = [
    "formats/rsciio/test_STEM_image.dm3",
    "stem-wse2-ti/field02/adf1.dm4",
    "formats/ncem/STEM HAADF-DF4-DF2-BF Diffraction Micro.emd",
    "formats/rsciio/Test SI 16x16 ReducedData 215 kx.emd",
    "formats/ncem/emd_type1_stringDims.h5",
    "formats/rsciio/03_Scanning Preview.emi",
    "formats/rsciio/128x128_TEM_acquire-sum1_1.ser",
    "formats/rsciio/03_Scanning Preview_1.ser",
    "formats/ncem/temp.mrc",
    "formats/rsciio/HAADFscan.mrc",
    "formats/rsciio/test_TEM.bcf",
    "formats/rsciio/FEI-Helios-Ebeam-8bits.tif",
    "formats/rsciio/test_tiff_Zeiss_SEM_512pix.tif",
    "formats/rsciio/test_loading_image_saved_with_DM.tif",
    "formats/rsciio/test_loading_image_saved_with_imageJ.tif",
    "few-shot-chips/c/test.tiff",
    "formats/rsciio/renishaw_wire.jpg",
    "tem-loops/images/1.png",
]
MADE = ["scan.npy", "scan.hspy", "scan.tif", "scan.bmp", "scan.png", "scan.jpg"]


def refused(path):
    """Return the one line with which a file is refused; fail on anything else, warnings included."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            read(path)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) > 20
    return line


def make(path, scan):
    if path.suffix in (".npy", ".hspy", ".tif"):
        write_micrograph(scan, path)
    else:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("name", REAL)
def test_real_file_cut_short_is_refused_or_reads_the_same(samples, tmp_path, name):
    source = samples / name
    whole = open_file(source)
    for share in (0.0, 0.1, 0.5, 0.9):
        folder = tmp_path / str(share)
        folder.mkdir()
        for sibling in source.parent.glob(f"{source.stem}*.ser"):
            shutil.copyfile(sibling, folder / sibling.name)
        cut = folder / source.name
        cut.write_bytes(source.read_bytes()[: int(source.stat().st_size * share)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                opened = open_file(cut)
            except ReadError:
                assert cut.name in refused(cut)
                continue
        # The bytes that are missing were none of the image's.
        assert share == 0.9
        assert len(opened.contents.images) == len(whole.contents.images)
        for part, full in zip(opened.contents.images, whole.contents.images, strict=True):
            assert np.array_equal(part.pixels, full.pixels)
            assert part.context == full.context


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", MADE)
def test_made_file_cut_short_is_refused(tmp_path, scan, name, share):
    path = make(tmp_path / name, scan)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    line = refused(path)
    assert name in line


@pytest.mark.parametrize(
    "extension",
    "dm3 dm4 emd h5 ser emi mrc hspy bcf tif tiff png jpg bmp npy".split(),  # noqa: SIM905 - reads as people say it
)
def test_text_renamed_is_refused(tmp_path, extension):
    path = tmp_path / f"notes.{extension}"
    path.write_text("This is not a micrograph but a page of text.\n" * 100)
    assert "notes." in refused(path)


@pytest.mark.parametrize("extension", ["dm3", "dm4", "emd", "ser", "emi", "mrc", "hspy", "bcf", "tif", "png", "npy"])
def test_noise_behind_the_right_first_bytes_is_refused(tmp_path, extension):
    first = {
        "dm3": b"\0\0\0\3",
        "dm4": b"\0\0\0\4",
        "emd": b"\x89HDF\r\n\x1a\n",
        "ser": b"II\x97\x01",
        "emi": b"JK\0\2",
        "mrc": (16).to_bytes(4, "little") * 3 + (2).to_bytes(4, "little"),
        "hspy": b"\x89HDF\r\n\x1a\n",
        "bcf": b"AAMVHFSS",
        "tif": b"II*\0\x08\0\0\0",
        "png": b"\x89PNG\r\n\x1a\n",
        "npy": b"\x93NUMPY\x01\0",
    }[extension]
    path = tmp_path / f"noise.{extension}"
    path.write_bytes(first + np.random.default_rng(3).bytes(3000))
    refused(path)


def test_folder_missing_file_and_unknown_extension(tmp_path):
    assert "is a folder" in refused(tmp_path)
    assert "no file was named" in refused("")
    assert "does not exist" in refused(tmp_path / "nowhere.dm4")
    assert "does not exist" in refused(tmp_path / "nowhere.dm4::HAADF")
    odd = tmp_path / "scan.xyz"
    odd.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "rename it to scan.png" in refused(odd)
    assert "no extension" in refused_named(tmp_path / "scan", b"data")


def refused_named(path, content):
    path.write_bytes(content)
    return refused(path)


def test_wrong_extension_names_the_right_one(tmp_path, scan):
    path = make(tmp_path / "scan.png", scan).rename(tmp_path / "scan.dm4")
    assert "its bytes are PNG; rename it to scan.png" in refused(path)


def test_hdf5_of_another_kind(tmp_path):
    import h5py

    for extension in ("emd", "h5", "hspy"):
        path = tmp_path / f"other.{extension}"
        with h5py.File(path, "w") as file:
            file["table"] = np.arange(5)
        refused(path)


@pytest.mark.parametrize("extension", ["png", "bmp", "jpg", "tif"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20), (20, 1), (7, 20)])
def test_image_below_eight_pixels(tmp_path, extension, height, width):
    path = tmp_path / f"tiny.{extension}"
    Image.fromarray(np.zeros((height, width), dtype=np.uint8)).save(path)
    assert f"{height} x {width} px; accepted is at least 8 x 8" in refused(path)


def test_small_image_is_listed(tmp_path):
    path = tmp_path / "tiny.png"
    Image.fromarray(np.zeros((7, 20), dtype=np.uint8)).save(path)
    assert [e.shape for e in list_images(path)] == [(7, 20)]


def test_nan_and_overflow(tmp_path):
    (tmp_path / "scan.yaml").write_text("{}")
    pixels = np.ones((9, 9))
    for bad in (np.nan, np.inf, 1e300):
        pixels[2, 3] = bad
        np.save(tmp_path / "scan.npy", pixels)
        assert "1 pixels are NaN or infinite" in refused(tmp_path / "scan.npy")


def test_constant_image_is_readable(tmp_path):
    path = tmp_path / "black.png"
    Image.fromarray(np.zeros((32, 32), dtype=np.uint8)).save(path)
    assert read(path).frames.max() == 0


def test_array_without_sidecar_or_with_two(tmp_path):
    np.save(tmp_path / "scan.npy", np.eye(9))
    line = refused(tmp_path / "scan.npy")
    assert "has no sidecar" in line
    assert "pixel_size_nm: 0.02" in line
    (tmp_path / "scan.yaml").write_text("{}")
    (tmp_path / "scan.npy.json").write_text("{}")
    assert "several sidecars (scan.yaml, scan.npy.json)" in refused(tmp_path / "scan.npy")


@pytest.mark.parametrize(
    "array", [np.array([{"a": 1}]), np.array(["a"]), np.ones(9), np.ones((2, 2, 9, 9)), 1j * np.eye(9)]
)
def test_array_that_is_no_image(tmp_path, array):
    np.save(tmp_path / "scan.npy", array, allow_pickle=True)
    (tmp_path / "scan.yaml").write_text("{}")
    refused(tmp_path / "scan.npy")


def test_emi_without_its_series(samples, tmp_path):
    shutil.copyfile(samples / "formats/rsciio/64x64_TEM_images_acquire.emi", tmp_path / "a.emi")
    assert "put its a_1.ser beside it" in refused(tmp_path / "a.emi")


def test_series_alone_has_no_context(samples, tmp_path):
    path = tmp_path / "a_1.ser"
    shutil.copyfile(samples / "formats/rsciio/64x64_TEM_images_acquire_1.ser", path)
    scan = read(path)
    assert scan.context.known() == {}
    assert scan.pixel_size_nm == pytest.approx(6.281833616298531)


def test_nothing_is_printed(samples, capfd, tmp_path):
    read(samples / "formats/rsciio/test_STEM_image.dm3")
    cut = tmp_path / "cut.tif"
    cut.write_bytes((samples / "few-shot-chips/c/test.tiff").read_bytes()[:-1000])
    refused(cut)
    assert capfd.readouterr() == ("", "")


def test_unreadable_file(tmp_path, monkeypatch):
    from pathlib import Path

    path = tmp_path / "scan.png"
    path.write_bytes(b"\x89PNG")

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refused(path)


def test_index_and_name_that_do_not_exist(samples):
    path = samples / "formats/ncem/STEM HAADF-DF4-DF2-BF Diffraction Micro.emd"
    assert "accepted is 0 to 3" in refused(f"{path}::4")
    assert "one of HAADF, DF2, BF, DF4" in refused(f"{path}::ABF")
    opened = open_file(f"{path}::df2")
    assert to_micrograph(opened, choose(opened), least_side_px=8).context.detectors == ("DF2",)


def test_file_larger_than_memory(tmp_path, monkeypatch):
    import os

    path = tmp_path / "scan.png"
    Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(path)
    monkeypatch.setattr(os, "sysconf", lambda name: 1 if name == "SC_PHYS_PAGES" else 64)
    assert "of memory" in refused(path)
