"""Shapes of known size, drawn by their equations."""

import numpy as np


def disks(shape, *circles):
    """Pixels whose centres lie within any of the circles (y, x, radius)."""
    y, x = np.indices(shape)
    return np.any([np.hypot(y - cy, x - cx) <= r for cy, cx, r in circles], axis=0)


def rough_disk(shape, *, radius, amplitude, rng):
    """A disk whose radius varies with the angle, with standard deviation `amplitude` as a share of the radius."""
    y, x = np.indices(shape)
    y, x = y - shape[0] / 2, x - shape[1] / 2
    angle = np.arctan2(y, x)
    orders = np.arange(3, 20)
    sizes = rng.normal(size=len(orders)) / orders**0.8
    wave = sum(a * np.cos(k * angle + rng.uniform(0, 7)) for k, a in zip(orders, sizes, strict=True))
    return np.hypot(y, x) <= radius * (1 + amplitude * wave / np.sqrt(np.sum(sizes**2) / 2))


def disk_cut_off(radius, distance):
    """Area of a disk on one side of a line at a distance from its centre, the side that holds the centre."""
    return np.pi * radius**2 - (radius**2 * np.arccos(distance / radius) - distance * np.sqrt(radius**2 - distance**2))
