"""Show a site's data beside its hypotheses, each simulated again in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.atoms.image_model import render
from micrographia.atoms.physics import Solution
from micrographia.findings import Evidence, SiteTable
from micrographia.simulate.specimens.hosts import Hypothesis

_EXAMPLES: Final = 12
_HYPOTHESES: Final = 2


def examples(sites: SiteTable) -> list[int]:
    """Choose sites that stand for each kind of defect: from its surest to its most doubtful, evenly.

    Parameters
    ----------
    sites : SiteTable
        All sites.

    Returns
    -------
    list of int
        Rows of the table, at most 12 a label.
    """
    chosen: list[int] = []
    label, certainty = sites.label, sites.posterior.max(axis=1)
    for kind in sites.labels:
        if kind in ("M", "X2"):
            continue
        rows = np.nonzero(label == kind)[0]
        rows = rows[np.argsort(-certainty[rows], kind="stable")]
        picks = np.unique(np.linspace(0, rows.size - 1, min(_EXAMPLES, rows.size)).round().astype(int))
        chosen += [int(r) for r in rows[picks]]
    return chosen


def show(
    chosen: list[int],
    sites: SiteTable,
    solution: Solution,
    frames: Float[np.ndarray, "channel height width"],
    options: tuple[Hypothesis, ...],
    a_px: float,
    *,
    named: Mapping[int, tuple[str, ...]] | None = None,
) -> tuple[Evidence, ...]:
    """Render the chosen sites under their two most probable labels, neighbours as physics decided them.

    Parameters
    ----------
    chosen : list of int
        Rows of the site table.
    sites : SiteTable
        All sites.
    solution : Solution
        What they were decided with.
    frames : float array (channel, height, width)
        The data.
    options : tuple of Hypothesis
        What may be at the sites.
    a_px : float
        Lattice constant [px]; the window reaches 1.5 of it from the site.
    named : mapping of int to tuple of str, optional
        Rows for which other labels are shown, and these.
    """
    _, height, width = frames.shape
    reach = int(np.ceil(1.5 * a_px))
    reported = np.nonzero(solution.reported)[0]
    found = []
    for row in chosen:
        site = solution.judged[reported[row]]
        x, y = solution.x_px[site], solution.y_px[site]
        left, right = max(0, round(x) - reach), min(width, round(x) + reach + 1)
        top, bottom = max(0, round(y) - reach), min(height, round(y) + reach + 1)
        window = np.s_[top:bottom, left:right]
        own = solution.decision.posterior[reported[row]]
        ranked = np.argsort(-sites.posterior[row], kind="stable")[:_HYPOTHESES]
        names = (named or {}).get(row) or tuple(sites.labels[i] for i in ranked)
        at_x, at_y = np.array([x - left]), np.array([y - top])
        rendered = []
        for name in names:
            members = [i for i, o in enumerate(options) if o.label == name]
            change = -own
            change[max(members, key=lambda i: own[i])] += 1
            rendered.append(
                [
                    fit.background[window]
                    + fit.gain
                    * (
                        columns[window]
                        + scale * render(model, at_x, at_y, change[None, :], (bottom - top, right - left))
                    )
                    for fit, columns, model, scale in zip(
                        solution.fits, solution.columns, solution.models, solution.relative_scale[site], strict=True
                    )
                ]
            )
        found.append(
            Evidence(
                site=row,
                left_px=left,
                top_px=top,
                data=frames[:, top:bottom, left:right],
                hypotheses=names,
                rendered=np.array(rendered, dtype=np.float32),
            )
        )
    return tuple(found)
