"""One trained model for all tests that ask a model about discs."""

import pytest
from drawn_textures import training

from micrographia.learn.segment.train import SegmentSettings, train_segmenter


@pytest.fixture(scope="session")
def model():
    return train_segmenter(training(0, 1, 2, 3), settings=SegmentSettings(megapixels=0.4, steps=30))
