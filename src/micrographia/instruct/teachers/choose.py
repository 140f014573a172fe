"""Which teachers there are, by name."""

from __future__ import annotations

from micrographia.errors import InputError
from micrographia.instruct.teachers.teacher import Teacher
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

ACCEPTED = (
    "accepted is cues, gguf:PACKAGE, gguf:FILE, openai-compatible:URL#MODEL, or PROVIDER:MODEL such as "
    "openai:gpt-5-mini, google-gla:gemini-2.5-flash, anthropic:claude-haiku-4-5 or ollama:qwen2.5vl"
)


def load_teacher(name: str, *, settings: TeacherSettings) -> Teacher:
    """Return a teacher.

    Parameters
    ----------
    name : str
        ``cues``; ``gguf:`` with the name of a package or file; ``openai-compatible:URL#MODEL``; or a provider and a
        model as pydantic-ai names them.
    settings : TeacherSettings
        How a language model is asked; the teacher ``cues`` is none.

    Raises
    ------
    InputError
        There is no such teacher, or it lacks its key or its file.
    MissingExtraError
        What it needs is not installed.

    Examples
    --------
    >>> load_teacher("cues", settings=TeacherSettings()).name
    'cues'
    """
    kind, _, rest = name.partition(":")
    if name == "cues":
        from micrographia.instruct.teachers.cues import CuesTeacher

        return CuesTeacher()
    if not kind or not rest:
        raise InputError(f"the teacher is {name!r}; {ACCEPTED}")
    if kind == "gguf":
        from micrographia.instruct.teachers.gguf import gguf_teacher

        return gguf_teacher(name, settings=settings)
    from micrographia.instruct.teachers.provider import provider_teacher

    return provider_teacher(name, settings=settings)
