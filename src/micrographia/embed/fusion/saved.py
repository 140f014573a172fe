"""A fused encoder on disk: one safetensors file that says what it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.errors import InputError, ReadError

SCHEMA: Final = "micrographia/fusion/2"
_RECORD: Final = "record"
_BANK: Final = "bank"


def bank_sentences() -> tuple[str, ...]:
    """Return the sentences that are the same for all images, none of which names a material or a class.

    Examples
    --------
    >>> bank_sentences()[0]
    'The image shows a regular lattice of bright spots.'
    """
    text = resources.files("micrographia.embed.fusion").joinpath("bank.txt").read_text(encoding="utf-8")
    return tuple(text.split("\n")[:-1])


def packaged_fusion() -> Path:
    """Return the file of the weights that come with the package."""
    return Path(str(resources.files("micrographia.weights").joinpath("fusion.safetensors")))


def write_fusion(network: FusionNetwork, record: dict[str, Any], path: Path) -> None:
    """Write a network, beside and then in place; weights in bfloat16.

    Parameters
    ----------
    network : FusionNetwork
        What was trained.
    record : dict
        What it was made with and what was measured on it; ``"sentences"`` are those of its bank.
    path : Path
        The file.
    """
    tensors = {
        name: value.detach().cpu().to(torch.bfloat16 if name != _BANK else value.dtype)
        for name, value in network.state_dict().items()
    }
    whole = {**record, "schema": SCHEMA, "plan": asdict(network.plan)}
    beside = path.with_suffix(".part")
    save_file(
        {name: value.contiguous() for name, value in tensors.items()}, beside, metadata={_RECORD: json.dumps(whole)}
    )
    beside.replace(path)


def read_fusion(path: Path) -> tuple[FusionNetwork, dict[str, Any]]:
    """Return a network in single precision, and its record.

    Raises
    ------
    ReadError
        The file is not there, damaged, or of another architecture.
    """
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {})[_RECORD])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if record["schema"] != SCHEMA:
            raise ReadError(f"{path} holds {record['schema']}; accepted is {SCHEMA}")
        plan = FusionPlan(**{**record["plan"], "blocks": tuple(record["plan"]["blocks"])})
        if len(record["sentences"]) != len(tensors["bank"]):
            raise ReadError(
                f"{path} has {len(record['sentences'])} sentences and {len(tensors['bank'])} vectors of them"
            )
        network = FusionNetwork(plan, tensors["bank"])
        network.load_state_dict({name: value.to(network.state_dict()[name].dtype) for name, value in tensors.items()})
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, InputError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadError(
            f"{path} is no fused encoder ({reason}); accepted is what `micrographia train fusion` wrote"
        ) from error
    return network.eval().requires_grad_(False), record
