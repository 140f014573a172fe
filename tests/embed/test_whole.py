"""One vector of an image: from the encoder as it is, or the mean over its tiles."""

from __future__ import annotations

import numpy as np
import pytest

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.embed.search import Hit, nearest_vectors
from micrographia.embed.whole import whole_vector
from micrographia.errors import InputError


class Corner(Encoder):
    """Sees the first pixel, and the size."""

    def embed_images(self, frames, *, batch=8):
        for frame in frames:
            whole = np.array([frame[0, 0], *frame.shape], dtype=np.float32)
            yield ImageEmbedding(whole=whole, patches=whole[None, None], patch_px=1.0)


@pytest.fixture(scope="module")
def corner():
    return Corner(name="corner", version="1", sees=True, reads=False, shared_space=False, licence="", caution="")


def test_without_tiles_it_is_the_encoders_vector(corner):
    frame = np.arange(24.0).reshape(4, 6) + 5
    assert whole_vector(corner, frame).tolist() == [5, 4, 6]


def test_with_tiles_it_is_their_mean_and_a_narrow_strip_is_left_out(corner):
    # Tiles of 2 in 5 x 7 begin at rows 0 and 2 and columns 0, 2 and 4: their first pixels are 0, 2, 4, 14, 16 and 18.
    found = whole_vector(corner, np.arange(35.0).reshape(5, 7), tile_px=2)
    assert found.tolist() == [(0 + 2 + 4 + 14 + 16 + 18) / 6, 2, 2]


def test_small_and_plain_images_are_refused(corner):
    with pytest.raises(InputError, match=r"7 x 5 px, less than a tile of 6 px; give smaller tiles"):
        whole_vector(corner, np.arange(35.0).reshape(5, 7), tile_px=6)
    with pytest.raises(InputError, match="all pixels are equal"):
        whole_vector(corner, np.ones((8, 8)), tile_px=4)


def test_the_most_alike_come_first_and_of_equals_the_first(corner):
    vectors = np.array([[0.0, 1.0], [2.0, 0.0], [4.0, 3.0], [1.0, 0.0]])
    found = nearest_vectors(np.array([5.0, 0.0]), vectors, most=3)
    assert found == (Hit(row=1, similarity=1.0), Hit(row=3, similarity=1.0), Hit(row=2, similarity=0.8))
    assert len(nearest_vectors(np.array([5.0, 0.0]), vectors, most=9)) == 4


@pytest.mark.parametrize(
    ("query", "vectors", "most", "says"),
    [
        ([1.0, 0.0, 0.0], [[1.0, 0.0]], 1, "the query has 3 numbers, the vectors have 2"),
        ([1.0, 0.0], [[0.0, 0.0]], 1, "a vector is zero"),
        ([1.0, 0.0], [[1.0, 0.0]], 0, "0 neighbours were asked for"),
    ],
)
def test_what_cannot_be_compared_is_refused(query, vectors, most, says):
    with pytest.raises(InputError, match=says):
        nearest_vectors(np.array(query), np.array(vectors), most=most)
