"""The segmenting network: two opinions on every pixel, one of the pixel by itself and one of the shapes around."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from monai.networks.blocks import Convolution
from monai.networks.nets.basic_unet import TwoConv
from torch import nn
from torch.nn import functional

from micrographia.segment.network.encoder import Encoder

SCALES: Final = (1.0, 0.5)
"""Magnifications at which the encoder sees the image; the smaller one shows more of the surroundings."""

_VOTE_WIDTHS: Final = (96, 64)
_DECODER_WIDTHS: Final = (128, 64, 48, 32)
_OF_VOTES: Final = 1 / 3
_GREY_CHANNELS: Final = 2
_FULL_WIDTH: Final = 8
_LAST_WIDTH: Final = 16
_NORM: Final = ("group", {"num_groups": 8})
_ACT: Final = ("relu", {"inplace": True})


@dataclass(frozen=True, kw_only=True, eq=False)
class Maps:
    """All that is known of an image before anything is learned.

    Parameters
    ----------
    image : float tensor (batch, 1, height, width)
        Normalised grey values.
    features : tuple of tuple of float tensor (batch, channel, height / stride, width / stride)
        The encoder's maps at each of `SCALES`.
    """

    image: torch.Tensor
    features: tuple[tuple[torch.Tensor, ...], ...]

    @property
    def flat(self) -> tuple[torch.Tensor, ...]:
        """Every map that votes: of each magnification in turn, then grey values and their local mean."""
        grey = torch.cat([self.image, functional.avg_pool2d(self.image, 3, 1, 1, count_include_pad=False)], 1)
        return (*itertools.chain.from_iterable(self.features), grey)


def maps_of(image: torch.Tensor, encoder: Encoder) -> Maps:
    """Return what an encoder says of images.

    Parameters
    ----------
    image : float tensor (batch, 1, height, width)
        Normalised grey values; height and width are multiples of `multiple_px`.
    encoder : Encoder
        Encoder.
    """
    seen = (image if scale == 1 else functional.avg_pool2d(image, round(1 / scale)) for scale in SCALES)
    return Maps(image=image, features=tuple(tuple(encoder(x)) for x in seen))


def multiple_px(encoder: Encoder) -> int:
    """Return what height and width of an image must be multiples of [px]."""
    return round(encoder.divisor / min(SCALES))


class PixelVote(nn.Module):
    """Two layers that look at one pixel of all feature maps at a time.

    The first layer is linear, and so is interpolation: it is applied at the resolution of each map, and the sum is
    interpolated. So the same weights serve on a table of pixels, which is how they are learned, and on whole images.

    Parameters
    ----------
    channels : sequence of int
        Channels of each map of `Maps.flat`.
    classes : int
        Number of classes.
    """

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        first, second = _VOTE_WIDTHS
        self.channels = tuple(channels)
        self.first = nn.Linear(sum(channels), first)
        self.second = nn.Linear(first, second)
        self.last = nn.Linear(second, classes)
        self.drop = nn.Dropout(0.2)
        self.register_buffer("mean", torch.zeros(sum(channels)))
        self.register_buffer("sd", torch.ones(sum(channels)))

    def statistics(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return mean and standard deviation of each map's channels, tensors (1, channel, 1, 1)."""
        means, sds = (torch.split(v[None, :, None, None], list(self.channels), dim=1) for v in (self.mean, self.sd))
        return list(means), list(sds)

    def of_pixels(self, features: torch.Tensor) -> torch.Tensor:
        """Return the logits (pixel, class) of features (pixel, channel)."""
        hidden = self.drop(functional.gelu(self.first((features - self.mean) / self.sd)))
        logits: torch.Tensor = self.last(functional.gelu(self.second(hidden)))
        return logits

    def forward(self, maps: Maps) -> torch.Tensor:
        """Return the logits (batch, class, height / 2, width / 2) of images (batch, 1, height, width)."""
        x = self.drop(functional.gelu(self.linear(maps, self.first.weight, self.first.bias)))
        hidden = functional.gelu(functional.conv2d(x, self.second.weight[:, :, None, None], self.second.bias))
        return functional.conv2d(hidden, self.last.weight[:, :, None, None], self.last.bias)

    def linear(self, maps: Maps, slopes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return linear functions of the standardised features, (batch, function, height / 2, width / 2).

        Parameters
        ----------
        maps : Maps
            Of images (batch, 1, height, width).
        slopes : float tensor (function, channel)
            Of the standardised features.
        offsets : float tensor (function,)
            At their mean.
        """
        height, width = (n // 2 for n in maps.image.shape[-2:])
        weight = slopes / self.sd
        parts = torch.split(weight, list(self.channels), dim=1)
        sums: dict[tuple[int, int], torch.Tensor] = {}
        for features, part in zip(maps.flat, parts, strict=True):
            if features.shape[-1] > width:  # nothing is finer than every second pixel
                features = functional.avg_pool2d(features, 2)
            size = (features.shape[-2], features.shape[-1])
            voted = functional.conv2d(features, part[:, :, None, None])
            sums[size] = sums[size] + voted if size in sums else voted
        x = (offsets - weight @ self.mean)[None, :, None, None]
        for voted in sums.values():
            x = x + resized(voted, (height, width))
        return x


class Segmenter(nn.Module):
    """An encoder, and two learners on its maps that err in different ways: their log-probabilities are averaged.

    The vote of single pixels learns in seconds, thin and rare classes too. A U-Net decoder learns slower, and gets
    outlines right. Neither sees what the other says while it learns.

    Parameters
    ----------
    encoder : Encoder
        Encoder.
    classes : int
        Number of classes.
    frozen : bool
        Whether the encoder stays as it came: its statistics too, which it would else forget while the rest learns.
    """

    def __init__(self, encoder: Encoder, *, classes: int, frozen: bool = True) -> None:
        super().__init__()
        self.encoder = encoder
        self.frozen = frozen
        self.vote = PixelVote([*(encoder.channels * len(SCALES)), _GREY_CHANNELS], classes)
        levels: dict[int, int] = {}
        for stride, channels in zip(encoder.strides, encoder.channels, strict=True):
            levels[stride] = levels.get(stride, 0) + channels
        depths = [levels[stride] for stride in sorted(levels, reverse=True)]
        widths = (depths[0], *_DECODER_WIDTHS[-(len(depths) - 1) :]) if len(depths) > 1 else (depths[0],)
        self.decoder = nn.ModuleList(
            TwoConv(2, before + skip, after, _ACT, _NORM, True)
            for before, after, skip in zip(widths, widths[1:], depths[1:], strict=False)
        )
        # Every pixel is dear at full resolution: two thin layers without normalisation.
        self.full = Convolution(2, 1, _FULL_WIDTH, kernel_size=3, act=_ACT, norm=None)
        self.narrow = nn.Conv2d(widths[-1], 16, 1)
        self.shape = Convolution(2, 16 + _FULL_WIDTH, _LAST_WIDTH, kernel_size=3, act=_ACT, norm=None)
        self.last = nn.Conv2d(_LAST_WIDTH, classes, 1)
        self.drop = nn.Dropout2d(0.1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities (batch, class, height, width) of images (batch, 1, height, width)."""
        return joined(*self.opinions(maps_of(image, self.encoder)))

    def opinions(self, maps: Maps) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the log-probabilities of images by the vote and by the shapes, each (batch, class, height, width)."""
        votes = resized(self.vote(maps), maps.image.shape[-2:]).log_softmax(1)
        return votes, self.shapes(maps).log_softmax(1)

    def train(self, mode: bool = True) -> Segmenter:
        """Switch between learning and answering."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def shapes(self, maps: Maps) -> torch.Tensor:
        """Return the decoder's logits (batch, class, height, width) of images of which the encoder has told already."""
        by_size: dict[int, list[torch.Tensor]] = {}
        for features, mean, sd in zip(maps.features[0], *self.vote.statistics(), strict=False):
            by_size.setdefault(features.shape[-1], []).append((features - mean) / sd)
        levels = [torch.cat(by_size[size], 1) for size in sorted(by_size)]
        x = self.drop(levels[0])
        for block, skip in zip(self.decoder, levels[1:], strict=True):
            x = block(torch.cat([resized(x, skip.shape[-2:]), skip], 1))
        full = maps.image.shape[-2:]
        x = torch.cat([resized(self.narrow(x), full), self.full(maps.image)], 1)
        logits: torch.Tensor = self.last(self.shape(x))
        return logits


def joined(votes: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities (batch, class, height, width) that two opinions give together."""
    return (_OF_VOTES * votes + (1 - _OF_VOTES) * shapes).log_softmax(1)


def features_at(maps: Maps, places: np.ndarray) -> torch.Tensor:
    """Return the features (pixel, channel) of some pixels of an image, interpolated between those of each map.

    Parameters
    ----------
    maps : Maps
        Of one image.
    places : int array (pixel, 2)
        Row and column of each pixel.
    """
    height, width = maps.image.shape[-2:]
    x = (torch.from_numpy(places[:, 1]).float() + 0.5) / width * 2 - 1
    y = (torch.from_numpy(places[:, 0]).float() + 0.5) / height * 2 - 1
    grid = torch.stack([x, y], dim=-1)[None, None].to(maps.image.device)
    sampled = [
        functional.grid_sample(m.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0].T
        for m in maps.flat
    ]
    return torch.cat(sampled, 1)


def resized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Return images (batch, channel, height, width) at another size, interpolated."""
    return x if tuple(x.shape[-2:]) == tuple(size) else functional.interpolate(x, size=tuple(size), mode="bilinear")
