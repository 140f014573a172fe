"""Samples against a library, from files to verdicts, by encoders whose vectors are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError
from micrographia.qualify import library as lib
from micrographia.qualify import prepare as module
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.evidence import Seen
from micrographia.qualify.prepare import prepare
from micrographia.qualify.qualify import disposition, qualify
from micrographia.qualify.reference_images import reference_frame
from micrographia.qualify.settings import QualifySettings
from micrographia.read import read

PER_SIDE = 20
BRIGHT = Criterion(id="bright", title="Bright", accept_texts=("bright", "white"), reject_texts=("dark",))
FEW = Criterion(id="few", title="Few references", accept_texts=(), reject_texts=())
ONE = Criterion(id="one", title="One side", accept_texts=("bright",), reject_texts=())
LEVELS = {"bright": 170, "dark": 80}


def blocks(frame):
    """Means of the 16 blocks of a picture, in hundreds, and a constant that no picture changes."""
    rows = np.array_split(frame.astype(np.float64), 4, axis=0)
    means = [block.mean() for row in rows for block in np.array_split(row, 4, axis=1)]
    return np.array([*means, 100.0]) / 100


class Eye(Encoder):
    """Sees `blocks`, and counts what it has seen; with a shared space it reads as well."""

    def __init__(self, name="eye", *, shared=False, sees=True):
        super().__init__(
            name=name, version="0123", sees=sees, reads=shared, shared_space=shared, licence="MIT", caution=""
        )
        self.seen = 0

    def vector(self, frame):
        return blocks(frame)

    def embed_images(self, frames, *, batch=8):
        for frame in frames:
            if frame.min() == frame.max():
                raise InputError("all pixels are equal")
            self.seen += 1
            whole = self.vector(frame).astype(np.float32)
            yield ImageEmbedding(whole=whole, patches=np.tile(whole, (2, 2, 1)), patch_px=4.0)

    def embed_texts(self, texts):
        of = {"bright": [1.0] * 16 + [0.2], "white": [1.0] * 16 + [0.0], "dark": [0.1] * 16 + [1.0]}
        return np.array([of[text] for text in texts], dtype=np.float32)


class Dull(Eye):
    """Tells bright from dark and nothing else."""

    def vector(self, frame):
        return np.array([1.0, 0.1]) if frame.mean() > 125 else np.array([0.1, 1.0])


def picture(path, seed, side="bright", px=16):
    """Write noise about the level of a side, which varies from picture to picture and within."""
    rng = np.random.default_rng([seed, len(side)])
    coarse = LEVELS[side] + rng.normal(0, 5) + np.kron(rng.normal(0, 6, (4, 4)), np.ones((px // 4, px // 4)))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((coarse + rng.normal(0, 3, (px, px))).clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a library, its references, and two samples."""
    folder = tmp_path_factory.mktemp("place")
    made = lib.create_library(folder / "library", [BRIGHT, FEW, ONE], actor="Ann")
    for side, word in (("bright", "accept"), ("dark", "reject")):
        files = [picture(folder / side / f"{side}{k}.png", k, side) for k in range(PER_SIDE)]
        lib.add_references(made, "bright", word, files, actor="Ann")
        lib.add_references(made, "few", word, files[:3], actor="Ann")
        picture(folder / f"{side}.png", 100, side)
    lib.add_references(made, "one", "accept", [folder / "bright" / "bright0.png"], actor="Ann")
    return folder


@pytest.fixture
def encoders(monkeypatch, tmp_path):
    """Encoders that are never the real ones, and a cache of their own."""
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path / "cache"))
    held = {e.name: e for e in (Eye(), Eye("reader", shared=True), Dull("dull"), Eye("blind", sees=False))}
    monkeypatch.setattr(module, "load_embedder", held.__getitem__)
    return held


@pytest.fixture
def library(place, encoders):
    return lib.open_library(place / "library")


def settings(*criteria, **changed):
    given = {"encoders": ("eye",), "texts": None, "where": False, "criteria": criteria or None}
    return QualifySettings(**{**given, **changed})


@pytest.fixture
def ready(library):
    return prepare(library, settings=settings("bright"), actor="Ann")


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_samples_like_either_side_are_accepted_and_rejected(place, library, ready):
    for side, word in (("bright", "accept"), ("dark", "reject")):
        sample = read(place / f"{side}.png")
        found = qualify(sample, ready)
        (verdict,) = found.verdicts
        assert (found.disposition, verdict.verdict, verdict.reason) == (word, word, "decided")
        assert (verdict.score > 0) == (side == "bright")
        assert min(verdict.p_accept, verdict.p_reject) == 1 / (PER_SIDE + 1)
        assert verdict.references[0].polarity == word
        assert found.micrograph is sample
        assert (found.library_id, found.library_version) == (library.id, lib.library_version(library))
        assert found.encoders == {"eye": "0123"}
        assert found.settings["alpha"] == 0.05
        assert found.settings["encoders"] == ("eye",)
        assert found.remarks == ()


def test_each_criterion_has_its_verdict_and_the_sample_what_follows_from_all(place, library):
    prepared = prepare(library, settings=settings(), actor="Ann")
    good, bad = (qualify(read(place / f"{side}.png"), prepared) for side in ("bright", "dark"))
    assert [v.criterion for v in good.verdicts] == ["bright", "few", "one"]
    assert [v.verdict for v in good.verdicts] == ["accept", "abstain", "abstain"]
    assert (good.disposition, bad.disposition) == ("abstain", "reject")
    few, one = good.verdicts[1:]
    assert (few.reason, few.counts, few.missing) == ("insufficient references", (3, 3), (16, 16))
    assert few.score > 0
    assert (one.reason, one.counts, one.missing) == ("insufficient references", (1, 0), (18, 19))
    assert (one.score, one.parts, one.p_accept, one.references) == (None, (), None, ())


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("accept",), "accept"),
        (("accept", "accept"), "accept"),
        (("accept", "abstain"), "abstain"),
        (("abstain", "reject", "accept"), "reject"),
        ((), "abstain"),
    ],
)
def test_disposition(verdicts, expected):
    assert disposition(verdicts) == disposition(verdicts[::-1]) == expected


def test_criteria_are_those_asked_for_in_that_order(place, library):
    prepared = prepare(library, settings=settings("few", "bright"), actor="Ann")
    assert [v.criterion for v in qualify(read(place / "dark.png"), prepared).verdicts] == ["few", "bright"]


def test_a_sample_that_is_a_reference_is_refused_or_told(place, library, ready):
    sample = read(place / "bright" / "bright3.png")
    own = lib.references(library, "bright")[3].id
    with pytest.raises(InputError, match=rf"is reference {own} of this library.*--allow-known"):
        qualify(sample, ready)
    forced = replace(ready, settings=replace(ready.settings, allow_known=True))
    found = qualify(sample, forced)
    assert found.remarks == (f"It is reference {own} of this library and was compared with itself.",)
    assert found.verdicts[0].references[0].similarity == pytest.approx(1)


def test_a_reference_in_another_file_is_refused(place, library, ready, tmp_path):
    copy = tmp_path / "copy.tif"
    Image.open(place / "dark" / "dark7.png").save(copy)
    own = lib.references(library, "bright")[PER_SIDE + 7].id
    with pytest.raises(InputError, match=rf"copy\.tif is reference {own} of this library"):
        qualify(read(copy), ready)


def test_another_picture_is_none_even_where_the_encoder_does_not_tell_them_apart(place, library):
    prepared = prepare(library, settings=settings("bright", encoders=("dull",)), actor="Ann")
    found = qualify(read(place / "bright.png"), prepared)
    assert (found.disposition, found.remarks) == ("accept", ())
    assert found.verdicts[0].p_accept == 1  # a tie with each
    with pytest.raises(InputError, match="is reference"):
        qualify(read(place / "dark" / "dark0.png"), prepared)


def test_there_must_be_a_criterion_with_both_sides(library):
    with pytest.raises(InputError, match="no criterion with references to accept and to reject among one"):
        prepare(library, settings=settings("one"), actor="Ann")


def test_a_criterion_that_is_none_is_refused(library):
    with pytest.raises(InputError, match="'grains'; accepted are those of the library: bright, few, one"):
        prepare(library, settings=settings("bright", "grains"), actor="Ann")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"encoders": ("blind",)}, "encoder blind does not see images"),
        ({"encoders": ("eye", "blind")}, "encoder blind does not see images"),
        ({"texts": "dull"}, "encoder dull does not compare texts with images"),
    ],
)
def test_encoders_that_cannot_do_it_are_refused(library, changed, words):
    with pytest.raises(InputError, match=words):
        prepare(library, settings=settings("bright", **changed), actor="Ann")


@pytest.mark.parametrize("changed", [{"encoders": ()}, {"encoders": ("eye", "eye")}, {"alpha": 0.0}, {"alpha": 0.6}])
def test_settings_that_make_no_sense_are_refused(changed):
    with pytest.raises(InputError):
        settings(**changed)


def test_texts_count_by_an_encoder_that_reads(place, library):
    prepared = prepare(library, settings=settings("bright", "few", texts="reader"), actor="Ann")
    found = qualify(read(place / "bright.png"), prepared)
    assert found.encoders == {"eye": "0123", "reader": "0123"}
    bright, few = found.verdicts
    assert [(p.encoder, p.modality) for p in bright.parts] == [("eye", "image"), ("eye", "patches"), ("reader", "text")]
    assert [(p.encoder, p.modality) for p in few.parts] == [("eye", "image"), ("eye", "patches")]  # it has no texts
    sample = blocks(read(place / "bright.png").frames[0])
    on, white, off = Eye("reader", shared=True).embed_texts(["bright", "white", "dark"])
    expected = (cosine(sample, on) + cosine(sample, white)) / 2 - cosine(sample, off)
    assert bright.parts[2].net == pytest.approx(expected, abs=1e-6)
    assert bright.score == pytest.approx(sum(p.weight * p.z for p in bright.parts))
    assert bright.verdict == "accept"
    # A reference has the net similarity that it would have as a sample.
    reference = blocks(read(place / "dark" / "dark2.png").frames[0]).astype(np.float32)
    expected = (cosine(reference, on) + cosine(reference, white)) / 2 - cosine(reference, off)
    assert prepared.ready[0].known.nets[0][PER_SIDE + 2] == pytest.approx(expected, abs=1e-6)
    assert prepared.ready[0].known.nets[0].dtype == np.float64


def test_an_encoder_of_images_that_reads_needs_no_other_and_none_reads_where_there_are_no_texts(library):
    both = prepare(library, settings=settings("bright", encoders=("reader",), texts="dull"), actor="Ann")
    assert [e.name for e in both.encoders] == ["reader"]
    assert [(v.encoder, v.modality) for v in both.ready[0].views] == [
        ("reader", "image"),
        ("reader", "patches"),
        ("reader", "text"),
    ]
    without = prepare(library, settings=settings("few", texts="reader"), actor="Ann")
    assert [e.name for e in without.encoders] == ["eye"]


def test_a_verdict_does_not_depend_on_what_was_qualified_before(place, library, ready, tmp_path):
    samples = [read(picture(tmp_path / f"{k}.png", 200 + k, side)) for k, side in enumerate(["bright", "dark"])]
    in_turn = [qualify(sample, ready) for sample in samples]
    backwards = [qualify(sample, ready) for sample in samples[::-1]][::-1]
    alone = [qualify(s, prepare(library, settings=settings("bright"), actor="Ann")) for s in samples]
    for founds in zip(in_turn, backwards, alone, strict=True):
        first, *others = (vars(replace(found.verdicts[0], unlike=None)) for found in founds)
        assert all(other == first for other in others)
        for found in founds[1:]:
            np.testing.assert_array_equal(found.verdicts[0].unlike, founds[0].verdicts[0].unlike)


def test_vectors_are_stored_and_used_again(tmp_path, encoders, monkeypatch):
    made = lib.create_library(tmp_path / "library", [FEW], actor="Ann")
    for side, word in (("bright", "accept"), ("dark", "reject")):
        lib.add_references(
            made, "few", word, [picture(tmp_path / side / f"{k}.png", k, side) for k in (0, 1)], actor="Ann"
        )
    told = []
    first = prepare(made, settings=settings(), actor="Ann", progress=lambda done, of: told.append((done, of)))
    assert encoders["eye"].seen == 4
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path / "another"))
    again = prepare(lib.open_library(made.folder), settings=settings(), actor="Ann")
    assert encoders["eye"].seen == 4
    np.testing.assert_array_equal(again.ready[0].known.images[0], first.ready[0].known.images[0])
    keys = [(r.image_sha256, r.region) for r in lib.references(made, "few")]
    assert lib.load_patches(made, keys, encoder=encoders["eye"])[keys[0]].vectors.shape == (8, 8, 17)
    assert lib.verify_library(made).findings == ()


def test_a_library_that_may_not_be_changed_is_not(library, encoders):
    entries = lib.verify_library(library).entries
    prepare(library, settings=settings("bright"), actor="Ann")
    assert encoders["eye"].seen == 2 * PER_SIDE
    assert lib.verify_library(library).entries == entries


def test_of_a_reference_with_a_mask_the_box_around_its_region_counts(tmp_path, encoders):
    made = lib.create_library(tmp_path / "library", [FEW], actor="Ann")
    image, other = picture(tmp_path / "a.png", 0), picture(tmp_path / "b.png", 1, "dark")
    values = np.zeros((16, 16), dtype=np.uint8)
    values[2:7, 3], values[6, 3:12], values[15, 15] = 2, 2, 1  # an L from row 2 to 6 and column 3 to 11
    Image.fromarray(values).save(tmp_path / "mask.png")
    marked = lib.add_references(
        made, "few", "accept", [image], actor="Ann", mask=Path(tmp_path / "mask.png"), mask_value=2
    )
    lib.add_references(made, "few", "reject", [other], actor="Ann")
    box = read(image).frames[0][2:7, 3:12]
    np.testing.assert_array_equal(reference_frame(made, marked[0]), box)
    known = prepare(made, settings=settings(), actor="Ann").ready[0].known
    np.testing.assert_allclose(known.images[0][0], blocks(box), rtol=1e-6)
    np.testing.assert_allclose(known.images[0][1], blocks(read(other).frames[0]), rtol=1e-6)


def sample_of(frame):
    """A sample of its own, never read from a file of the library."""
    source = Path(__file__)
    from micrographia.context import Context
    from micrographia.micrograph import Micrograph, Provenance

    return Micrograph(
        frames=frame.astype(np.float32)[None],
        pixel_size_nm=None,
        context=Context(),
        provenance=Provenance(file=source.name, sha256=None, reader="numpy", software="0"),
    )


@pytest.mark.parametrize(
    ("shape", "tile", "expected"),
    [
        ((256, 256), 64, (7, 7)),
        ((128, 128), 64, (3, 3)),
        ((128, 200), 64, (3, 5)),
        ((400, 800), 100, (7, 15)),
        ((127, 300), None, None),
    ],
)
def test_the_map_has_tiles_that_overlap_by_half(library, shape, tile, expected):
    prepared = prepare(library, settings=settings("few", where=True), actor="Ann")
    where = qualify(sample_of(np.random.default_rng(0).uniform(0, 255, shape)), prepared).verdicts[0].where
    if expected is None:
        assert where is None
        return
    assert (where.tile_px, where.step_px, where.score.shape) == (tile, tile // 2, expected)
    # The last tile lies within the picture, and no other would fit.
    for n, count in zip(shape, expected, strict=True):
        assert (count - 1) * where.step_px + tile <= n < count * where.step_px + tile


def test_the_map_shows_where_a_sample_is_like_what_is_rejected(library):
    rng = np.random.default_rng(1)
    frame = rng.normal(LEVELS["bright"], 3, (256, 256))
    frame[:, 128:] = LEVELS["dark"]  # even: a tile of one grey can be seen, too
    prepared = prepare(library, settings=settings("bright", "one", where=True), actor="Ann")
    bright, one = qualify(sample_of(frame), prepared).verdicts
    assert (bright.where.score[:, :3] > 0).all()
    assert (bright.where.score[:, 4:] < 0).all()
    assert one.where is None
    tile = (
        prepared.ready[0]
        .calibrated.frozen.without_patches()
        .score(Seen(images=(blocks(frame[32:96, 64:128].astype(np.float32))[None],), nets=()))
    )
    assert bright.where.score[1, 2] == pytest.approx(tile[0], rel=1e-4)


def test_only_the_first_of_several_channels_counts(place, ready):
    sample = read(place / "bright.png")
    context = replace(sample.context, detectors=None, collection_mrad=None)
    both = replace(sample, frames=np.concatenate([sample.frames, 255 - sample.frames]), context=context)
    found = qualify(both, ready)
    assert found.remarks == ("Only the first of 2 channels was looked at.",)
    assert found.verdicts[0].score == qualify(sample, ready).verdicts[0].score


@pytest.mark.parametrize(
    ("names", "specimens", "remark"),
    [
        ([None] * 4, [0, 1, 2, 3], None),
        (["a", "b", "a", "c"], [0, 1, 0, 3], None),
        (["a", None, None, "a"], [0, 1, 2, 0], None),
        (["a", "a", "b", "c"], [0, 1, 2, 3], "All references to accept are of specimen a"),
        (["b", "c", "a", "a"], [0, 1, 2, 3], "All references to reject are of specimen a"),
    ],
)
def test_references_of_a_specimen_count_together_unless_a_side_has_but_one(
    tmp_path, encoders, names, specimens, remark
):
    made = lib.create_library(tmp_path / "library", [FEW], actor="Ann")
    for k, name in enumerate(names):
        side, word = (("bright", "accept"), ("dark", "reject"))[k // 2]
        lib.add_references(made, "few", word, [picture(tmp_path / f"{k}.png", k, side)], actor="Ann", specimen=name)
    (found,) = prepare(made, settings=settings(), actor="Ann").ready
    assert found.known.specimens.tolist() == specimens
    told = [r for r in found.remarks if r.startswith("All references")]
    assert [r.split(":")[0] for r in told] == ([remark] if remark else [])
    assert any("specimens, of which one at a time" in r for r in found.remarks) == (len(set(specimens)) < 4)
