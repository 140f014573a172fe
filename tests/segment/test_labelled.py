"""What can be learned from, and what a folder of labels gets that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from micrographia.errors import InputError, ReadError
from micrographia.segment.labelled import UNLABELLED, read_mask, read_training_set


@pytest.fixture
def folders(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    return images, masks


def put(folders, name, mask, frame=None):
    images, masks = folders
    frame = np.arange(mask.size, dtype=np.uint32).reshape(mask.shape) % 251 if frame is None else frame
    Image.fromarray(frame.astype(np.uint8)).save(images / f"{name}.png")
    Image.fromarray(mask.astype(np.uint8)).save(masks / f"{name}.png")


def half(value: int = 1) -> np.ndarray:
    mask = np.zeros((40, 48), dtype=np.uint8)
    mask[:, 24:] = value
    return mask


def test_classes_are_the_numbers_in_the_masks_and_255_is_nothing(folders):
    scribble = half(7)
    scribble[10:] = 255
    put(folders, "b", scribble)
    put(folders, "a", half(3))
    training = read_training_set(*folders)
    assert training.values == (0, 3, 7)
    assert training.names == ("class 0", "class 3", "class 7")
    assert [i.name for i in training.images] == ["a.png", "b.png"]
    assert np.bincount(training.images[1].mask.ravel(), minlength=256)[[0, 1, 2, UNLABELLED]].tolist() == [
        *(240, 0, 240),
        30 * 48,
    ]
    # 960 + 240 pixels of 0, 960 of 3 and 240 of 7 are labelled.
    assert training.share.tolist() == pytest.approx([1200 / 2400, 960 / 2400, 240 / 2400])
    assert len(training.images[0].sha256) == 64


def test_255_can_be_a_class(folders):
    put(folders, "a", half(255))
    assert read_training_set(*folders, unlabelled=None).values == (0, 255)
    with pytest.raises(InputError, match=r"one class only \(0\) besides 255.*--unlabelled none"):
        read_training_set(*folders)


def test_names_are_given_in_the_order_of_the_numbers(folders):
    put(folders, "a", half())
    assert read_training_set(*folders, names=("matrix", "pore")).names == ("matrix", "pore")
    with pytest.raises(InputError, match="3 names were given"):
        read_training_set(*folders, names=("a", "b", "c"))


@pytest.mark.parametrize("kind", ["uint16", "float32", "RGB", "P"])
def test_images_of_any_kind_serve(kind, folders):
    import tifffile

    images, masks = folders
    frame = np.random.default_rng(0).integers(0, 255, (40, 48)).astype(np.uint8)
    if kind in ("uint16", "float32"):
        tifffile.imwrite(images / "a.tif", frame.astype(kind))
    elif kind == "RGB":
        Image.fromarray(np.stack([frame] * 3, axis=2)).save(images / "a.png")
    else:
        Image.fromarray(frame).convert("P").save(images / "a.png")
    Image.fromarray(half()).save(masks / "a.png")
    found = read_training_set(images, masks).images[0]
    assert found.frame.dtype == np.float32
    assert np.corrcoef(found.frame.ravel(), frame.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "RGB"])
def test_masks_of_any_kind_serve(mode, tmp_path):
    mask = half()
    picture = {
        "L": lambda: Image.fromarray(mask),
        "P": lambda: paletted(mask),
        "1": lambda: Image.fromarray(mask.astype(bool)),
        "I;16": lambda: Image.fromarray(mask.astype(np.uint16)),
        "RGB": lambda: Image.fromarray(np.stack([mask] * 3, axis=2)),
    }[mode]()
    picture.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)


def paletted(mask):
    picture = Image.fromarray(mask, mode=None).convert("P")
    picture.putdata(mask.ravel().tolist())
    return picture


def test_a_coloured_mask_is_refused(tmp_path):
    colours = np.zeros((40, 48, 3), dtype=np.uint8)
    colours[:, 24:, 0] = 200
    Image.fromarray(colours).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="colour picture"):
        read_mask(tmp_path / "m.png")


def test_a_mask_of_fractions_is_refused(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "m.tif", np.linspace(0, 1, 2000, dtype=np.float32).reshape(40, 50))
    with pytest.raises(InputError, match="whole numbers from 0 to 255"):
        read_mask(tmp_path / "m.tif")


def test_sizes_must_be_equal(folders):
    put(folders, "a", half(), frame=np.arange(40 * 50).reshape(40, 50) % 251)
    with pytest.raises(InputError, match=r"mask of a.png is 48 x 40 px and the image 50 x 40"):
        read_training_set(*folders)


def test_every_image_needs_its_mask_and_every_mask_its_image(folders):
    put(folders, "a", half())
    Image.fromarray(half()).save(folders[0] / "b.png")
    with pytest.raises(InputError, match=r"b.png .* has no mask of the same name"):
        read_training_set(*folders)
    (folders[0] / "b.png").unlink()
    Image.fromarray(half()).save(folders[1] / "c.png")
    with pytest.raises(InputError, match=r"mask c .* has no image of the same name"):
        read_training_set(*folders)


def test_empty_and_missing_folders_are_named(folders, tmp_path):
    with pytest.raises(InputError, match="holds no mask"):
        read_training_set(*folders)
    Image.fromarray(half()).save(folders[1] / "a.png")
    with pytest.raises(InputError, match="holds no file"):
        read_training_set(*folders)
    with pytest.raises(InputError, match="does not exist"):
        read_training_set(tmp_path / "none", folders[1])


def test_one_class_nothing_labelled_and_grey_values_are_refused(folders):
    put(folders, "a", np.zeros((40, 48), dtype=np.uint8))
    with pytest.raises(InputError, match="one class only"):
        read_training_set(*folders)
    put(folders, "a", np.full((40, 48), 255))
    with pytest.raises(InputError, match="hold no class"):
        read_training_set(*folders)
    put(folders, "a", np.arange(40 * 48).reshape(40, 48) % 200)
    with pytest.raises(InputError, match="200 different numbers"):
        read_training_set(*folders)


def test_a_damaged_mask_is_named(folders):
    put(folders, "a", half())
    (folders[1] / "a.png").write_bytes((folders[1] / "a.png").read_bytes()[:40])
    with pytest.raises(ReadError, match=r"a.png is damaged"):
        read_training_set(*folders)


def test_an_image_too_small_to_learn_from_is_refused(folders):
    put(folders, "a", half()[:20])
    with pytest.raises(InputError, match="at least 32 x 32"):
        read_training_set(*folders)
