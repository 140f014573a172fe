"""How verdicts are drawn and named: by shape and word, and only then by colour."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from micrographia.findings import Decision

DISPOSITION_WORDS: Final = MappingProxyType({"accept": "Accepted", "reject": "Rejected", "abstain": "Undecided"})
"""What a sample is called for its disposition."""

_SHAPES: Final = MappingProxyType(
    {
        "accept": '<circle r="8.5"/><path d="M-4 .3-1.2 3.2 4-3"/>',
        "reject": '<rect x="-8" y="-8" width="16" height="16" rx="2"/><path d="M-3.6-3.6 3.6 3.6M3.6-3.6-3.6 3.6"/>',
        "abstain": '<path class="open" d="M0-9 9 0 0 9-9 0Z"/><path class="open" d="M-3 0H3"/>',
    }
)


def verdict_mark(verdict: Decision) -> str:
    """Return the small picture of a verdict: a full circle, a full square or an open diamond.

    Examples
    --------
    >>> "circle" in verdict_mark("accept"), "rect" in verdict_mark("reject"), "open" in verdict_mark("abstain")
    (True, True, True)
    """
    return f'<svg class="mark verdict {verdict}" viewBox="-10 -10 20 20" aria-hidden="true">{_SHAPES[verdict]}</svg>'
