import hashlib

import numpy as np
import pytest

from micrographia.errors import InputError, ReadError
from micrographia.read import read_channels


def put(folder, name, text="{}", shape=(9, 10), value=None):
    np.save(folder / f"{name}.npy", np.full(shape, float(ord(name)) if value is None else value))
    (folder / f"{name}.yaml").write_text(text)
    return folder / f"{name}.npy"


def test_real_pair_is_one_scan(samples):
    folder = samples / "stem-wse2-ti/field02"
    scan = read_channels([folder / "adf1.dm4", folder / "adf2.dm4"])
    assert scan.frames.shape == (2, 512, 512)
    assert scan.context.detectors == ("ADF1", "ADF2")
    assert scan.context.energy_kev == 80.0
    assert scan.context.date == "2021-10-28T15:55:24"
    assert scan.pixel_size_nm == pytest.approx(0.03987935185)
    assert scan.provenance.file == "adf1.dm4 + adf2.dm4"
    digests = [hashlib.sha256((folder / f"adf{k}.dm4").read_bytes()).hexdigest() for k in (1, 2)]
    assert scan.provenance.sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()
    assert scan.context.notes.count("probe current is recorded as 0 nA: not believed, left unknown") == 1


def test_images_of_one_file(samples):
    path = samples / "formats/ncem/STEM HAADF-DF4-DF2-BF Diffraction Micro.emd"
    scan = read_channels([f"{path}::HAADF", f"{path}::BF"])
    assert scan.context.detectors == ("HAADF", "BF")
    assert scan.context.collection_mrad == ((27.4025521024, 166.355088885), None)
    assert scan.context.date is None  # one second apart
    assert any(note.startswith("date differs between the channels") for note in scan.context.notes)


def test_what_differs_is_unknown_and_what_one_knows_is_kept(tmp_path):
    a = put(tmp_path, "a", "{energy_kev: 80, host: WSe2, dwell_us: 5, collection_mrad: [76, 200]}")
    b = put(tmp_path, "b", "{energy_kev: 60, host: WSe2, origins: {energy_kev: file, host: user}}")
    context = read_channels([a, b]).context
    assert context.known() == {"host": "WSe2", "dwell_us": 5.0, "collection_mrad": ((76.0, 200.0), None)}
    assert context.notes == ("energy_kev differs between the channels (80, 60): left unknown",)


def test_pixel_sizes(tmp_path):
    a, b = put(tmp_path, "a", "pixel_size_nm: 0.02"), put(tmp_path, "b", "pixel_size_nm: 0.0201")
    assert read_channels([a, b]).pixel_size_nm == 0.02
    put(tmp_path, "b", "pixel_size_nm: 0.0203")
    with pytest.raises(ReadError, match=r"0\.0203 nm in b\.npy but 0\.02 nm in a\.npy"):
        read_channels([a, b])
    put(tmp_path, "b")
    scan = read_channels([b, a])
    assert scan.pixel_size_nm == 0.02
    assert "pixel size is taken from a.npy; not every channel records it" in scan.context.notes


def test_what_is_no_scan(tmp_path):
    a = put(tmp_path, "a")
    with pytest.raises(InputError, match="one shape"):
        read_channels([a, put(tmp_path, "b", shape=(10, 9))])
    with pytest.raises(InputError, match="given twice"):
        read_channels([a, a])
    with pytest.raises(InputError, match="no file"):
        read_channels([])
    two = put(tmp_path, "c", "channels: true", shape=(2, 9, 10))
    with pytest.raises(InputError, match="2 channels already"):
        read_channels([a, two])
    assert read_channels([two]).frames.shape == (2, 9, 10)
