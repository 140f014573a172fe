"""What tokens cost: from the table that comes with the client of the providers, or as the user says."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from micrographia.errors import InputError

_LOCAL: Final = ("gguf", "ollama")
"""Teachers that run on hardware of one's own."""
_PROVIDERS: Final = {"google-gla": "google", "openai-chat": "openai", "openai-responses": "openai"}
"""Names of providers that the table knows under another."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What tokens of a model cost.

    Parameters
    ----------
    input_usd_per_million, output_usd_per_million : float
        Price of a million tokens sent, and of a million tokens answered [USD].
    source : str
        Who says so.

    Raises
    ------
    InputError
        A price is negative.

    Examples
    --------
    >>> Price(input_usd_per_million=1.25, output_usd_per_million=10.0, source="user").usd(2000, 300)
    0.0055
    """

    input_usd_per_million: float
    output_usd_per_million: float
    source: str

    def __post_init__(self) -> None:
        if not (self.input_usd_per_million >= 0 and self.output_usd_per_million >= 0):
            raise InputError(
                f"prices are {self.input_usd_per_million:g} and {self.output_usd_per_million:g} USD for a million "
                "tokens; accepted is 0 or more"
            )

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return what a request costs [USD]."""
        return (input_tokens * self.input_usd_per_million + output_tokens * self.output_usd_per_million) / 1e6


FREE: Final = Price(input_usd_per_million=0.0, output_usd_per_million=0.0, source="runs on this computer")


def price_of(teacher: str) -> Price | None:
    """Return what a teacher's tokens cost; None where nobody says.

    Parameters
    ----------
    teacher : str
        As on the command line.

    Returns
    -------
    Price, optional
        Nothing for local teachers. For providers the table of the installed ``genai-prices``, which is read from the
        disk: its version says of when the prices are, and a contract may say otherwise.

    Examples
    --------
    >>> price_of("cues").source
    'runs on this computer'
    """
    provider, _, model = teacher.partition(":")
    if not model or provider in _LOCAL:
        return FREE
    if provider == "openai-compatible" or importlib.util.find_spec("genai_prices") is None:
        return None
    from genai_prices import Usage, calc_price

    try:
        # A thousand tokens: some models cost more where a single request is very long.
        sent, answered = (
            float(calc_price(usage, model, provider_id=_PROVIDERS.get(provider, provider)).total_price) * 1000
            for usage in (Usage(input_tokens=1000, output_tokens=0), Usage(input_tokens=0, output_tokens=1000))
        )
    except LookupError:
        return None
    table = f"genai-prices {metadata.version('genai-prices')}"
    return Price(input_usd_per_million=sent, output_usd_per_million=answered, source=table)
