"""docs/hard-cases.md says which test shows a case: it has to be right."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

#: Changes of a database, and Kafka: each runs wherever the suite runs.
CHANGES_AND_TOPICS = range(1, 62)

#: Those that the page has to tell of.
CASES = range(1, 92)

#: At most so many may name the input that is missing instead of a test.
WITHOUT_A_TEST = 0

#: The decorators of a test, and its name.
_TEST = re.compile(r"^((?:@.+\n(?:[ )].*\n)*)*)def (test_case_(\d+)_\w+)", re.MULTILINE)


def listed() -> dict[int, str]:
    """The last column of the table for each number."""
    page = (PROJECT / "docs" / "hard-cases.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == len({number for number, _ in rows}), "a case has one row"
    return {int(number): shown for number, shown in rows}


def written(*, in_the_fast_suite: bool = False) -> dict[str, int]:
    """Every test with a number in its name, with that number; those marked slow or services may be left out."""
    found: dict[str, int] = {}
    for file in (PROJECT / "tests").rglob("test_*.py"):
        text = file.read_text()
        module_marks = re.findall(r"^pytestmark = .*", text, re.MULTILINE)
        for decorators, name, number in _TEST.findall(text):
            marks = " ".join([*module_marks, decorators])
            if not (in_the_fast_suite and re.search(r"mark\.(slow|services|sabotage)", marks)):
                found[name] = int(number)
    return found


def test_every_case_is_listed():
    assert [number for number in CASES if number not in listed()] == []


def test_every_test_that_is_named_exists_and_has_the_number():
    tests = written()
    for number, shown in listed().items():
        if not shown.startswith("*"):
            name = shown.strip("`")
            assert tests.get(name) == number, f"case {number}: there is no {name}"


def test_every_numbered_case_is_listed():
    assert {number for number in written().values() if number not in listed()} == set()


def test_every_case_of_changes_and_topics_runs_without_servers():
    fast = set(written(in_the_fast_suite=True).values())
    assert [number for number in CHANGES_AND_TOPICS if number not in fast] == []


def test_no_case_names_a_missing_input_instead():
    without = [number for number, shown in listed().items() if shown.startswith("*")]
    assert len(without) <= WITHOUT_A_TEST
