"""The recipe of the context network: patches from the simulator, more or less context told, labels asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch.utils.data import IterableDataset

from micrographia.atoms.network.canonical import canonical_patches
from micrographia.atoms.network.descriptors import KNOWABLE, Conditions, describe
from micrographia.errors import InputError
from micrographia.simulate.datasets.stream import PatchStream
from micrographia.simulate.patches.recipe import PatchRecipe, Realism, compound_of
from micrographia.simulate.specimens.catalogue import Catalogue, Compound
from micrographia.simulate.specimens.catalogue import labels as labels_of
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES, host

SITE_ERROR_A: Final = (0.0, 0.12)
"""Range of the standard deviation with which a lattice fit misses a site along one axis [Å]."""
STRETCH_ERROR: Final = 0.01
"""Standard deviation of each element of the lattice fit's local distortion."""
CALIBRATED: Final[Mapping[str, float]] = {"everything": 0.75, "some": 0.25}
UNCALIBRATED: Final[Mapping[str, float]] = {"everything": 0.45, "nothing": 0.15, "some": 0.4}
"""How often how much of the context is told where the brightness is known, and where it is not."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What the network never sees in training, to be asked about it afterwards.

    Parameters
    ----------
    hosts, dopants : tuple of str
        No compound with one of them is trained on.
    condition : str
        Name of a condition of the catalogue; neither it, nor conditions of the prior near to it, are trained on.
    """

    hosts: tuple[str, ...] = ("NbSe2",)
    dopants: tuple[str, ...] = ("Re",)
    condition: str = "200 keV MAADF"

    def check(self, catalogue: Catalogue) -> None:
        """Refuse a catalogue from which this cannot be held out.

        Raises
        ------
        InputError
            It lacks the condition, or nothing would be left.
        """
        if self.condition not in {c.name for c in catalogue.conditions}:
            raise InputError(
                f"the condition to hold out is {self.condition!r}; accepted is one of the catalogue's, "
                f"{', '.join(c.name for c in catalogue.conditions)}; or train on everything (--everything)"
            )
        if len(self.compounds(catalogue)) == len(catalogue.compounds) or len(catalogue.conditions) == 1:
            raise InputError(
                "nothing of the catalogue is left once some is held out; train on everything (--everything)"
            )

    def compounds(self, catalogue: Catalogue) -> tuple[Compound, ...]:
        """Return the compounds that are left out."""
        return tuple(c for c in catalogue.compounds if c.host in self.hosts or c.dopant in self.dopants)

    def rest(self, catalogue: Catalogue) -> Catalogue:
        """Return the catalogue without them."""
        gone = {c.name for c in self.compounds(catalogue)}
        return Catalogue(
            name=f"{catalogue.name}, without those held out",
            compounds=tuple(c for c in catalogue.compounds if c.name not in gone),
            conditions=tuple(c for c in catalogue.conditions if c.name != self.condition),
        )

    def near(
        self, catalogue: Catalogue, batch: Mapping[str, torch.Tensor], channels: int
    ) -> Bool[np.ndarray, " patch"]:
        """Return which patches were taken under conditions too near to the one that is left out.

        Within a tenth of its energy, 3 mrad of its convergence and 15 mrad of its inner angle.
        """
        out = next(c for c in catalogue.conditions if c.name == self.condition)
        probe = (np.abs(np.log(batch["energy_kev"].numpy() / out.energy_kev)) < 0.1) & (
            np.abs(batch["convergence_mrad"].numpy() - out.convergence_mrad) < 3
        )
        inner = np.stack([batch[f"inner_mrad_{c}"].numpy() for c in range(channels)], axis=1)
        near: Bool[np.ndarray, " patch"] = probe & (np.abs(inner - out.collection_mrad[0]) < 15).any(axis=1)
        return near


@dataclass(frozen=True, eq=False)
class SiteStream(IterableDataset[dict[str, torch.Tensor]]):
    """Sites as the network takes them, from patches of a generator.

    Parameters
    ----------
    stream : PatchStream
        The patches; its source is a `PatchRecipe`.
    seed : int
        Draws what the lattice fit misses, and what is told.
    views : int
        How often each patch is shown, each time laid and told otherwise.
    calibrated : bool
        Whether the brightness, in fractions of the beam, is told of all patches, or of none.
    slots : int
        Channels of a batch; a stream with fewer leaves the others blank.
    held_out : HeldOut, optional
        Patches under conditions near to its are left out.
    catalogue : Catalogue, optional
        Where ``held_out`` looks those up.
    shuffled : bool
        Whether each site is told another site's context.
    """

    stream: PatchStream
    _: KW_ONLY
    seed: int = 0
    views: int = 1
    calibrated: bool = True
    slots: int = 2
    held_out: HeldOut | None = None
    catalogue: Catalogue | None = None
    shuffled: bool = False

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for batch in self.stream:
            rng = np.random.default_rng([self.seed, int(batch["batch"])])
            for _ in range(self.views):
                yield self.sites(batch, rng)

    def sites(self, batch: Mapping[str, torch.Tensor], rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Return one batch, as the network takes it."""
        source = self.stream.source
        if not isinstance(source, PatchRecipe):
            raise InputError(f"the patches come from a {type(source).__name__}; accepted is a PatchRecipe")
        scenes, scene = np.unique(batch["seed"].numpy(), return_inverse=True)
        # Patches of one scene are told and laid alike: they differ in nothing but their label.
        known = draw_known(len(scenes), rng, calibrated=self.calibrated)[scene]
        found = network_input(batch, source, known, rng, misfit=True, shuffled=self.shuffled)
        count, channels = found["present"].shape
        if channels == 2:
            # Both channels, or only one of them.
            chosen = rng.integers(0, 4, len(scenes))[scene]
            keep = np.stack([chosen != 0, chosen != 1], axis=1)
            found["present"] = torch.from_numpy(keep.astype(np.float32))
        if channels < self.slots:
            for name in ("image", "channel", "brightness", "present"):
                blank = torch.zeros(count, self.slots - channels, *found[name].shape[2:])
                found[name] = torch.cat([found[name], blank], dim=1)
        if self.held_out is not None and self.catalogue is not None:
            far = torch.from_numpy(~self.held_out.near(self.catalogue, batch, channels))
            found = {name: values[far] for name, values in found.items()}
        return found


def realism_of(realism: Realism, *, calibrated: bool) -> Realism:
    """Return what patches go through: where their brightness is not known, defects differ from their simulation.

    Parameters
    ----------
    realism : Realism
        All other effects.
    calibrated : bool
        Whether the brightness is known.
    """
    return replace(realism, discrepancy=(0.0, 0.0) if calibrated else (1.0, 1.0))


def draw_known(count: int, rng: np.random.Generator, *, calibrated: bool) -> Bool[np.ndarray, "site 7"]:
    """Draw what is told of some sites' contexts.

    Parameters
    ----------
    count : int
        Number of sites.
    rng : numpy Generator
        Draws.
    calibrated : bool
        Whether the brightness is told of all sites, or of none. "Everything" without it lacks pixel size and dose as
        well.
    """
    told = CALIBRATED if calibrated else UNCALIBRATED
    how = rng.choice(list(told), count, p=list(told.values()))
    known = rng.random((count, len(KNOWABLE))) < 0.6
    known[how == "everything"] = [calibrated or name not in ("pixel", "dose") for name in KNOWABLE]
    known[how == "nothing"] = False
    known[:, KNOWABLE.index("brightness")] = calibrated
    known[:, KNOWABLE.index("dopant")] &= known[:, KNOWABLE.index("host")]
    return known


def network_input(
    batch: Mapping[str, torch.Tensor],
    source: PatchRecipe,
    known: Bool[np.ndarray, "site 7"],
    rng: np.random.Generator,
    *,
    misfit: bool,
    shuffled: bool = False,
) -> dict[str, torch.Tensor]:
    """Return the network's arguments for a batch of patches, and the labels.

    Parameters
    ----------
    batch : mapping of str to tensor
        From `PatchStream`.
    source : PatchRecipe
        What made them.
    known : bool array (site, 7)
        What is told.
    rng : numpy Generator
        Draws the orientation and, with ``misfit``, what the lattice fit misses.
    misfit : bool
        Whether sites are placed as a lattice fit would, or where they are.
    shuffled : bool
        Whether each site is told another one's context.
    """
    of = {name: values.numpy() for name, values in batch.items()}
    groups = of["group"]
    first = np.nonzero(np.diff(groups, prepend=-1))[0]
    which = np.cumsum(np.diff(groups, prepend=groups[0]) != 0)
    channels = of["image"].shape[1]
    compounds = [compound_of(source, int(g)) for g in groups[first]]
    conditions = tuple(
        Conditions(
            host=compound.host,
            dopant=compound.dopant,
            energy_kev=float(of["energy_kev"][n]),
            convergence_mrad=float(of["convergence_mrad"][n]),
            collection_mrad=tuple(
                (float(of[f"inner_mrad_{c}"][n]), float(of[f"outer_mrad_{c}"][n])) for c in range(channels)
            ),
        )
        for n, compound in zip(first, compounds, strict=True)
    )
    a_A = np.array([host(c.host).a_A for c in compounds])[which]
    x, y, right, down = places(of, a_A / of["pixel_A"], rng, misfit=misfit)
    patches = canonical_patches(of["image"], np.arange(len(which)), x, y, right, down)
    said = _of_others(which, rng) if shuffled else np.arange(len(which))
    told = describe(
        conditions,
        which[said],
        covered=patches.covered,
        mean=patches.mean,
        spread=patches.spread,
        known=known,
        pixel_per_a=of["pixel_A"] / a_A,
        pixel_A=of["pixel_A"][said],
        dose_e_per_A2=of["dose_e_per_A2"][said],
    )
    occur = np.array([[role in labels_of(c) for role in ROLES] for c in compounds])[which]
    # Who is told another site's dopant is not told which labels it brings.
    occur |= shuffled | ~known[:, [KNOWABLE.index("dopant")]]
    return {
        "image": torch.from_numpy(patches.image),
        "shared": torch.from_numpy(told.shared),
        "channel": torch.from_numpy(told.channel),
        "brightness": torch.from_numpy(told.brightness),
        "present": torch.ones(len(which), channels),
        "in_play": torch.from_numpy(occur),
        "label": torch.from_numpy(_ROLE_OF_LABEL[of["label"]]),
    }


def _of_others(group: Int[np.ndarray, " site"], rng: np.random.Generator) -> Int[np.ndarray, " site"]:
    """Return for each site one of another group, each once; groups are of one size."""
    count = int(group.max()) + 1
    if count == 1:
        raise InputError("patches of one group share their context; give two groups or more to shuffle it")
    ring = rng.permutation(count)
    of = np.empty(len(group), dtype=np.int64)
    for own, other in zip(ring, np.roll(ring, 1), strict=True):
        of[group == own] = rng.permutation(np.nonzero(group == other)[0])
    return of


_ROLE_OF_LABEL: Final = np.array([ROLES.index(label) for label in PatchStream.labels])


def places(
    of: Mapping[str, np.ndarray], a_px: Float[np.ndarray, " site"], rng: np.random.Generator, *, misfit: bool
) -> tuple[
    Float[np.ndarray, " site"], Float[np.ndarray, " site"], Float[np.ndarray, "site 2"], Float[np.ndarray, "site 2"]
]:
    """Return where patches' sites and their neighbours are: position, arm to a neighbour, and across it [px]."""
    size_px = of["image"].shape[-1]
    scenes, scene = np.unique(of["seed"], return_inverse=True)
    count = len(scenes)
    row = of["offset_y_px"] / (1 + of["drift_y_px"])
    column = of["offset_x_px"] - of["drift_x_px"] * row
    for _ in range(4):
        past = of["first_column_px"] + size_px // 2 + column
        lag = of["flyback_px"] * np.exp(-past / of["flyback_recovery_px"])
        column = of["offset_x_px"] - of["drift_x_px"] * row + lag
    x, y = size_px // 2 + column, size_px // 2 + row
    # A metal's neighbours lie 30° from the close-packed directions, a chalcogen's opposite.
    metal = np.array(PRISTINE)[_ROLE_OF_LABEL[of["label"]]] == "M"
    turns, mirrored = rng.integers(0, 3, count)[scene], rng.integers(0, 2, count)[scene]
    angle = np.deg2rad(of["rotation_deg"] + np.where(metal, 30, 210) + 120 * turns)
    arm = (a_px / np.sqrt(3))[:, None]
    right = arm * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    down = arm * np.stack([-np.sin(angle), np.cos(angle)], axis=1) * np.where(mirrored, -1, 1)[:, None]
    for vector in (right, down):  # as drift shears them
        vector[:, 1] /= 1 + of["drift_y_px"]
        vector[:, 0] -= of["drift_x_px"] * vector[:, 1]
    if misfit:
        missed_A = (rng.uniform(*SITE_ERROR_A, count) * rng.standard_normal((2, count)))[:, scene]
        x, y = x + missed_A[0] / of["pixel_A"], y + missed_A[1] / of["pixel_A"]
        bent = (np.eye(2) + STRETCH_ERROR * rng.standard_normal((count, 2, 2)))[scene]
        right, down = (np.einsum("sij,sj->si", bent, arm) for arm in (right, down))
    return x, y, right, down
