import json

import numpy as np
import pytest

from micrographia.errors import ContextError, InputError, ReadError
from micrographia.read import list_images, read, read_context

FULL = """
technique: STEM
host: WSe2
dopants: [Ti, Cr]
energy_kev: 80
convergence_mrad: 30
collection_mrad: [[76, 200], null]
detectors: [HAADF, null]
camera_length_mm: 80
probe_current_pa: 20
dose_e_per_A2: 1e6
dwell_us: 38
working_distance_mm: 5
magnification: 1.0e+7
tilt_deg: -3
date: 2021-10-28
sample: field 2
notes: [by hand]
pixel_size_nm: 0.0386
"""


def test_every_field(tmp_path):
    path = tmp_path / "context.yaml"
    path.write_text(FULL)
    given = read_context(path)
    assert given.pixel_size_nm == 0.0386
    assert given.context.known() == {
        "technique": "STEM",
        "host": "WSe2",
        "dopants": ("Ti", "Cr"),
        "energy_kev": 80.0,
        "convergence_mrad": 30.0,
        "collection_mrad": ((76.0, 200.0), None),
        "detectors": ("HAADF", None),
        "camera_length_mm": 80.0,
        "probe_current_pa": 20.0,
        "dose_e_per_A2": 1e6,  # YAML 1.1 reads 1e6 as a word
        "dwell_us": 38.0,
        "working_distance_mm": 5.0,
        "magnification": 1e7,
        "tilt_deg": -3.0,
        "date": "2021-10-28",
        "sample": "field 2",
    }
    assert set(given.context.origins.values()) == {"user"}
    assert given.context.notes == ("by hand",)


def test_json_is_as_good(tmp_path):
    path = tmp_path / "context.json"
    path.write_text(json.dumps({"host": "MoS2", "collection_mrad": [[76, 200]]}))
    assert read_context(path).context.collection_mrad == ((76.0, 200.0),)


def test_one_word_and_one_pair_stand_for_a_list_of_one(tmp_path):
    path = tmp_path / "context.yaml"
    path.write_text("{dopants: Ti, detectors: HAADF, collection_mrad: [76, 200]}")
    context = read_context(path).context
    assert (context.dopants, context.detectors, context.collection_mrad) == (("Ti",), ("HAADF",), ((76.0, 200.0),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("energy_kv: 80", "key 'energy_kv' is unknown; accepted are technique, host"),
        ("energy_kev: -80", "energy_kev is -80 keV; accepted is 0.05 to 3000 keV"),
        ("energy_kev: high", "energy_kev is 'high'; input should be a valid number"),
        ("energy_kev: .nan", "energy_kev is nan keV"),
        ("collection_mrad: [[200, 76]]", "collection angles are 200 to 76 mrad"),
        ("collection_mrad: 76", "accepted is one [inner, outer] in mrad a channel"),
        ("collection_mrad: [[76]]", "accepted is one [inner, outer] in mrad a channel"),
        ("pixel_size_nm: 0", "pixel_size_nm is 0; accepted is a positive number"),
        ("pixel_size_nm: .inf", "pixel_size_nm is inf; accepted is a positive number"),
        ("- a\n- b", "holds no keys and values"),
        ("", "holds no keys and values"),
        ("a: [", "is no valid YAML or JSON"),
        ("\x00", "is no valid YAML or JSON"),
        ("origins: {host: user}", "key 'origins' is unknown"),
        ("host: [WSe2]", "host is ['WSe2']"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "context.yaml"
    path.write_text(text)
    with pytest.raises(ContextError) as caught:
        read_context(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith("context.yaml")
    assert "\n" not in str(caught.value)


def test_context_file_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ContextError, match="cannot be read"):
            read_context(path)
    (tmp_path / "huge.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ContextError, match="no context file"):
        read_context(tmp_path / "huge.yaml")
    (tmp_path / "latin.yaml").write_bytes("sample: Göttingen".encode("latin-1"))
    with pytest.raises(ContextError, match="no valid YAML"):
        read_context(tmp_path / "latin.yaml")


@pytest.mark.parametrize("name", ["scan.yaml", "scan.yml", "scan.json", "scan.npy.yaml"])
def test_sidecar_names(tmp_path, name):
    np.save(tmp_path / "scan.npy", np.eye(9))
    (tmp_path / name).write_text('{"pixel_size_nm": 0.02, "energy_kev": 80}')
    scan = read(tmp_path / "scan.npy")
    assert (scan.pixel_size_nm, scan.pixel_size_origin) == (0.02, "file")
    assert dict(scan.context.origins) == {"energy_kev": "file"}


def test_three_axes_are_a_stack_unless_the_sidecar_says_channels(tmp_path):
    np.save(tmp_path / "scan.npy", np.arange(3 * 81.0).reshape(3, 9, 9))
    (tmp_path / "scan.yaml").write_text("pixel_size_nm: 0.02")
    with pytest.raises(ReadError, match=r"a stack of 3 frames \(9 x 9 px each.*scan\.npy::0"):
        read(tmp_path / "scan.npy")
    assert [e.kind for e in list_images(tmp_path / "scan.npy")] == ["frame"] * 3
    assert read(f"{tmp_path / 'scan.npy'}::2").frames[0, 0, 0] == 162
    (tmp_path / "scan.yaml").write_text("{pixel_size_nm: 0.02, channels: true}")
    assert read(tmp_path / "scan.npy").frames.shape == (3, 9, 9)
    (tmp_path / "scan.yaml").write_text("{channels: true, detectors: [A, B]}")
    with pytest.raises(InputError, match="2 entries for 3 channel"):
        read(tmp_path / "scan.npy")


def test_origins_in_a_sidecar(tmp_path):
    np.save(tmp_path / "scan.npy", np.eye(9))
    (tmp_path / "scan.yaml").write_text("{host: WSe2, energy_kev: 80, origins: {host: user, energy_kev: assumed}}")
    assert dict(read(tmp_path / "scan.npy").context.origins) == {"host": "user", "energy_kev": "assumed"}
    (tmp_path / "scan.yaml").write_text("{host: WSe2, origins: {host: hearsay}}")
    with pytest.raises(ContextError, match=r"origins\.host is 'hearsay'; accepted is one of file, user"):
        read(tmp_path / "scan.npy")
    (tmp_path / "scan.yaml").write_text("{host: WSe2, origins: {}}")
    with pytest.raises(ContextError, match="each known field needs an origin"):
        read(tmp_path / "scan.npy")


def test_names_that_contain_the_separator(tmp_path):
    for name in ("a::b", "a"):
        np.save(tmp_path / f"{name}.npy", np.arange(2 * 81.0).reshape(2, 9, 9) + (100 if name == "a" else 0))
        (tmp_path / f"{name}.yaml").write_text("{}")
    assert read(f"{tmp_path}/a::b.npy::1").frames[0, 0, 0] == 81
    assert read(f"{tmp_path}/a.npy::1").frames[0, 0, 0] == 181
    assert read(f"{tmp_path}/a.npy::frame 1").provenance.file == "a.npy::frame 1"
