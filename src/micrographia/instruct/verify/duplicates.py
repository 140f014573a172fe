"""Texts that say nearly the same, found by MinHash without comparing all with all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

import numpy as np
from jaxtyping import UInt32, UInt64

SHINGLE: Final = 3
SIMILAR: Final = 0.9
_BANDS: Final = 8
_ROWS: Final = 8
_SEED: Final = 20240831
_MIX: Final = np.uint64(0xBF58476D1CE4E5B9)


def near_duplicates(texts: Iterable[tuple[str, str]], *, similar: float = SIMILAR) -> dict[str, str]:
    """Return which texts are nearly the same as an earlier one.

    Texts are compared by their sets of three words in a row, numbers included: two descriptions in the same words with
    other values are not the same.

    Parameters
    ----------
    texts : iterable of (str, str)
        Id and text, in the order in which they are kept; of each, about 1 kB is held.
    similar : float
        Least Jaccard similarity of what counts as the same, as estimated by 64 hashes (± 0.04 at 0.9).

    Returns
    -------
    dict of str to str
        Id of each duplicate, and of what it duplicates.

    Examples
    --------
    >>> words = "the edge density is 41 px and no pores or cracks can be made out in this part of the image"
    >>> near_duplicates([("a", words), ("b", words), ("c", "something else is said of the image here")])
    {'b': 'a'}
    """
    factors = np.random.default_rng(_SEED).integers(1, 2**63, size=(_BANDS * _ROWS, 2), dtype=np.uint64)
    factors[:, 0] |= np.uint64(1)
    kept: list[tuple[str, UInt32[np.ndarray, " hash"]]] = []
    # The last text of each bucket stands for all of it: what is the same as an earlier one is not kept.
    buckets: dict[int, int] = {}
    found: dict[str, str] = {}
    for name, text in texts:
        signature = _signature(text, factors)
        parts = (signature[k * _ROWS : (k + 1) * _ROWS].tobytes() for k in range(_BANDS))
        bands = [hash((k, part)) for k, part in enumerate(parts)]
        candidates = sorted({buckets[band] for band in bands if band in buckets})
        same = (kept[k][0] for k in candidates if float((kept[k][1] == signature).mean()) >= similar)
        original = next(same, None)
        if original is not None:
            found[name] = original
            continue
        buckets.update(dict.fromkeys(bands, len(kept)))
        kept.append((name, signature))
    return found


def _signature(text: str, factors: UInt64[np.ndarray, "hash two"]) -> UInt32[np.ndarray, " hash"]:
    words = re.findall(r"[\w.%±°-]+", text.lower())
    shingles = {" ".join(words[k : k + SHINGLE]) for k in range(max(1, len(words) - SHINGLE + 1))}
    digests = (hashlib.blake2b(shingle.encode(), digest_size=8).digest() for shingle in shingles)
    hashes = np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)
    mixed = hashes[None, :] * factors[:, :1] + factors[:, 1:]
    # The upper bits of a product are the well mixed ones.
    mixed ^= mixed >> np.uint64(29)
    least: UInt32[np.ndarray, " hash"] = ((mixed * _MIX).min(axis=1) >> np.uint64(32)).astype(np.uint32)
    return least
