"""How samples are qualified."""

from __future__ import annotations

from dataclasses import dataclass

from micrographia.embed.choose import DEFAULT_SEES, DESCRIBES
from micrographia.errors import InputError
from micrographia.qualify.conformal import references_needed


@dataclass(frozen=True, kw_only=True)
class QualifySettings:
    """How samples are qualified.

    Parameters
    ----------
    alpha : float
        Share of decisions that may be wrong, above 0 and up to 0.5.
    encoders : tuple of str
        Encoders of images, as `load_embedder` names them; of those that read, the texts of criteria count too.
    texts : str, optional
        Encoder by which texts are compared where no other reads them; None to leave texts out.
    allow_known : bool
        Whether to qualify a sample that is itself among the references, which decides nothing.
    where : bool
        Whether to map where in the image the evidence lies.
    criteria : tuple of str, optional
        Ids of criteria; None for all.
    """

    alpha: float = 0.05
    encoders: tuple[str, ...] = (DEFAULT_SEES,)
    texts: str | None = DESCRIBES
    allow_known: bool = False
    where: bool = True
    criteria: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        references_needed(self.alpha)
        if not self.encoders or len(set(self.encoders)) < len(self.encoders):
            raise InputError(f"encoders are {', '.join(self.encoders) or 'none'}; accepted is at least one, none twice")
