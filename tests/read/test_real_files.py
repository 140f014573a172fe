"""Numbers that somebody read in the files' own tags, and how they come out."""

import pytest

from micrographia.errors import ReadError
from micrographia.read import list_images, read
from micrographia.read.dispatch import choose, open_file, to_micrograph

# file, image: pixel size [nm], shape, known context. Every other field must be unknown.
EXPECTED = {
    "stem-wse2-ti/field02/adf1.dm4": (
        0.03987935185432434,
        (512, 512),
        {
            "technique": "STEM",
            "energy_kev": 80.0,
            "detectors": ("ADF1",),
            "camera_length_mm": 80.0,
            "dwell_us": 38.0,
            "magnification": 1e7,
            "tilt_deg": 0.0,
            "date": "2021-10-28T15:55:24",
            "sample": "KNNNR Plan-view 2nd try",
        },
    ),
    "formats/temul/example_Se_implanted_MoS2.dm3": (
        0.0126953125,
        (1024, 1024),
        {
            "technique": "STEM",
            "energy_kev": 60.0,
            "detectors": ("HAADF",),
            "dwell_us": 32.4000015259,
            "date": "2016-07-03T18:20:54",
        },
    ),
    "formats/rsciio/test_STEM_image.dm3": (
        0.24853801727294922,
        (68, 68),
        {
            "technique": "STEM",
            "energy_kev": 200.0,
            "camera_length_mm": 135.0,
            "dwell_us": 3.5,
            "magnification": 225e3,
            "tilt_deg": 24.950478513002935,
            "date": "2016-08-08T16:26:37",
        },
    ),
    "formats/rsciio/test_diffraction_pattern.dm3": (
        None,
        (87, 87),
        {
            "technique": "diffraction",
            "energy_kev": 200.0,
            "detectors": ("BM-UltraScan",),
            "date": "2014-07-09T18:56:37",  # written 7/9/2014; the system time beside it says July
        },
    ),
    "formats/rsciio/Fei HAADF-UK_location.dm3": (
        5.506073124706745,
        (4, 16),
        {
            "technique": "STEM",
            "energy_kev": 200.0,
            "camera_length_mm": 135.0,
            "dwell_us": 1.4,
            "magnification": 1.3e6,
            "tilt_deg": -0.0009759992265376495,
            "date": "2016-08-27T20:52:30",
        },
    ),
    "formats/rsciio/Fei HAADF-FR_location.dm3": (
        5.506073124706745,
        (4, 16),
        {
            "technique": "STEM",
            "energy_kev": 200.0,
            "camera_length_mm": 135.0,
            "dwell_us": 1.4,
            "magnification": 1.3e6,
            "tilt_deg": -0.0009759992265376495,
            "date": "2016-08-27T20:55:20",
        },
    ),
    "formats/rsciio/test-MonarcCL_mono-image.dm4": (
        18325.349807739258,
        (2, 2),
        {
            "technique": "SEM",
            "energy_kev": 3.0,
            "detectors": ("Pulse 0",),
            "dwell_us": 10.0,
            "magnification": 2500.0,
            "tilt_deg": -0.412373811006546,
            "date": "2021-05-14T11:41:07",
        },
    ),
    "formats/ncem/dmTest_float32_nonSquare_diffPixelSize.dm3": (None, (64, 128), {}),
    "formats/ncem/dmTest_3D_int16_64,65,66.dm4::7": (None, (65, 64), {}),
    "formats/ncem/STEM HAADF Diffraction Micro.emd": (
        87.370796142255832,
        (128, 128),
        {
            "technique": "STEM",
            "energy_kev": 300.0,
            "collection_mrad": ((27.4025521024, 166.355088885),),
            "detectors": ("HAADF",),
            "camera_length_mm": 301.0,
            "dwell_us": 10.0,
            "magnification": 7100.0,
            "tilt_deg": -0.000179679564548,
            "date": "2020-07-29T16:49:34+00:00",
        },
    ),
    "formats/ncem/STEM HAADF-DF4-DF2-BF Diffraction Micro.emd::BF": (
        87.370796142255832,
        (128, 128),
        {
            "technique": "STEM",
            "energy_kev": 300.0,
            "detectors": ("BF",),
            "camera_length_mm": 301.0,
            "dwell_us": 10.0,
            "magnification": 7100.0,
            "tilt_deg": -0.000179679564548,
            "date": "2020-07-29T16:49:52+00:00",
        },
    ),
    "formats/rsciio/Test SI 16x16 ReducedData 215 kx.emd::HAADF": (
        3.5992492559614689,
        (16, 16),
        {
            "technique": "STEM",
            "energy_kev": 300.0,
            "convergence_mrad": 25.0106527111,
            "collection_mrad": ((50.0558400442, 200.0),),
            "detectors": ("HAADF",),
            "camera_length_mm": 115.9,
            "probe_current_pa": 216.546159149,
            "dwell_us": 1000.0,
            "magnification": 225e3,
            "tilt_deg": 0.00511327204698,
            "date": "2024-02-29T06:58:04+00:00",
            "sample": "Test",
        },
    ),
    "formats/rsciio/fei_example_dpc_titles.emd::DF4-C": (
        0.099619915558306547,
        (2, 2),
        {
            "technique": "STEM",
            "energy_kev": 300.0,
            "convergence_mrad": 1.04612820693,
            "collection_mrad": ((0.602537444434, 3.36298741868),),
            "detectors": ("DF4",),
            "camera_length_mm": 3028.0,
            "probe_current_pa": 418.573081048,
            "dwell_us": 10.0,
            "magnification": 910e3,
            "tilt_deg": 4.673088,
            "date": "2020-10-29T13:16:16+00:00",
        },
    ),
    "formats/rsciio/fei_example_tem_stack.emd::1": (
        0.008172883192297851,
        (3, 3),
        {
            "technique": "TEM",
            "energy_kev": 300.0,
            "detectors": ("BM-Ceta",),
            "magnification": 1271519.155,
            "tilt_deg": -12.5863701504,
            "date": "2019-12-05T10:03:44+00:00",
        },
    ),
    "formats/rsciio/03_Scanning Preview.emi::4": (
        0.3843524875139251,
        (128, 128),
        {
            "technique": "STEM",
            "energy_kev": 200.0,
            "camera_length_mm": 135.0,
            "dwell_us": 12.0,
            "magnification": 1.3e6,
            "tilt_deg": 0.0,
            "date": "2019-04-25T09:30:09",
        },
    ),
    "formats/rsciio/128x128_TEM_acquire-sum1.emi": (
        21.479317511461325,
        (128, 128),
        {
            "technique": "TEM",
            "energy_kev": 200.0,
            "detectors": ("BM-Ceta",),
            "magnification": 5500.0,
            "tilt_deg": 0.0,
            "date": "2016-02-22T18:57:51",
        },
    ),
    "formats/rsciio/16x16_STEM_BF_DF_acquire.emi::16x16_STEM_BF_DF_acquire_2.ser": (
        21.510044070327744,
        (16, 16),
        {
            "technique": "STEM",
            "energy_kev": 200.0,
            "camera_length_mm": 40.0,
            "dwell_us": 48.0,
            "magnification": 10e3,
            "tilt_deg": 0.0,
            "date": "2016-02-21T17:53:06",
        },
    ),
    "formats/rsciio/64x64_TEM_images_acquire_1.ser": (
        6.281833616298531,
        (64, 64),
        {
            "technique": "TEM",
            "energy_kev": 200.0,
            "detectors": ("WA-Orius",),
            "magnification": 19500.0,
            "tilt_deg": 0.0,
            "date": "2016-02-21T17:50:18",
        },
    ),
    "formats/ncem/temp.mrc::2": (0.2, (128, 128), {}),  # header: 256 Å over 128 px
    "formats/rsciio/HAADFscan.mrc": (
        5.679131317138672,
        (16, 16),
        {
            "technique": "STEM",
            "energy_kev": 300.0,
            "detectors": ("HAADF",),
            "camera_length_mm": 91.1,
            "dwell_us": 10e3,  # 256 of them, and the flyback, make the recorded frame time of 2.72 s
            "tilt_deg": 0.008116119055372828,
            "date": "2022-12-05T12:13:07",
        },
    ),
    "formats/rsciio/test_TEM.bcf": (
        0.771004754204027,
        (64, 64),
        {"technique": "STEM", "energy_kev": 200.0, "detectors": ("HAADF",), "magnification": 225e3},
    ),
    "formats/rsciio/FEI-Helios-Ebeam-8bits.tif": (
        3372.4,
        (471, 512),
        {
            "technique": "SEM",
            "energy_kev": 5.0,
            "detectors": ("ETD",),
            "probe_current_pa": 6.25,
            "dwell_us": 10.0,
            "working_distance_mm": 4.03466,
            "tilt_deg": 0.000374999730998,
            "date": "2016-06-13T17:06:40",
            "sample": "Helios E-Beam",
        },
    ),
    "formats/rsciio/FEI-Helios-navcam.tif": (
        (0.202732 / 768 + 0.135155 / 512) / 2 * 1e9,  # fields of view, over the rows and columns without the data bar
        (551, 768),
        {
            "technique": "light",
            "detectors": ("Nav-Cam",),
            "tilt_deg": 0.000374999730998,
            "date": "2022-05-17T09:07:08",
            "sample": "USER TEXTFOR NAVCAM FIB",
        },
    ),
    "formats/rsciio/test_tiff_Zeiss_SEM_512pix.tif": (
        11.649976,  # a width of 5.965 µm over 512 px
        (384, 512),
        {
            "technique": "SEM",
            "energy_kev": 5.0,
            "detectors": ("InLens",),
            "working_distance_mm": 3.9,
            "magnification": 50e3,
            "tilt_deg": 0.0,
            "date": "2018-09-25T08:20:42",
        },
    ),
    "formats/rsciio/test_tiff_Zeiss_SEM_1k.tif": (
        2614.514,
        (768, 1024),
        {
            "technique": "SEM",
            "energy_kev": 25.0,
            "detectors": ("HE-SE2",),
            "probe_current_pa": 1000.0,
            "working_distance_mm": 14.808,
            "magnification": 105.0,
            "tilt_deg": 0.0,
            "date": "2015-12-23T09:40:32",
        },
    ),
    "formats/rsciio/olympus_SIS.tif": (
        0.023928,
        (101, 112),
        {"detectors": ("Quemesa",), "magnification": 600e3, "date": "2018-11-15T19:42:31"},
    ),
    "formats/rsciio/optical_Zeiss_AxioVision_BW.tif": (
        None,
        (10, 13),
        {"technique": "light", "date": "2016-06-13T16:08:49"},
    ),
    "formats/rsciio/test_loading_image_saved_with_DM.tif": (168.67469251155853, (68, 68), {}),
    "formats/rsciio/test_loading_image_saved_with_imageJ.tif": (
        168.67471098853332,
        (68, 68),
        {
            "technique": "TEM",
            "energy_kev": 200.0,
            "detectors": ("BM-UltraScan",),
            "magnification": 51.0,
            "date": "2015-07-20T18:48:25",
        },
    ),
    "formats/rsciio/test_loading_image_saved_with_imageJ_no_scale.tif": (
        None,
        (68, 68),
        {
            "technique": "TEM",
            "energy_kev": 200.0,
            "detectors": ("BM-UltraScan",),
            "magnification": 51.0,
            "date": "2015-07-20T18:48:25",
        },
    ),
    "formats/rsciio/renishaw_wire.jpg": (None, (480, 752), {"technique": "light"}),
    "few-shot-chips/c/test.tiff": (
        None,
        (512, 512),
        {
            "technique": "STEM",
            "energy_kev": 300.0,
            "detectors": ("ADF1",),
            "camera_length_mm": 80.0,
            "magnification": 20e3,
            "tilt_deg": 0.15,
            "date": "2021-01-19T15:04:39-08:00",
        },
    ),
}

# What was recorded and not believed: part of a note.
DOUBTED = {
    "formats/rsciio/HAADFscan.mrc": ["convergence is recorded as 0.01433 without a unit"],
    "stem-wse2-ti/field02/adf1.dm4": ["probe current is recorded as 0 nA", "probe size is recorded as 0 nm"],
    "formats/temul/example_Se_implanted_MoS2.dm3": [
        "camera length is recorded as 1 mm",
        "magnification is recorded as 1000 but",
    ],
    "formats/rsciio/test_diffraction_pattern.dm3": ["0.1744 1/nm are reciprocal", "may be a camera length"],
    "formats/ncem/dmTest_float32_nonSquare_diffPixelSize.dm3": ["1 nm wide and 0.2 nm high: not square"],
    "formats/ncem/dmTest_3D_int16_64,65,66.dm4::7": ["0.002 nm wide and 3 nm high: not square"],
    "formats/ncem/STEM HAADF Diffraction Micro.emd": [
        "convergence semi-angle is recorded as -0.0287617 rad",
        "probe current (last measured on the screen) is recorded as 2.25264e-14 A",
    ],
    "formats/ncem/STEM HAADF-DF4-DF2-BF Diffraction Micro.emd::BF": [
        "collection angles of BF are recorded as 0 to 0 rad"
    ],
    "formats/rsciio/64x64_TEM_images_acquire_1.ser": ["the context comes from 64x64_TEM_images_acquire.emi"],
    "formats/rsciio/FEI-Helios-Ebeam-8bits.tif": ["lowest 29 rows are the instrument's data bar"],
    "formats/rsciio/FEI-Helios-navcam.tif": ["working distance is recorded as -1.2e-05 m"],
    "formats/rsciio/test_tiff_Zeiss_SEM_1k.tif": ["dwell time is recorded as 0.05 µs but the cycle time gives 51.5"],
    "formats/rsciio/renishaw_wire.jpg": ["2422.1 nm wide and 2503.8 nm high: not square", "luminance"],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_context_is_what_the_tags_say(samples, name):
    size, shape, known = EXPECTED[name]
    opened = open_file(samples / name)
    scan = to_micrograph(opened, choose(opened, info_bar=False), least_side_px=1)
    assert scan.frames.shape == (1, *shape)
    assert scan.pixel_size_nm == (None if size is None else pytest.approx(size, rel=1e-8))
    assert scan.context.known() == known
    assert set(scan.context.origins.values()) <= {"file"}
    for part in DOUBTED.get(name, []):
        assert any(part in note for note in scan.context.notes), scan.context.notes


def test_every_real_file_of_the_collection_is_covered(samples):
    covered = {name.partition("::")[0] for name in EXPECTED}
    not_images = {
        "formats/ncem/08_carbon.dm3",
        "formats/ncem/emd_type1_stringDims.h5",
        "formats/rsciio/16x16-line_profile_diagonal_10x1024.emi",
        "formats/rsciio/16x16-line_profile_diagonal_10x1024_1.ser",
        "formats/rsciio/64x64_TEM_images_acquire.npy",
        "formats/sources.csv",
    }
    by_their_emi = {f"formats/rsciio/{n}" for n in ("03_Scanning Preview_1.ser", "128x128_TEM_acquire-sum1_1.ser")}
    by_their_emi |= {f"formats/rsciio/16x16_STEM_BF_DF_acquire_{k}.ser" for k in (1, 2)}
    by_their_emi |= {"formats/rsciio/64x64_TEM_images_acquire.emi"}
    present = {str(p.relative_to(samples)) for p in (samples / "formats").rglob("*") if p.is_file()}
    assert present <= covered | not_images | by_their_emi


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("STEM HAADF-DF4-DF2-BF Diffraction Micro.emd", ["HAADF", "DF2", "BF", "DF4"]),
        ("temp.mrc", ["frame 0", "frame 1", "frame 2"]),
    ],
)
def test_several_images_are_listed_and_none_is_taken_silently(samples, name, names):
    path = samples / "formats/ncem" / name
    assert [e.name for e in list_images(path)] == names
    assert [e.index for e in list_images(path)] == list(range(len(names)))
    with pytest.raises(ReadError, match=r"128 x 128 px each.*::0"):
        read(path)


@pytest.mark.parametrize("name", ["ncem/08_carbon.dm3", "rsciio/16x16-line_profile_diagonal_10x1024.emi"])
def test_spectra_are_no_images(samples, name):
    with pytest.raises(ReadError, match="holds no image"):
        read(samples / "formats" / name)


def test_computed_image_has_no_collection_angles(samples):
    opened = open_file(samples / "formats/rsciio/fei_example_dpc_titles.emd")
    angles = {i.name: i.context.collection_mrad for i in opened.contents.images}
    assert angles["iDPC"] is None
    assert angles["DF4-A"] is not None
    assert "DPC" not in angles  # complex-valued


def test_pixels_are_those_of_an_independent_copy(samples):
    import numpy as np

    folder = samples / "formats/rsciio"
    scan = read(folder / "64x64_TEM_images_acquire.emi")
    assert np.array_equal(scan.frames[0], np.load(folder / "64x64_TEM_images_acquire.npy"))


def test_provenance_names_the_bytes(samples):
    import hashlib

    path = samples / "stem-wse2-ti/field02/adf1.dm4"
    scan = read(path)
    assert scan.provenance.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert scan.provenance.file == "adf1.dm4"
    assert scan.provenance.raw_metadata["ImageList"]["TagGroup0"]["ImageTags"]["DigiScan"]["Sample Time"] == 38.0


def test_intensities_are_the_files_own(samples):
    scan = read(samples / "stem-wse2-ti/field02/adf1.dm4")
    assert (scan.frames.min(), scan.frames.max()) == (95280.0, 1978823.0)  # as the file's display tags say
