"""The seam to RosettaSciIO: call one of its format modules, let nothing but a `ReadError` or notes come out."""

from __future__ import annotations

import gc
import importlib
import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from micrographia.errors import ReadError

Signal = Mapping[str, Any]

_NOISY_LOGGERS = ("rsciio", "tifffile", "PIL", "imageio", "h5py")
_LONGEST_NOTE = 200
_MOST_NOTES = 5


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def quiet(messages: list[str]) -> Iterator[None]:
    """Collect what libraries would print, as logging or as Python warnings, in ``messages``.

    Parameters
    ----------
    messages : list of str
        Grows by one line for each message that may matter to a user.
    """
    collector = _Collector(messages)
    saved = []
    for name in _NOISY_LOGGERS:
        logger = logging.getLogger(name)
        saved.append((logger, logger.handlers, logger.propagate))
        logger.handlers, logger.propagate = [collector], False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        messages += [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    finally:
        for logger, handlers, propagate in saved:
            logger.handlers, logger.propagate = handlers, propagate


def one_line(message: object) -> str:
    """Return a message as one line of bounded length."""
    text = " ".join(str(message).split())
    return text if len(text) <= _LONGEST_NOTE else text[: _LONGEST_NOTE - 1] + "…"


def reader_name(module: str) -> str:
    """Return the name of a RosettaSciIO format module with its version."""
    return f"rosettasciio {version('rosettasciio')} ({module})"


def _release(error: BaseException) -> None:
    """Close the file handles that a failed parser left in its frames, or each would warn when it is collected.

    The frames themselves go; what ``-v`` shows of them stays as a note of the exception.
    """
    error.add_note("".join(traceback.format_tb(error.__traceback__)))
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__context__
    gc.collect()


def parse(
    module: str, path: Path, *, options: Mapping[str, Any] | None = None
) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """Parse a file with one RosettaSciIO format module.

    Parameters
    ----------
    module : str
        Name of the module below ``rsciio``, e.g. ``"digitalmicrograph"``.
    path : Path
        An existing file.
    options : mapping, optional
        Further arguments of the module's ``file_reader``.

    Returns
    -------
    signals : tuple of mapping
        Its signals: ``data``, ``axes``, ``metadata``, ``original_metadata``.
    notes : tuple of str
        What it warned about.

    Raises
    ------
    ReadError
        The module failed: the file is damaged, truncated, or not what its name says.
    """
    messages: list[str] = []
    with quiet(messages):
        try:
            reader = importlib.import_module(f"rsciio.{module}").file_reader
            signals = tuple(reader(str(path), **(options or {})))
        except Exception as error:  # a damaged file makes a parser raise anything
            _release(error)
            detail = one_line(error) or type(error).__name__
            hint = ""
            if "imagecodecs" in detail:
                hint = "; its compression needs one more package: pip install imagecodecs"
            elif "'sparse'" in detail:
                hint = "; its spectrum image needs one more package: pip install sparse"
            else:
                hint = "; it may be damaged or cut short: copy it again from the instrument"
            raise ReadError(f"{path.name} cannot be read ({detail}){hint}") from error
    unique = dict.fromkeys(f"{module} reader: {one_line(m)}" for m in messages)
    return signals, tuple(unique)[:_MOST_NOTES]
