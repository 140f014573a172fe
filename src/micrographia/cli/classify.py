"""``micrographia classify``: which class each image is of, by a model of ``train classifier``; or unknown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from micrographia.cli.app import app, fail, stderr
from micrographia.cli.batch import naming, require_folder
from micrographia.cli.flags import OutFlag
from micrographia.cli.progress import bar, say
from micrographia.errors import MicrographiaError

if TYPE_CHECKING:
    from micrographia.embed.encoder import Encoder
    from micrographia.qualify.classify.classifier import Classifier
    from micrographia.qualify.classify.decide import ClassifySettings
    from micrographia.report.classified import Classified


@app.command("classify")
def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Images of any size, or FILE::image.")],
    model: Annotated[Path, typer.Option("--model", metavar="MODEL", help="Folder that `train classifier` wrote.")],
    out: OutFlag,
    alpha: Annotated[
        float, typer.Option(metavar="A", help="Share of the images of any class whose own class may be ruled out.")
    ] = 0.1,
    unlike: Annotated[
        float,
        typer.Option(metavar="A", help="Share of images like the training images that may be called unlike them."),
    ] = 0.05,
) -> None:
    """Say which class each image is of with its probability, or that it is unknown, beside the nearest training images.

    Unknown is said of an image that is unlike all training images, and of one of which more than one class is left.
    """
    from micrographia.embed.choose import load_embedder
    from micrographia.qualify.classify.classifier import check_encoder
    from micrographia.qualify.classify.decide import ClassifySettings, shortages
    from micrographia.qualify.classify.saved import load_classifier
    from micrographia.report.classified import headline, write_classes

    require_folder(out)
    settings = ClassifySettings(alpha=alpha, unlike=unlike)
    classifier, record = load_classifier(model)
    encoder = load_embedder(classifier.encoder)
    check_encoder(classifier, encoder)
    for shortage in shortages(classifier, settings):
        stderr.print(f"micrographia: {shortage}", markup=False)
    done, failures = _classified(files, classifier, encoder, settings)
    if done:
        write_classes(done, classifier, record, out, path=model, settings=settings, failures=failures)
        for image in done:
            say(f"{image.result.scan.file}: {headline(image.result)}")
        say(f"report: {out / 'report.html'}")
    if failures:
        raise typer.Exit(2)


def _classified(
    files: list[str], classifier: Classifier, encoder: Encoder, settings: ClassifySettings
) -> tuple[list[Classified], list[tuple[str, str]]]:
    """Classify images; those that cannot be are told among the failures, unless it is the only one."""
    from micrographia.embed.whole import whole_vector
    from micrographia.qualify.classify.decide import decide, slopes_for
    from micrographia.read import read
    from micrographia.report.classified import classified

    done: list[Classified] = []
    failures: list[tuple[str, str]] = []
    with bar("images") as tell:
        for k, file in enumerate(files):
            tell(k, len(files), Path(file).name)
            try:
                micrograph = read(file, info_bar=classifier.info_bar)
                vector = whole_vector(encoder, micrograph.frames[0], tile_px=classifier.tile_px)
                sha256 = micrograph.provenance.sha256
                found = decide(vector, classifier, settings=settings, sha256=sha256)
                evidence, read_out = None, None
                if classifier.tile_px is None:  # else the vector is a mean over tiles that were seen one by one
                    slopes = slopes_for(found.likeliest, found.probability, classifier)
                    evidence = encoder.evidence(micrograph.frames[0], slopes)
                    read_out = encoder.read_out(micrograph.frames[0])
                done.append(classified(micrograph, found, classifier, evidence=evidence, read_out=read_out))
            except MicrographiaError as error:
                if len(files) == 1:
                    raise
                told = naming(error, file)
                failures.append((file, str(told)))
                fail(told)
        tell(len(files), len(files))
    return done, failures
