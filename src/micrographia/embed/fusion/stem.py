"""The stem: the convolutions of EfficientNet-Lite0, taken over with their weights."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_FIRST: Final = 32
# Channels, side of the kernel, step, expansion, repetitions.
_STAGES: Final = (
    *((16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 2, 6, 3), (112, 5, 1, 6, 3)),
    *((192, 5, 2, 6, 4), (320, 3, 1, 6, 1)),
)
_TO_PATCHES: Final = sum(times for *_, times in _STAGES[:5])

STEM_BLOCKS: Final = sum(times for *_, times in _STAGES)
"""Blocks of the stem."""
FINE_PX: Final = (2, 4, 8)
"""Pixels between neighbours in the maps that are finer than patches."""
FINE_CHANNELS: Final = (16, 24, 40)
"""Their channels."""
SEEN_CHANNELS: Final = 112
"""Channels of the map at 16 px, one vector a patch."""
DEEP_PX: Final = 32
"""Pixels between neighbours in the last map."""
DEEP_CHANNELS: Final = 320
"""Its channels."""


class Stem(nn.Module):
    """The convolutions of EfficientNet-Lite0 (M. Tan and Q. V. Le, 2019, arXiv:1905.11946) up to its last map.

    Batch normalisation is folded into the convolutions, as images of three resolutions and of all qualities go
    through; so there are biases in its place. `inherit` gives them the weights of the packaged encoder.

    Examples
    --------
    >>> stem = Stem()
    >>> maps = stem(torch.zeros(1, 1, 64, 32))
    >>> [tuple(m.shape[1:]) for m in maps]
    [(16, 32, 16), (24, 16, 8), (40, 8, 4), (112, 4, 2)]
    >>> tuple(stem.deeper(maps[-1]).shape)
    (1, 320, 2, 1)
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = _Convolution(1, _FIRST, 3, step=2)
        blocks: list[_Inverted] = []
        inputs = _FIRST
        for outputs, kernel, step, expansion, times in _STAGES:
            for k in range(times):
                blocks.append(_Inverted(inputs, outputs, kernel, step=1 if k else step, expansion=expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, image: Float[Tensor, "batch 1 height width"]
    ) -> list[Float[Tensor, "batch _channel _row _column"]]:
        """Return the maps of images at 2, 4, 8 and 16 px."""
        # Depthwise convolutions are twice as fast on channels that lie side by side.
        x = functional.relu6(self.first(image)).contiguous(memory_format=torch.channels_last)
        maps = []
        for block in self.blocks[:_TO_PATCHES]:
            if block.step == 2:
                maps.append(x)
            x = block(x)
        return [*maps, x]

    def deeper(self, patches: Float[Tensor, "batch channel row column"]) -> Float[Tensor, "batch deep _row _column"]:
        """Return the map at 32 px from that at 16 px."""
        for block in self.blocks[_TO_PATCHES:]:
            patches = block(patches)
        return patches


class _Convolution(nn.Module):
    """A convolution with zeros around the image, where a kernel of even reach looks further down and right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, step: int = 1, groups: int = 1) -> None:
        super().__init__()
        even = step == 2
        self.margin = ((kernel - 2) // 2, (kernel - 1) // 2) * 2 if even else None
        self.layer = nn.Conv2d(inputs, outputs, kernel, stride=step, padding=0 if even else kernel // 2, groups=groups)
        nn.init.kaiming_normal_(self.layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        if self.margin is not None:
            x = functional.pad(x, self.margin)
        found: Tensor = self.layer(x)
        return found


class _Inverted(nn.Module):
    """Widen, look around in each channel, narrow: M. Sandler et al. (2018), doi:10.1109/CVPR.2018.00474."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, step: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.step = step
        self.added = step == 1 and inputs == outputs
        self.widen = _Convolution(inputs, inner, 1) if expansion > 1 else None
        self.around = _Convolution(inner, inner, kernel, step=step, groups=inner)
        self.narrow = _Convolution(inner, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.widen is None else functional.relu6(self.widen(x))
        found: Tensor = self.narrow(functional.relu6(self.around(wide)))
        return found + x if self.added else found


@torch.no_grad()
def inherit(stem: Stem, teacher: nn.Module) -> None:
    """Give a stem the weights of EfficientNet-Lite0, so that it sees what that sees.

    Parameters
    ----------
    stem : Stem
        Gets the weights.
    teacher : Module
        The packaged encoder of `segment.network`: convolutions without bias, each followed by batch normalisation.
    """
    convolutions = [m for m in teacher.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)]
    heirs = [m.layer for m in stem.modules() if isinstance(m, _Convolution)]
    own = convolutions[: len(heirs)], norms[: len(heirs)]
    for heir, convolution, norm in zip(heirs, *own, strict=True):
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        gain = norm.weight / (variance + norm.eps).sqrt()
        # A grey image is three equal colours.
        weight = convolution.weight.sum(dim=1, keepdim=True) if heir is heirs[0] else convolution.weight
        heir.load_state_dict({"weight": weight * gain[:, None, None, None], "bias": norm.bias - mean * gain})
