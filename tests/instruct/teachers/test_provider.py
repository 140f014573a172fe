"""Any provider, asked over a real connection: what is sent, and what each kind of failure becomes."""

import asyncio
import base64
import io

import numpy as np
import pytest
from loopback_provider import Say, answer, provider
from PIL import Image

from micrographia.errors import InputError, TeacherError
from micrographia.instruct.teachers.answers import SilentTeacherError, UnreadableReplyError
from micrographia.instruct.teachers.choose import load_teacher
from micrographia.instruct.teachers.prices import Price
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def ask(question, prompt, subject):
    """Ask a loopback provider one question; return what came, and what was sent."""

    def ask(said, settings=None, changed=None):
        async def one(name):
            async with load_teacher(name, settings=settings or TeacherSettings(timeout_s=5)) as teacher:
                return await teacher.reply(changed or question, prompt, [subject])

        with provider(lambda body, number: said) as running:
            try:
                return asyncio.run(one(running.teacher)), running.asked
            except (TeacherError, InputError) as error:
                return error, running.asked

    return ask


def test_an_answer_comes_with_its_reasoning_and_its_cost(ask):
    price = Price(input_usd_per_million=2.0, output_usd_per_million=10.0, source="user")
    reply, _ = ask(answer("yes"), TeacherSettings(price=price))
    assert (reply.answer, reply.reasoning, reply.refused) == ("yes", "It follows from the measurement.", False)
    # 200 tokens sent at 2 USD and 50 answered at 10 USD a million
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (200, 50)
    assert reply.usage.cost_usd == pytest.approx((200 * 2 + 50 * 10) / 1e6)


def test_nothing_is_sent_but_the_prompt_the_pixels_and_the_form_of_the_answer(ask, prompt, subject):
    _, (sent,) = ask(answer("no"), TeacherSettings(temperature=0.5, max_tokens=77))
    system, user = sent["messages"]
    assert system == {"role": "system", "content": prompt.system}
    text, picture = user["content"]
    assert text["text"] == prompt.user
    data = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info == {}
        assert image.size == (60, 40)
        greys = np.asarray(image)
    # what lies outside the 1st and 99th percentile is black or white: about 1 % of 2400 pixels each
    assert 20 <= (greys == 0).sum() <= 40
    assert 20 <= (greys == 255).sum() <= 40
    assert (sent["temperature"], sent["max_completion_tokens"]) == (0.5, 77)
    properties = sent["response_format"]["json_schema"]["schema"]["properties"]
    assert list(properties) == ["reasoning", "answer"]
    assert properties["answer"]["enum"] == ["yes", "no"]
    assert set(sent) == {
        *("model", "messages", "stream", "temperature", "max_completion_tokens", "response_format", "authorization")
    }


def test_without_images_only_text_is_sent(ask, prompt):
    _, (sent,) = ask(answer("no"), TeacherSettings(images=False))
    content = sent["messages"][1]["content"]
    assert [part["text"] for part in content] == [prompt.user]


def test_a_choice_may_only_be_one_of_its_options(ask, question):
    from dataclasses import replace

    choice = replace(question, answer_type="choice", options=("image A", "image B", "too close to call"))
    reply, _ = ask(answer("too close to call"), changed=choice)
    assert reply.answer == "too close to call"
    assert isinstance(ask(answer("image C"), changed=choice)[0], UnreadableReplyError)


def test_a_number_is_recorded_as_it_was_said(ask, question):
    from dataclasses import replace

    number = replace(question, answer_type="number", unit="nm")
    assert ask(answer(12), changed=number)[0].answer == "12"
    assert ask(answer(0.1), changed=number)[0].answer == "0.1"


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (Say(status=429, headers={"Retry-After": "7"}), 7.0),
        (Say(status=503, headers={"Retry-After": "3"}), 3.0),
        (Say(status=500), 1.0),
        (Say(status=502), 1.0),
        (Say(raw=b"<html>a proxy's page</html>"), 1.0),
    ],
)
def test_a_busy_or_broken_provider_is_worth_another_try_when_it_says(ask, said, wait):
    error, asked = ask(said)
    assert isinstance(error, TeacherError)
    assert error.retry_after_s == wait
    assert len(asked) == 1  # whether to try again is for the engine, which keeps the account


def test_a_request_that_the_provider_rejects_is_not_tried_again(ask):
    error, _ = ask(Say(status=400))
    assert type(error) is TeacherError
    assert error.retry_after_s is None
    assert "HTTP 400 told to fail" in str(error)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_teacher_that_can_answer_nothing_ends_the_run(ask, status):
    error, _ = ask(Say(status=status))
    assert isinstance(error, InputError)
    assert f"HTTP {status}" in str(error)
    assert "key" in str(error)


@pytest.mark.parametrize(
    "said",
    [
        Say(content="The answer is yes."),
        Say(content='{"reasoning": "half of it', finish="length"),
        Say(content='{"reasoning": "no answer"}'),
        Say(content=""),
        answer("perhaps"),
    ],
)
def test_an_answer_in_another_form_has_its_cost_all_the_same(ask, said):
    error, _ = ask(said)
    assert isinstance(error, UnreadableReplyError)
    assert (error.usage.input_tokens, error.usage.output_tokens) == (200, 50)
    assert error.retry_after_s == 0


def test_a_hanging_answer_is_given_up_and_counts_as_perhaps_billed(ask):
    error, _ = ask(Say(wait_s=1.0, content="{}"), TeacherSettings(timeout_s=0.2))
    assert isinstance(error, SilentTeacherError)
    assert str(error) == "no answer within 0.2 s"


@pytest.mark.parametrize("said", [Say(refusal="I cannot help with that."), Say(content="", finish="content_filter")])
def test_a_refusal_is_an_answer_not_an_error(ask, said):
    reply, _ = ask(said)
    assert reply.refused
    assert reply.usage.output_tokens == 50
    assert "body" not in reply.answer


def test_a_server_that_is_gone_was_not_asked(question, prompt, subject):
    with provider(lambda body, number: answer("yes")) as running:
        name = running.teacher

    async def one():
        async with load_teacher(name, settings=TeacherSettings()) as teacher:
            await teacher.reply(question, prompt, [subject])

    with pytest.raises(TeacherError) as caught:
        asyncio.run(one())
    assert not isinstance(caught.value, SilentTeacherError)
    assert caught.value.retry_after_s == 1.0


def test_the_key_of_an_address_comes_from_its_own_variable(ask, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-service")
    _, (without,) = ask(answer("yes"))
    assert "of-another-service" not in without["authorization"]
    monkeypatch.setenv("MICROGRAPHIA_TEACHER_KEY", "for-this-one")
    _, (given,) = ask(answer("yes"))
    assert given["authorization"] == "Bearer for-this-one"


def test_ollama_is_asked_at_the_address_that_its_variable_says(question, prompt, subject, monkeypatch):
    async def one():
        async with load_teacher("ollama:qwen2.5vl", settings=TeacherSettings()) as teacher:
            return await teacher.reply(question, prompt, [subject])

    with provider(lambda body, number: answer("yes")) as running:
        monkeypatch.setenv("OLLAMA_BASE_URL", running.url)
        reply = asyncio.run(one())
        assert running.asked[0]["model"] == "qwen2.5vl"
    assert reply.answer == "yes"
    assert reply.usage.cost_usd == 0.0
