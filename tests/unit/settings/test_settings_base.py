"""Reading YAML and naming every problem."""

import pytest

from bindgram.errors import InputError
from bindgram.settings.base import Settings, parse, read_yaml


class Toy(Settings):
    """Two keys."""

    width: int
    name: str


def test_yaml_mapping_is_read(write):
    assert read_yaml(write("a.yaml", "width: 3\nnested: {a: [1, 2]}\n")) == {"width": 3, "nested": {"a": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width: 1\nwidth: 2\n", r"a.yaml:2: key 'width' is given twice; keep one"),
        ("outer:\n  a: 1\n  b: 2\n  a: 3\n", r"a.yaml:4: key 'a' is given twice"),
        ("- 1\n- 2\n", r"expected a mapping of keys to values \(got list\)"),
        ("", r"expected a mapping of keys to values \(got NoneType\)"),
        ("width: [1, 2\n", r"a.yaml: not valid YAML"),
    ],
)
def test_surprising_yaml_is_refused(write, text, message):
    with pytest.raises(InputError, match=message):
        read_yaml(write("a.yaml", text))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")


def test_all_problems_are_listed_with_file_key_and_value():
    with pytest.raises(InputError) as caught:
        parse(Toy, {"width": "3", "nmae": "x"}, "toy.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert any(line.startswith("toy.yaml: width:") and "(got '3')" in line for line in lines)
    assert "toy.yaml: name: required key is missing; see config/README.md" in lines
    assert "toy.yaml: nmae: unknown key; check the spelling against config/README.md (did you mean 'name'?)" in lines


def test_text_is_not_converted_to_a_number():
    with pytest.raises(InputError):
        parse(Toy, {"width": "3", "name": "x"}, "toy.yaml")


def test_settings_cannot_be_changed_after_reading():
    settings = parse(Toy, {"width": 3, "name": "x"}, "toy.yaml")
    with pytest.raises(ValueError, match="frozen"):
        settings.width = 4
