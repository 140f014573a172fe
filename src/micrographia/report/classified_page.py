"""``report.html`` of `classify`: each image with its class, the other classes, and the nearest training images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from micrographia.embed.choose import kind_of
from micrographia.qualify.classify.classifier import UNKNOWN
from micrographia.qualify.classify.record import ClassifierRecord, Share
from micrographia.report.classified import ClassesResult, ClassifiedResult, headline
from micrographia.report.document import document
from micrographia.report.markup import doubts, section, table, text
from micrographia.report.numbers import number, probability
from micrographia.report.qualification_pictures import Shown, kept_pictures, placed_picture
from micrographia.report.read_out import evidence_figure, read_out_figure

_NAV: Final = (
    ("overview", "Overview"),
    ("images", "Images"),
    ("model", "The model"),
    ("reading", "How to read this"),
    ("provenance", "Provenance"),
)
_MOST_CLASSES: Final = 12


def classified_page(result: ClassesResult, pictures: Sequence[Shown], record: ClassifierRecord) -> str:
    """Return the whole report as HTML.

    Parameters
    ----------
    result : ClassesResult
        As it is written to ``result.json``.
    pictures : sequence of Shown
        Picture of each image.
    record : ClassifierRecord
        What was measured on the model.
    """
    count = len(result.images)
    title = result.images[0].scan.file if count == 1 else f"{count} images"
    return document(
        title=f"{title} – Micrographia",
        kind="classification",
        sections=_NAV,
        body=(
            kept_pictures({f"picture-{k}": picture for k, picture in enumerate(pictures)}),
            _head(result, title),
            _overview(result),
            _images(result, pictures),
            _model(record),
            _reading(result),
            _provenance(result),
        ),
    )


def _head(result: ClassesResult, title: str) -> str:
    if len(result.images) == 1:
        words = headline(result.images[0])
    else:
        said = [image.class_ or UNKNOWN for image in result.images]
        counted = {name: said.count(name) for name in sorted(set(said), key=lambda name: (name == UNKNOWN, name))}
        words = f"{len(said)} images: " + ", ".join(f"{count} {name}" for name, count in counted.items())
    facts = {
        "Classes": str(len(result.images[0].classes)),
        "Learned from": f"{result.model.images} images",
        "Balanced accuracy, cross-validated": _share(result.model.balanced_accuracy),
        "Encoder": result.model.encoder,
    }
    listed = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts.items())
    remarks = [f"Not classified: {failure.error}" for failure in result.failures] + list(result.remarks)
    box = doubts("Before you rely on this", remarks) if remarks else ""
    return (
        f'<p class="file">{text(title)}</p><h1>{text(words)}</h1><p class="second">A class is said where it is the '
        f"only one left and the image is like those that the model learned from; else it is {UNKNOWN}.</p>"
        f'<dl class="facts">{listed}</dl>{box}'
    )


def _overview(result: ClassesResult) -> str:
    rows = [
        f'<tr><td class="name"><a href="#image-{k}">{text(image.scan.file)}</a></td>'
        f'<td class="label">{_badge(image)}</td>'
        f'<td class="n">{probability(_chance(image, image.likeliest))}</td><td>{text(image.likeliest)}</td>'
        f"<td>{text(', '.join(image.candidates) or '–')}</td><td>{text(image.reason)}</td>"
        f'<td class="n">{number(image.p_familiar, 3)}</td></tr>'
        for k, image in enumerate(result.images)
    ]
    heads = (("Image", ""), ("Class", ""), ("Probability", "n"), ("of", ""), ("Not ruled out", ""), ("Why", ""))
    return section("overview", "Images and classes", table((*heads, ("p of being familiar", "n")), rows))


def _images(result: ClassesResult, pictures: Sequence[Shown]) -> str:
    parts = [_image(k, image, pictures[k], result) for k, image in enumerate(result.images)]
    return f'<div id="images">{"".join(parts)}</div>'


def _image(place: int, image: ClassifiedResult, picture: Shown, result: ClassesResult) -> str:
    drawn = placed_picture(f"picture-{place}", picture, words=f"The image {image.scan.file}")
    likely = sorted(image.classes, key=lambda c: -c.probability)
    rows = [
        f'<tr><td class="label">{text(c.name)}</td><td class="n">{probability(c.probability)}</td>'
        f'<td class="n">{number(c.p_value, 3)}</td><td>{"" if c.p_value > result.alpha else "ruled out"}</td></tr>'
        for c in likely[:_MOST_CLASSES]
    ]
    heads = (("Class", ""), ("Probability", "n"), ("p-value", "n"), ("", ""))
    more = len(likely) - _MOST_CLASSES
    rest = f'<p class="note below">{more} less probable classes are in result.json.</p>' if more > 0 else ""
    near = [
        f'<tr><td class="name">{text(n.file)}<br><span class="id hash soft small">{text(n.sha256[:16])}</span></td>'
        f'<td>{text(n.class_)}</td><td class="n">{number(n.distance, 2)}</td></tr>'
        for n in image.nearest
    ]
    ended = "".join(f"<li>{text(remark[:1].upper() + remark[1:])}.</li>" for remark in image.remarks)
    remarks = f'<ul class="remarks">{ended}</ul>' if ended else ""
    evidence = ""
    if image.evidence is not None:
        evidence = evidence_figure(image.evidence, image.likeliest, f"picture-{place}", picture)
    nearest = table((("Nearest training image", ""), ("Its class", ""), ("Distance", "n")), near)
    return section(
        f"image-{place}",
        f"{text(image.scan.file)} {_badge(image)}",
        f'<p class="note">{text(_because(image, result))}</p>{remarks}',
        f'<div class="beside"><figure>{drawn}<figcaption>{text(image.scan.file)}</figcaption></figure>{evidence}</div>',
        f'<div class="two"><div>{table(heads, rows)}{rest}</div><div>{nearest}</div></div>',
        "" if image.read_out is None else read_out_figure(image.read_out, f"picture-{place}", picture),
    )


def _because(image: ClassifiedResult, result: ClassesResult) -> str:
    chance = probability(_chance(image, image.likeliest))
    far = f"p = {number(image.p_familiar, 3)}"
    if image.reason == "decided":
        return (
            f"{image.likeliest} is the only class left, with a probability of {chance}; the image is familiar ({far})."
        )
    if image.reason == "unlike all training images":
        return (
            f"Farther from all training images than all but a share {result.unlike:g} of them are from each other "
            f"({far}). What the model makes of it, {image.likeliest} with {chance}, means little."
        )
    if image.reason == "no class fits":
        return f"Stranger for every class than its own images are: even {image.likeliest}, with {chance}, is ruled out."
    left = " and ".join(image.candidates)
    return f"Not ruled out: {left}. The most probable class is {image.likeliest}, with {chance}."


def _model(record: ClassifierRecord) -> str:
    found = record.measured
    rows = [
        f'<tr><td class="label">{text(c.name)}</td><td class="n">{c.images}</td><td class="n">{c.specimens}</td>'
        f'<td class="n">{_share(c.recall)}</td>{_counts(said)}</tr>'
        for c, said in zip(found.classes, found.confusion, strict=True)
    ]
    heads = (("True class", ""), ("Images", "n"), ("Specimens", "n"), ("Told right", "n"))
    return section(
        "model",
        "How good the model was when it was trained",
        f'<p class="note">Each image was told by a model that had not seen its specimen, in {found.folds} parts. '
        f"Accuracy {_share(found.accuracy)}, mean over classes {_share(found.balanced_accuracy)}; 95 % intervals that "
        "count specimens. The columns at the right say what images of a class were taken for.</p>",
        table((*heads, *((text(name), "n") for name in record.classes)), rows),
    )


def _counts(said: Sequence[int]) -> str:
    """Return cells of a confusion matrix; a dash is easier to look past than a zero."""
    return "".join(f'<td class="n">{count or "–"}</td>' for count in said)


def _reading(result: ClassesResult) -> str:
    items = (
        (
            "Probability",
            "What the model believes, calibrated on images that it did not learn from, as if all classes were equally "
            "frequent. Of an image of none of the classes it says nothing.",
        ),
        (
            "p-value of a class",
            "How often an image that truly is of the class would fit it as badly as this one does, or worse. The class "
            f"is ruled out at {result.alpha:g} or less, so about that share of a class's own images lose it.",
        ),
        (
            "Unknown, ambiguous",
            "Several classes are left. Look at the image yourself; more training images of these classes would help.",
        ),
        (
            "Unknown, no class fits",
            "Every class is ruled out, though the image is like the training images: perhaps it lies between classes.",
        ),
        (
            "Unknown, unlike all training images",
            f"At most about a share {result.unlike:g} of images like the training images are called so. It may be of "
            "another kind, preparation or magnification.",
        ),
        (
            "Distance",
            "Root mean square difference of the encoder's features, each in units of its spread over the training "
            "images; two training images at random are about 1.4 apart.",
        ),
    )
    rows = [f'<tr><td class="label"><b>{title}</b></td><td class="wordy">{words}</td></tr>' for title, words in items]
    return section("reading", "How to read this", table((("", ""), ("", "wordy")), rows))


def _provenance(result: ClassesResult) -> str:
    files = "".join(
        f'<div>{text(i.scan.file)} <span class="id hash soft">{text(i.scan.sha256 or "–")}</span></div>'
        for i in result.images
    )
    model, kind = result.model, kind_of(result.model.encoder)
    facts = (
        ("Model", text(model.path)),
        ("Its weights, SHA-256", f'<span class="id hash">{text(model.weights_sha256)}</span>'),
        ("Encoder", f'{text(model.encoder)} <span class="id">{text(model.encoder_version)}</span>'),
        ("Its licence", text("–" if kind is None else kind.licence)),
        ("What its authors warn of", text("–" if kind is None else kind.caution)),
        ("Images, SHA-256", files),
        ("Trained by", text(json.dumps(model.software))),
        ("Software", text(", ".join(f"{name} {version}" for name, version in result.software.items()))),
        ("Beside this page", "classes.csv, result.json"),
    )
    rows = [f'<tr><td class="label">{title}</td><td>{value}</td></tr>' for title, value in facts]
    return section("provenance", "Where this comes from", table((("", ""), ("", "")), rows))


def _badge(image: ClassifiedResult) -> str:
    if image.class_ is None:
        return f'<span class="badge unknown">{UNKNOWN}</span>'
    return f'<span class="badge">{text(image.class_)}</span>'


def _chance(image: ClassifiedResult, name: str) -> float:
    return next(c.probability for c in image.classes if c.name == name)


def _share(share: Share) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"
