"""docs/sources.md lists every finding and every setting."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from aura_lake.source.connector import Login, connector_config
from aura_lake.source.running import SETTINGS
from aura_lake.source.sentence import read_wish
from tests.databases import a_database, a_plan, a_table

PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs" / "sources.md").read_text(encoding="utf-8")
CHECKS = PAGE.split("## aura source check")[1].split("\n## ")[0]
CONNECTOR = PAGE.split("## The connector")[1].split("\n## ")[0]


def checks() -> set[str]:
    """The name of every check in the code: the second argument of ok, warn and refuse."""
    found = {setting for setting, *_ in SETTINGS}
    files = [*(PROJECT / "aura_lake" / "source").glob("*.py"), *(PROJECT / "aura_lake" / "steps").glob("source_*.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("ok", "warn", "refuse")
            ):
                name = node.args[1]
                if isinstance(name, ast.Constant):
                    found.add(name.value)
    return found - {"what", "key"} | {"slots", "senders", "slot.name", "publication.name", "plugin.name"}


def told(part: str) -> set[str]:
    """What stands in the first column of the tables of a part."""
    cells = re.findall(r"^\| (`[^|]*`) \|", part, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_check_is_documented_and_no_other() -> None:
    assert told(CHECKS) == checks()


def test_every_setting_of_the_connector_is_documented_and_no_other() -> None:
    config = connector_config(a_plan(a_database(a_table("orders"))), Login("h", 1, "d", "u", "p"), 15)
    assert told(CONNECTOR) == config.keys() - {"database.password"}


@pytest.mark.parametrize("sentence", re.findall(r"^> (.+)$", PAGE, re.MULTILINE))
def test_every_sentence_of_the_page_is_understood(sentence: str) -> None:
    assert read_wish(sentence).is_clear
