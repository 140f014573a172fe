"""What data sets and streams ask of a generator of patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt16

from micrographia.errors import InputError


@runtime_checkable
class PatchBlock(Protocol):
    """Patches of one or several groups, in the order of their groups."""

    @property
    def levels(self) -> UInt16[np.ndarray, "patch channel height width"]:
        """What the detector's digitiser gives."""

    @property
    def clean(self) -> Float32[np.ndarray, "patch channel height width"] | None:
        """The fraction of the beam without noise, where the generator was told to give it."""

    @property
    def index(self) -> Mapping[str, np.ndarray]:
        """A column each of what is known about the patches: ``label``, context, seed, and for each channel its scale.

        Channel 0's fraction of the beam is ``(levels - zero_level_0) * fraction_per_level_0``, and so on.
        """


@runtime_checkable
class PatchSource(Protocol):
    """A generator of patches: frozen, picklable, and without memory of what it gave before."""

    @property
    def size_px(self) -> int:
        """Height and width of a patch [px]."""

    @property
    def channels(self) -> int:
        """Number of detectors."""

    @property
    def group_size(self) -> int:
        """Number of patches that share their optics."""

    def settings(self) -> dict[str, Any]:
        """Return all that the patches depend on, as JSON has it."""

    def groups(self, first: int, count: int) -> PatchBlock:
        """Return the patches of groups ``first`` to ``first + count - 1``: the same ones whenever it is asked."""


def beam_fractions(
    levels: UInt16[np.ndarray, "patch channel height width"], index: Mapping[str, np.ndarray]
) -> Float32[np.ndarray, "patch channel height width"]:
    """Return patches as fractions of the beam.

    Parameters
    ----------
    levels : uint16 array (patch, channel, height, width)
        What the digitiser gives.
    index : mapping of str to array (patch,)
        Holds ``zero_level_0`` and ``fraction_per_level_0``, and so on for each channel.

    Examples
    --------
    >>> scale = {"zero_level_0": np.array([10.0]), "fraction_per_level_0": np.array([1e-3])}
    >>> beam_fractions(np.full((1, 1, 1, 2), 60, dtype=np.uint16), scale).ravel().round(4).tolist()
    [0.05..., 0.05...]
    """
    zero, step = (
        np.stack([index[f"{name}_{channel}"] for channel in range(levels.shape[1])], axis=1)[:, :, None, None]
        for name in ("zero_level", "fraction_per_level")
    )
    image = levels.astype(np.float32)
    image -= zero.astype(np.float32)
    image *= step.astype(np.float32)
    return image


def checked_groups(source: PatchSource, first: int, count: int) -> PatchBlock:
    """Return a source's groups, once they are what the source promised.

    Parameters
    ----------
    source : PatchSource
        The generator.
    first, count : int
        First group, and number of groups.

    Raises
    ------
    InputError
        The patches have another shape or type than promised, or a column is missing or has another length.
    """
    block = source.groups(first, count)
    shape = (count * source.group_size, source.channels, source.size_px, source.size_px)
    if block.levels.shape != shape or block.levels.dtype != np.uint16:
        raise InputError(
            f"the generator gave {block.levels.dtype} patches of shape {block.levels.shape}; "
            f"it promised uint16 of shape {shape}"
        )
    if block.clean is not None and (block.clean.shape != shape or block.clean.dtype != np.float32):
        raise InputError(
            f"the generator gave clean patches as {block.clean.dtype} of shape {block.clean.shape}; "
            f"accepted is float32 of shape {shape}"
        )
    scales = (
        f"{name}_{channel}" for channel in range(source.channels) for name in ("fraction_per_level", "zero_level")
    )
    needed = ("label", *scales)
    if missing := [name for name in needed if name not in block.index]:
        raise InputError(f"the generator's index has no column {missing[0]}; needed are {', '.join(needed)}")
    if taken := sorted({"patch", "batch", "image", "clean"} & block.index.keys()):
        raise InputError(
            f"the generator's index has a column {taken[0]!r}, a name that data sets and streams use themselves; "
            "call it otherwise"
        )
    for name, values in block.index.items():
        if values.shape != shape[:1]:
            raise InputError(
                f"the index column {name} has shape {values.shape}; accepted is one value a patch, {shape[:1]}"
            )
    return block
