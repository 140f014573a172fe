"""The model card that lies beside a classifier."""

from __future__ import annotations

from micrographia.embed.choose import kind_of
from micrographia.qualify.classify.record import ClassifierRecord, Share


def model_card(record: ClassifierRecord) -> str:
    """Return what a classifier is, what it learned from, how good it was and what it is not good for, Markdown.

    Parameters
    ----------
    record : ClassifierRecord
        What was written of it.
    """
    found, settings = record.measured, record.settings
    kind = kind_of(record.encoder.name)
    rows = "\n".join(
        f"| {c.name} | {c.images} | {c.specimens} | {_percent(c.recall)} | " + " | ".join(str(v) for v in said) + " |"
        for c, said in zip(found.classes, found.confusion, strict=True)
    )
    heads = " | ".join(f"said {name}" for name in record.classes)
    tiles = "whole images" if settings.tile_px is None else f"the mean over tiles of {settings.tile_px} px"
    unreadable = "".join(f"\n  - {name}" for name in record.unreadable) or " none"
    licence, caution = ("see its own card", "") if kind is None else (kind.licence, kind.caution)
    return f"""# Classifier of micrographs

Tells {len(record.classes)} classes of whole images apart: {", ".join(record.classes)}. Made by
micrographia {record.software["micrographia"]} (commit {record.software["commit"]}).

- **Use**: `micrographia classify FILE... --model DIR --out RESULTS`
- **Encoder**: {record.encoder.name}, version `{record.encoder.version}`, on {tiles}; it did not learn, and is not in
  the folder. Licence of its weights: {licence}. {caution}
- **Learned from**: {len(record.images)} images, listed in `classifier.json` with their hashes. Not usable:{unreadable}
- **How**: multinomial logistic regression on standardised features, classes counting alike; inverse strength of the
  penalty {settings.strength:g}, of {", ".join(f"{s:g}" for s in settings.strengths)}, by cross-validation in
  {found.folds} parts, seed {settings.seed}. Probabilities are calibrated by one temperature, {record.temperature:.3g}.

## How good it was

Cross-validated: every image was told by a model that had not seen its specimen. The penalty was chosen on the same
parts, so the figures are a little too good. Intervals are 95 %, and count specimens, not images.

- Accuracy: {_percent(found.accuracy)}
- Balanced accuracy, the mean over classes: {_percent(found.balanced_accuracy)}
- Negative log-probability of the true class: {found.loss_nats:.3f} nats, classes counting alike

| class | images | specimens | recall | {heads} |
|---|---|---|---|{"---|" * len(record.classes)}
{rows}

## What it is not good for

- Images of another preparation, detector or magnification than it learned from. `classify` says "unknown" where an
  image is unlike all of them; one that is not flagged may still be of none of the classes.
- Frequencies. Probabilities hold where all classes are equally frequent; where one is rare, its probability is too
  high.
- Images of one specimen that were counted as several (no `--groups`): the figures above are then too good.
"""


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
