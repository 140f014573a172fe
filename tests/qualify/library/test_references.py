"""References: what is added, refused, retired and kept."""

import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image

from micrographia.errors import InputError, LibraryError, OutputError, ReadError
from micrographia.qualify import library as lib
from micrographia.qualify.criteria import Criterion
from micrographia.read import read


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_an_image_is_kept_under_the_hash_of_its_bytes(empty, image, tmp_path):
    file = image(tmp_path, 0)
    (added,) = lib.add_references(
        empty, "cracks", "reject", [file], actor="Ann", text="wide open", expert="Bob", specimen="part 1"
    )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert lib.references(empty, "cracks") == (added,)
    assert (added.id, added.polarity, added.image_sha256, added.file) == ("R1", "reject", digest, "s0.png")
    assert (added.text, added.expert, added.specimen, added.region) == ("wide open", "Bob", "part 1", "whole")
    kept = lib.image_path(empty, added)
    assert kept == empty.folder / "images" / digest[:2] / f"{digest}.png"
    assert kept.read_bytes() == file.read_bytes()
    assert (read(kept).frames == read(file).frames).all()


def test_references_of_one_criterion_are_not_those_of_another(empty, image, tmp_path):
    file = image(tmp_path, 0)
    lib.add_references(empty, "cracks", "reject", [file], actor="Ann")
    lib.add_references(empty, "pores", "accept", [file], actor="Ann")
    assert [r.polarity for r in lib.references(empty, "cracks")] == ["reject"]
    assert [r.polarity for r in lib.references(empty, "pores")] == ["accept"]
    assert len(names(empty.folder / "images")) == 1


def test_an_image_is_refused_twice_and_with_either_meaning(empty, image, tmp_path):
    file, other = image(tmp_path, 0), tmp_path / "renamed.png"
    shutil.copyfile(file, other)
    lib.add_references(empty, "cracks", "accept", [file], actor="Ann")
    with pytest.raises(LibraryError, match=r"renamed\.png is reference R1 of cracks \(accept\) already"):
        lib.add_references(empty, "cracks", "accept", [other], actor="Ann")
    with pytest.raises(LibraryError, match=r"opposite meaning \(accept\); retire that one first"):
        lib.add_references(empty, "cracks", "reject", [other], actor="Ann")
    assert len(lib.references(empty, "cracks")) == 1


def test_a_retired_reference_is_kept_and_may_be_replaced(empty, image, tmp_path):
    file = image(tmp_path, 0)
    lib.add_references(empty, "cracks", "accept", [file], actor="Ann")
    before = lib.library_version(empty)
    gone = lib.retire_reference(empty, "R1", actor="Bob", reason="mistaken")
    assert lib.references(empty, "cracks") == ()
    assert lib.references(empty, "cracks", with_retired=True) == (gone,)
    assert (gone.polarity, gone.retired.by, gone.retired.reason) == ("accept", "Bob", "mistaken")
    assert lib.library_version(empty) != before
    (again,) = lib.add_references(empty, "cracks", "reject", [file], actor="Ann")
    assert (again.id, again.polarity) == ("R2", "reject")
    with pytest.raises(LibraryError, match=r"retired on .* already"):
        lib.retire_reference(empty, "R1", actor="Bob", reason="again")
    with pytest.raises(LibraryError, match="no reference 'R9'"):
        lib.retire_reference(empty, "R9", actor="Bob", reason="x")


def test_of_several_images_all_are_added_or_none(empty, image, tmp_path):
    files = [image(tmp_path, k) for k in range(3)]
    (tmp_path / "torn.png").write_bytes(files[0].read_bytes()[:60])
    before = names(empty.folder)
    with pytest.raises(ReadError, match=r"torn\.png"):
        lib.add_references(empty, "cracks", "accept", [*files, tmp_path / "torn.png"], actor="Ann")
    with pytest.raises(LibraryError, match="the same image"):
        lib.add_references(empty, "cracks", "accept", [*files, files[0]], actor="Ann")
    assert names(empty.folder) == before
    assert lib.references(empty, "cracks") == ()
    assert len(lib.add_references(empty, "cracks", "accept", files, actor="Ann")) == 3


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n broken", b"no image at all"])
def test_a_file_that_is_no_image_leaves_nothing_behind(empty, tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    before = names(empty.folder)
    with pytest.raises(ReadError, match=r"bad\.png"):
        lib.add_references(empty, "cracks", "accept", [tmp_path / "bad.png"], actor="Ann")
    assert names(empty.folder) == before


def test_a_mask_marks_the_region_that_counts(empty, image, mask, tmp_path):
    drawn = mask(tmp_path)
    (two,) = lib.add_references(empty, "cracks", "reject", [image(tmp_path, 0)], actor="Ann", mask=drawn, mask_value=2)
    (both,) = lib.add_references(empty, "cracks", "reject", [image(tmp_path, 1)], actor="Ann", mask=drawn)
    whole = lib.add_references(empty, "cracks", "reject", [image(tmp_path, 2)], actor="Ann")[0]
    region = lib.region_mask(empty, two, (16, 16))
    assert region[:8, :8].all()
    assert region.sum() == 64
    assert lib.region_mask(empty, both, (16, 16)).sum() == 128
    assert lib.region_mask(empty, whole, (16, 16)) is None
    digest = hashlib.sha256(drawn.read_bytes()).hexdigest()
    assert (two.region, both.region, whole.region) == (f"{digest}:2", f"{digest}:any", "whole")
    assert lib.mask_path(empty, two).read_bytes() == drawn.read_bytes()


def test_a_mask_that_does_not_fit_is_refused(empty, image, mask, tmp_path):
    file, drawn = image(tmp_path, 0), mask(tmp_path)
    Image.fromarray(np.ones((8, 16), dtype=np.uint8)).save(tmp_path / "small.png")
    before = names(empty.folder)
    for wrong, value, told in (
        (tmp_path / "small.png", None, "16 x 8 px and the image 16 x 16"),
        (drawn, 7, "no pixel with the value 7; it holds 0, 1, 2"),
        (tmp_path / "none.png", None, "none"),
    ):
        with pytest.raises(InputError, match=told):
            lib.add_references(empty, "cracks", "reject", [file], actor="A", mask=wrong, mask_value=value)
    with pytest.raises(LibraryError, match="one mask was given for 2 images"):
        lib.add_references(empty, "cracks", "reject", [file, image(tmp_path, 1)], actor="A", mask=drawn)
    with pytest.raises(LibraryError, match="without a mask"):
        lib.add_references(empty, "cracks", "reject", [file], actor="A", mask_value=1)
    assert names(empty.folder) == before


def test_what_is_more_than_one_file_is_refused(empty, tmp_path):
    np.save(tmp_path / "stack.npy", np.zeros((16, 16)))
    (tmp_path / "stack.yaml").write_text("pixel_size_nm: 1")
    with pytest.raises(LibraryError, match="sidecar, which a library does not keep"):
        lib.add_references(empty, "cracks", "reject", [tmp_path / "stack.npy"], actor="A")
    with pytest.raises(LibraryError, match="one of several images"):
        lib.add_references(empty, "cracks", "reject", [f"{tmp_path / 'stack.npy'}::0"], actor="A")


def test_an_unknown_criterion_and_blank_names_are_refused(empty, image, tmp_path):
    file = image(tmp_path, 0)
    with pytest.raises(LibraryError, match="no criterion 'x'; accepted is one of cracks, pores"):
        lib.add_references(empty, "x", "reject", [file], actor="A")
    with pytest.raises(LibraryError, match="accept or reject"):
        lib.add_references(empty, "cracks", "good", [file], actor="A")
    with pytest.raises(LibraryError, match="specimen is blank"):
        lib.add_references(empty, "cracks", "reject", [file], actor="A", specimen=" ")
    with pytest.raises(LibraryError, match="actor is"):
        lib.add_references(empty, "cracks", "reject", [file], actor="\udcff")


def test_an_amended_criterion_keeps_its_older_version(empty, criteria):
    cracks, pores = criteria
    new = Criterion(**{**vars(cracks), "reject_texts": ("a network of cracks",)})
    assert lib.amend_criterion(empty, new, actor="Bob", reason="more exact") == 2
    assert lib.criteria(empty) == (new, pores)
    first, second = lib.criterion_versions(empty, "cracks")
    assert (first.criterion, first.version, first.set_by, first.reason) == (cracks, 1, "Ann", None)
    assert (second.criterion, second.version, second.set_by, second.reason) == (new, 2, "Bob", "more exact")
    with pytest.raises(LibraryError, match="says the same already"):
        lib.amend_criterion(empty, new, actor="Bob", reason="x")


def test_the_version_changes_with_criteria_and_references_only(full, verdicts_json, tmp_path, image):
    version = lib.library_version(full)
    lib.record_opinion(full, "cracks", "reject", image_sha256="cd" * 32, file="y.png", expert="Eve", actor="Eve")
    lib.record_verdicts(full, verdicts_json(full, tmp_path / "again").read_bytes(), actor="Ann")
    assert lib.library_version(full) == version == lib.contents(full).version
    lib.add_references(full, "pores", "accept", [image(tmp_path, 9)], actor="Ann")
    assert lib.library_version(full) != version


def test_contents_hold_the_references_that_count(full):
    held = lib.contents(full)
    assert [c.id for c in held.criteria] == ["cracks", "pores"]
    assert [r.id for r in held.references["cracks"]] == ["R1", "R3", "R4"]
    assert held.criteria[1].title == "Hardly any pores"


def test_opinions_of_several_experts_are_kept(full):
    lib.record_opinion(full, "cracks", "reject", image_sha256="ab" * 32, file="x.png", expert="Eve", actor="Ann")
    assert [(o.expert, o.opinion) for o in lib.opinions(full, "cracks")] == [("Bob", "accept"), ("Eve", "reject")]
    with pytest.raises(LibraryError, match="accept or reject"):
        lib.record_opinion(full, "cracks", "maybe", image_sha256="a", file="x", expert="Eve", actor="Ann")


def test_a_folder_in_use_is_no_place_for_a_new_library(tmp_path, criteria):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        lib.create_library(tmp_path / "library", criteria, actor="Ann")
    assert names(tmp_path) == ["library/thesis.txt"]
    with pytest.raises(LibraryError, match="is no library"):
        lib.open_library(tmp_path / "library")


def test_an_export_is_enough_to_create_the_library_again(full, tmp_path):
    import json

    from micrographia.qualify.criteria import read_criteria

    out = tmp_path / "export"
    lib.export_library(full, out)
    tree = json.loads((out / "library.json").read_text())
    assert tree["library"] == {"id": full.id, "version": lib.library_version(full)}
    again = lib.create_library(tmp_path / "again", read_criteria(out / "criteria.yaml"), actor="Bob")
    for r in tree["references"]:
        if r["retired"] is None:
            lib.add_references(
                again,
                r["criterion_id"],
                r["polarity"],
                [out / r["image_path"]],
                actor="Bob",
                text=r["text"],
                expert=r["expert"],
                specimen=r["specimen"],
                mask=r["mask_path"] and out / r["mask_path"],
                mask_value=r["mask_value"],
            )

    def essence(library):
        return [
            (r.criterion_id, r.polarity, r.image_sha256, r.region, r.expert, r.specimen)
            for c in lib.criteria(library)
            for r in lib.references(library, c.id)
        ]

    assert essence(again) == essence(full)
    assert lib.criteria(again) == lib.criteria(full)
    assert [r["id"] for r in tree["references"] if r["retired"]] == ["R2"]
    with pytest.raises(OutputError, match="is not empty"):
        lib.export_library(full, out)
