"""Where a training goes on after an interruption."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from micrographia.errors import InputError, ReadError


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """Where a training stands.

    Parameters
    ----------
    done : int
        Steps that were made.
    made : dict
        The software that began it.
    """

    done: int
    made: dict[str, str]


def keep(
    path: Path,
    network: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    record: dict[str, Any],
    resumed: Resumed,
) -> None:
    """Write everything that a training goes on from, beside and then in place of the last.

    Parameters
    ----------
    path : Path
        The checkpoint.
    network : Module
        Its weights.
    optimisers : sequence of Optimizer
        What they remember of earlier steps.
    record : dict
        What makes it this training and no other.
    resumed : Resumed
        Where it stands.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for k, optimiser in enumerate(optimisers):
        for n, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{k}.{n}.{name}": value for name, value in values.items()}
    beside = path.with_suffix(".part")
    metadata = {"record": json.dumps({**record, "done": resumed.done, "made": resumed.made})}
    # Tied weights may share memory, which safetensors refuses.
    save_file({name: value.detach().cpu().clone() for name, value in tensors.items()}, beside, metadata=metadata)
    beside.replace(path)


def resume(
    path: Path, network: nn.Module, optimisers: Sequence[torch.optim.Optimizer], record: dict[str, Any]
) -> Resumed:
    """Take up what `keep` wrote.

    Raises
    ------
    ReadError
        It is damaged.
    InputError
        It is of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = json.loads(file.metadata()["record"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        resumed = Resumed(done=int(found.pop("done")), made=found.pop("made"))
    except Exception as error:
        raise ReadError(f"{path} is no checkpoint ({error}); delete it to begin anew") from error
    wanted = json.loads(json.dumps(record))
    if found != wanted:
        other = ", ".join(sorted(name for name in wanted if found.get(name) != wanted[name]))
        raise InputError(
            f"{path.parent} holds the beginning of another training, with another {other or 'recipe'}; accepted are "
            "the same corpus, base and settings, or another --out"
        )
    network.load_state_dict({name[8:]: value for name, value in tensors.items() if name.startswith("network.")})
    for k, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimiser.{k}."):
                _, _, n, kind = name.split(".")
                state.setdefault(int(n), {})[kind] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return resumed
