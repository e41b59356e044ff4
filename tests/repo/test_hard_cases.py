"""docs/hard-cases.md says which test shows a case: it has to be right."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

#: Those that files can bring; the others come with a stream.
CASES = [*range(1, 48), *range(62, 92)]

#: At most so many may name the input that is missing instead of a test.
WITHOUT_A_TEST = 8


def listed() -> dict[int, str]:
    """The last column of the table for each number."""
    page = (PROJECT / "docs" / "hard-cases.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", page, re.MULTILINE)
    return {int(number): shown for number, shown in rows}


def written() -> set[str]:
    """Every test with a number in its name."""
    found: set[str] = set()
    for file in (PROJECT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^def (test_case_\d+_\w+)", file.read_text(), re.MULTILINE))
    return found


def test_every_case_that_files_can_bring_is_listed():
    assert [number for number in CASES if number not in listed()] == []


def test_every_test_that_is_named_exists_and_has_the_number():
    tests = written()
    for number, shown in listed().items():
        if not shown.startswith("*"):
            name = shown.strip("`")
            assert name in tests, f"case {number}: there is no {name}"
            assert name.startswith(f"test_case_{number:03}_")


def test_at_most_eight_cases_name_a_missing_input_instead():
    without = [number for number, shown in listed().items() if shown.startswith("*")]
    assert len(without) <= WITHOUT_A_TEST
