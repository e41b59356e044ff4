from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from aura_lake.contracts.columns import NOT_PERSONAL, PERSONAL
from aura_lake.contracts.custom_properties import SERVER, SEVERITY, TABLE, Meaning
from aura_lake.contracts.rule_functions import FUNCTIONS, Function
from aura_lake.contracts.rule_syntax import MAX_CHARACTERS
from aura_lake.contracts.rule_times import PART_UNITS, TRUNCATE_UNITS

from .shops import load, write_shop

PAGE = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("apiVersion")]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_function_is_documented(function: Function) -> None:
    forms = "`, `".join(function.call.split(", ")) if function.name == "cast" else function.call
    assert f"| `{forms}` | {function.meaning} |" in PAGE


def test_no_function_is_documented_that_does_not_exist() -> None:
    table = PAGE.split("| function | gives |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)\(", table, re.MULTILINE) == [function.name for function in FUNCTIONS]


@pytest.mark.parametrize("known", [TABLE, SERVER, SEVERITY])
def test_every_custom_property_is_documented(known: Mapping[str, Meaning]) -> None:
    for name, meaning in known.items():
        assert f"| `{name}` | {meaning.takes} | {meaning.does} |" in PAGE


def test_every_classification_is_documented() -> None:
    assert all(f"`{word}`" in PAGE for word in (*PERSONAL, *NOT_PERSONAL))


def test_the_limits_and_units_are_those_of_the_code() -> None:
    assert f"at most {MAX_CHARACTERS:,} characters" in PAGE
    assert {"year", "minute"} <= set(TRUNCATE_UNITS) & set(PART_UNITS)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_loads(tmp_path: Path, text: str) -> None:
    shop = load(write_shop(tmp_path, example=text))
    assert len(shop.contracts) == 1


def test_the_shortest_contract_has_twelve_lines() -> None:
    assert EXAMPLES[0].count("\n") == 12
