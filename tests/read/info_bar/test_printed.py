"""What the print in a bar says, as readers of print give it."""

import pytest
from drawn_bars import WIDTH, bar_that_says

from micrographia.read.info_bar.bar import said


@pytest.mark.parametrize(
    ("prints", "fields"),
    [
        (
            # As a reader of print gives the bar of a Zeiss: letters for digits, blanks lost.
            ("100 μm", "EHT=3.00kV", "Date:18Jul2014", "Signal A = SE2", "Stage at T=O.0°", "Time :16:13:06",
             "Mag =", "250X", "Aperture Size = 30.00 μm Stage at Z = 48.000 mm"),
            {"energy_kev": 3.0, "magnification": 250.0, "tilt_deg": 0.0, "detectors": ("SE2",),
             "date": "2014-07-18T16:13:06", "working_distance_mm": None},
        ),
        (
            ("200 nm", "EHT=3.00kV", "D = 2.4 mm", "Mag = 100.00 KX Signal A = InLens", "Date:6Dec2013"),
            {"energy_kev": 3.0, "magnification": 1e5, "working_distance_mm": 2.4, "detectors": ("InLens",),
             "date": "2013-12-06"},
        ),
        (("5µm", "15.0kV", "X5,000", "WD 10.1mm"),
         {"energy_kev": 15.0, "working_distance_mm": 10.1, "magnification": 5000.0, "technique": "SEM"}),
        (("5µm", "HV 10.00 kV", "WD 9.8 mm", "det: ETD"), {"energy_kev": 10.0, "detectors": ("ETD",)}),
        (
            # As the bar of a Helios: what a number is stands above it.
            ("500 nm", "5.00 kV", "HV", "6.3 pA", "mag 田", "120 ×", "mode", "SE", "|det", "ETD", "4.0 mm", "WD"),
            {"energy_kev": 5.0, "magnification": 120.0, "detectors": ("ETD",), "working_distance_mm": 4.0},
        ),
        (("2 µm", "EHT = 5.00 kV", "EHT = 6.00 kV"), {"energy_kev": None, "technique": "SEM"}),  # which of them?
        (("500 nm", "HV=200kV", "x 40k"), {"energy_kev": 200.0, "magnification": 4e4, "technique": None}),
    ],
)  # fmt: skip
def test_what_is_printed_is_understood(prints, fields):
    context, _ = said(bar_that_says(*prints, line_px=(10.0, 80.0)), width_px=WIDTH)
    for name, value in fields.items():
        assert getattr(context, name) == value, name
    assert set(context.origins.values()) == {"info bar"}
