"""``micrographia train``: how the shipped weights came to be, and how to make others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from micrographia.cli.app import app
from micrographia.cli.dataset import CatalogueFile, Workers
from micrographia.cli.progress import bar, resumable, say

train = typer.Typer(help="Train the networks that ship with the package, or others.", no_args_is_help=True)
app.add_typer(train, name="train")

STEPS = 10_000
CALIBRATION_SEED = 1_000_000


@train.command("context")
def context(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for checkpoint, curve, weights and model card.")],
    steps: Annotated[
        int, typer.Option(min=1, help="Optimiser steps; 10,000 take about an hour and a half on two cores.")
    ] = STEPS,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    everything: Annotated[
        bool, typer.Option("--everything", help="Hold no compound and no condition back for testing.")
    ] = False,
    precise: Annotated[
        bool, typer.Option("--precise", help="Single precision throughout, rather than bfloat16 where it does.")
    ] = False,
    catalogue: CatalogueFile = None,
    workers: Workers = None,
    library: Annotated[
        Path | None,
        typer.Option(metavar="LIB", help="Kernel library with --prior; by default one in the cache, made when needed."),
    ] = None,
    calibration: Annotated[
        int, typer.Option(min=64, help="Groups of 64 patches for each state of knowledge that is calibrated.")
    ] = 480,
) -> None:
    """Train the context network on patches as the simulator makes them, and calibrate it.

    An interrupted training goes on where it stopped when the same command is given again. On several processes or
    machines: accelerate launch (or torchrun) with -m micrographia train context ...
    """
    from micrographia.learn.context.calibrate import calibrate
    from micrographia.learn.context.card import model_card
    from micrographia.learn.context.sites import HeldOut
    from micrographia.learn.context.train import STEADIED, WEIGHTS, TrainSettings, train_context
    from micrographia.learn.processes import this_process
    from micrographia.simulate.cluster import usable_cores
    from micrographia.simulate.patches.recipe import PatchRecipe, recipe
    from micrographia.simulate.specimens.catalogue import read_catalogue

    entries = read_catalogue(catalogue)
    held_out = None if everything else HeldOut()
    settings = TrainSettings(
        steps=steps, seed=seed, bf16=not precise, workers=usable_cores() if workers is None else workers
    )
    state = this_process()
    with resumable():
        with state.main_process_first(), bar("kernels") as tell:
            place = recipe(entries, prior=True, channels=2, library=library, workers=workers, progress=tell).library
        with bar("steps") as tell:
            trained = train_context(entries, place, out, settings=settings, held_out=held_out, progress=tell)
        if not state.is_main_process:
            return
        # Label sets promise something for all that the network will be asked about, not for what it was trained on.
        source = PatchRecipe(
            catalogue=entries, library=place, seed=CALIBRATION_SEED + seed, channels=2, realism=STEADIED
        )
        with bar("calibration") as tell:
            calibrate(trained, source, out / WEIGHTS, groups=calibration, progress=tell)
    (out / "context.md").write_text(model_card(out / WEIGHTS), encoding="utf-8")
    say(str(out / WEIGHTS))


@train.command("language")
def language(
    corpus: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with records.parquet of `instruct generate`, or .txt files.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for checkpoint, curve, model and model card.")],
    base: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Encoder of transformers to start from; by default the packaged MiniLM."),
    ] = None,
    general: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="General sentences, one a line; by default everyday ones are made up."),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hashes of the images to hold back, one a line; by default a tenth."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps; 300 take about ten minutes of one core.")] = 300,
    batch: Annotated[int, typer.Option(min=2, help="Texts in a batch of masked words, and of general text.")] = 8,
    pairs: Annotated[int, typer.Option(min=2, help="Pairs in a batch of texts about one image.")] = 32,
    new_words: Annotated[
        int, typer.Option(min=0, help="Words that may become tokens of their own, at most; 0: none.")
    ] = 64,
    masked: Annotated[float, typer.Option(min=0, help="Weight of masked words; 0 switches the loss off.")] = 1.0,
    contrastive: Annotated[float, typer.Option(min=0, help="Weight of texts about one image being near.")] = 1.0,
    cosine: Annotated[float, typer.Option(min=0, help="Weight of general vectors being as before.")] = 10.0,
    relational: Annotated[float, typer.Option(min=0, help="Weight of general similarities being as before.")] = 10.0,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Train the head only: the control of what the base knew already.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    precise: Annotated[
        bool, typer.Option("--precise", help="Single precision throughout, rather than bfloat16.")
    ] = False,
) -> None:
    """Adapt a small language model to what is said about micrographs, without losing general English.

    An interrupted training goes on where it stopped when the same command is given again. On several processes or
    machines: accelerate launch (or torchrun) with -m micrographia train language ...
    """
    from micrographia.learn.language.corpus import read_corpus, read_images
    from micrographia.learn.language.general import read_general
    from micrographia.learn.language.settings import LanguageSettings, LossWeights

    settings = LanguageSettings(
        steps=steps,
        batch=batch,
        pairs=pairs,
        new_words=0 if frozen else new_words,
        weights=LossWeights(masked=masked, contrastive=contrastive, cosine=cosine, relational=relational),
        frozen=frozen,
        seed=seed,
        bf16=not precise,
    )
    texts = read_corpus(corpus)
    everyday = None if general is None else read_general(general)
    back = None if held_out is None else read_images(held_out)
    # Loaded late: torch and transformers take seconds.
    from micrographia.learn.language.train import train_language
    from micrographia.learn.processes import this_process

    with resumable(), bar("steps") as tell:
        train_language(texts, out, settings=settings, base=base, general=everyday, held_out=back, progress=tell)
    if this_process().is_main_process:
        say(f"model: {out}. To use it: micrographia embed --text-file FILE --encoder language:{out} --out VECTORS")
