"""The fused network in another runtime gives the same vectors."""

import numpy as np
import pytest
import torch

from micrographia.embed.fusion.export import export_onnx
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import ALL_BLOCKS, FusionPlan
from micrographia.embed.fusion.summary import summary

ALL_STREAMS = FusionPlan(blocks=ALL_BLOCKS, graph=True, hypergraph=True, language=True, gates=True)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [FusionPlan(), ALL_STREAMS])
def test_onnx_agrees_with_pytorch_for_any_number_of_images(tmp_path, plan):
    import onnxruntime

    torch.manual_seed(0)
    network = FusionNetwork(plan, torch.randn(56, 384)).eval()
    export_onnx(network, tmp_path / "fusion.onnx", side_px=192)
    session = onnxruntime.InferenceSession(tmp_path / "fusion.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 2, 5):
        images = torch.randn(count, 1, 192, 192)
        (found,) = session.run(None, {"image": images.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(found, summary(network(images)), atol=1e-3)
