"""The card of a data set: what it holds, who said it, what was rejected and why, and what it must not be taken for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from micrographia.instruct.balance import WITHIN
from micrographia.instruct.engine.account import Account
from micrographia.instruct.engine.whole_set import Standing
from micrographia.instruct.shortcut import POINTS

_CARD: Final = """---
tags: [electron-microscopy, visual-question-answering, instruction-tuning]
---

# Instruction data on micrographs

{verified} verified and {rejected} rejected records on {images} images. Reasoning and answers are by the teacher
`{teacher}`; every answer was checked against what was measured on the pixels. Made with Micrographia {version}.

| | |
|---|---|
| files | {found} found, {images} used, {duplicates} of the same pixels as another, {unusable} not usable |
| teacher | `{teacher}`, model `{model}` |
| tokens | {sent} sent, {answered} answered; {cost} |
| questions without an answer | {unanswered} |
| the run | {stopped} |

## Records by task

{tasks}

## What was rejected, by the first check that failed

{reasons}

A rejected record stays in `records.parquet`, with `verified` false and the reason in `rejected_because`; exports leave
it out.

## Set as a whole

{whole}

## How it was made

```json
{settings}
```

## What to mind

- Answers are about what is measurable on the pixels. What a material is, or what made a structure, the checks cannot
  know.
- Cues have uncertainties, and a measurement can be wrong where an image is not what it supposes: see
  `docs/reference/cues.md`.
- File names are in `images.parquet` only; no teacher saw them.
- **Licence.** The words of the teacher `cues` are free to use (CC0-1.0). Words of a language model are under the terms
  of its provider, some of which forbid to train competing models with them. Pictures stay under the licence that they
  came with: say which before you pass them on.
"""


def card(account: Account, standing: Standing, settings: Mapping[str, Any]) -> str:
    """Return the card of a data set, in Markdown.

    Parameters
    ----------
    account : Account
        Counts and costs.
    standing : Standing
        What was found of the set as a whole.
    settings : mapping
        All that the records depend on besides the images.
    """
    records, images, spent = account.records, account.images, account.spent
    return _CARD.format(
        verified=f"{records.verified:,}",
        rejected=f"{records.rejected:,}",
        images=f"{images.used:,}",
        found=f"{images.found:,}",
        duplicates=f"{images.duplicates:,}",
        unusable=f"{len(images.unusable):,}",
        teacher=account.teacher.name,
        model=account.teacher.model,
        version=account.software["micrographia"],
        sent=f"{spent.input_tokens:,}",
        answered=f"{spent.output_tokens:,}",
        cost="prices not known" if spent.cost_usd is None else f"{spent.cost_usd:.4f} USD ({spent.prices_from})",
        unanswered=f"{len(account.unanswered):,}",
        stopped=account.stopped,
        tasks=_table(("task", "records"), {name: f"{count:,}" for name, count in records.by_task.items()}),
        reasons=_reasons(account),
        whole=_table(("what", "found", "wanted"), _whole(standing)),
        settings=json.dumps(settings, indent=2, ensure_ascii=False),
    )


def _reasons(account: Account) -> str:
    records = account.records
    if not records.rejected:
        return "Nothing."
    shares = {
        name: f"{count:,} | {100 * count / records.total:.1f} %" for name, count in records.rejected_because.items()
    }
    shares["all"] = f"{records.rejected:,} | {100 * records.rejected / records.total:.1f} %"
    return _table(("check", "records", "share of all"), shares)


def _whole(standing: Standing) -> dict[str, str]:
    checks = standing.checks
    low, high = (f"{100 * share:.0f}" for share in WITHIN)
    yes, consistency = checks.after.yes_share, checks.consistency
    found = {
        "share of yes": f"{_percent(yes)} | {low} to {high} %",
        "questions with answers of unequal number": f"{checks.after.uneven:,} of {checks.after.questions:,} | 0",
        "same answer in every order of the images": f"{_percent(consistency)} of {checks.swaps:,} | 100 %",
        "texts that say nearly the same, rejected": f"{checks.duplicates:,} |",
        "left out for balance": f"{checks.surplus:,} |",
    }
    for one in standing.shortcuts:
        width = "" if one.half_width is None else f" ± {100 * one.half_width:.1f}"
        name = f"right answers from the words of the question alone: {one.answer_type}, other {one.split}s"
        most = f"{100 * (one.chance + POINTS):.1f} % (chance {100 * one.chance:.1f} %)"
        found[name] = f"{_percent(one.accuracy)}{width} of {one.records:,} | at most {most}"
    return found


def _percent(share: float | None) -> str:
    return "none to tell by" if share is None else f"{100 * share:.1f} %"


def _table(head: tuple[str, ...], rows: Mapping[str, str]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())])
