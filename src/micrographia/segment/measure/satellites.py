"""How many particles carry satellites, and how many of them."""

from __future__ import annotations

from functools import partial
from typing import Final

from scipy import stats

from micrographia.segment.instances.instances import Instances
from micrographia.segment.measure.intervals import CONFIDENCE, poisson_interval
from micrographia.segment.measure.measurement import Measurement

_BY_OUTLINES: Final = (
    "By outlines only: satellites on the face of a particle are missed, and small particles behind it are taken for "
    "satellites."
)
_BY_MARKS: Final = (
    "Satellites as the mask marks them. The interval is that of sampling these particles; it does not cover what the "
    "mask has wrong, which for a network can be more."
)


def measure_satellites(
    instances: Instances, *, of: str = "particles", marked: bool = False
) -> tuple[Measurement, Measurement]:
    """Return the share of particles that carry a satellite, and the number of satellites a particle.

    Parameters
    ----------
    instances : Instances
        Objects with the parents of their satellites.
    of : str
        What the particles are called.
    marked : bool
        Whether satellites are those of `mark_satellites`, not those of `split_satellites`.

    Returns
    -------
    tuple of Measurement
        ``satellite fraction`` [%], with the Wilson interval, and ``satellites per particle``, with the interval of a
        Poisson count.

    Notes
    -----
    The interval covers the chance of sampling these particles, not the mistakes of segmentation, nor the satellites
    that lie on the face or the far side of a particle, which an outline does not show. From masks of powder in which
    particles lie on each other the fraction was up to twice that drawn by hand, from networks that mark satellites up
    to 1.7 times, see ``docs/benchmarks/objects.md``.
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[1, 1, 0, 3], [1, 1, 2, 3]], dtype=np.int32)
    >>> powder = Instances(labels=labels, names=("powder",) * 3, parents=(None, 1, None))
    >>> share, number = measure_satellites(powder)
    >>> share.value, number.value
    (50.0, 0.5)
    """
    particles, satellites = instances.count - instances.satellite_count, instances.satellite_count
    share = partial(Measurement, name="satellite fraction", of=of, unit="%", count=particles, counted="particles")
    number = partial(Measurement, name="satellites per particle", of=of, unit="", count=particles, counted="particles")
    if not particles:
        missing = "There is no particle."
        return (
            share(value=None, method=missing, note=missing),
            number(value=None, method=missing, note=missing),
        )
    carrying = len({parent for parent in instances.parents if parent is not None})
    ends = stats.binomtest(carrying, particles).proportion_ci(CONFIDENCE, method="wilson")
    low, high = poisson_interval(satellites)
    note = _BY_MARKS if marked else _BY_OUTLINES
    return (
        share(
            value=100 * carrying / particles,
            low=100 * float(ends.low),
            high=100 * float(ends.high),
            method="Particles that carry at least one satellite over all particles.",
            note=note,
        ),
        number(
            value=satellites / particles,
            low=low / particles,
            high=high / particles,
            method="Satellites over particles.",
            note=note,
        ),
    )
