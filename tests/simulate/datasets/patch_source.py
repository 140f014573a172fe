"""A generator of patches that costs nothing, for tests of what is done with patches."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LABELS = ("M", "V_M", "D_M", "X2")


@dataclass(frozen=True, kw_only=True)
class FakeBlock:
    """What is known of some patches, and how to see them."""

    levels: np.ndarray
    clean: np.ndarray | None
    index: dict[str, np.ndarray]

    @property
    def image(self):
        scale, zero = (
            np.stack([self.index[f"{name}_{c}"] for c in range(self.levels.shape[1])], axis=1)[:, :, None, None]
            for name in ("fraction_per_level", "zero_level")
        )
        return (self.levels - zero) * scale


@dataclass(frozen=True, kw_only=True)
class FakeSource:
    """Groups of 16 patches of 8 x 8 px; what each holds follows from the seed and its group's number."""

    seed: int = 0
    channels: int = 2
    size_px: int = 8
    group_size: int = 16
    with_clean: bool = False
    seconds_per_group: float = 0.0
    raises: Exception | None = None
    in_group: int = -1
    """Group at which it raises, or, with a ``dies_once`` file, kills its process."""
    dies_once: str | None = None
    blank_groups: int = 0
    """Groups at the beginning that pack to almost nothing."""

    def settings(self):
        return {"seed": self.seed, "effects": {"jitter_px": 0.25, "detectors": ["MAADF", "HAADF"], "cases": [0] * 99}}

    def groups(self, first, count):
        blocks = [self._group(number) for number in range(first, first + count)]
        return FakeBlock(
            levels=np.concatenate([b.levels for b in blocks]),
            clean=np.concatenate([b.clean for b in blocks]) if self.with_clean else None,
            index={name: np.concatenate([b.index[name] for b in blocks]) for name in blocks[0].index},
        )

    def _group(self, number):
        time.sleep(self.seconds_per_group)
        if number == self.in_group:
            if self.raises is not None:
                raise self.raises
            if self.dies_once is not None and not Path(self.dies_once).exists():
                Path(self.dies_once).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        rng = np.random.default_rng((self.seed, number))
        shape = (self.group_size, self.channels, self.size_px, self.size_px)
        clean = rng.random(shape, dtype=np.float32)
        scale = {f"fraction_per_level_{c}": rng.uniform(1e-6, 1e-5, self.group_size) for c in range(self.channels)}
        scale |= {f"zero_level_{c}": rng.uniform(0, 100, self.group_size) for c in range(self.channels)}
        return FakeBlock(
            levels=rng.poisson(0 * clean if number < self.blank_groups else 1000 * clean).astype(np.uint16),
            clean=clean,
            index={
                "label": np.array(LABELS)[rng.integers(0, len(LABELS), self.group_size)],
                "group": np.full(self.group_size, number),
                "dose_e_per_A2": 10 ** rng.uniform(4, 8, self.group_size),
                "seed": np.arange(self.group_size, dtype=np.uint64) + np.uint64(number),
                **scale,
            },
        )
