"""What segments an image on the command line: a model that was trained here, or a checkpoint of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from micrographia.cli.progress import bar
from micrographia.micrograph import Micrograph
from micrographia.segment.segmentation import Segmentation

_FILES: Final = (".safetensors", ".pt", ".pth", ".pkl", ".ckpt", ".bin")
"""Names that are meant as files, there or not; pickles among them, which are refused."""


@dataclass(frozen=True, kw_only=True)
class Segmenting:
    """A way to segment.

    Parameters
    ----------
    apply : callable
        Segments the first channel of a micrograph, with a progress bar that has the given title.
    source : str
        SHA-256 of the model's file, or the checkpoint's name.
    names : tuple of str
        What its classes are called.
    """

    apply: Callable[[Micrograph, str], Segmentation]
    source: str
    names: tuple[str, ...]


def segmenting(model: str, *, flips: bool = True, probability: bool = False) -> Segmenting:
    """Load what segments.

    Parameters
    ----------
    model : str
        File of a model; or folder or hub name of a SegFormer, Mask2Former or SAM checkpoint.
    flips, probability : bool
        As in `ApplySettings`; they do not matter to checkpoints.

    Raises
    ------
    ReadError
        It cannot be loaded.
    InputError
        It is of another kind.
    """
    if Path(model).is_file() or Path(model).suffix in _FILES:
        return _trained_here(Path(model), flips=flips, probability=probability)
    from micrographia.segment.network.checkpoints import load_checkpoint, segment_with

    checkpoint = load_checkpoint(model)
    return Segmenting(
        apply=lambda micrograph, title: segment_with(micrograph.frames[0], checkpoint),
        source=model,
        names=checkpoint.classes,
    )


def _trained_here(path: Path, *, flips: bool, probability: bool) -> Segmenting:
    from micrographia.embed.fusion.maps import load_segmenting
    from micrographia.segment.network.predict import ApplySettings, segment
    from micrographia.segment.network.saved import load_model

    trained = load_model(path, load=load_segmenting)
    settings = ApplySettings(flips=flips, probability=probability)

    def apply(micrograph: Micrograph, title: str) -> Segmentation:
        with bar(f"{title}: windows") as tell:
            return segment(micrograph.frames[0], trained, settings=settings, progress=tell)

    return Segmenting(apply=apply, source=trained.sha256, names=trained.names)
