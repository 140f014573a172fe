"""Language models of any provider, and behind any OpenAI-compatible address, through pydantic-ai."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from micrographia.errors import InputError, MissingExtraError, TeacherError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Reply, Usage
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.answers import SilentTeacherError, UnreadableReplyError, answer_form, answer_words
from micrographia.instruct.teachers.pictures import png
from micrographia.instruct.teachers.prices import Price, price_of
from micrographia.instruct.teachers.teacher import Prompt, Teacher
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

COMPATIBLE: Final = "openai-compatible"
KEY_VARIABLE: Final = "MICROGRAPHIA_TEACHER_KEY"
"""Environment variable with the key of an OpenAI-compatible address, if it asks for one."""
_RENAMED: Final = {"google-gla": "google", "google-vertex": "google-cloud"}
"""Providers that pydantic-ai called otherwise before its version 2."""
_PAUSE_S: Final = 1.0
"""When to try again where the provider does not say [s]; the engine waits longer each time."""
_LONGEST_LINE: Final = 300


class ProviderTeacher(Teacher):
    """A language model that is asked over the network.

    Parameters
    ----------
    name : str
        As on the command line.
    client : pydantic_ai.models.Model
        How it is reached.
    settings : TeacherSettings
        How it is asked.
    model : str
        The model with its version.
    """

    def __init__(self, name: str, client: Model, *, settings: TeacherSettings, model: str) -> None:
        self.name = name
        self.model = model
        self.price: Price | None = settings.price or price_of(name)
        self.settings: Mapping[str, float | str | bool | None] = {
            "images": settings.images,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
        }
        self.max_tokens = settings.max_tokens
        self.sees = settings.images
        self._timeout_s = settings.timeout_s
        self._asked: ModelSettings = {"max_tokens": settings.max_tokens, "max_retries": 0}
        if settings.temperature is not None:
            self._asked["temperature"] = settings.temperature
        self._agent = _agent(client)
        self._native = bool(client.profile.get("supports_json_schema_output", False))

    async def __aenter__(self) -> ProviderTeacher:
        """Open the connection."""
        await self._agent.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._agent.__aexit__(kind, error, trace)

    async def reply(self, assignment: Assignment, prompt: Prompt, subjects: Sequence[Subject]) -> Reply:
        """Answer one question; see `Teacher.reply`.

        Raises
        ------
        InputError
            No question can be answered: the key is wrong, there is no such model, or the account is empty.
        """
        from pydantic_ai import BinaryContent, NativeOutput, ToolOutput
        from pydantic_ai.exceptions import ContentFilterError, ModelAPIError, UnexpectedModelBehavior
        from pydantic_ai.usage import RunUsage

        pictures = [BinaryContent(png(s.frame), media_type="image/png") for s in subjects] if self.sees else []
        form = answer_form(assignment)
        used = RunUsage()
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._agent.run(
                    [prompt.user, *pictures],
                    instructions=prompt.system,
                    output_type=NativeOutput(form) if self._native else ToolOutput(form, name="answer"),
                    model_settings=self._asked,
                    usage=used,
                    infer_name=False,
                )
        except TimeoutError as error:
            raise SilentTeacherError(f"no answer within {self._timeout_s:g} s", retry_after_s=_PAUSE_S) from error
        except ContentFilterError as error:
            said = _line(error).partition(", body:")[0]
            return Reply(reasoning="", answer=said, usage=self._usage(used), refused=True)
        except ModelAPIError as error:
            raise _told_plainly(error, self.name) from error
        except UnexpectedModelBehavior as error:
            why = _line(error if error.__cause__ is None else error.__cause__)
            raise UnreadableReplyError(f"the answer cannot be read: {why}", usage=self._usage(used)) from error
        form_filled = found.output.model_dump()
        return Reply(
            reasoning=form_filled["reasoning"].strip(),
            answer=answer_words(form_filled["answer"]),
            usage=self._usage(used),
        )

    def _usage(self, used: Any) -> Usage:
        cost = None if self.price is None else self.price.usd(used.input_tokens, used.output_tokens)
        return Usage(input_tokens=used.input_tokens, output_tokens=used.output_tokens, cost_usd=cost)


def provider_teacher(name: str, *, settings: TeacherSettings) -> ProviderTeacher:
    """Return a teacher by pydantic-ai's name, or ``openai-compatible:URL#MODEL``.

    Parameters
    ----------
    name : str
        For instance ``openai:gpt-5-mini`` or ``openai-compatible:http://localhost:8000/v1#qwen2.5-vl``.
    settings : TeacherSettings
        How it is asked.

    Raises
    ------
    InputError
        There is no such provider, its key is not set, or the address is none.
    MissingExtraError
        What talks to the provider is not installed.
    """
    provider, _, model = name.partition(":")
    try:
        import pydantic_ai  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pydantic-ai", "llm") from error
    client = _compatible(name, model) if provider == COMPATIBLE else _inferred(name)
    return ProviderTeacher(name, client, settings=settings, model=model.partition("#")[2] or model)


def compatible_model(model: str, *, url: str, key: str | None) -> Model:
    """Return a model behind an address that speaks OpenAI's chat completions.

    Parameters
    ----------
    model : str
        Its name there.
    url : str
        The address, with the path before ``/chat/completions``.
    key : str, optional
        What the address asks for.
    """
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    provider = OpenAICompatibleProvider(
        "compatible", base_url=url, api_key=key, profile=ModelProfile(supports_json_schema_output=True)
    )
    return OpenAIChatModel(model, provider=provider)


def _compatible(name: str, rest: str) -> Model:
    url, _, model = rest.partition("#")
    if not url.startswith(("http://", "https://")) or not model:
        raise InputError(
            f"the teacher is {name!r}; accepted is {COMPATIBLE}:URL#MODEL, for example "
            f"{COMPATIBLE}:http://localhost:8000/v1#qwen2.5-vl"
        )
    return compatible_model(model, url=url, key=os.environ.get(KEY_VARIABLE))


def _inferred(name: str) -> Model:
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.models import infer_model

    provider, _, model = name.partition(":")
    try:
        return infer_model(f"{_RENAMED.get(provider, provider)}:{model}")
    except UserError as error:
        raise InputError(f"the teacher {name!r} cannot be used: {_missing(error)}") from error
    except ImportError as error:
        raise InputError(f"the teacher {name!r} needs a client that is not installed: {_line(error)}") from error


def _agent(client: Model) -> Agent[object, str]:
    from pydantic_ai import Agent

    # Whether to ask again is for the engine to say, which keeps the account.
    return Agent(client, retries=0)


def _told_plainly(error: Exception, name: str) -> TeacherError | InputError:
    """Return what a provider's error means here: stop, give up this question, or try again."""
    from pydantic_ai import exceptions as e

    if isinstance(error, e.ModelAuthenticationError | e.ModelNotFoundError | e.ModelQuotaExceededError):
        return InputError(f"the teacher {name} cannot be used: {_line(error)}; check its key, its name and the account")
    if isinstance(error, e.ModelRequestRejectedError):
        return TeacherError(f"the request was rejected: {_line(error)}")
    if isinstance(error, e.ModelConnectionError) and error.phase not in ("pool", "connect"):
        return SilentTeacherError(_line(error), retry_after_s=_PAUSE_S)
    said = getattr(error, "retry_after", None)
    return TeacherError(_line(error), retry_after_s=_PAUSE_S if said is None else float(said))


def _line(error: BaseException) -> str:
    """Return what an error says in a line; of an answer by HTTP, its status and message."""
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    if status is not None:
        said = body.get("message", "") if isinstance(body, dict) else body or ""
        return f"HTTP {status} {said}".strip()[:_LONGEST_LINE]
    return " ".join(str(error).split())[:_LONGEST_LINE]


def _missing(error: Exception) -> str:
    """Return what a provider lacks, without what only programmers can do about it."""
    said = _line(error).partition(" To try ")[0].replace("`", "")
    return said.partition(" or pass it via")[0].rstrip(".")
