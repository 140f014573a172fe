"""A classifier on disk: a folder with its record as JSON and its numbers as safetensors. No pickle is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from micrographia.errors import InputError, ReadError
from micrographia.qualify.classify.classifier import Classifier, TrainingImage
from micrographia.qualify.classify.record import (
    SCHEMA,
    ClassifierRecord,
    EncoderRecord,
    ImageRecord,
    Measured,
    Settings,
)

RECORD: Final = "classifier.json"
WEIGHTS: Final = "classifier.safetensors"
_ARRAYS: Final = ("mean", "scale", "weights", "bias", "features", "distances", "strangeness")
_MAKE: Final = "accepted is a folder that `micrographia train classifier` wrote"


def save_classifier(
    classifier: Classifier,
    folder: Path,
    *,
    measured: Measured,
    settings: Settings,
    unreadable: tuple[str, ...],
    software: dict[str, str],
) -> ClassifierRecord:
    """Write ``classifier.safetensors`` and ``classifier.json`` into a folder that is there.

    Parameters
    ----------
    classifier : Classifier
        The classifier.
    folder : Path
        The folder.
    measured : Measured
        What was measured on it.
    settings : Settings
        How it was trained.
    unreadable : tuple of str
        Files that could not be used.
    software : dict of str to str
        Versions.

    Returns
    -------
    ClassifierRecord
        What the JSON says.
    """
    raw = save({name: np.ascontiguousarray(getattr(classifier, name), dtype=np.float32) for name in _ARRAYS})
    record = ClassifierRecord.model_validate(
        {
            "schema": SCHEMA,
            "classes": classifier.classes,
            "encoder": EncoderRecord(name=classifier.encoder, version=classifier.version),
            "settings": settings,
            "measured": measured,
            "temperature": classifier.temperature,
            "neighbours": classifier.neighbours,
            "images": tuple(
                ImageRecord.model_validate(
                    {
                        "file": image.file,
                        "sha256": image.sha256,
                        "class": classifier.classes[image.label],
                        "specimen": image.specimen,
                    }
                )
                for image in classifier.images
            ),
            "unreadable": unreadable,
            "weights_sha256": hashlib.sha256(raw).hexdigest(),
            "software": software,
        }
    )
    (folder / WEIGHTS).write_bytes(raw)
    said = json.dumps(record.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    (folder / RECORD).write_text(said + "\n", encoding="utf-8")
    return record


def load_classifier(folder: Path) -> tuple[Classifier, ClassifierRecord]:
    """Read a classifier and its record.

    Parameters
    ----------
    folder : Path
        That `save_classifier` wrote into.

    Raises
    ------
    ReadError
        It is not there, no classifier, of another version, incomplete, or damaged.
    """
    record = _record(folder)
    try:
        raw = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise ReadError(f"{folder / WEIGHTS} cannot be read ({reason}); copy the whole folder again") from error
    sha256 = hashlib.sha256(raw).hexdigest()
    if sha256 != record.weights_sha256:
        raise ReadError(
            f"{folder / WEIGHTS} is not the file that {RECORD} was written with: damaged, or of another classifier; "
            "copy the whole folder again, or train it again"
        )
    try:
        arrays = load(raw)
        labels = {name: k for k, name in enumerate(record.classes)}
        classifier = Classifier(
            classes=record.classes,
            encoder=record.encoder.name,
            version=record.encoder.version,
            tile_px=record.settings.tile_px,
            info_bar=record.settings.info_bar,
            temperature=record.temperature,
            images=tuple(
                TrainingImage(file=i.file, sha256=i.sha256, label=labels[i.class_], specimen=i.specimen)
                for i in record.images
            ),
            neighbours=record.neighbours,
            sha256=sha256,
            mean=arrays["mean"],
            scale=arrays["scale"],
            weights=arrays["weights"],
            bias=arrays["bias"],
            features=arrays["features"],
            distances=arrays["distances"],
            strangeness=arrays["strangeness"],
        )
    except (SafetensorError, KeyError, ValueError, InputError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ReadError(
            f"{folder / WEIGHTS} holds another architecture than {RECORD} says ({reason}); {_MAKE}"
        ) from error
    return classifier, record


def _record(folder: Path) -> ClassifierRecord:
    """Read the record; say of other models what they are."""
    if not folder.exists():
        raise ReadError(f"--model {folder} does not exist; {_MAKE}")
    if not folder.is_dir():
        kind = "a file" if folder.name != RECORD else f"the {RECORD} alone"
        raise ReadError(f"--model {folder} is {kind}; {_MAKE}")
    if not (folder / RECORD).is_file():
        raise ReadError(f"--model {folder} holds no {RECORD}{_other(folder)}; {_MAKE}")
    try:
        said = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReadError(f"{folder / RECORD} cannot be read ({error}); copy the whole folder again") from error
    schema = said.get("schema") if isinstance(said, dict) else None
    if schema != SCHEMA:
        raise ReadError(f"{folder / RECORD} says that it is {schema!r}; accepted is {SCHEMA}: train it again")
    try:
        return ClassifierRecord.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReadError(f"{folder / RECORD} is damaged ({place}: {first['msg']}); copy it again") from error


def _other(folder: Path) -> str:
    """Say what a folder that holds no classifier looks like."""
    if (folder / "language.json").is_file():
        return ", but a language model of `train language`"
    if (folder / "config.json").is_file():
        return ", but a checkpoint of transformers, which is used as --encoder when a classifier is trained"
    if any(folder.glob("*.safetensors")):
        return ", but weights of something else"
    return ""
