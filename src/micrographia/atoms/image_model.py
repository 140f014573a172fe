"""The forward model of a scan: background + gain · sum of column kernels, and the noise around it."""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

from micrographia.atoms.conditions import Condition
from micrographia.simulate.columns.kernels import TABLE_STEP_A, cached_rings, detector_table
from micrographia.simulate.columns.vibration import VIBRATION_A
from micrographia.simulate.scans.scan import superpose
from micrographia.simulate.specimens.hosts import Hypothesis

_FILTER_RADIUS_A: Final = 2.5
"""Radius of a site's matched filter [Å]: most of a column's own light, little beyond its nearest neighbours."""


@dataclass(frozen=True, kw_only=True)
class ChannelModel:
    """Kernels of one channel.

    Parameters
    ----------
    tables : float array (hypothesis, radius)
        Kernel of every hypothesis with the round part of the blur.
    stretch_px2 : float array (2, 2)
        What the blur's covariance has beyond the round part [px^2].
    pixel_A : float
        Pixel size [Å].
    """

    tables: Float[np.ndarray, "hypothesis radius"]
    stretch_px2: Float[np.ndarray, "2 2"]
    pixel_A: float


def channel_model(condition: Condition, options: tuple[Hypothesis, ...], pixel_A: float) -> ChannelModel:
    """Tabulate the kernels of one channel under given conditions.

    Parameters
    ----------
    condition : Condition
        Probe, detector and blur.
    options : tuple of Hypothesis
        What may be at the sites.
    pixel_A : float
        Pixel size [Å].
    """
    round_A2 = float(np.linalg.eigvalsh(condition.blur_A2)[0])
    tables = np.array(
        [
            detector_table(
                cached_rings(option.column, condition.probe, vibration_A=VIBRATION_A),
                condition.collection_mrad,
                source_sigma_A=float(np.sqrt(round_A2)),
            )
            for option in options
        ]
    )
    stretch = (condition.blur_A2 - round_A2 * np.eye(2)) / pixel_A**2
    return ChannelModel(tables=tables, stretch_px2=stretch, pixel_A=pixel_A)


def blurred(
    image: Float[np.ndarray, "height width"], covariance_px2: Float[np.ndarray, "2 2"]
) -> Float[np.ndarray, "height width"]:
    """Convolve an image with a Gaussian of any orientation; edges are mirrored.

    Parameters
    ----------
    image : float array (height, width)
        The image.
    covariance_px2 : float array (2, 2)
        Covariance of the Gaussian along x and y [px^2]; may be singular.

    Examples
    --------
    >>> spike = np.zeros((33, 33)); spike[16, 16] = 1
    >>> wide = blurred(spike, np.diag([4.0, 0.0]))
    >>> print(f"{np.sum(wide * (np.arange(33) - 16) ** 2):.2f} px²")
    4.00 px²
    """
    if np.abs(covariance_px2).max() < 1e-3:
        return image
    height, width = image.shape
    pad = int(np.ceil(4 * np.sqrt(np.trace(covariance_px2)))) + 1
    wide = np.pad(image, pad, mode="reflect" if min(height, width) > pad else "edge")
    ky, kx = np.fft.fftfreq(wide.shape[0])[:, None], np.fft.rfftfreq(wide.shape[1])
    (xx, xy), (_, yy) = covariance_px2
    transfer = np.exp(-2 * np.pi**2 * (xx * kx**2 + 2 * xy * kx * ky + yy * ky**2))
    result: Float[np.ndarray, "height width"] = irfft2(rfft2(wide) * transfer, s=wide.shape)[pad:-pad, pad:-pad]
    return result


def render(
    model: ChannelModel,
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    occupation: Float[np.ndarray, "site hypothesis"],
    shape: tuple[int, int],
) -> Float[np.ndarray, "height width"]:
    """Return the sum of kernels, each site's weighted by the probability of each hypothesis.

    Parameters
    ----------
    model : ChannelModel
        Kernels.
    x_px, y_px : float array (site,)
        Positions [px].
    occupation : float array (site, hypothesis)
        Weight of each hypothesis at each site; negative ones take light away.
    shape : (int, int)
        Height and width [px].
    """
    site, kind = np.nonzero(np.abs(occupation) > 1e-3)
    height, width = shape
    image = superpose(x_px[site], y_px[site], kind, occupation[site, kind], model.tables, model.pixel_A, height, width)
    return blurred(image, model.stretch_px2)


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
def _correlate(
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    kind: Int[np.ndarray, " site"],
    tables: Float[np.ndarray, "kind radius"],
    pixel_A: float,
    images: Float[np.ndarray, "image height width"],
    powers: Int[np.ndarray, " image"],
    reach_A: float,
) -> Float[np.ndarray, "image site"]:
    """Sum over each site's window of ``kernel ** power * image``."""
    count, height, width = images.shape
    out = np.zeros((count, x_px.size))
    reach = reach_A / pixel_A
    for n in prange(x_px.size):
        table = tables[kind[n]]
        for row in range(max(0, int(np.ceil(y_px[n] - reach))), min(height, int(y_px[n] + reach) + 1)):
            dy = (row - y_px[n]) * pixel_A
            for col in range(max(0, int(np.ceil(x_px[n] - reach))), min(width, int(x_px[n] + reach) + 1)):
                dx = (col - x_px[n]) * pixel_A
                distance = np.sqrt(dx * dx + dy * dy)
                if distance < reach_A:
                    position = distance / TABLE_STEP_A
                    index = int(position)
                    part = position - index
                    kernel = (1 - part) * table[index] + part * table[index + 1]
                    for k in range(count):
                        out[k, n] += kernel ** powers[k] * images[k, row, col]
    return out


@dataclass(frozen=True, kw_only=True)
class SiteSignal:
    """What the matched filter of each site's pristine column measures.

    Parameters
    ----------
    excess : float array (site,)
        Brightness beyond the model, as a fraction of the pristine column's.
    variance : float array (site,)
        Its variance by the noise model, were the site empty.
    variance_per_brightness : float array (site,)
        How much a column of brightness 1 adds to that variance.
    chi : float array (site,)
        Root mean square of (data - model) / noise over the window.
    log_unit : float array (site,)
        Log of the pristine column's norm in file units: densities of brightness for different pristine columns
        compare after this is taken off. Columns scatter, so the gain is above 0.
    """

    excess: Float[np.ndarray, " site"]
    variance: Float[np.ndarray, " site"]
    variance_per_brightness: Float[np.ndarray, " site"]
    chi: Float[np.ndarray, " site"]
    log_unit: Float[np.ndarray, " site"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A channel fitted by background, gain and noise.

    Parameters
    ----------
    gain : float
        File units per fraction of the beam; 0 or less where the columns are dark in the data.
    background : float array (height, width)
        What varies slowly: detector offset, haze [file units].
    noise_floor, noise_slope : float
        Noise variance of a pixel is ``noise_floor + noise_slope * (model - lowest)`` [file units squared, file units].
    lowest : float
        Lowest model value [file units].
    """

    gain: float
    background: Float[np.ndarray, "height width"]
    noise_floor: float
    noise_slope: float
    lowest: float

    def variance(self, model: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        """Noise variance of every pixel for a model image [file units squared]."""
        return self.noise_floor + self.noise_slope * np.maximum(model - self.lowest, 0.0)


def fit_channel(
    frame: Float[np.ndarray, "height width"], columns: Float[np.ndarray, "height width"], a_px: float
) -> Fit:
    """Fit background, gain and noise of a channel to rendered columns.

    Parameters
    ----------
    frame : float array (height, width)
        The data.
    columns : float array (height, width)
        Rendered columns, in fractions of the beam.
    a_px : float
        Lattice constant [px]. The background is what a Gaussian window of this standard deviation lets pass:
        wide against a column, narrow against haze.
    """

    def slow(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        smooth: Float[np.ndarray, "height width"] = gaussian_filter(image, a_px, mode="reflect")
        return smooth

    data = frame.astype(np.float64)
    fast_data, fast_columns = data - slow(data), columns - slow(columns)
    gain = float(np.sum(fast_data * fast_columns) / np.sum(fast_columns**2))
    background = slow(data - gain * columns)
    model = background + gain * columns
    residual = data - model
    # Robust variance in groups of equal brightness, then a line through them: read-out noise and shot noise.
    order = np.argsort(model.ravel())
    groups = np.array_split(order, 32)
    lowest = float(model.ravel()[order[: max(1, order.size // 100)]].mean())
    level = np.array([model.ravel()[g].mean() for g in groups]) - lowest
    spread = np.array([(1.4826 * np.median(np.abs(residual.ravel()[g]))) ** 2 for g in groups])
    slope, floor = np.polyfit(level, spread, 1)
    if slope < 0:
        slope, floor = 0.0, float(np.median(spread))
    floor = max(float(floor), 0.05 * float(np.median(spread)), 1e-30)
    return Fit(gain=gain, background=background, noise_floor=floor, noise_slope=float(slope), lowest=lowest)


def measure_sites(
    frame: Float[np.ndarray, "height width"],
    columns: Float[np.ndarray, "height width"],
    fit: Fit,
    model: ChannelModel,
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    pristine: Int[np.ndarray, " site"],
    brightness: Float[np.ndarray, " site"],
) -> SiteSignal:
    """Measure every site with the matched filter of its pristine column.

    Parameters
    ----------
    frame : float array (height, width)
        The data.
    columns : float array (height, width)
        Rendered columns under the present occupation.
    fit : Fit
        Background, gain and noise.
    model : ChannelModel
        Kernels.
    x_px, y_px : float array (site,)
        Positions [px].
    pristine : int array (site,)
        Index of each site's pristine hypothesis.
    brightness : float array (site,)
        Present brightness of each site, pristine = 1.
    """
    expected = fit.background + fit.gain * columns
    residual = frame - expected
    variance = fit.variance(expected)
    ones = np.ones_like(residual)
    images = np.stack([residual, ones, variance, ones, residual**2 / variance, ones])
    # The filter takes the round part of the kernel: any shape will do, since pristine sites calibrate it.
    sums = _correlate(
        x_px, y_px, pristine, model.tables, model.pixel_A, images, np.array([1, 2, 2, 3, 0, 0]), _FILTER_RADIUS_A
    )
    energy = sums[1] * fit.gain
    total = sums[2] / energy**2
    own = fit.noise_slope * fit.gain * sums[3] / energy**2
    return SiteSignal(
        excess=sums[0] / energy,
        variance=np.maximum(total - own * np.maximum(brightness, 0), 0.1 * total),
        variance_per_brightness=own,
        chi=np.sqrt(sums[4] / np.maximum(sums[5], 1)),
        log_unit=np.log(np.sqrt(sums[1]) * fit.gain),
    )
