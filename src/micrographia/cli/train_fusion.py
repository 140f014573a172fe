"""``micrographia train fusion``: pictures, teachers, the student's plan and the losses, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from micrographia.cli.app import stderr
from micrographia.cli.progress import bar, resumable, say
from micrographia.cli.train import train
from micrographia.embed.fusion.plan import ALL_BLOCKS, FusionPlan
from micrographia.errors import InputError
from micrographia.learn.fusion.settings import FusionSettings, LossWeights, usual_weights

PARTS: Final = ("patches", "graph", "hypergraph", "language", "gates")


@train.command("fusion")
def fusion(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for checkpoint, curve, weights and model card.")],
    images: Annotated[
        list[Path] | None,
        typer.Option("--images", metavar="PATH", help="Micrographs to learn from, files or folders; may be repeated."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Classes of images: CSV with the columns file,class.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="What a language model said about these images and was found true: folder of `instruct generate`. "
            "Parts of images are shown, turned and magnified: what is said of sizes and places does not hold for them.",
        ),
    ] = None,
    made_up: Annotated[
        int, typer.Option(min=0, help="Pictures that are made up, on each process, before the first step.")
    ] = 3000,
    photographs: Annotated[
        bool, typer.Option(help="Learn from the photographs that come with scikit-image, too.")
    ] = True,
    sees: Annotated[
        list[str] | None,
        typer.Option(
            "--sees",
            metavar="NAME",
            help="Image teacher: efficientnet-lite0, -lite1 or -lite2, or a transformers backbone; may be repeated. "
            "Unless given: what the stem inherited, and efficientnet-lite0 if there are streams.",
        ),
    ] = None,
    reads: Annotated[
        str, typer.Option(metavar="NAME", help="Text teacher: minilm, or language:DIR of `train language`.")
    ] = "minilm",
    steps: Annotated[
        int, typer.Option(min=1, help="Optimiser steps; one of 16 views takes some 1 s of a core, 2 s with streams.")
    ] = 1500,
    batch: Annotated[int, typer.Option(min=2, help="Views in a batch, on each process.")] = 16,
    streams: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="PART",
            help="Fuse this: patches, with them graph, hypergraph or language, and gates between patches and graphs. "
            "May be repeated. Unless given: none, as none was found to earn its place.",
        ),
    ] = None,
    relations: Annotated[
        bool, typer.Option(help="Count which features of patches go together, not only how much there is of each.")
    ] = True,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="LOSS=NUMBER",
            help="Weight of a loss; 0 switches it off. May be repeated. Unless given: without streams what was "
            "inherited, and whatever --sees, --labels and --answers bring; with streams all.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    precise: Annotated[
        bool, typer.Option("--precise", help="Single precision throughout, rather than bfloat16.")
    ] = False,
) -> None:
    """Train the fused encoder: what a network for photographs sees in micrographs, made steady against worse ones.

    Or, with streams, a small student of large image networks, of measurements and of their words.

    An interrupted training goes on where it stopped when the same command is given again. On several processes or
    machines: accelerate launch (or torchrun) with -m micrographia train fusion ...
    """
    from micrographia.embed.choose import load_embedder
    from micrographia.embed.fusion.saved import bank_sentences
    from micrographia.instruct.engine.images import find_images
    from micrographia.learn.fusion.answers import read_answers
    from micrographia.learn.fusion.made_up import KINDS
    from micrographia.learn.fusion.pictures import Pictures, make_up, read_labels, read_pictures
    from micrographia.learn.fusion.pictures import photographs as packaged
    from micrographia.learn.fusion.teachers import Teachers
    from micrographia.learn.fusion.train import train_fusion
    from micrographia.learn.processes import this_process
    from micrographia.segment.network.encoder import PACKAGED, load_encoder

    parts = set(streams or ())
    with resumable():
        usual = FusionSettings(steps=steps, batch=batch, seed=seed, bf16=not precise, made_up=made_up)
        if unknown := sorted(parts - set(PARTS)):
            raise InputError(f"--with {unknown[0]}: there is no such part; accepted are {', '.join(PARTS)}")
        plan = FusionPlan(
            blocks=ALL_BLOCKS if "patches" in parts else FusionPlan().blocks,
            relations=FusionPlan().relations if relations else 0,
            graph="graph" in parts,
            hypergraph="hypergraph" in parts,
            language="language" in parts,
            gates="gates" in parts,
        )
        losses = usual_weights(plan, sees=bool(sees), labels=labels is not None, answers=answers is not None)
        settings = replace(usual, plan=plan, weights=_weights(weight or (), losses))
        state = this_process()
        reader = load_embedder(reads)
        if not reader.reads:
            raise InputError(f"--reads {reads} does not read texts; accepted are minilm and language:DIR")
        files = (file.name for file in find_images([str(path) for path in images or ()]))
        given, classes, failed = read_pictures(
            files,
            {} if labels is None else read_labels(labels),
            None if answers is None else read_answers(answers),
        )
        for reason in failed:
            stderr.print(f"micrographia: left out: {reason}", markup=False)
        with bar("made-up pictures") as tell:
            pool = make_up(made_up, seed=seed * 1000 + state.process_index, first_label=len(classes), progress=tell)
        given = (*given, *(packaged() if photographs else ()))
        kinds = [f"made up: {kind}" for kind in KINDS] if pool else []
        pictures = Pictures(given=given, made_up=pool, classes=(*classes, *kinds))
        teachers = Teachers(sees=tuple(load_encoder(name).eval() for name in sees or [PACKAGED]), reads=reader)
        with bar("steps") as tell:
            weights = train_fusion(pictures, teachers, bank_sentences(), out, settings=settings, progress=tell)
        if state.is_main_process:
            say(f"weights: {weights}. To use them: micrographia embed IMAGE --encoder fusion:{weights} --out VECTORS")
        if failed:
            raise typer.Exit(2)


def _weights(given: Sequence[str], usual: LossWeights) -> LossWeights:
    """Return the weights of losses after those that were given as LOSS=NUMBER.

    Raises
    ------
    InputError
        There is no such loss, or it is no number.
    """
    found = {}
    for one in given:
        name, _, number = one.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise InputError(f"--weight {one}: accepted is LOSS=NUMBER, as in masked=0") from None
        if name not in vars(usual):
            raise InputError(f"--weight {one}: there is no such loss; accepted are {', '.join(vars(usual))}")
    return replace(usual, **found)
