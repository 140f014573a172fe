"""A trained network as a file: safetensors with all that is needed to use it, and a record of how it came to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from micrographia.errors import OutputError, ReadError
from micrographia.segment.network.encoder import LoadEncoder, load_encoder
from micrographia.segment.network.familiar import Familiar
from micrographia.segment.network.segmenter import Segmenter

SCHEMA: Final = "micrographia/segmentation-model/1"
SUFFIX: Final = ".safetensors"
_ENCODER: Final = "encoder."
_FAMILIAR: Final = ("mean", "sd", "tiles")


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentationModel:
    """A network that learned some classes.

    Parameters
    ----------
    network : Segmenter
        The network.
    values : tuple of int
        Number of each class in masks.
    names : tuple of str
        What each class is called.
    familiar : Familiar
        What the training images look like.
    record : mapping
        Encoder, settings, training images and software; JSON-ready.
    sha256 : str
        Of the file; empty before it is saved.
    """

    network: Segmenter
    values: tuple[int, ...]
    names: tuple[str, ...]
    familiar: Familiar
    record: Mapping[str, Any]
    sha256: str = ""


def save_model(model: SegmentationModel, path: Path) -> None:
    """Write a model; the whole file, or nothing.

    The encoder did not learn and is left out: its name and a hash of its weights are kept instead.

    Parameters
    ----------
    model : SegmentationModel
        The model.
    path : Path
        File to write; its suffix is ``.safetensors``.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    state = {name: value for name, value in model.network.state_dict().items() if not name.startswith(_ENCODER)}
    familiar = model.familiar
    tensors = {f"network.{name}": value.detach().cpu().contiguous() for name, value in state.items()}
    for name in _FAMILIAR:
        tensors[f"familiar.{name}"] = torch.from_numpy(np.ascontiguousarray(getattr(familiar, name)))
    about = {
        "schema": SCHEMA,
        "encoder": model.network.encoder.name,
        "encoder_sha256": encoder_sha256(model.network),
        "values": model.values,
        "names": model.names,
        "tile_px": familiar.tile_px,
        "images": familiar.images,
        "limit": familiar.limit,
        "record": dict(model.record),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; give a folder that can be written to") from error
    beside = path.with_name(f".{path.name}.partial")
    try:
        save_file(tensors, beside, metadata={"micrographia": json.dumps(about)})
        beside.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"cannot write {path}: {error}; give a file name in a folder that can be written to"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def load_model(path: Path, *, load: LoadEncoder = load_encoder) -> SegmentationModel:
    """Read a model.

    Parameters
    ----------
    path : Path
        What `save_model` wrote.
    load : callable
        Loads the encoder by its name.

    Returns
    -------
    SegmentationModel
        Ready to use.

    Raises
    ------
    ReadError
        The file is missing, damaged, a pickle, or not a segmentation model; or its encoder is not the one it learned
        with.
    InputError
        Its encoder cannot be loaded.
    """
    if not path.is_file():
        raise ReadError(f"{path} does not exist; give a model that `micrographia segment train` wrote")
    if path.suffix != SUFFIX:
        raise ReadError(
            f"{path.name} is not a {SUFFIX} file; accepted is a model that `micrographia segment train` wrote. Pickles "
            "(.pt, .pth, .pkl, .ckpt, .bin) can run code when they are opened and are never read"
        )
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["micrographia"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if about["schema"] != SCHEMA:
            raise ReadError(f"{path.name} holds {about['schema']}; accepted is {SCHEMA}")
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ReadError(
            f"{path.name} is damaged or no segmentation model ({type(error).__name__}); accepted is a model that "
            "`micrographia segment train` wrote: copy it again, or train it again"
        ) from error
    network = Segmenter(load(about["encoder"]), classes=len(about["values"]))
    if encoder_sha256(network) != about["encoder_sha256"]:
        raise ReadError(
            f"{path.name} learned with other weights of the encoder {about['encoder']} than are installed here; "
            "install the ones that it learned with, or train again"
        )
    state = {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    try:
        missing, strange = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ReadError(f"{path.name} does not fit its own description; train it again") from error
    if strange or [m for m in missing if not m.startswith(_ENCODER)]:
        raise ReadError(f"{path.name} lacks weights, or has some too many; copy it again, or train it again")
    familiar = {name: tensors[f"familiar.{name}"].numpy() for name in _FAMILIAR}
    return SegmentationModel(
        network=network.eval(),
        values=tuple(about["values"]),
        names=tuple(about["names"]),
        familiar=Familiar(
            **familiar,
            tile_px=int(about["tile_px"]),
            images=int(about["images"]),
            limit=float(about["limit"]),
        ),
        record=about["record"],
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def encoder_sha256(network: Segmenter) -> str:
    """Return a hash of the encoder's weights, hexadecimal."""
    digest = hashlib.sha256()
    for name, value in sorted(network.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
