"""A fused network as an ONNX file, for runtimes without PyTorch."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.summary import summary
from micrographia.errors import MissingExtraError

_MOST_IMAGES: Final = 1024


class _Summary(nn.Module):
    """Images to the vectors that are compared."""

    def __init__(self, network: FusionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch dimension"]:
        return summary(self.network(image))


def export_onnx(network: FusionNetwork, path: Path, *, side_px: int) -> None:
    """Write a network as ONNX: ``image`` (batch, 1, side, side) to ``whole`` (batch, dimension), any number of images.

    Greys have to be as `normalised` makes them: the 1st percentile of the image at -1, the 99th at 1, cut off at ±2.

    Parameters
    ----------
    network : FusionNetwork
        With its weights.
    path : Path
        The file; written beside and then in place.
    side_px : int
        Height and width of the images, a multiple of ``network.plan.side_px`` [px].

    Raises
    ------
    MissingExtraError
        The packages that write ONNX are not installed.
    """
    if importlib.util.find_spec("onnxscript") is None:
        raise MissingExtraError("onnxscript", "onnx")
    images = torch.zeros(2, 1, side_px, side_px, device=network.bank.device)
    batch = torch.export.Dim("batch", min=1, max=_MOST_IMAGES)
    # It tells of operators of torchvision, which is not there and not needed, and of its own deprecations.
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _Summary(network).eval(),
                (images,),
                dynamo=True,
                dynamic_shapes={"image": {0: batch}},
                input_names=["image"],
                output_names=["whole"],
                verbose=False,
            )
    finally:
        exporter.setLevel(level)
    beside = path.with_suffix(".part")
    if program is not None:
        program.save(str(beside))
    beside.replace(path)
