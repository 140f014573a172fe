"""What laboratories report of a segmented micrograph: each value with unit, interval, method and clause."""

from micrographia.segment.measure.crack_table import Cracks, find_cracks
from micrographia.segment.measure.cracks import crack_measurements
from micrographia.segment.measure.fractions import area_fraction, point_count
from micrographia.segment.measure.grains import grain_number_by_count, grain_number_by_intercept
from micrographia.segment.measure.intercepts import InterceptRose, intercepts
from micrographia.segment.measure.layers import LayerProfile, layer_thickness
from micrographia.segment.measure.measurement import Measurement, Scale
from micrographia.segment.measure.objects import Objects, find_objects, rows_of
from micrographia.segment.measure.planimetric import planimetric
from micrographia.segment.measure.satellites import measure_satellites
from micrographia.segment.measure.sizes import object_count, object_sizes
from micrographia.segment.measure.spacing import PointPattern, spacing

__all__ = [
    "Cracks",
    "InterceptRose",
    "LayerProfile",
    "Measurement",
    "Objects",
    "PointPattern",
    "Scale",
    "area_fraction",
    "crack_measurements",
    "find_cracks",
    "find_objects",
    "grain_number_by_count",
    "grain_number_by_intercept",
    "intercepts",
    "layer_thickness",
    "measure_satellites",
    "object_count",
    "object_sizes",
    "planimetric",
    "point_count",
    "rows_of",
    "spacing",
]
