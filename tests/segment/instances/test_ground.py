"""Objects on a plain ground are counted with their doubt, and nothing is counted where there is nothing."""

import numpy as np
import pytest
from drawn import disks
from scipy.ndimage import gaussian_filter

from micrographia.errors import InputError
from micrographia.segment.instances.ground import GroundSettings, segment_objects

SHAPE = (200, 300)
PLACES = [(40 + 60 * r, 40 + 55 * c) for r in range(3) for c in range(5)]


def scene(contrast=60.0, *, noise=8.0, tilt=0.0, places=PLACES, radius=9, seed=0):
    """Fifteen disks on a ground that may be tilted, blurred by the optics, with noise."""
    mask = disks(SHAPE, *[(y, x, radius) for y, x in places])
    ground = 100 + tilt * np.linspace(-1, 1, SHAPE[1])
    image = gaussian_filter(ground + contrast * mask, 1.0)
    return (image + np.random.default_rng(seed).normal(0, noise, SHAPE)).astype(np.float32)


@pytest.mark.parametrize(("contrast", "ground"), [(60.0, "dark"), (-60.0, "bright")])
def test_fifteen_disks_are_counted_and_their_polarity_found(contrast, ground):
    found = segment_objects(scene(contrast))
    assert (found.count, found.low, found.high) == (15, 15, 15)
    assert found.ground == ground
    assert len(found.variants) >= 7
    # The blur and the threshold at half height leave the size alone: 17.9 px across, within half a pixel.
    assert np.median(found.instances.diameters_px) == pytest.approx(18, abs=0.5)


def test_a_tilted_ground_is_levelled():
    # The ground climbs by twice the contrast across the frame, so that no level parts it.
    found = segment_objects(scene(60, tilt=60, noise=3))
    assert found.count == 15
    assert "levelling" in found.way


def test_touching_disks_are_counted_apart():
    pairs = [(y, x + dx) for y, x in PLACES[:10:2] for dx in (-8, 8)]
    found = segment_objects(scene(80, places=pairs))
    assert found.count == 10


def test_a_few_disks_are_found_where_otsu_alone_parts_the_noise():
    found = segment_objects(scene(60, places=[(60, 80), (140, 200)], radius=6, noise=15))
    assert found.count == 2


def test_units_do_not_matter():
    image = scene()
    np.testing.assert_array_equal(
        segment_objects(image).instances.labels, segment_objects(image * np.float32(64)).instances.labels
    )


def test_faint_objects_widen_the_range():
    # Five disks at half the contrast: a threshold a fifth higher than half-way loses them, or nearly.
    faint = scene(80, places=PLACES[:10], noise=6) + scene(36, places=PLACES[10:], noise=6, seed=1) - 100
    found = segment_objects(faint.astype(np.float32))
    assert found.low <= 10
    assert found.high >= 15
    assert f"({found.low} to {found.high} over" in found.sentence


def noise(kind):
    rng = np.random.default_rng(5)
    white = rng.normal(size=SHAPE)
    if kind == "white":
        return white
    if kind == "blurred":
        return gaussian_filter(white, 4)
    if kind == "ramp":
        return np.linspace(0, 40, SHAPE[1])[None, :] + white
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SHAPE[0]), np.fft.fftfreq(SHAPE[1]), indexing="ij"))
    frequency[0, 0] = 1
    return np.fft.ifft2(np.fft.fft2(white) / frequency**1.5).real


@pytest.mark.parametrize("kind", ["white", "blurred", "ramp", "fractal"])
def test_nothing_is_found_in_noise(kind):
    with pytest.raises(InputError, match=r"no objects can be told.*gradient along outlines is [01]\.\d"):
        segment_objects(noise(kind))


def test_stripes_are_no_objects():
    stripes = np.sin(np.indices(SHAPE)[1] / 6) > 0
    with pytest.raises(InputError, match="no objects can be told"):
        segment_objects(100.0 * stripes + np.random.default_rng(0).normal(0, 2, SHAPE))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((20, 100)), "at least 32"),
        (np.full((50, 50), 3.0), r"all pixels are equal \(3\)"),
        (np.where(np.eye(50) > 0, np.nan, 1.0), "not finite"),
    ],
)
def test_frames_without_content_are_refused(frame, words):
    with pytest.raises(InputError, match=words):
        segment_objects(frame)


@pytest.mark.parametrize("wrong", [{"smoothing_px": 0}, {"least_edge": 0}, {"least_whole": 2}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="accepted is"):
        GroundSettings(**wrong)
