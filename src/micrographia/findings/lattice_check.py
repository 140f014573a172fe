"""The lattice of a scan, held against its host and its header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LatticeCheck:
    """The lattice that was found, held against the host's known lattice constant and the file's pixel size.

    Parameters
    ----------
    spacings_px : (float, float, float)
        Mean repeat distance along the three close-packed directions [px].
    spacings_sd_px : (float, float, float)
        Standard error of each [px].
    directions_deg : (float, float, float)
        Direction of each, counter-clockwise from the x axis as seen on the screen [°].
    distortion_rms_px : float
        Root mean square of the smooth displacement from a perfect lattice [px].
    host_lattice_constant_nm : float
        Lattice constant of the host that the pixel size was computed with [nm].
    pixel_size_nm : float
        Pixel size from the lattice [nm].
    pixel_size_sd_nm : float
        Its standard uncertainty: fit, scan distortion (differences between directions) and lattice constant [nm].
    header_pixel_size_nm : float, optional
        Pixel size that the file or the user gave [nm].
    """

    spacings_px: tuple[float, float, float]
    spacings_sd_px: tuple[float, float, float]
    directions_deg: tuple[float, float, float]
    distortion_rms_px: float
    host_lattice_constant_nm: float
    pixel_size_nm: float
    pixel_size_sd_nm: float
    header_pixel_size_nm: float | None

    @property
    def header_excess(self) -> float | None:
        """Fraction by which the header's pixel size exceeds the lattice's; None without a header value."""
        if self.header_pixel_size_nm is None:
            return None
        return self.header_pixel_size_nm / self.pixel_size_nm - 1
