"""The adapted language model beside the base: masked words, retrieval, a probe on cues, and general English.

The corpus is a folder with ``records.parquet``. Beside it may lie ``fields.csv`` (image, field), by which images are
held back together, and ``cues.csv`` (image, cue, value) for the probe. Without --corpus a made-up one is written
(`language_corpus.py`). Models are kept in --work, and a run that was interrupted goes on.

Run:  OMP_NUM_THREADS=1 python benchmarks/language.py --work WORK --corpus CORPUS
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from language_corpus import write_corpus
from language_pairs import sts_benchmark
from micrographia.embed.choose import load_embedder
from micrographia.embed.encoder import Encoder
from micrographia.embed.language import read_record
from micrographia.learn.language.corpus import Corpus, read_corpus, sentences
from micrographia.learn.language.evaluate import MaskedScore, masked_score
from micrographia.learn.language.saved import read_model
from micrographia.learn.language.settings import LanguageSettings, LossWeights
from micrographia.learn.language.train import train_language

HELD_OUT = 100
BOOTSTRAPS = 2_000
MOST_PER_QUERY = 6
MASKED_TEXTS = 200
LEAST_PROBED = 30


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way to train, and in words."""

    name: str
    settings: LanguageSettings


@dataclass(frozen=True, kw_only=True)
class Scores:
    """All that is measured on one model; items rather than means, so that models compare item by item."""

    masked: MaskedScore | None
    ranks_all: np.ndarray
    ranks_one: np.ndarray
    probe: np.ndarray
    general: np.ndarray


def variants(steps: int) -> dict[str, Variant]:
    usual = LanguageSettings(steps=steps)
    no_general = replace(usual.weights, cosine=0.0, relational=0.0)
    found = (
        Variant(name="head", settings=replace(usual, frozen=True, new_words=0)),
        Variant(name="adapted", settings=usual),
        Variant(name="adapted, no new words", settings=replace(usual, new_words=0)),
        Variant(name="without contrastive", settings=replace(usual, weights=replace(usual.weights, contrastive=0.0))),
        Variant(name="without masked", settings=replace(usual, new_words=0, weights=LossWeights(masked=0.0))),
        Variant(name="without general", settings=replace(usual, weights=no_general)),
    )
    return {variant.name: variant for variant in found}


def fields_of(corpus: Path, images: Sequence[str]) -> dict[str, str]:
    """Return the field of each image; without a table, each is its own."""
    path = corpus / "fields.csv"
    if not path.is_file():
        return {image: image for image in images}
    with path.open(encoding="utf-8") as handle:
        known = {row["image"]: row["field"] for row in csv.DictReader(handle)}
    return {image: known.get(image, image) for image in images}


def choose_held_out(corpus: Corpus, fields: dict[str, str], described: dict[str, str]) -> list[str]:
    """Return images of fields of their own, until a hundred that are described are among them."""
    back: list[str] = []
    order = np.random.default_rng(0).permutation(sorted(set(fields.values())))
    for field in order:
        if sum(image in described for image in back) >= HELD_OUT:
            break
        back += [image for image in corpus.images if fields[image] == field]
    return back


def described_cues(corpus: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return the longest verified description of each image, and the cues that it states."""
    import pyarrow.parquet as pq

    found: dict[str, tuple[str, frozenset[str]]] = {}
    columns = ["images", "task", "answer", "verified", "cues"]
    for row in pq.read_table(corpus / "records.parquet", columns=columns).to_pylist():
        if row["verified"] and row["task"] == "description" and len(row["images"]) == 1:
            image = row["images"][0]
            if len(row["answer"]) > len(found.get(image, ("", None))[0]):
                found[image] = (row["answer"], frozenset(row["cues"]))
    return found


def descriptions(corpus: Path) -> dict[str, str]:
    """Return the longest verified description of each image."""
    return {image: text for image, (text, _) in described_cues(corpus).items()}


def queries(corpus: Corpus, described: dict[str, str], images: Sequence[str], *, most: int) -> list[str]:
    """Return for each image what else was said about it, without the sentences of its description."""
    rng = np.random.default_rng(1)
    found = []
    for image in images:
        own = set(sentences(described[image]))
        said = dict.fromkeys(
            sentence
            for passage in corpus.passages
            if passage.images == (image,)
            for sentence in sentences(passage.statement)
            if sentence not in own
        )
        chosen = rng.permutation(np.array(list(said), dtype=object))[:most]
        found.append(" ".join(chosen) or "nothing")
    return found


def ranks(encoder: Encoder, asked: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Return the rank of the right description of each query, from 1; ties count against it."""
    cosines = encoder.embed_texts(asked) @ encoder.embed_texts(targets).T
    return (cosines >= np.diag(cosines)[:, None]).sum(axis=1)


def found_by(pattern: str, asked: Sequence[str], targets: Sequence[str], texts: Sequence[str]) -> str:
    """Return recall@1/5 of a search by nothing but the words, or the numbers, that a pattern finds, in percent."""
    counts = TfidfVectorizer(token_pattern=pattern).fit(texts)
    cosines = (counts.transform(asked) @ counts.transform(targets).T).toarray()
    ranked = (cosines >= np.diag(cosines)[:, None]).sum(axis=1)
    return " / ".join(f"{100 * (ranked <= k).mean():.0f}" for k in (1, 5))


def probe(encoder: Encoder, corpus: Path, back: Sequence[str]) -> np.ndarray:
    """Return how well a ridge reads the value of each cue from descriptions that state it, as a rank correlation.

    It learns on images that were learned from, and is scored on those held back; empty without a table of values.
    """
    path = corpus / "cues.csv"
    if not path.is_file():
        return np.empty(0)
    values: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if row["value"]:
                values.setdefault(row["cue"], {})[row["image"]] = float(row["value"])
    stated = described_cues(corpus)
    vectors = dict(zip(stated, encoder.embed_texts([text for text, _ in stated.values()]), strict=True))
    found = []
    for cue, of in sorted(values.items()):
        told = [image for image, (_, cues) in stated.items() if cue in cues and image in of]
        sides = [[i for i in told if (i in set(back)) == side] for side in (False, True)]
        y_in, y_out = (np.array([of[i] for i in side]) for side in sides)
        if min(map(len, sides)) < LEAST_PROBED or y_out.std() == 0:
            continue
        x_in, x_out = (np.stack([vectors[i] for i in side]) for side in sides)
        scale = StandardScaler().fit(x_in)
        ridge = RidgeCV(alphas=10.0 ** np.arange(-1, 6)).fit(scale.transform(x_in), y_in)
        found.append(float(spearman(ridge.predict(scale.transform(x_out)), y_out)))
    return np.array(found)


def cosines_of(encoder: Encoder, pairs: Sequence[tuple[float, str, str]]) -> np.ndarray:
    left, right = (encoder.embed_texts([str(pair[k]) for pair in pairs]) for k in (1, 2))
    return (left * right).sum(axis=1)


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return rank correlations along the last axis."""
    ranked = [rankdata(x, axis=-1) for x in (a, b)]
    ranked = [x - x.mean(axis=-1, keepdims=True) for x in ranked]
    return (ranked[0] * ranked[1]).sum(-1) / np.sqrt((ranked[0] ** 2).sum(-1) * (ranked[1] ** 2).sum(-1))


def first(ranked: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Return recall@1, along the last axis."""
    return (ranked <= 1).mean(axis=-1)


def difference(base: np.ndarray, adapted: Sequence[np.ndarray], truth: np.ndarray, measure) -> tuple[float, ...]:
    """Return the mean difference over models and its 95 % interval, resampling pairs for all of them alike."""
    draws = np.random.default_rng(0).integers(len(truth), size=(BOOTSTRAPS, len(truth)))
    drawn = np.mean([measure(a[draws], truth[draws]) - measure(base[draws], truth[draws]) for a in adapted], axis=0)
    drawn = drawn[np.isfinite(drawn)]
    whole = np.mean([measure(a, truth) - measure(base, truth) for a in adapted])
    return (100 * float(whole), *(100 * float(q) for q in np.quantile(drawn, [0.025, 0.975])))


def masked_words(model: Path, held: Corpus) -> MaskedScore | None:
    """Return how a model's head tells words of texts that were held back; None if it learned nothing."""
    if not read_record(model)["settings"]["weights"]["masked"]:
        return None
    network, base = read_model(model)
    every = max(1, len(held.passages) // MASKED_TEXTS)
    return masked_score(network, base.tokenizer, [p.text for p in held.passages[::every]], seed=7)


def measure(encoder: Encoder, corpus: Corpus, folder: Path, described: dict[str, str], back: list[str]) -> Scores:
    """Return what the vectors of an encoder are good for."""
    shown = [image for image in back if image in described][:HELD_OUT]
    targets = [described[image] for image in shown]
    held = corpus.about(back)
    return Scores(
        masked=None,
        ranks_all=ranks(encoder, queries(held, described, shown, most=MOST_PER_QUERY), targets),
        ranks_one=ranks(encoder, queries(held, described, shown, most=1), targets),
        probe=probe(encoder, folder, back),
        general=cosines_of(encoder, sts_benchmark()),
    )


def read_scores(path: Path) -> Scores:
    found = json.loads(path.read_text(encoding="utf-8"))
    del found["masked"]
    return Scores(masked=None, **{name: np.array(values) for name, values in found.items()})


def row(name: str, scores: Sequence[Scores]) -> str:
    """Return a row of the table: means over seeds."""
    grades = np.array([pair[0] for pair in sts_benchmark()])
    recall = [
        " / ".join(f"{100 * np.mean([(getattr(s, which) <= k).mean() for s in scores]):.0f}" for k in (1, 5))
        for which in ("ranks_all", "ranks_one")
    ]
    told = [s.masked for s in scores if s.masked is not None]
    words = "– | – | –"
    if told:
        bits = np.mean([m.bits_per_character for m in told])
        perplexity = np.exp(np.mean([np.log(m.word_perplexity) for m in told]))
        words = f"{bits:.3f} | {perplexity:.2f} | {np.exp(np.mean([np.log(m.token_perplexity) for m in told])):.2f}"
    probed = np.mean([s.probe.mean() for s in scores]) if len(scores[0].probe) else float("nan")
    general = np.mean([spearman(s.general, grades) for s in scores])
    return (
        f"| {name} | {len(scores)} | {words} | {recall[0]} | {recall[1]} | {100 * probed:.0f} | {100 * general:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument(
        "--only", nargs="*", help="Which variants; by default head, adapted and both without new words."
    )
    options = parser.parse_args()
    folder = options.corpus or options.work / "corpus"
    if options.corpus is None and not (folder / "records.parquet").is_file():
        write_corpus(options.data, folder)
    corpus, described = read_corpus(folder), descriptions(folder)
    back = choose_held_out(corpus, fields_of(folder, corpus.images), described)
    print(f"{len(corpus.passages)} passages about {len(corpus.images)} images; {len(back)} images held back\n")
    shown = [image for image in back if image in described][:HELD_OUT]
    texts, targets = [p.text for p in corpus.passages], [described[image] for image in shown]
    for what, pattern in (("numbers", r"[\d.]+"), ("words", r"[A-Za-z]+")):
        asked = [queries(corpus.about(back), described, shown, most=most) for most in (MOST_PER_QUERY, 1)]
        recalls = [found_by(pattern, one, targets, texts) for one in asked]
        print(f"recall@1/5 by {what} alone: six sentences {recalls[0]}, one {recalls[1]}")
    found: dict[str, list[Scores]] = {}
    for name in options.only or ("head", "adapted", "adapted, no new words"):
        variant = variants(options.steps)[name]
        for seed in options.seeds:
            out = options.work / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            start = time.process_time()
            if not (out / "language.json").is_file():
                train_language(corpus, out, settings=replace(variant.settings, seed=seed), held_out=back)
                print(f"{out.name}: {(time.process_time() - start) / 60:.1f} min of processor time", flush=True)
            # Whatever the seed of its head, the base model has the same vectors.
            frozen = variant.settings.frozen
            kept = options.work / "base.json" if frozen else out / "scores.json"
            if not kept.is_file():
                encoder = load_embedder("minilm" if frozen else f"language:{out}")
                scores = measure(encoder, corpus, folder, described, back)
                kept.write_text(json.dumps(asdict(scores), default=np.ndarray.tolist), encoding="utf-8")
            masked = masked_words(out, corpus.about(back))
            found.setdefault(name, []).append(replace(read_scores(kept), masked=masked))
    heads = "model|seeds|bits / character|perplexity, words|perplexity, tokens|recall@1/5, six sentences|"
    heads += "recall@1/5, one sentence|probe, Spearman|STS benchmark, Spearman"
    print(f"\n| {' | '.join(heads.split('|'))} |\n|{'---|' * 9}")
    for name, scores in found.items():
        print(row("base, its head trained" if name == "head" else name, scores))
    base = found["head"][0] if "head" in found else None
    if base is not None:
        heads = "against the base [points]|recall@1, six sentences|recall@1, one sentence|STS benchmark"
        print(f"\n| {' | '.join(heads.split('|'))} |\n|{'---|' * 4}")
        for name, scores in found.items():
            if name == "head":
                continue
            cells = []
            grades = np.array([pair[0] for pair in sts_benchmark()])
            right = np.ones(len(base.ranks_all))
            for which, truth, how in (
                ("ranks_all", right, first),
                ("ranks_one", right, first),
                ("general", grades, spearman),
            ):
                d, low, high = difference(getattr(base, which), [getattr(s, which) for s in scores], truth, how)
                cells.append(f"{d:+.1f} ({low:+.1f} to {high:+.1f})")
            print(f"| {name} | {' | '.join(cells)} |")
    record = json.loads((options.work / "adapted-0" / "language.json").read_text()) if "adapted" in found else {}
    print(f"\nNew words: {', '.join(record.get('new_words', []))}")


if __name__ == "__main__":
    main()
