"""Criteria as an expert writes them: what is read, and how each mistake is told."""

import pytest

from micrographia.errors import LibraryError
from micrographia.qualify.criteria import Criterion, criteria_yaml, read_criteria

GOOD = """
criteria:
  - id: cracks
    title: No cracks in the oxide
    accept: [an intact oxide layer, no line across it]
    reject: [a cracked oxide layer]
    note: ASTM C633
  - {id: pores_2, title: Few pores, accept: [], reject: []}
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "criteria.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_criteria(path)

    return read


def refusal(read, text):
    with pytest.raises(LibraryError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith("criteria.yaml")
    assert "\n" not in message
    return message


def test_criteria_are_read_in_the_experts_words(read):
    cracks, pores = read(GOOD)
    assert (cracks.id, cracks.title, cracks.note) == ("cracks", "No cracks in the oxide", "ASTM C633")
    assert cracks.accept_texts == ("an intact oxide layer", "no line across it")
    assert (pores.accept_texts, pores.reject_texts, pores.note) == ((), (), None)


def test_what_is_written_is_read_again(read):
    criteria = read(GOOD)
    assert read(criteria_yaml(criteria)) == criteria


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no key criteria"),
        ("- a", "holds no key criteria"),
        ("criteria: [", "no valid YAML"),
        (b"\xff\xfe\x00", "no valid YAML"),
        ("criteria: []", "list criteria is empty"),
        ("criteria: {id: a}", "accepted is a list"),
        ("criteria: [x]", "cannot be used"),
        (GOOD + "author: me\n", "key 'author' is unknown; accepted are criteria"),
        (GOOD.replace("note:", "remark:"), "criterion 'cracks': key 'remark' is unknown; accepted are id, title"),
        (GOOD.replace("    title: No cracks in the oxide\n", ""), "criterion 'cracks': key 'title' is missing"),
        (GOOD.replace("pores_2", "cracks"), "two criteria have the id 'cracks'"),
        (GOOD.replace("id: cracks", "id: 7"), "criterion number 1: id holds 7, which is no text; put it in quotes"),
        (GOOD.replace("id: cracks", "id: Cracks"), "id of a criterion is 'Cracks'; accepted are a to z"),
        (GOOD.replace("id: cracks", "id: ../../etc"), "id of a criterion is '../../etc'"),
        (GOOD.replace("id: cracks", "id: " + "a" * 65), "up to 64"),
        (GOOD.replace("reject: [a cracked oxide layer]", "reject: a cracked oxide layer"), "reject is 'a cracked"),
        (GOOD.replace("[a cracked oxide layer]", "[3]"), "reject holds 3, which is no text"),
        (GOOD.replace("[a cracked oxide layer]", "['  ']"), "a text under reject of criterion cracks is blank"),
        (GOOD.replace("[a cracked oxide layer]", '["a\\0b"]'), "accepted is plain text"),
        ("a: &a [x]\ncriteria: !!python/object:os.system {}", "no valid YAML"),
    ],
)
def test_each_mistake_is_told_in_one_line(read, text, told):
    assert told in refusal(read, text)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LibraryError, match=r"none\.yaml cannot be read: No such file"):
        read_criteria(tmp_path / "none.yaml")


def test_a_criterion_made_in_python_is_held_to_the_same(tmp_path):
    with pytest.raises(LibraryError, match="accepted are a to z"):
        Criterion(id="A b", title="x", accept_texts=(), reject_texts=())
