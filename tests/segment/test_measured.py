"""Which measurements apply to a class, and known numbers through the whole chain."""

import math

import numpy as np
import pytest

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.kinds import kind_of
from micrographia.segment.measured import SegmentedField, measure
from micrographia.segment.segmentation import Segmentation

NM = 100.0


def field(mask, *names, name="a", nm=NM, instances=None):
    classes = Segmentation(values=tuple(range(len(names))), names=names, mask=np.asarray(mask, dtype=np.uint8))
    return SegmentedField(name=name, segmentation=classes, pixel_size_nm=nm, instances=instances or {})


def measured(*fields, **kinds):
    return measure(fields, kinds=kinds, rng=np.random.default_rng(0))


def value(found, name, pool=None):
    (m,) = [m for m in (found.overall if pool is None else pool) if m.name == name]
    return m


def band(width=256, height=128, top=40, thick=32):
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[top : top + thick] = 1
    return mask


def grid_of_discs(radius=10, pitch=32, count=8):
    y, x = np.mgrid[: pitch * count, : pitch * count]
    off = pitch / 2 - 0.5
    return ((y % pitch - off) ** 2 + (x % pitch - off) ** 2 < radius**2).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Microcracks", "cracks"),
        ("alpha grains", "grains"),
        ("grain boundary", "phase"),
        ("powder particles", "powder"),
        ("satellites on powder", "objects"),
        ("oxide particle", "objects"),
        ("pores in the coating", "objects"),
        ("oxide", "layer"),
        ("TGO", "layer"),
        ("dislocation loops", "objects"),
    ],
)
def test_a_name_tells_what_a_class_is(name, kind):
    assert kind_of([np.eye(64, dtype=bool)], name) == (kind, "by its name")


def line(width):
    mask = np.zeros((128, 256), dtype=bool)
    mask[60 : 60 + width, 20:220] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "kind", "words"),
    [
        (band() == 1, "layer", "from one side"),
        (band().T == 1, "layer", "from one side"),
        (line(3), "cracks", "much longer than wide"),
        (line(40), "objects", "separate pieces"),
        (grid_of_discs() == 1, "objects", "separate pieces"),
        # specks of four pixels are as long as wide: many of them make no crack
        (grid_of_discs(radius=1, pitch=4, count=32) == 1, "objects", "separate pieces"),
        (np.ones((64, 64), dtype=bool), "phase", "most of the field"),
        (np.zeros((64, 64), dtype=bool), "phase", "none of the fields"),
    ],
)
def test_a_shape_tells_what_a_class_is(mask, kind, words):
    found, reason = kind_of([mask], "class 1")
    assert (found, words in reason) == (kind, True)


def test_a_given_kind_wins_over_name_and_shape():
    found = measured(field(band(), "metal", "oxide"), oxide="phase").classes[0]
    assert (found.kind, found.reason, found.by_field) == ("phase", "as given", ())


def test_the_first_class_is_measured_only_where_it_is_named():
    assert [c.name for c in measured(field(band(), "metal", "oxide")).classes] == ["oxide"]
    both = measured(field(band(), "metal", "oxide"), metal="phase").classes
    assert [c.name for c in both] == ["metal", "oxide"]
    assert both[0].overall[0].value == pytest.approx(75.0)


def test_a_band_of_32_px_of_100_nm_is_3_2_um_thick():
    found = measured(field(band(), "metal", "oxide")).classes[0]
    thickness = value(found, "mean thickness", found.by_field[0])
    assert (thickness.value, thickness.unit) == (pytest.approx(3.2), "µm")
    assert value(found, "area fraction").value == pytest.approx(25.0)


def powder_of_two():
    """Two squares of 20 px with a boundary of 4 px, a satellite on the face of one, and a boundary of nothing."""
    mask = np.zeros((60, 80), dtype=np.uint8)
    mask[20:40, 10:30] = mask[20:40, 34:54] = 1
    mask[20:40, 30:34] = mask[5:8, 60:75] = 2
    mask[28:32, 40:45] = 3
    return mask


@pytest.mark.parametrize("names", [("particle", "boundary", "satellite"), ("powder", "boundaries", "Satellites")])
def test_satellites_of_a_mask_sit_on_its_particles(names):
    found = {c.name: c for c in measured(field(powder_of_two(), "ground", *names)).classes}
    powder = found[names[0]]
    assert (powder.kind, powder.reason) == ("powder", f"by its name; {names[2]} sit on it")
    assert powder.instances[0].parents == (None, None, 1) or powder.instances[0].parents == (None, None, 2)
    # The boundary goes to its neighbours, the satellite's pixels to the satellite.
    assert powder.instances[0].areas_px2.sum() == 20 * 44
    assert powder.instances[0].areas_px2[2] == 20
    share = value(powder, "satellite fraction", powder.by_field[0])
    # Wilson of 1 in 2: 1/2 ± z sqrt(1/8 + z²/16) / (1 + z²/2), z = 1.96.
    assert (share.value, share.low, share.high) == pytest.approx((50.0, 9.45, 90.55), abs=0.01)
    assert (share.count, value(powder, "satellites per particle", powder.by_field[0]).value) == (2, 0.5)
    # Particles are counted and sized with what sits on them.
    assert powder.objects.area_px2.tolist() == [20 * 22, 20 * 22]
    assert (found[names[2]].kind, found[names[2]].instances[0].count) == ("objects", 1)


def test_satellites_beside_two_classes_of_objects_sit_on_neither():
    found = measured(field(powder_of_two(), "ground", "particle", "precipitate", "satellite")).classes
    assert [c.kind for c in found] == ["objects"] * 3
    assert not [m for c in found for m in c.by_field[0] if m.name == "satellite fraction"]


def test_without_a_pixel_size_lengths_stay_in_pixels():
    found = measured(field(band(), "metal", "oxide", nm=None)).classes[0]
    thickness = value(found, "mean thickness", found.by_field[0])
    assert (thickness.value, thickness.unit) == (pytest.approx(32.0), "px")


def test_a_crack_through_a_layer_does_not_cut_it():
    mask = band()
    mask[36:72, 100:103] = 2  # sticks out of the layer by four pixels, which are no part of it
    found = {c.name: c for c in measured(field(mask, "metal", "oxide", "crack")).classes}
    assert value(found["oxide"], "mean thickness", found["oxide"].by_field[0]).value == pytest.approx(3.2)
    assert "crack within it is part of it" in found["oxide"].reason
    # but its share is that of its own pixels
    assert value(found["oxide"], "area fraction").value == pytest.approx(100 * (256 - 3) * 32 / (256 * 128))


def test_thickness_is_averaged_over_fields_with_a_t_interval():
    thick = (30, 32, 37)
    fields = [field(band(thick=t), "metal", "oxide", name=f"f{t}") for t in thick]
    found = value(measured(*fields).classes[0], "mean thickness")
    # t(2, 97.5 %) = 4.303; standard deviation of 3.0, 3.2, 3.7 is 0.36056
    half = 4.30265 * 0.3605551 / math.sqrt(3)
    assert found.value == pytest.approx(3.3)
    assert (found.low, found.high) == (pytest.approx(3.3 - half, rel=1e-4), pytest.approx(3.3 + half, rel=1e-4))
    assert (found.count, found.counted) == (3, "fields")


def test_fields_that_do_not_show_a_layer_are_left_out_of_its_mean_and_counted():
    fields = [field(band(thick=t), "m", "oxide", name=f"f{t}") for t in (30, 34)]
    fields.append(field(np.zeros((128, 256)), "m", "oxide", name="none"))
    found = value(measured(*fields).classes[0], "mean thickness")
    assert found.value == pytest.approx(3.2)
    assert found.note.startswith("1 of 3 fields do not show it")


def test_discs_have_the_diameter_and_the_density_that_they_were_drawn_with():
    found = measured(field(grid_of_discs(), "matrix", "precipitates")).classes[0]
    # radius 10 px of 100 nm; one disc a square of 3.2 µm
    assert value(found, "mean diameter").value == pytest.approx(2.0, rel=0.02)
    assert value(found, "objects per area").value == pytest.approx(1e6 / 3.2**2, rel=0.01)
    assert value(found, "area fraction").value == pytest.approx(100 * math.pi * 100 / 32**2, rel=0.02)
    nearest = value(found, "mean nearest-neighbour distance", found.by_field[0])
    assert (nearest.value, nearest.unit) == (pytest.approx(3.2), "µm")
    assert found.instances[0].count == 64


def test_objects_that_were_told_apart_already_are_taken_as_they_are():
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[10:30, 10:30] = 1
    labels = mask.astype(np.int32)
    labels[10:30, 20:30] = 2
    two = Instances(labels=labels, names=("object", "object"), parents=(None, None))
    found = measured(field(mask, "ground", "objects", instances={"objects": two}), objects="objects").classes[0]
    assert found.instances == (two,)
    assert value(found, "mean area").value == pytest.approx(200 * 0.01)


def test_pores_have_a_porosity():
    found = measured(field(grid_of_discs(), "metal", "pores")).classes[0]
    assert value(found, "porosity, as area fraction").value == pytest.approx(100 * math.pi * 100 / 32**2, rel=0.02)


def test_no_name_stands_twice_for_one_class_and_field():
    mask = band()
    mask[0:30:10, ::7] = 2
    for one in measured(field(mask, "m", "oxide", "pore"), field(mask, "m", "oxide", "pore", name="b")).classes:
        for pool in (one.overall, *one.by_field):
            names = [m.name for m in pool]
            assert len(set(names)) == len(names)


def test_squares_that_meet_are_grains_of_their_side():
    mask = np.ones((200, 200), dtype=np.uint8)
    mask[9::20] = mask[:, 9::20] = 0  # the borders halve the grains that they cut
    found = measured(field(mask, "boundary", "grains")).classes[0]
    assert found.kind == "grains"
    # one grain a square of 20 px, 2 µm
    assert value(found, "grains per area").value == pytest.approx(1e6 / 4, rel=0.1)


def test_a_class_that_is_in_no_field_has_a_share_of_nothing():
    found = measured(field(np.zeros((64, 64)), "metal", "pores")).classes[0]
    assert value(found, "porosity, as area fraction").value == 0
    assert all(m.value in (0, None) for m in found.overall)


def test_pixel_sizes_that_differ_by_rounding_are_one():
    two = (field(band(), "m", "oxide"), field(band(), "m", "oxide", name="b", nm=NM * 1.0005))
    assert measured(*two).scale.pixel_size_nm == NM


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (field(band(), "m", "oxide", name="b", nm=50.0), "a has pixels of 100 nm and b of 50 nm"),
        (field(band(), "m", "oxide", name="b", nm=None), "b of unknown size"),
        (field(band(), "m", "pore", name="b"), "a has the classes m, oxide and b m, pore"),
        (field(band(), "m", "oxide"), "two fields are called a"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(second, words):
    with pytest.raises(InputError, match=words):
        measured(field(band(), "m", "oxide"), second)


def test_kinds_of_what_is_not_there_are_refused():
    with pytest.raises(InputError, match="class 'rust' is not among m, oxide"):
        measured(field(band(), "m", "oxide"), rust="phase")
    with pytest.raises(InputError, match="no field"):
        measured()


def test_a_single_class_is_measured_only_as_what_it_is_said_to_be():
    one = field(np.zeros((64, 64)), "metal")
    with pytest.raises(InputError, match="only one class, metal"):
        measured(one)
    assert measured(one, metal="phase").classes[0].overall[0].value == 100
