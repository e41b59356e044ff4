"""Change events that other projects recorded: three end in their expected state, the rest in a balanced ledger."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.privacy.hash import hash_values
from tests.flow.captures import all_outcomes, captures, format_of, values_of
from tests.flow.shop_run import SHOPS, open_shop

GOLDEN = Path(__file__).with_name("captures.golden.json")


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "debezium_captures"


@pytest.fixture(scope="module")
def outcomes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any]]:
    return all_outcomes(folder, tmp_path_factory.mktemp("captures"))


@pytest.mark.parametrize(
    ("table", "capture"),
    [
        ("recorded_products", "seatunnel/debezium-data.txt"),
        ("customers", "risingwave/debezium_log.1"),
        ("customers_bare", "risingwave/debezium_log_no_schema_field.1"),
    ],
)
def test_the_three_with_an_expected_state_end_in_it(folder: Path, tmp_path: Path, table: str, capture: str) -> None:
    shop = open_shop(SHOPS / "captures", tmp_path / "lake", {"CAPTURES_DATA": str(folder)})
    shop.run_silver()
    expected = json.loads((folder / "expected_end_state.json").read_text())[capture]
    for row in expected.values():
        row["id"] = str(row["id"])
        if "email" in row:
            email = hash_values(pl_text(row.pop("email")), shop.lake.hash_key)
            row["email_hash"] = email.item()
    rows = shop.lake.table(table).collect().to_dicts()
    assert {row["id"]: row for row in rows} == expected
    assert count(shop.lake).problems() == []


def pl_text(value: str) -> Any:
    import polars as pl

    return pl.Series([value])


def test_every_capture_becomes_what_the_golden_table_says(outcomes: tuple[Lake, dict[str, Any]]) -> None:
    """`python -m tests.flow.captures FOLDER` prints the table anew."""
    assert outcomes[1] == json.loads(GOLDEN.read_text())


def test_the_ledger_of_every_capture_balances(folder: Path, outcomes: tuple[Lake, dict[str, Any]]) -> None:
    ledger = count(outcomes[0])
    assert ledger.problems() == []
    assert len(ledger.tables) == len(captures(folder))


def test_an_independent_reader_counts_the_same_values_and_the_same_unreadable_ones(
    folder: Path, outcomes: tuple[Lake, dict[str, Any]]
) -> None:
    for name, told in outcomes[1].items():
        text = (folder / name).read_text(encoding="utf-8")
        values = Counter(isinstance(value, ValueError) for value in values_of(text, format_of(text)))
        assert told["values"] == values.total(), name
        broken = told.get("quarantined", {})
        assert sum(n for rule, n in broken.items() if "record_is_valid_json" in rule) == values[True], name
        verdicts = [told.get(v, 0) for v in ("valid", "duplicate")]
        verdicts += [sum(told.get(v, {}).values()) for v in ("ignored", "quarantined")]
        assert sum(verdicts) == values.total(), name


def test_every_capture_that_is_a_feed_is_in_the_golden_table(folder: Path) -> None:
    assert sorted(json.loads(GOLDEN.read_text())) == captures(folder)
    assert len(captures(folder)) > 55
