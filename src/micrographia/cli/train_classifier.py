"""``micrographia train classifier``: classes of whole micrographs, from a folder of images a class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from micrographia.cli.app import fail, stderr
from micrographia.cli.batch import naming, require_folder
from micrographia.cli.flags import NoInfoBarFlag
from micrographia.cli.progress import bar, say
from micrographia.cli.train import train
from micrographia.embed.choose import FUSION
from micrographia.errors import InputError, OutputError

if TYPE_CHECKING:
    from micrographia.learn.classifier.images import LabelledVectors
    from micrographia.learn.classifier.settings import ClassifierSettings
    from micrographia.learn.classifier.train import TrainedClassifier
    from micrographia.qualify.classify.record import ClassifierRecord, Share

CARD = "classifier.md"


@train.command("classifier")
def classifier(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Folder that holds a folder of images for every class.")],
    out: Annotated[Path, typer.Option(metavar="MODEL", help="Folder for weights, record and model card.")],
    encoder: Annotated[
        str, typer.Option(metavar="NAME", help="What turns images into vectors; `embed --list` shows what there is.")
    ] = FUSION,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Columns file and group: the specimen of each image. By default each image is one by itself.",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="PX", help="Side of tiles whose vectors are averaged; by default the image as it is."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the division for cross-validation.")] = 0,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Learn to tell classes of whole images apart, and say how well by cross-validation over specimens.

    Images that cannot be read are listed and left out; the model is made of the rest, and the exit status is 2.
    """
    from micrographia.embed.choose import absolute, load_embedder
    from micrographia.learn.classifier.images import embed_files, labelled_files
    from micrographia.learn.classifier.settings import ClassifierSettings
    from micrographia.learn.classifier.train import train_classifier

    require_folder(out)
    if images.resolve() in (out.resolve(), *out.resolve().parents):
        raise OutputError(f"--out is {out}, among the images of {images}; give another folder")
    files = labelled_files(images, groups=groups)
    model = load_embedder(absolute(encoder))
    if not model.sees:
        raise InputError(f"encoder {model.name} does not see images; accepted is one that does, see `embed --list`")
    if files.beside:
        _note(
            f"{len(files.beside)} files lie beside the folders of the classes and are not used: {_some(files.beside)}"
        )
    with bar("images") as tell:
        known = embed_files(files, model, tile_px=tile, info_bar=not no_info_bar, progress=tell, note=_note)
    for name, before in known.repeated:
        _note(f"{name} is the same image as {before}; it counts once")
    for name, error in known.failures:
        fail(naming(error, name))
    settings = ClassifierSettings(seed=seed)
    with bar("folds") as tell:
        trained = train_classifier(
            known, model, tile_px=tile, info_bar=not no_info_bar, settings=settings, progress=tell
        )
    record = _write(known, trained, settings, out)
    _tell(record)
    say(f"model: {out}. To use it: micrographia classify FILE... --model {out} --out RESULTS")
    if known.failures:
        _note(f"{len(known.failures)} of {len(files.files)} files could not be used; the model is made of the rest")
        raise typer.Exit(2)


def _write(
    known: LabelledVectors, trained: TrainedClassifier, settings: ClassifierSettings, out: Path
) -> ClassifierRecord:
    """Write weights, record and card; all of them, or nothing."""
    from micrographia.learn.classifier.card import model_card
    from micrographia.learn.provenance import provenance
    from micrographia.qualify.classify.record import Settings
    from micrographia.qualify.classify.saved import save_classifier
    from micrographia.report.folder import new_folder
    from micrographia.report.records import versions

    classifier = trained.classifier
    with new_folder(out) as folder:
        record = save_classifier(
            classifier,
            folder,
            measured=trained.measured,
            settings=Settings(
                tile_px=classifier.tile_px,
                info_bar=classifier.info_bar,
                seed=settings.seed,
                strengths=settings.strengths,
                strength=trained.strength,
            ),
            unreadable=tuple(name for name, _ in known.failures),
            software={**versions(), "commit": provenance()["commit"]},
        )
        (folder / CARD).write_text(model_card(record), encoding="utf-8")
    return record


def _tell(record: ClassifierRecord) -> None:
    found = record.measured
    say(
        f"{len(record.images)} images of {len(record.classes)} classes, cross-validated in {found.folds} parts: "
        f"accuracy {_share(found.accuracy)}, balanced {_share(found.balanced_accuracy)}"
    )
    for one in found.classes:
        say(f"{one.name}: {one.images} images of {one.specimens} specimens, recall {_share(one.recall)}")


def _share(share: Share) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _note(line: str) -> None:
    stderr.print(f"micrographia: {line}", markup=False)
