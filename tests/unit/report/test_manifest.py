"""JSON of one form, and a digest of figures that does not see which commit they are of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.report.manifest import figures_digest, json_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)


def backwards(value: Any) -> Any:
    """The same value with the members of each object the other way round."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(list(value))}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(OBJECTS)
def test_an_object_is_read_as_it_was_written_and_has_one_form(content: dict[str, Any]) -> None:
    assert json.loads(json_bytes(content)) == content
    assert json_bytes(content) == json_bytes(backwards(content))


def test_each_item_has_a_line_of_its_own() -> None:
    text = json_bytes({"jobs": [{"b": 1, "a": 2}, {}], "none": [], "period": {"end": 1}}).decode()
    assert text.splitlines() == [
        "{",
        '  "jobs": [',
        '    {"a": 2, "b": 1},',
        "    {}",
        "  ],",
        '  "none": [],',
        '  "period": {',
        '    "end": 1',
        "  }",
        "}",
    ]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_an_error(number: float) -> None:
    with pytest.raises(ValueError):
        json_bytes({"share": [number]})


@settings(deadline=None)
@given(OBJECTS, OBJECTS, VALUES)
def test_figures_are_the_same_whatever_commit_they_are_of_and_no_others(
    one: dict[str, Any], other: dict[str, Any], tables: Any
) -> None:
    assert figures_digest({**one, "tables": tables}) == figures_digest(one | {"tables": None})
    without = [{key: value for key, value in each.items() if key != "tables"} for each in (one, other)]
    same = json_bytes(without[0]) == json_bytes(without[1])
    assert (figures_digest(one) == figures_digest(other)) == same
