"""The errors that Micrographia raises on purpose.

::

    MicrographiaError
    ├── InputError              what came in cannot be used
    │   ├── ReadError           a file: damaged, empty, of an unknown format, or ambiguous
    │   ├── ContextError        a context value: impossible, contradictory or missing
    │   ├── StructureError      atoms: an unknown formula, not a monolayer MX2, an impossible defect
    │   └── LibraryError        a reference library: missing, read-only, of a newer version, or asked for the impossible
    │       └── IntegrityError  its records, images or signatures are not what was written
    ├── OutputError             a result cannot be written where it was asked for
    ├── TeacherError            a teacher gave no answer
    └── MissingExtraError       an optional dependency is not installed

Each message says what came, what is accepted, and how to fix it, in one line. The command line prints
that line and exits with status 2; anything else that escapes is a bug.
"""


class MicrographiaError(Exception):
    """Base of every error raised on purpose."""


class InputError(MicrographiaError):
    """What came in cannot be used."""


class ReadError(InputError):
    """A file is damaged, empty, of an unknown format, or holds several images of which none was named."""


class ContextError(InputError):
    """A context value is impossible, contradictory, or missing where it is needed."""


class StructureError(InputError):
    """Atoms cannot be built: unknown formula, not a monolayer MX2, or an impossible defect."""


class LibraryError(InputError):
    """A reference library is missing, read-only or of a newer version, or what is asked of it is impossible."""


class IntegrityError(LibraryError):
    """Records, images or signatures of a reference library are not what was written."""


class OutputError(MicrographiaError):
    """A result cannot be written where it was asked for."""


class TeacherError(MicrographiaError):
    """A teacher gave no answer: unreachable, busy, silent, or what it said cannot be read.

    Parameters
    ----------
    message : str
        What happened.
    retry_after_s : float, optional
        When to try again [s]; None where trying again cannot help.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MissingExtraError(MicrographiaError):
    """An optional dependency is not installed; the message names the command that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; it comes with an extra: pip install 'micrographia[{extra}]'")
