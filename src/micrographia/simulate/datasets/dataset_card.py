"""The card of a data set: what it holds, how it was made, and how to load it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from micrographia.simulate.datasets.shards import Layout, array_file, part_file

_LONGEST_TABLE: Final = 120
"""Most rows that a table of counts shows."""

_LONGEST_LIST: Final = 12
"""Most entries that a list of the settings shows."""

_CARD: Final = """---
license: cc0-1.0
tags: [electron-microscopy, STEM, 2D-materials, simulated]
---

# Simulated STEM patches

{patches:,} patches of {size_px} × {size_px} px on {channels}, each centred on an atomic site
whose label is known. Simulated with Micrographia {version}.

| | |
|---|---|
| patches | {patches:,} |
| patches that share their optics | {group_size} |
| size on disk | {gigabytes:.3f} GB: {kilobytes:.2f} kB a patch, index included |
| files | {shards:,} shards of up to {shard_patches:,} patches |
| arrays | {arrays} |

## Contents

{counts}
### Ranges

{ranges}
## How it was made

{command}

The files follow from these settings alone, whatever the number of workers and however often the run was interrupted:

```json
{settings}
```

Software with which it was begun: {software}.

## How to load it

```python
from pathlib import Path
from micrographia.simulate.datasets.dataset import images, open_dataset

dataset = open_dataset(Path("DIR"))
batch = images(dataset, 0, 256)                              # (256, channel, y, x), fraction of the beam
labels = dataset.index.to_table(columns=["label"])["label"]  # row n is about patch n
```

Without Micrographia: `patches.zarr` is a Zarr v3 group, and `index/*.parquet` in the order of their names is its index.
With these columns of the index, the fraction of the beam on channel 0 is
`(levels - zero_level_0) * fraction_per_level_0`, and so on.

## Limits

- These are simulations: columns scatter independently of each other, and what the settings do not name is not there.
- How often each label occurs is a choice of whoever made the data set; it says nothing about any specimen.
- A patch is not independent of those that share its optics: split by groups of {group_size} rows, not by rows.

## Licence

CC0 1.0, unless whoever publishes the data says otherwise. The authors of Micrographia claim no rights in what it makes.
"""


def dataset_card(
    folder: Path, layout: Layout, settings: Mapping[str, Any], software: Mapping[str, str], command: str | None
) -> str:
    """Return the card of a data set whose shards are all there.

    Parameters
    ----------
    folder : Path
        The data set.
    layout : Layout
        How it is cut.
    settings : mapping of str to JSON value
        All that the patches depend on; the card leaves long lists to ``dataset.json``.
    software : mapping of str to str
        Versions of the packages that it was begun with.
    command : str, optional
        The command line that makes it.
    """
    parts = [part_file(folder, shard) for shard in range(layout.shards)]
    files = [array_file(folder, name, shard) for name in layout.arrays for shard in range(layout.shards)]
    size = sum(path.stat().st_size for path in (*parts, *files))
    return _CARD.format(
        patches=layout.patches,
        size_px=layout.size_px,
        channels="1 detector" if layout.channels == 1 else f"{layout.channels} detectors",
        version=software.get("micrographia", ""),
        group_size=layout.group_size,
        gigabytes=size / 1e9,
        kilobytes=size / 1e3 / layout.patches,
        shards=layout.shards,
        shard_patches=layout.shard_patches,
        arrays=", ".join(f"`{name}` ({kind})" for name, kind in layout.arrays.items()),
        counts="".join(_counts(parts)),
        ranges=_ranges(parts),
        command=f"```\n{command}\n```" if command else "With `micrographia.simulate.datasets.dataset.write_dataset`.",
        settings=json.dumps(_shortened(settings), indent=2, ensure_ascii=False),
        software=", ".join(f"{name} {version}" for name, version in software.items()),
    )


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _shortened(part) for name, part in value.items()}
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return f"{len(value)} entries, in dataset.json"
    return [_shortened(part) for part in value] if isinstance(value, list) else value


def _counts(parts: list[Path]) -> Iterable[str]:
    """Give a table for each column of words: how many patches have which."""
    words = [field.name for field in pq.read_schema(parts[0]) if pa.types.is_string(field.type)]
    for name in words:
        found: Counter[str] = Counter()
        for part in parts:
            for pair in pc.value_counts(pq.read_table(part, columns=[name])[name]).to_pylist():
                found[pair["values"]] += pair["counts"]
        total = found.total()
        rows = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        table = [f"| `{word}` | {count:,} | {100 * count / total:.2f} % |" for word, count in rows[:_LONGEST_TABLE]]
        if len(rows) > _LONGEST_TABLE:
            rest = sum(count for _, count in rows[_LONGEST_TABLE:])
            table.append(f"| {len(rows) - _LONGEST_TABLE} others | {rest:,} | {100 * rest / total:.2f} % |")
        yield "\n".join((f"### {name}", "", f"| {name} | patches | |", "|---|---|---|", *table, "", ""))


def _ranges(parts: list[Path]) -> str:
    """Return a table of the least and the greatest value of each column of numbers."""
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    for part in parts:
        found = pq.read_metadata(part)
        for group in (found.row_group(k) for k in range(found.num_row_groups)):
            for column in (group.column(k) for k in range(group.num_columns)):
                name, known = column.path_in_schema, column.statistics
                if name in ("patch", "seed") or known is None or not known.has_min_max:
                    continue
                if isinstance(known.min, int | float) and not isinstance(known.min, bool):
                    least[name] = min(known.min, least.get(name, known.min))
                    greatest[name] = max(known.max, greatest.get(name, known.max))
    rows = [f"| `{name}` | {least[name] + 0:.6g} | {greatest[name] + 0:.6g} |" for name in least]
    return "\n".join(("| column | least | greatest |", "|---|---|---|", *rows, ""))
