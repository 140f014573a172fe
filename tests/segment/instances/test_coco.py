"""COCO documents are what other tools expect, and come back as the same objects."""

import json

import numpy as np
import pytest
from drawn import disks

from micrographia.errors import InputError
from micrographia.segment.instances.coco import from_coco, to_coco
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.separate import ObjectSettings, separate_objects


@pytest.fixture(scope="module")
def powder():
    mask = disks((80, 120), (40, 40, 25), (40, 88, 23), (15, 90, 6))
    return separate_objects(mask, settings=ObjectSettings(name="powder"), probability=np.full(mask.shape, 0.75))


def test_boxes_and_areas_are_those_of_the_pixels():
    labels = np.zeros((10, 20), dtype=np.int32)
    labels[2:6, 3:13] = 1
    labels[7:10, 0:2] = 2
    document = to_coco({"a.png": Instances(labels=labels, names=("pore", "crack"), parents=(None, None))})
    assert document["images"] == [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}]
    assert document["categories"] == [{"id": 1, "name": "crack"}, {"id": 2, "name": "pore"}]
    first, second = document["annotations"]
    assert (first["bbox"], first["area"], first["category_id"], first["iscrowd"]) == ([3, 2, 10, 4], 40, 2, 0)
    assert (second["bbox"], second["area"], second["category_id"]) == ([0, 7, 2, 3], 6, 1)
    assert min(first["segmentation"][0][0::2]) == 3
    assert max(first["segmentation"][0][0::2]) == 13


def test_a_document_survives_json_and_comes_back(powder):
    back = from_coco(json.loads(json.dumps(to_coco({"a.png": powder, "b.png": powder}))))
    assert list(back) == ["a.png", "b.png"]
    for found in back.values():
        assert found.names == powder.names
        assert found.scores == pytest.approx(powder.scores)
        for label in range(1, powder.count + 1):
            a, b = found.labels == label, powder.labels == label
            assert (a & b).sum() / (a | b).sum() > 0.97


def test_parents_are_named_by_annotation_across_images():
    labels = np.zeros((20, 20), dtype=np.int32)
    labels[5:15, 5:15], labels[2:5, 8:11] = 2, 1
    pair = Instances(labels=labels, names=("powder", "powder"), parents=(2, None))
    document = to_coco({"a.png": pair, "b.png": pair})
    assert [entry.get("parent_id") for entry in document["annotations"]] == [2, None, 4, None]
    assert from_coco(document)["b.png"].parents == (2, None)


def test_an_image_without_objects_is_listed():
    nothing = Instances(labels=np.zeros((5, 6), dtype=np.int32), names=(), parents=())
    assert from_coco(to_coco({"a.png": nothing}))["a.png"].labels.shape == (5, 6)


def test_the_smaller_of_two_overlapping_annotations_lies_on_top():
    small, large = [2, 2, 5, 2, 5, 5, 2, 5], [0, 0, 8, 0, 8, 8, 0, 8]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 10, "height": 10}],
        "categories": [{"id": 0, "name": "pool"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 0, "segmentation": [small]},
            {"id": 6, "image_id": 1, "category_id": 0, "segmentation": [large]},
        ],
    }
    assert from_coco(document)["a.png"].areas_px2.tolist() == [9, 55]


def test_holes_are_filled_as_coco_polygons_have_none():
    ring = disks((40, 40), (20, 20, 15)) & ~disks((40, 40), (20, 20, 6))
    document = to_coco({"a.png": Instances(labels=ring.astype(np.int32), names=("ring",), parents=(None,))})
    assert document["annotations"][0]["area"] == ring.sum()
    assert from_coco(document)["a.png"].areas_px2[0] == disks((40, 40), (20, 20, 15)).sum()


def broken(**change):
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 10, "height": 10}],
        "categories": [{"id": 0, "name": "pool"}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 0, "segmentation": [[1, 1, 4, 1, 4, 4]]}],
    }
    document["annotations"][0] |= change
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"images": []}, "not a COCO document"),
        (broken(image_id=9), "ids listed"),
        (broken(category_id=9), "ids listed"),
        (broken(segmentation={"counts": [1], "size": [10, 10]}), "run lengths"),
        (broken(segmentation=[[1, 1, 4, 1]]), "no list of polygons"),
        (broken(segmentation=[[20, 20, 24, 20, 24, 24]]), "leaves no pixel"),
    ],
)
def test_documents_that_cannot_be_drawn_are_refused(document, words):
    with pytest.raises(InputError, match=words):
        from_coco(document)
