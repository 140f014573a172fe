"""The fusion recipe on a tiny student, with tiny teachers: what it learns, and that it goes on where it stopped."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from micrographia.embed.encoder import Encoder
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.saved import read_fusion
from micrographia.embed.fusion.stem import Stem, inherit
from micrographia.embed.fusion.summary import summary
from micrographia.errors import InputError, ReadError
from micrographia.learn.fusion.pictures import Picture, Pictures, make_up, photographs
from micrographia.learn.fusion.settings import FusionSettings, LossWeights
from micrographia.learn.fusion.student import Student
from micrographia.learn.fusion.teachers import Scale, Teachers
from micrographia.learn.fusion.train import CARD, CHECKPOINT, CURVE, WEIGHTS, _optimisers, train_fusion
from micrographia.segment.network.encoder import Encoder as ImageEncoder
from micrographia.segment.network.encoder import load_packaged

PLAN = FusionPlan(
    width=32,
    blocks=(1, 1, 1),
    relations=8,
    neighbours=2,
    graph=True,
    hypergraph=True,
    language=True,
    gates=True,
    text_width=6,
)
TINY = FusionSettings(
    plan=PLAN,
    steps=4,
    batch=4,
    side_px=64,
    made_up=6,
    scaled_on=10,
    held_back=2,
    bf16=False,
    checkpoint_every=2,
    weights=LossWeights(masked=0.5),
)
SENTENCES = ("it is dark", "it is bright", "lines run across it")


class Sees(ImageEncoder):
    """Means over squares, and of their steps: a teacher of which everything is known."""

    def __init__(self):
        super().__init__(name="means", channels=(2,) * 5, strides=(2, 4, 8, 16, 32), divisor=32)
        self.nothing = torch.nn.Parameter(torch.zeros(()))

    def forward(self, image):
        maps = [torch.nn.functional.avg_pool2d(image, stride) for stride in self.strides]
        return [torch.cat([m, m.square()], dim=1) for m in maps]


class Reads(Encoder):
    """Letters counted."""

    def __init__(self):
        super().__init__(
            name="letters", version="0" * 16, sees=False, reads=True, shared_space=False, licence="", caution=""
        )

    def embed_texts(self, texts):
        counts = np.array([[text.lower().count(letter) + 0.5 for letter in "aeiost"] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def rows_of(out):
    with (out / CURVE).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def teachers():
    return Teachers(sees=(Sees().eval(),), reads=Reads())


@pytest.fixture(scope="module")
def pictures():
    return Pictures(given=(), made_up=make_up(6, seed=0))


@pytest.fixture(scope="module")
def whole(pictures, teachers, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    train_fusion(pictures, teachers, SENTENCES, out, settings=TINY)
    return out


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(whole, pictures, teachers, tmp_path):
    class Stopped(Exception):  # noqa: N818 - as if somebody pressed Ctrl-C
        pass

    def stop(done, *_):
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=TINY, progress=stop)
    assert not (tmp_path / WEIGHTS).exists()
    train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=TINY)
    assert (tmp_path / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_another_training_is_refused_in_its_folder(whole, pictures, teachers):
    with pytest.raises(InputError, match="the beginning of another training, with another settings"):
        train_fusion(pictures, teachers, SENTENCES, whole, settings=replace(TINY, seed=1))


def test_a_damaged_checkpoint_is_refused(pictures, teachers, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"half a checkpoint")
    with pytest.raises(ReadError, match="is no checkpoint"):
        train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=TINY)


def test_what_is_written(whole):
    network, record = read_fusion(whole / WEIGHTS)
    assert network.plan == PLAN
    assert record["sentences"] == list(SENTENCES)
    assert record["pictures"]["made_up"] == 6
    assert record["teachers"]["sees"] == ["means"]
    card = (whole / CARD).read_text(encoding="utf-8")
    assert "4 steps of 4 views" in card
    (row,) = rows_of(whole)
    assert row["step"] == "4"
    assert float(row["sentences"]) >= 0
    assert row["labels"] == ""


@pytest.mark.slow
def test_a_student_learns_what_its_teachers_say(pictures, teachers, tmp_path):
    """It explains part of what a simple teacher says of pictures that it was not shown: 0 is their mean, always."""
    # Without a pull towards what the stem knew, which says nothing of this teacher.
    weights = replace(TINY.weights, inherited=0.0)
    lessons = replace(
        TINY, steps=500, batch=8, learning_rate=3e-3, checkpoint_every=500, scaled_on=64, held_back=24, weights=weights
    )
    more = Pictures(given=(), made_up=make_up(40, seed=3))
    train_fusion(more, teachers, SENTENCES, tmp_path, settings=lessons)
    rows = rows_of(tmp_path)
    assert float(rows[-1]["held_back_r2"]) > 0.2
    for name in ("whole", "patches", "cues"):
        assert float(rows[-1][name]) < 0.8 * float(rows[0][name]), name


@pytest.mark.parametrize("loss", ["inherited", "whole", "masked", "views", "cues", "captions", "sentences"])
def test_each_loss_can_be_the_only_one(pictures, teachers, tmp_path, loss):
    only = LossWeights(**{name: float(name == loss) for name in vars(LossWeights())})
    train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=replace(TINY, steps=1, weights=only))
    (row,) = rows_of(tmp_path)
    assert [name for name in vars(only) if row[name]] == [loss]


@pytest.mark.parametrize(
    "changes",
    [
        {"graph": False, "hypergraph": False, "gates": False, "language": False},
        {"hypergraph": False},
        {"graph": False, "language": False},
        {"gates": False},
        {"relations": 0},
        {"blocks": (0, 0), "graph": False, "hypergraph": False, "gates": False, "language": False},
    ],
)
def test_each_part_can_be_left_out(pictures, teachers, tmp_path, changes):
    settings = replace(TINY, steps=1, plan=replace(PLAN, **changes))
    train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=settings)
    network, _ = read_fusion(tmp_path / WEIGHTS)
    assert torch.isfinite(summary(network(torch.randn(1, 1, 64, 64)))).all()
    assert (network.streams is None or network.streams.language is None) == (changes.get("language") is False)


def test_labels_are_learned_where_there_are_some(teachers, tmp_path):
    """Dark grounds with bright lines against bright grounds with dark ones; one picture in three has no label."""
    frames = []
    for k in range(12):
        frame = np.random.default_rng(k).normal(0, 0.2, (96, 96)).astype(np.float32)
        frame[:: 6 + k % 3] += 3 if k % 2 else -3
        frames.append(Picture(frame=frame, label=-1 if k % 3 == 2 else k % 2))
    pictures = Pictures(given=tuple(frames), made_up=(), classes=("bright", "dark"))
    only = LossWeights(**{name: float(name == "labels") for name in vars(LossWeights())})
    settings = replace(TINY, steps=60, batch=8, weights=only, learning_rate=3e-3)
    train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=settings)
    rows = rows_of(tmp_path)
    assert float(rows[-1]["labels"]) < 0.5 * math.log(2)


def test_batches_without_a_label_teach_nothing_of_classes(teachers, tmp_path):
    frames = [np.random.default_rng(k).normal(0, 1, (96, 96)).astype(np.float32) for k in range(2)]
    pictures = Pictures(given=tuple(Picture(frame=f) for f in frames), made_up=(), classes=("bright", "dark"))
    only = LossWeights(**{name: float(name == "labels") for name in vars(LossWeights())})
    train_fusion(pictures, teachers, SENTENCES, tmp_path, settings=replace(TINY, steps=1, weights=only))
    (row,) = rows_of(tmp_path)
    assert float(row["labels"]) == 0


class Coarse(Sees):
    """The same at other strides, of which the finest is 4 and no map has the student's."""

    def __init__(self):
        super().__init__()
        self.strides = (4, 8, 32, 32, 32)


def test_teachers_of_other_strides_are_seen_side_by_side(teachers, pictures, tmp_path):
    views = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    both = Teachers(sees=(*teachers.sees, Coarse().eval()), reads=teachers.reads)
    found = both.targets(views, spoken=0, bf16=False)
    one = teachers.targets(views, spoken=0, bf16=False)
    assert found.patches.shape == (2, 20, 4, 4)
    torch.testing.assert_close(found.patches[:, :10], one.patches)
    # Means over 4 px, averaged over patches of 16 px, are means over 16 px; those over 32 px stand for four patches.
    wanted = torch.nn.functional.avg_pool2d(torch.from_numpy(views)[:, None], 16)[:, 0]
    torch.testing.assert_close(found.patches[:, 10], wanted)
    coarse = torch.nn.functional.avg_pool2d(torch.from_numpy(views)[:, None], 32)
    torch.testing.assert_close(found.patches[:, 14], coarse[:, 0].repeat_interleave(2, 1).repeat_interleave(2, 2))
    train_fusion(pictures, both, SENTENCES, tmp_path, settings=replace(TINY, steps=1))


def test_the_stem_is_inherited_and_its_first_blocks_stay(whole):
    """After four steps what was kept is the packaged encoder's to the last bit of bfloat16; the rest has moved."""
    network, _ = read_fusion(whole / WEIGHTS)
    fresh = Stem()
    inherit(fresh, load_packaged())
    now, before = network.stem.state_dict(), fresh.state_dict()
    for name, value in before.items():
        kept = name.startswith("first") or int(name.split(".")[1]) < TINY.stem_kept
        assert torch.equal(now[name], value.to(torch.bfloat16).float()) == kept, name


def test_the_stem_learns_slower_and_the_heads_faster_than_the_rest():
    network = FusionNetwork(PLAN, torch.zeros(3, 6))
    scale = Scale(mean=torch.zeros(1), spread=torch.ones(1))
    student = Student(network, LossWeights(), inherited=scale, whole=5, patches=3, cues=2, classes=2)
    matrices, others = _optimisers(student, TINY)
    shares = {
        id(p): group["highest"] / TINY.learning_rate
        for group in (*matrices.param_groups, *others.param_groups)
        for p in group["params"]
    }
    assert {shares[id(p)] for p in network.stem.blocks.parameters()} == {TINY.stem_share}
    assert shares[id(student.to_whole.weight)] == shares[id(student.to_labels.bias)] == 5
    assert {shares[id(p)] for p in network.streams.levels.parameters()} == {1}
    assert len(shares) == len(list(student.parameters()))


@pytest.mark.parametrize("count", [17, -1])
def test_a_stem_has_sixteen_blocks(count):
    with pytest.raises(InputError, match=f"stem_kept is {count}; accepted is 0"):
        replace(TINY, stem_kept=count)


def test_nothing_to_learn_from(teachers, tmp_path):
    with pytest.raises(InputError, match="there is no picture to learn from"):
        train_fusion(Pictures(given=(), made_up=()), teachers, SENTENCES, tmp_path, settings=TINY)


def test_given_and_made_up_pictures_are_drawn_alike():
    given, made = Picture(frame=np.zeros((8, 8))), Picture(frame=np.ones((8, 8)))
    pictures = Pictures(given=(given,), made_up=(made,) * 30)
    drawn = pictures.draw(2000, np.random.default_rng(0))
    assert sum(one is given for one in drawn) == pytest.approx(1000, abs=100)


def test_photographs_come_with_scikit_image():
    found = photographs()
    assert len(found) == 17
    assert all(one.frame.ndim == 2 and min(one.frame.shape) >= 111 for one in found)


def test_an_answer_takes_the_place_of_measured_words(teachers):
    views = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64)).astype(np.float32)
    said = teachers.targets(views, spoken=2, bf16=False, answers=["aaa", None]).captions
    measured = teachers.targets(views, spoken=2, bf16=False).captions
    np.testing.assert_allclose(said[0], teachers.reads.embed_texts(["aaa"])[0])
    torch.testing.assert_close(said[1], measured[1])
    assert not torch.allclose(said[0], measured[0])
