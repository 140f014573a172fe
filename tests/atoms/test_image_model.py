from __future__ import annotations

import numpy as np
import pytest
from scans import HIGH, PROBE, field, truth
from scipy.ndimage import gaussian_filter
from scipy.stats import chi2

from micrographia.atoms.conditions import Condition
from micrographia.atoms.decide import index_of_pristine
from micrographia.atoms.image_model import ChannelModel, Fit, blurred, channel_model, fit_channel, measure_sites, render
from micrographia.simulate import cached_rings, detector_table, host, hypotheses
from micrographia.simulate.columns.vibration import VIBRATION_A

OPTIONS = hypotheses(host("WSe2"))
PIXEL_A, A_PX = 0.25, 3.32 / 0.25


def model_of(blur_A2: np.ndarray) -> ChannelModel:
    condition = Condition(
        probe=PROBE, collection_mrad=HIGH, log_likelihood=0.0, blur_A2=blur_A2, amplitude=np.ones(len(OPTIONS))
    )
    return channel_model(condition, OPTIONS, PIXEL_A)


@pytest.fixture(scope="module")
def model() -> ChannelModel:
    return model_of(np.diag([0.16, 0.16]))


class Pristine:
    """A pristine field of 70 Å: sites, their hypotheses, rendered columns."""

    def __init__(self, model: ChannelModel, size_A: float = 70.0) -> None:
        specimen = field(size_A, seed=9, rotation_deg=14)
        places = [truth(specimen, PIXEL_A, s) for s in "MX"]
        self.x, self.y = np.concatenate(places).T
        self.pristine = index_of_pristine(np.arange(self.x.size) < len(places[0]), OPTIONS)
        self.occupation = np.eye(len(OPTIONS))[self.pristine]
        self.shape = (int(size_A / PIXEL_A),) * 2
        self.columns = render(model, self.x, self.y, self.occupation, self.shape)
        near = np.minimum(np.minimum(self.x, self.y), self.shape[0] - 1 - np.maximum(self.x, self.y))
        self.deep = np.nonzero(near > A_PX)[0]


def flat_fit(shape: tuple[int, int], *, gain: float, background: float, floor: float, slope: float) -> Fit:
    return Fit(
        gain=gain, background=np.full(shape, background), noise_floor=floor, noise_slope=slope, lowest=background
    )


@pytest.mark.parametrize(("xx", "yy"), [(4.0, 4.0), (9.0, 1.5), (0.0, 6.0)])
def test_blur_is_that_of_scipy_along_the_axes(xx: float, yy: float) -> None:
    image = np.random.default_rng(0).random((70, 90))
    ours = blurred(image, np.diag([xx, yy]))
    theirs = gaussian_filter(image, (np.sqrt(yy), np.sqrt(xx)), mode="mirror", truncate=6.0)
    assert ours[15:-15, 15:-15] == pytest.approx(theirs[15:-15, 15:-15], abs=2e-4)


def test_blur_of_any_orientation_adds_its_covariance_and_keeps_the_sum() -> None:
    covariance = np.array([[6.0, 2.5], [2.5, 3.0]])
    spike = np.zeros((61, 61))
    spike[30, 30] = 1
    wide = blurred(spike, covariance)
    y, x = np.mgrid[-30:31, -30:31]
    assert wide.sum() == pytest.approx(1)
    found = [[np.sum(wide * a * b) for b in (x, y)] for a in (x, y)]
    assert np.array(found) == pytest.approx(covariance, abs=1e-5)


def test_no_blur_changes_nothing() -> None:
    image = np.random.default_rng(0).random((8, 9))
    assert (blurred(image, np.zeros((2, 2))) == image).all()


def test_an_elliptic_blur_is_a_round_one_and_a_stretch() -> None:
    blur = np.array([[0.3, 0.05], [0.05, 0.2]])
    model = model_of(blur)
    # Smaller eigenvalue of the covariance: mean 0.25 less sqrt(0.05^2 + 0.05^2).
    least = 0.25 - np.hypot(0.05, 0.05)
    assert model.stretch_px2 == pytest.approx((blur - least * np.eye(2)) / PIXEL_A**2)
    rings = cached_rings(OPTIONS[0].column, PROBE, vibration_A=VIBRATION_A)
    assert model.tables[0] == pytest.approx(detector_table(rings, HIGH, source_sigma_A=float(np.sqrt(least))))


def test_render_adds_up_and_takes_away(model: ChannelModel) -> None:
    x, y = np.array([20.0, 31.5]), np.array([25.0, 22.25])
    occupation = np.zeros((2, len(OPTIONS)))
    occupation[0, 0], occupation[1, 2] = 1.0, 0.5
    both = render(model, x, y, occupation, (50, 60))
    # On a site the value is the table's first: the neighbour 11.8 px (2.96 Å) away adds its own tail.
    r_A = np.hypot(11.5, 2.75) * PIXEL_A
    tail = np.interp(r_A, 0.01 * np.arange(model.tables.shape[1]), model.tables[2])
    assert both[25, 20] == pytest.approx(model.tables[0, 0] + 0.5 * tail, rel=1e-6)
    taken = both + render(model, x[:1], y[:1], -occupation[:1], (50, 60))
    assert taken == pytest.approx(render(model, x[1:], y[1:], occupation[1:], (50, 60)), abs=1e-12)


def test_fit_recovers_gain_background_and_shot_noise(model: ChannelModel) -> None:
    field = Pristine(model, 90.0)
    rng = np.random.default_rng(1)
    size = field.shape[0]
    ramp = 300.0 + 0.4 * np.arange(size)[None, :] - 0.2 * np.arange(size)[:, None]
    gain = 400.0 / field.columns.max()
    expected = ramp + gain * field.columns
    counts = rng.poisson(expected).astype(np.float32)
    fit = fit_channel(counts, field.columns, A_PX)
    # Least squares: variance sum(f^2 v) / sum(f^2)^2 with the fast part f of the columns and v the counts' variance.
    fast = field.columns - gaussian_filter(field.columns, A_PX, mode="reflect")
    sd = np.sqrt(np.sum(fast**2 * expected)) / np.sum(fast**2)
    # The ramp's mirror at the edges adds a little to the noise.
    assert abs(fit.gain - gain) < 4 * sd + 1e-3 * gain
    deep = np.s_[4 * int(A_PX) : -4 * int(A_PX), 4 * int(A_PX) : -4 * int(A_PX)]
    # White noise through a Gaussian window of sd s has variance v / (4 pi s^2).
    noise = np.sqrt(expected.mean() / (4 * np.pi * A_PX**2))
    assert np.std((fit.background - ramp)[deep]) < 1.5 * noise
    assert abs(np.mean((fit.background - ramp)[deep])) < noise
    # Poisson: variance equals the expected count. Each of 32 groups knows its variance to 1.17 sqrt(2 / 4050) = 2.6 %.
    assert fit.noise_slope == pytest.approx(1.0, abs=0.06)
    assert np.median(fit.variance(expected) / expected) == pytest.approx(1.0, abs=0.03)


def test_a_fit_to_columns_that_are_dark_has_a_negative_gain(model: ChannelModel) -> None:
    field = Pristine(model)
    frame = (5.0 - 3.0 * field.columns).astype(np.float32)
    assert fit_channel(frame, field.columns, A_PX).gain == pytest.approx(-3.0, rel=1e-4)


def test_scores_of_pristine_sites_have_unit_variance_under_shot_noise(model: ChannelModel) -> None:
    field = Pristine(model)
    gain = 200.0 / field.columns.max()
    expected = 50.0 + gain * field.columns
    fit = flat_fit(field.shape, gain=gain, background=50.0, floor=50.0, slope=1.0)
    deep = field.deep
    squares = []
    for seed in range(4):
        counts = np.random.default_rng(seed).poisson(expected).astype(np.float32)
        signal = measure_sites(
            counts,
            field.columns,
            fit,
            model,
            field.x[deep],
            field.y[deep],
            field.pristine[deep],
            np.ones(deep.size),
        )
        z = signal.excess / np.sqrt(signal.variance + signal.variance_per_brightness)
        squares.append(z**2)
        # Over a window of 2.5 Å, 314 px, the mean of chi^2 keeps within 1 +- 5 sqrt(2 / 314) / 2.
        assert signal.chi == pytest.approx(np.ones(deep.size), abs=0.25)
    low, high = chi2.ppf([1e-3, 1 - 1e-3], 4 * deep.size) / (4 * deep.size)
    # Windows of neighbours overlap: allow one and a half times the interval of independent scores.
    assert 1 - 1.5 * (1 - low) < np.mean(squares) < 1 + 1.5 * (high - 1)


def test_a_missing_column_measures_minus_one_and_its_own_noise_is_taken_off(model: ChannelModel) -> None:
    field = Pristine(model)
    gain, gone = 3.0, field.deep[[5, -5]]
    without = field.occupation.copy()
    without[gone] = 0
    data = 7.0 + gain * render(model, field.x, field.y, without, field.shape)
    fit = flat_fit(field.shape, gain=gain, background=7.0, floor=1e-4, slope=0.1)
    args = (model, field.x[gone], field.y[gone], field.pristine[gone])
    signal = measure_sites(data.astype(np.float32), field.columns, fit, *args, np.ones(2))
    assert signal.excess == pytest.approx([-1, -1], abs=1e-5)
    # Measured on the scan without it, an empty site has the variance that was foretold, but for what pixels do to sums.
    empty = render(model, field.x, field.y, without, field.shape)
    again = measure_sites(data.astype(np.float32), empty, fit, *args, np.zeros(2))
    assert again.excess == pytest.approx([0, 0], abs=1e-5)
    assert signal.variance == pytest.approx(again.variance, rel=0.1)
    assert (signal.variance < 0.7 * (signal.variance + signal.variance_per_brightness)).all()


def test_log_unit_is_the_norm_of_the_pristine_column(model: ChannelModel) -> None:
    field = Pristine(model)
    site = field.deep[:1]
    fit = flat_fit(field.shape, gain=5.0, background=0.0, floor=1.0, slope=0.0)
    signal = measure_sites(
        np.zeros(field.shape, np.float32),
        field.columns,
        fit,
        model,
        field.x[site],
        field.y[site],
        field.pristine[site],
        np.ones(1),
    )
    r_A = np.arange(0, 2.5, 0.01)
    table = model.tables[field.pristine[site[0]], :250]
    norm = np.sqrt(np.sum(table**2 * 2 * np.pi * r_A * 0.01) / PIXEL_A**2)
    assert signal.log_unit[0] == pytest.approx(np.log(5.0 * norm), abs=0.01)
    # White noise of unit variance: variance of the projection is 1 over the squared norm.
    assert signal.variance[0] == pytest.approx(1 / (5.0 * norm) ** 2, rel=0.02)
