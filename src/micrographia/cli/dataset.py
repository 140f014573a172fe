"""``micrographia simulate catalogue`` and ``dataset``: kernels, and patches by the million."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from micrographia.cli.progress import bar, resumable, say
from micrographia.cli.simulate import simulate
from micrographia.errors import InputError

if TYPE_CHECKING:
    from micrographia.simulate.datasets.dataset import DatasetSummary

SMALLEST_PX: Final = 16
LARGEST_PX: Final = 256

CatalogueFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Catalogue, JSON or YAML; by default 96 compounds under 6 conditions."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes to start; by default one a core.")]


@simulate.command("catalogue")
def catalogue_(
    out: Annotated[Path, typer.Option(metavar="LIB", help="Folder of the kernel library; what is there is kept.")],
    catalogue: CatalogueFile = None,
    prior: Annotated[
        bool, typer.Option("--prior", help="Also a grid of probes, for contexts between the conditions.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Compute every column kernel of a catalogue, once and for all.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from micrographia.simulate.patches.library import build_library
    from micrographia.simulate.patches.prior import ImagingPrior
    from micrographia.simulate.specimens.catalogue import read_catalogue

    entries = read_catalogue(catalogue)
    with bar("kernels") as tell, resumable():
        place = build_library(entries, out, prior=ImagingPrior() if prior else None, workers=workers, progress=tell)
    say(str(place))


@simulate.command("dataset")
def dataset(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the data set; one that is there is added to.")],
    patches: Annotated[int, typer.Option(min=1, help="How many patches the data set shall have.")],
    size: Annotated[int, typer.Option(min=SMALLEST_PX, max=LARGEST_PX, help="Height and width of a patch [px].")] = 64,
    catalogue: CatalogueFile = None,
    prior: Annotated[
        bool, typer.Option("--prior", help="Draw contexts from the continuous prior, not the catalogue's conditions.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Dask scheduler, for example tcp://10.0.0.1:8786; by default this computer."
        ),
    ] = None,
    workers: Workers = None,
    channels: Annotated[int, typer.Option(min=1, help="Detectors of the same scan.")] = 1,
    clean: Annotated[bool, typer.Option("--clean", help="Keep the patches without noise too.")] = False,
    library: Annotated[
        Path | None, typer.Option(metavar="LIB", help="Kernel library; by default one in the cache, made when needed.")
    ] = None,
) -> None:
    """Write patches whose labels are known: sharded Zarr with a Parquet index and a data-set card.

    The files are the same for a seed whatever the number of workers. An interrupted run goes on where it stopped
    when the same command is given again, and a larger --patches adds to a data set.
    """
    from micrographia.simulate.datasets.dataset import write_dataset
    from micrographia.simulate.patches.recipe import recipe
    from micrographia.simulate.specimens.catalogue import read_catalogue

    if scheduler is not None and workers is not None:
        raise InputError("--workers goes without --scheduler; a scheduler has workers of its own")
    entries = read_catalogue(catalogue)
    with resumable():
        with bar("kernels") as tell:
            source = recipe(
                entries,
                prior=prior,
                size_px=size,
                seed=seed,
                channels=channels,
                clean=clean,
                library=library,
                workers=workers,
                progress=tell,
            )
        with bar("patches") as tell:
            made = write_dataset(
                source,
                out,
                patches=patches,
                scheduler=scheduler,
                workers=workers,
                command=_command(patches, size, catalogue, prior, seed, channels, clean),
                progress=tell,
            )
    say(str(out))
    say(_summary(made))


def _command(
    patches: int, size: int, catalogue: Path | None, prior: bool, seed: int, channels: int, clean: bool
) -> str:
    """Return the command line with all that the data depend on, and nothing else."""
    words = ["micrographia", "simulate", "dataset", "--out", "DIR", "--patches", str(patches), "--size", str(size)]
    words += [] if catalogue is None else ["--catalogue", catalogue.name]
    words += [*(["--prior"] if prior else []), "--seed", str(seed), "--channels", str(channels)]
    return shlex.join([*words, *(["--clean"] if clean else [])])


def _summary(made: DatasetSummary) -> str:
    size = f"{made.bytes / 1e9:.3g} GB"
    if not made.written:
        return f"{made.patches:,} patches, {size}; all were there"
    rate = f"{made.written / made.seconds:,.0f} patches/s"
    added = "" if made.written == made.patches else f", {made.written:,} of them new"
    return f"{made.patches:,} patches{added}, {rate}, {size}"
