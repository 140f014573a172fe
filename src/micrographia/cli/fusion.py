"""What ``micrographia train fusion`` puts together: pictures, teachers, the student's plan and the losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer

from micrographia.cli.app import stderr
from micrographia.cli.progress import bar, say
from micrographia.errors import InputError
from micrographia.learn.fusion.settings import FusionSettings, LossWeights

PARTS: Final = ("graph", "hypergraph", "language", "gates")


def train_student(
    out: Path,
    *,
    images: Sequence[Path],
    labels: Path | None,
    made_up: int,
    photographs: bool,
    sees: str,
    reads: str,
    steps: int,
    batch: int,
    without: Sequence[str],
    weight: Sequence[str],
    seed: int,
    bf16: bool,
) -> None:
    """Train a student from what was given on the command line; files that cannot be read are listed, and status 2."""
    from accelerate import PartialState

    from micrographia.embed.choose import load_embedder
    from micrographia.embed.fusion.saved import bank_sentences
    from micrographia.instruct.engine.images import find_images
    from micrographia.learn.fusion.pictures import Pictures, make_up, read_labels, read_pictures
    from micrographia.learn.fusion.pictures import photographs as packaged
    from micrographia.learn.fusion.teachers import Teachers
    from micrographia.learn.fusion.train import train_fusion
    from micrographia.segment.network.encoder import load_encoder

    usual = FusionSettings(steps=steps, batch=batch, seed=seed, bf16=bf16, made_up=made_up)
    plan = usual.plan
    if unknown := sorted(set(without) - set(PARTS)):
        raise InputError(f"--without {unknown[0]}: there is no such part; accepted are {', '.join(PARTS)}")
    graph, hypergraph = "graph" not in without, "hypergraph" not in without
    plan = replace(
        plan,
        graph=graph,
        hypergraph=hypergraph,
        language="language" not in without,
        # With one stream there is nothing to weigh.
        gates="gates" not in without and (graph or hypergraph),
    )
    settings = replace(usual, plan=plan, weights=_weights(weight, LossWeights()))
    state = PartialState(cpu=None)
    reader = load_embedder(reads)
    if not reader.reads:
        raise InputError(f"--reads {reads} does not read texts; accepted are minilm and language:DIR")
    files = (file.name for file in find_images([str(path) for path in images]))
    given, classes, failed = read_pictures(files, {} if labels is None else read_labels(labels))
    for reason in failed:
        stderr.print(f"micrographia: left out: {reason}", markup=False)
    with bar("made-up pictures") as tell:
        pool = make_up(made_up, seed=seed * 1000 + state.process_index, progress=tell)
    pictures = Pictures(given=(*given, *(packaged() if photographs else ())), made_up=pool, classes=classes)
    teachers = Teachers(sees=load_encoder(sees).eval(), reads=reader)
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
