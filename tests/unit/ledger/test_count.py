"""The ledger balances over a whole lake, and shows where a broken one is off."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from aura_lake.delta.commit import Commit
from aura_lake.delta.documents import write_document
from aura_lake.delta.layout import Layout
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.ledger.count import count
from aura_lake.ledger.equation import Equation, Ledger, TableLine
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from tests.changes import change, write_lines
from tests.unit.ledger.conftest import open_lake, run


def table(ledger: Ledger, name: str) -> TableLine:
    return next(line for line in ledger.tables if line.table == name)


def delta(lake: Lake, *parts: str) -> DeltaTable:
    return DeltaTable(lake.settings.uri(*parts))


def double(lake: Lake, where: pl.Expr, *parts: str) -> None:
    """Write rows of a table a second time."""
    rows = pl.scan_delta(lake.settings.uri(*parts)).filter(where).collect()
    assert rows.height
    write_deltalake(lake.settings.uri(*parts), rows.to_arrow(), mode="append")


def test_a_whole_lake_balances(lake: Lake) -> None:
    ledger = count(lake)

    assert ledger.balanced, ledger.problems()
    assert ledger.problems() == []
    things = table(ledger, "things")
    assert (things.records, things.units, things.difference) == (9, 9, 0)
    assert things.verdicts == {"duplicate": 1, "ignored": 1, "quarantined": 2, "valid": 5}
    assert [line.batch for line in things.batches] == [0, 1]
    assert things.blocked == 1
    assert ledger.blocked == ("things",)
    assert things.waiting_batches == 0


def test_an_array_counts_its_elements(lake: Lake) -> None:
    parts = table(count(lake), "parts")

    assert (parts.records, parts.units, parts.verdicts) == (1, 2, {"valid": 2})


@pytest.mark.parametrize(
    ("boxes", "verdicts"),
    [
        ([{"parts": []}], {"ignored": 1}),
        ([{"parts": 7}], {"quarantined": 1}),
        ([{"parts": None}, {}], {"ignored": 2}),
        ([{"parts": [{"id": "p3"}]}, {"parts": []}, {"parts": 7}], {"ignored": 1, "quarantined": 1, "valid": 1}),
    ],
)
def test_a_record_without_elements_counts_once(
    lake: Lake, tmp_path: Path, boxes: list[dict[str, object]], verdicts: dict[str, int]
) -> None:
    write_lines(tmp_path / "boxes", "2.jsonl", boxes)
    run(lake)

    parts = table(count(lake), "parts")
    assert parts.batches[1].verdicts == verdicts
    assert parts.balanced, count(lake).problems()


def test_the_ledger_has_an_exact_json_form(lake: Lake) -> None:
    document = count(lake).to_json()

    assert document["balanced"] is True
    things = next(line for line in document["tables"] if line["table"] == "things")
    assert things["batches"][0] == {
        "batch": 0,
        "records": 5,
        "units": 5,
        "verdicts": {"duplicate": 1, "quarantined": 1, "valid": 3},
        "difference": 0,
        "balanced": True,
        "first": [],
    }
    assert Equation("money", Decimal("1.10"), Decimal("1.1000")).to_json()["left"] == "1.10"


def test_a_deleted_log_row_shows_with_its_place(lake: Lake) -> None:
    delta(lake, "silver", "visits_log").delete("visit_id = '2'")

    visits = table(count(lake), "visits")
    assert not visits.balanced
    assert visits.difference == 1
    assert visits.batches[0].first == ("1.jsonl#2 is missing in the log",)


def test_a_doubled_log_row_shows_with_its_place(lake: Lake) -> None:
    double(lake, pl.col("visit_id") == "2", "silver", "visits_log")

    visits = table(count(lake), "visits")
    assert visits.difference == -1
    assert visits.batches[0].first == ("1.jsonl#2 stands 2 times in the log and 1 in bronze",)


def test_one_row_doubled_and_another_deleted_in_one_batch_both_show(lake: Lake) -> None:
    double(lake, pl.col("visit_id") == "2", "silver", "visits_log")
    delta(lake, "silver", "visits_log").delete("visit_id = '1'")

    ledger = count(lake)
    visits = table(ledger, "visits")
    assert visits.difference == 0
    assert not visits.balanced
    assert visits.batches[0].first == (
        "1.jsonl#1 is missing in the log",
        "1.jsonl#2 stands 2 times in the log and 1 in bronze",
    )
    assert ledger.problems() == [
        "visits, batch 0: 6 units in bronze, 6 with a verdict, off by +0 (1.jsonl#1 is missing in the log; "
        "1.jsonl#2 stands 2 times in the log and 1 in bronze)"
    ]


def test_a_dropped_bronze_batch_shows_in_the_feed_and_in_its_table(lake: Lake) -> None:
    delta(lake, "bronze", "things").delete("batch = 1")

    ledger = count(lake)
    feed = next(line for line in ledger.feeds if line.feed == "things")
    assert not feed.balanced
    assert feed.equations[0].first == ("batch 1 is missing",)
    things = table(ledger, "things")
    assert [line.balanced for line in things.batches] == [True, False]
    assert things.batches[1].difference == -4


def test_a_record_lost_from_bronze_shows_against_its_object(lake: Lake) -> None:
    delta(lake, "bronze", "visits").delete("ordinal = 3 and row_kind = 'record'")

    feed = next(line for line in count(lake).feeds if line.feed == "visits")
    assert feed.equations[1].first == ("1.jsonl: 5 records stand and its row tells 6",)


def test_a_record_doubled_while_another_is_lost_from_bronze_shows(lake: Lake) -> None:
    double(lake, (pl.col("ordinal") == 1) & (pl.col("row_kind") == "record"), "bronze", "visits")
    delta(lake, "bronze", "visits").delete("ordinal = 3 and row_kind = 'record'")

    feed = next(line for line in count(lake).feeds if line.feed == "visits")
    assert feed.equations[1].difference == 0
    assert feed.equations[1].first == ("1.jsonl: 6 records stand and its row tells 6 (another stands twice)",)


def test_a_deleted_current_row_shows_with_its_key(lake: Lake) -> None:
    delta(lake, "silver", "things").delete("id = 'a'")

    equations = {e.name: e for e in table(count(lake), "things").equations}
    live = equations["live keys of the history = current rows"]
    assert (live.left, live.right) == (2, 1)
    assert live.first == ("a is missing in the current rows",)


def test_a_changed_current_row_shows_though_every_count_agrees(lake: Lake) -> None:
    delta(lake, "silver", "things").update(updates={"word": "'forged'"}, predicate="id = 'a'")

    equations = {e.name: e for e in table(count(lake), "things").equations}
    assert equations["live keys of the history = current rows"].balanced
    by_value = equations["newest rows of the history = current rows, by value"]
    assert by_value.difference == 0
    assert not by_value.balanced


def test_a_deleted_history_row_shows_with_its_place(lake: Lake) -> None:
    delta(lake, "silver", "things_history").delete("id = 'a' and _lsn = 1")

    equations = {e.name: e for e in table(count(lake), "things").equations}
    changes = equations["changes of the log = changes of the history"]
    assert changes.difference == 1
    assert changes.first == ("1.jsonl#0 is missing in the history",)


def test_overlapping_versions_show_with_their_key(lake: Lake) -> None:
    delta(lake, "silver", "things_history").update(updates={"valid_to": "null"}, predicate="id = 'a' and _lsn = 1")

    equations = {e.name: e for e in table(count(lake), "things").equations}
    versions = equations["versions = versions that do not overlap, the last current"]
    assert versions.difference == 1
    assert versions.first == ("a has versions that overlap, or not one current",)


def test_records_that_landed_and_are_not_judged_wait_and_do_not_unbalance(lake: Lake, tmp_path: Path) -> None:
    write_lines(tmp_path / "things", "3.jsonl", [change("c", 9, "e", "eel", 5)])
    land(lake, lake.shop.feeds["things"])

    ledger = count(lake)
    things = table(ledger, "things")
    assert (things.waiting_batches, things.waiting_records) == (1, 1)
    assert ledger.balanced, ledger.problems()


def test_a_log_ahead_of_its_state_balances_as_far_as_the_state_has_read(lake: Lake, tmp_path: Path) -> None:
    write_lines(tmp_path / "things", "3.jsonl", [change("c", 9, "e", "eel", 5)])
    land(lake, lake.shop.feeds["things"])
    judge(lake, lake.contract("things"))

    assert count(lake).balanced, count(lake).problems()


def test_a_changed_object_is_judged_again_and_each_unit_counts_once(lake: Lake, tmp_path: Path) -> None:
    write_lines(tmp_path / "visits", "1.jsonl", [{"visit_id": "9", "user_id": "u9", "email": "u9@x.org"}])
    run(lake)

    visits = table(count(lake), "visits")
    assert visits.balanced, count(lake).problems()
    assert visits.verdicts == {"superseded": 6, "valid": 1}
    assert pl.scan_delta(lake.settings.uri("silver", "visits_log")).collect().height == 13


def test_a_lake_in_which_nothing_ran_balances_with_nothing(tmp_path: Path) -> None:
    ledger = count(open_lake(tmp_path))

    assert ledger.balanced
    assert table(ledger, "things").batches == ()


class FakeWarehouse:
    """A warehouse that has loaded what its maker says."""

    def __init__(self, watermarks: dict[str, int], rows: int) -> None:
        self._watermarks, self._rows = watermarks, rows

    def watermark(self, name: str) -> int:
        return self._watermarks.get(name, -1)

    def row_count(self, name: str) -> int:
        return self._rows


def test_a_warehouse_at_the_same_batch_must_have_as_many_rows(lake: Lake) -> None:
    warehouse = FakeWarehouse({"things": 1}, rows=3)

    ledger = count(lake, warehouse)  # type: ignore[arg-type]
    assert ledger.problems() == ["things: silver.things = warehouse silver.things: 2 against 3, off by -1"]


def test_a_warehouse_that_has_not_loaded_the_last_batch_is_not_compared(lake: Lake) -> None:
    assert count(lake, FakeWarehouse({"things": 0}, rows=99)).balanced  # type: ignore[arg-type]


MONEY = pl.Decimal(18, 4)
ORDERS = Layout({"order_id": pl.String(), "order_status": pl.String(), "order_amount": MONEY})
LINES = Layout({"order_id": pl.String(), "quantity": pl.Int64(), "unit_price": MONEY, "discount_amount": MONEY})
FACTS = Layout({"order_id": pl.String(), "net_revenue": MONEY})


def publish(lake: Lake, facts: list[tuple[str, str]]) -> None:
    """Orders, lines and gold as they would be published, at version 1 each."""
    rows = {
        ("silver", "orders"): (
            ORDERS,
            [("o1", "delivered", None), ("o2", "cancelled", None), ("o3", "created", "7.5")],
        ),
        ("silver", "order_items"): (LINES, [("o1", 2, "10.01", "0.02"), ("o2", 1, "5", None)]),
        ("gold", "fct_sales_revenue"): (FACTS, facts),
    }
    for parts, (layout, values) in rows.items():
        frame = pl.DataFrame(
            values, schema={n: pl.String() if t == MONEY else t for n, t in layout.columns.items()}, orient="row"
        )
        with Commit(lake._open(layout, *parts)) as commit:
            commit.add(frame.select(pl.col(n).cast(t) for n, t in layout.columns.items()))
            commit.publish({"publication": (-1, 0)})
    versions = {".".join(parts): 1 for parts in rows}
    write_document(lake, "gold/_manifest.json", {"published_at": "2026-01-01T00:00:00", "tables": versions})


@pytest.fixture
def order_lake(lake: Lake) -> Lake:
    """The lake with a shop that has orders, which nothing feeds."""
    contracts = dict(lake.shop.contracts)
    things = contracts.pop("things")
    assert is_folded(things)
    from dataclasses import replace

    shop = replace(lake.shop, contracts={**contracts, "orders": replace(things, table="orders", feed="things")})
    return Lake(lake.settings, shop)


def test_gold_revenue_equals_silver_revenue_order_by_order(order_lake: Lake) -> None:
    publish(order_lake, [("o1", "20.00"), ("o2", "0"), ("o3", "7.50")])

    (money,) = count(order_lake).money
    assert money.balanced
    assert money.left == Decimal("27.5000")


def test_a_cent_moved_between_two_orders_shows(order_lake: Lake) -> None:
    publish(order_lake, [("o1", "20.01"), ("o2", "0"), ("o3", "7.49")])

    (money,) = count(order_lake).money
    assert money.difference == 0
    assert money.first == (
        "order o1: 20.0100 in gold, 20.0000 in silver",
        "order o3: 7.4900 in gold, 7.5000 in silver",
    )
    assert not money.balanced


def test_an_order_missing_from_gold_shows(order_lake: Lake) -> None:
    publish(order_lake, [("o1", "20.00"), ("o2", "0")])

    (money,) = count(order_lake).money
    assert money.first == ("order o3: nothing in gold, 7.5000 in silver",)
