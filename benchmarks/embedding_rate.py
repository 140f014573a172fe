"""How fast images are embedded, beside torch or transformers alone on the same images in the same run.

The first column is what `Encoder.embed_images` takes from frames in the file's units to finished vectors; the
second, the bare network on tensors that are ready. On a shared machine only the ratio means something: the two
take turns.
Checkpoints of CLIP's size are made with random weights, which cost the same time as trained ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.choose import load_embedder
from micrographia.embed.describe import describe
from micrographia.segment.network.encoder import load_encoder
from micrographia.segment.network.normalise import normalised


def frames_of(side: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [gaussian_filter(rng.normal(100, 20, (side, side)), 2).astype(np.float32) for _ in range(count)]


def turns(ours: Callable[[], object], bare: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the shortest time of each, taken in turns [s]."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for k, run in enumerate((ours, bare)):
            start = time.perf_counter()
            run()
            best[k] = min(best[k], time.perf_counter() - start)
    return best[0], best[1]


def save_clip(folder: Path) -> None:
    """Write a random model of the size of CLIP ViT-B/32, without a tokenizer's vocabulary worth the name."""
    import transformers as t
    from tokenizers import Tokenizer, models

    torch.manual_seed(0)
    t.CLIPModel(t.CLIPConfig()).save_pretrained(folder)
    t.CLIPImageProcessorPil().save_pretrained(folder)
    bare = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    t.PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    local, network = load_embedder("efficientnet-lite0"), load_encoder("efficientnet-lite0").eval()
    for side in (224, 512):
        frames = frames_of(side, options.images)
        ready = torch.from_numpy(np.stack([normalised(f) for f in frames]))[:, None]

        @torch.inference_mode()
        def bare(ready: torch.Tensor = ready) -> None:
            for k in range(0, len(ready), options.batch):
                network(ready[k : k + options.batch])

        times = turns(lambda frames=frames: list(local.embed_images(frames, batch=options.batch)), bare, options.rounds)
        rows.append((f"efficientnet-lite0, {side} px", *times))
    frames = frames_of(512, options.images)
    with tempfile.TemporaryDirectory() as home:
        save_clip(Path(home))
        clip = load_embedder(f"clip:{home}")
        import transformers as t

        model = t.CLIPModel.from_pretrained(home).eval()
        pixels = torch.randn(options.images, 3, 224, 224)

        @torch.inference_mode()
        def bare_clip() -> None:
            for k in range(0, len(pixels), options.batch):
                model.get_image_features(pixel_values=pixels[k : k + options.batch])

        times = turns(lambda: list(clip.embed_images(frames, batch=options.batch)), bare_clip, options.rounds)
        rows.append(("clip (size of ViT-B/32), 512 px", *times))
    with tempfile.TemporaryDirectory() as home:
        list(cached_embeddings(local, frames, folder=Path(home)))
        times = turns(
            lambda: list(cached_embeddings(local, frames, folder=Path(home))),
            lambda: list(local.embed_images(frames, batch=options.batch)),
            options.rounds,
        )
        rows.append(("efficientnet-lite0 from the cache, 512 px, beside without", *times))
    texts = [describe(frame).text for frame in frames]
    minilm = load_embedder("minilm")

    def plain_texts() -> None:
        with torch.inference_mode():
            tokens = minilm._tokenizer(texts, padding=True, return_tensors="pt")
            minilm._network(**tokens)

    rows.append(
        ("minilm, one description a text", *turns(lambda: minilm.embed_texts(texts), plain_texts, options.rounds))
    )
    print("| encoder | ours [1/s] | alone [1/s] | ours / alone |\n|---|---|---|---|")
    for name, ours, alone in rows:
        n = options.images
        print(f"| {name} | {n / ours:.1f} | {n / alone:.1f} | {alone / ours:.2f} |")
    start = time.process_time()
    for frame in frames:
        describe(frame)
    print(f"\ndescribe, 512 px: {(time.process_time() - start) / len(frames) * 1000:.0f} ms of processor time an image")


if __name__ == "__main__":
    main()
