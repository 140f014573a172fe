"""Scans by probes that are not round."""

import numpy as np
import pytest

from micrographia.errors import ContextError
from micrographia.simulate import Column, Probe, Specimen, cached_rings, detector_table, simulate_scan
from micrographia.simulate.columns.aberrations import Aberrations
from micrographia.simulate.columns.kernels2d import column_plane
from micrographia.simulate.columns.planes import plane_spline, spline_step_A, superpose_planes
from micrographia.simulate.scans.faults import ScanFaults, probe_path
from micrographia.simulate.scans.scan import superpose

PROBE = Probe(energy_kev=80.0, convergence_mrad=30.0)
HAADF = (76.0, 200.0)
TUNGSTEN = Column(atoms=(("W", 0.0),))
SIDE, PIXEL_A = 240, 0.1
X_PX, Y_PX = 117.37, 121.81
ONE = Specimen(
    x_A=np.array([X_PX * PIXEL_A]),
    y_A=np.array([Y_PX * PIXEL_A]),
    columns=(TUNGSTEN,),
    kind=np.array([0]),
    label=np.array([""]),
    width_A=SIDE * PIXEL_A,
    height_A=SIDE * PIXEL_A,
)


def scan_of(aberrations, **changes):
    settings = {"collection_mrad": (HAADF,), "pixel_size_nm": 0.1 * PIXEL_A, "vibration_A": 0.06} | changes
    return simulate_scan(ONE, settings.pop("probe", PROBE), aberrations=aberrations, **settings).frames[0].astype(float)


def centroid_A(image, x_A, y_A, radius_A=6.0):
    near = np.where(np.hypot(x_A, y_A[:, None]) < radius_A, image, 0.0)
    return float((near * x_A).sum() / near.sum()), float((near * y_A[:, None]).sum() / near.sum())


@pytest.mark.parametrize(("defocus_A", "source_sigma_A"), [(0.0, 0.0), (40.0, 0.3)])
def test_a_round_probe_gives_the_same_by_planes_as_by_radius(defocus_A, source_sigma_A):
    still = np.zeros(SIDE)
    place = np.array([X_PX]), np.array([Y_PX]), np.zeros(1, dtype=int)
    spline = plane_spline(
        TUNGSTEN,
        PROBE,
        Aberrations(defocus_A=defocus_A),
        collection_mrad=HAADF,
        source_sigma_A=source_sigma_A,
        vibration_A=0.06,
    )
    ours = superpose_planes(*place, spline[None], spline_step_A(PROBE), PIXEL_A, still, still, still)
    probe = Probe(energy_kev=80.0, convergence_mrad=30.0, defocus_A=defocus_A)
    table = detector_table(cached_rings(TUNGSTEN, probe, vibration_A=0.06), HAADF, source_sigma_A=source_sigma_A)
    radial = superpose(*place, np.ones(1), table[None], PIXEL_A, SIDE, SIDE)
    assert ours == pytest.approx(radial, abs=1e-3 * float(radial.max()))
    assert ours.sum() == pytest.approx(radial.sum(), rel=1e-3)


def test_round_aberrations_are_the_probe_s_own():
    probe = Probe(energy_kev=80.0, convergence_mrad=30.0, defocus_A=25.0, cs_mm=1e-3)
    assert np.array_equal(scan_of(Aberrations(defocus_A=25.0, cs_mm=1e-3)), scan_of(None, probe=probe))


def test_coma_moves_a_column_as_its_plane_says():
    # A point's centroid moves by minus the mean of grad chi / 2 pi over the aperture: alpha² C21 / 3.
    coma = Aberrations(coma_A=600.0, coma_deg=90.0)
    pixels = np.arange(SIDE)
    frame = scan_of(coma)
    x_A, y_A = centroid_A(frame, (pixels - X_PX) * PIXEL_A, (pixels - Y_PX) * PIXEL_A)
    plane = column_plane(
        TUNGSTEN,
        energy_kev=80.0,
        convergence_mrad=30.0,
        aberrations=coma,
        vibration_A=0.06,
        collection_mrad=HAADF,
        extent_A=14.0,
        step_A=0.2,
    )
    axis_A = (np.arange(len(plane)) - len(plane) // 2) * 0.2
    assert (x_A, y_A) == pytest.approx(centroid_A(plane, axis_A, axis_A), abs=2e-3)
    assert (x_A, y_A) == pytest.approx((0.0, -(0.03**2) * 600 / 3), abs=0.02)
    # And between the pixels of the plane it is the plane's Fourier series.
    rows, cols = np.indices(frame.shape)
    at = (np.hypot(rows - Y_PX, cols - X_PX) < 30) & (rows % 7 == 0) & (cols % 7 == 0)
    k = np.fft.fftfreq(len(plane), 0.2)
    spectrum = np.fft.fft2(np.fft.ifftshift(plane)) / plane.size
    dy_A, dx_A = (rows[at] - Y_PX) * PIXEL_A, (cols[at] - X_PX) * PIXEL_A
    expected = np.einsum(
        "ny,yx,nx->n", np.exp(2j * np.pi * np.outer(dy_A, k)), spectrum, np.exp(2j * np.pi * np.outer(dx_A, k))
    ).real
    assert frame[at] == pytest.approx(expected, abs=1e-3 * float(frame.max()))


@pytest.mark.parametrize("energy_kev", [80.0, 200.0])
def test_what_is_beyond_the_plane_is_known_well_enough(energy_kev):
    # At 200 keV the exact part ends at 6.6 Å.
    probe = Probe(energy_kev=energy_kev, convergence_mrad=25.0)
    optics = {"aberrations": Aberrations(coma_A=400.0, astigmatism2_A=10.0), "vibration_A": 0.06}
    step_A = 8 * spline_step_A(probe)
    spline = plane_spline(
        TUNGSTEN,
        probe,
        optics["aberrations"],
        collection_mrad=HAADF,
        source_sigma_A=0.0,
        vibration_A=0.06,
    )
    far = column_plane(
        TUNGSTEN,
        energy_kev=energy_kev,
        convergence_mrad=25.0,
        collection_mrad=HAADF,
        extent_A=21.0,
        step_A=step_A,
        **optics,
    )
    n, still = len(far), np.zeros(len(far))
    middle = np.array([float(n // 2)])
    ours = superpose_planes(
        middle, middle, np.zeros(1, dtype=int), spline[None], spline_step_A(probe), step_A, still, still, still
    )
    axis = np.arange(n) - n // 2
    known = np.hypot(axis, axis[:, None]) * step_A < 10.5
    assert ours[known] == pytest.approx(far[known], abs=1e-4 * float(far.max()))
    # What they add up to in a crystal: at this step, below 1 / band limit, a sum stands for the integral.
    assert ours[known].sum() == pytest.approx(far[known].sum(), rel=5e-4)


def test_faults_and_channels_go_with_any_probe():
    astigmatic = Aberrations(astigmatism2_A=15.0, astigmatism2_deg=30.0)
    faults = ScanFaults(row_jitter_A=0.1, flyback_A=0.5, seed=2)
    told = []
    frame = scan_of(
        astigmatic, faults=faults, progress=lambda done, total: told.append((done, total)), source_sigma_nm=0.03
    )
    assert told == [(1, 1)]
    path = probe_path(faults, height=SIDE, width=SIDE, pixel_A=PIXEL_A)
    spline = plane_spline(TUNGSTEN, PROBE, astigmatic, collection_mrad=HAADF, source_sigma_A=0.3, vibration_A=0.06)[
        None
    ]
    still, kind = np.zeros(SIDE), np.zeros(1, dtype=int)
    for row, col in ((118, 120), (124, 110)):
        x = X_PX - path.row_x_px[row] - path.column_x_px[col]
        y = Y_PX - path.row_y_px[row]
        moved = superpose_planes(
            np.array([x]), np.array([y]), kind, spline, spline_step_A(PROBE), PIXEL_A, still, still, still
        )
        assert frame[row, col] == pytest.approx(moved[row, col], rel=1e-5)


@pytest.mark.parametrize(
    ("aberrations", "changes", "says"),
    [
        (Aberrations(coma_A=20000.0), {}, "spread the probe over 18 Å"),
        (Aberrations(coma_A=100.0), {"collection_mrad": ((0.0, 20.0),)}, "accepted is a dark-field detector"),
        (
            Aberrations(defocus_A=10.0),
            {"probe": Probe(energy_kev=80.0, convergence_mrad=30.0, defocus_A=10.0)},
            "give them all in aberrations",
        ),
    ],
)
def test_what_planes_cannot_hold_is_refused(aberrations, changes, says):
    with pytest.raises(ContextError, match=says):
        scan_of(aberrations, **changes)
