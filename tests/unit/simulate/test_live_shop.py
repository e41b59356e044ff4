"""The live shop's plan: pure, seeded, and such that one thread can carry it out on several connections."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise, takewhile
from typing import Any

import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.errors import SettingsError
from aura_lake.simulate import mess_named
from aura_lake.simulate.interleaving import CONNECTIONS, Act, LiveEvents, Step
from aura_lake.simulate.live_plan import LivePlan, Standing, opened
from aura_lake.simulate.rows import CDC_TABLES, Line, Order, Payment, key_of
from aura_lake.simulate.statements import (
    COLUMNS,
    Statement,
    Verb,
    key_columns,
    parameters,
    row_of,
    sql,
    table_sql,
    values_of,
)
from aura_lake.simulate.transactions import Transaction
from aura_lake.simulate.visitors import Message
from tests.unit.simulate.test_aura_mart import SHOP

START = 1_790_000_000_000_000
MINUTE = 60_000_000

#: How long the shop is watched.
MINUTES = 8


def plan(mess: str = "all", seed: int = 7, names: frozenset[str] | None = None, **more: Any) -> LivePlan:
    given = {"start_us": START, "standing": opened(seed, START), **more}
    return LivePlan(seed=seed, mess=mess_named(mess) if names is None else names, **given)


def events(of: LivePlan, minutes: float) -> Iterator[Step | Message]:
    end = START + int(minutes * MINUTE)
    return takewhile(lambda event: event.due_us < end, LiveEvents(of))


@cache
def long_run(mess: str = "all") -> tuple[Step | Message, ...]:
    return tuple(events(plan(mess), minutes=MINUTES))


def steps(of: tuple[Step | Message, ...]) -> list[Step]:
    return [event for event in of if isinstance(event, Step)]


def messages(of: tuple[Step | Message, ...]) -> list[Message]:
    return [event for event in of if isinstance(event, Message)]


def committed(of: tuple[Step | Message, ...]) -> list[Transaction]:
    return [step.transaction for step in steps(of) if step.act is Act.COMMIT]


def orders_written(of: tuple[Step | Message, ...]) -> dict[str, list[Order]]:
    """The committed rows of each order, in their order."""
    found: dict[str, list[Order]] = defaultdict(list)
    for transaction in committed(of):
        for statement in transaction.statements:
            for row in statement.rows:
                if isinstance(row, Order) and statement.verb is not Verb.DELETE:
                    found[row.order_id].append(row)
    return found


def test_the_same_seed_and_opening_give_the_same_statements_and_clicks() -> None:
    def texts(of: LivePlan) -> list[object]:
        return [
            (event.connection, event.act, event.statement and (sql(event.statement), values(event.statement)))
            if isinstance(event, Step)
            else event
            for event in events(of, minutes=1)
        ]

    def values(statement: Statement) -> list[object]:
        return [values_of(statement.table, row) for row in statement.rows]

    assert texts(plan()) == texts(plan())
    assert texts(plan()) != texts(plan(seed=8))


def test_a_shop_that_goes_on_makes_no_key_a_second_time() -> None:
    def keys(of: LivePlan) -> set[str]:
        return {
            row[0]
            for t in committed(tuple(events(of, 1)))
            for s in t.statements
            for row in s.rows
            if s.table == "orders"
        }

    first, later = plan(), plan(standing=replace(opened(7, START), last_us=START))
    assert keys(first)
    assert not keys(first) & keys(later)


def test_the_rate_is_kept() -> None:
    ended = [step for step in steps(long_run()) if step.act in (Act.COMMIT, Act.ROLL_BACK)]
    assert len(ended) == pytest.approx(MINUTES * 60 * 20, rel=0.01)
    clicks = [message for message in messages(long_run()) if message.mess != "redeliveries"]
    assert len(clicks) == pytest.approx(MINUTES * 60 * 60, rel=0.01)
    assert all(before.due_us <= after.due_us for before, after in pairwise(clicks))


def test_transactions_interleave_and_none_waits_for_another() -> None:
    held: dict[int, frozenset[tuple[object, ...]]] = {}
    together = Counter[int]()
    for step in steps(long_run()):
        if step.act is Act.BEGIN:
            assert step.connection not in held
            assert not any(step.transaction.rows & rows for rows in held.values())
            held[step.connection] = step.transaction.rows
        elif step.act is not Act.RUN:
            del held[step.connection]
        together[len(held)] += 1
    assert max(together) == CONNECTIONS
    assert sum(count for number, count in together.items() if number > 1) > sum(together.values()) / 3


def test_what_is_rolled_back_is_tried_again_or_never_happens() -> None:
    rolled_back = [step.transaction for step in steps(long_run()) if step.act is Act.ROLL_BACK]
    share = len(rolled_back) / (len(rolled_back) + len(committed(long_run())))
    assert 0.04 < share < 0.08
    abandoned = {t.rows for t in rolled_back if t.name == "abandoned_checkout"}
    written = {row for t in committed(long_run()) for row in t.rows}
    assert abandoned
    assert not any(row in written for rows in abandoned for row in rows if row[0] in ("orders", "order_items"))
    retried = [t for t in rolled_back if t.name == "next_state" and t.at_us < START + (MINUTES - 1) * MINUTE]
    assert retried
    assert all(t.rows <= written for t in retried)


def test_an_order_goes_through_its_states_at_the_times_at_which_it_did() -> None:
    lives = orders_written(long_run("none"))
    whole = [rows for rows in lives.values() if rows[-1].status in ("delivered", "returned")]
    assert len(whole) > 100
    states = ["created", "pending", "approved", "processing", "invoiced", "shipped", "delivered", "returned"]
    for rows in whole:
        assert [row.status for row in rows] == states[: len(rows)]
        assert [row.updated_us for row in rows] == sorted({row.updated_us for row in rows})
        last = rows[6]
        assert (last.created_us, last.approved_us) == (rows[0].updated_us, rows[2].updated_us)
        assert (last.shipped_us, last.delivered_us) == (rows[5].updated_us, last.updated_us)


def test_the_payments_of_an_order_are_committed_with_its_approval() -> None:
    for transaction in committed(long_run("none")):
        paid = [row for s in transaction.statements for row in s.rows if isinstance(row, Payment)]
        approved = [
            row for s in transaction.statements for row in s.rows if isinstance(row, Order) and row.status == "approved"
        ]
        assert bool(paid) == bool(approved)
        assert sum(row.amount for row in paid) == sum(row.order_amount for row in approved)


def test_bulk_is_copied_inserted_and_updated_by_one_statement_each() -> None:
    bulks = {t.name: t for t in committed(long_run()) if t.name in ("import_customers", "sale", "new_season")}
    assert {name: [s.verb for s in t.statements] for name, t in bulks.items()} == {
        "import_customers": [Verb.COPY],
        "sale": [Verb.UPDATE],
        "new_season": [Verb.INSERT],
    }
    assert all(len(t.statements[0].rows) >= 3 for t in bulks.values())


def test_every_mess_that_a_live_shop_can_make_happens_and_is_told() -> None:
    told = Counter(name for t in committed(long_run()) for name in t.mess)
    told.update(message.mess for message in messages(long_run()) if message.mess)
    assert set(told) == mess_named("all")
    rows = [row for each in orders_written(long_run()).values() for row in each]
    assert sum(row.user_id is None for row in rows) == told["null_users"]
    assert sum(isinstance(row.order_amount, int) and row.order_amount < 0 for row in rows) == told["negative_amounts"]
    assert not any(isinstance(row.order_amount, str) for row in rows), "no numeric takes a text"


def test_without_a_mess_every_row_and_click_is_good() -> None:
    assert {message.verdict for message in messages(long_run("none"))} == {"valid"}
    ids = [json.loads(message.text)["event_id"] for message in messages(long_run("none"))]
    assert len(ids) == len(set(ids))
    assert not any(t.mess for t in committed(long_run("none")))
    assert not any(s.verb is Verb.DELETE for t in committed(long_run("none")) for s in t.statements)


def test_a_purge_takes_lines_and_payments_before_the_order() -> None:
    purges = [t for t in committed(long_run()) if t.name == "purge"]
    assert purges
    lines = Counter(
        row.order_id
        for t in committed(long_run())
        for s in t.statements
        for row in s.rows
        if isinstance(row, Line) and s.verb is Verb.INSERT
    )
    for purge in purges:
        tables = [statement.table for statement in purge.statements]
        assert tables in (["payments", "order_items", "orders"], ["order_items", "orders"])
        assert len(purge.statements[-2].rows) == lines[str(purge.statements[-1].rows[0][0])]


def test_clicks_are_told_by_what_a_lake_must_make_of_them() -> None:
    seen: set[str] = set()
    for message in messages(long_run()):
        try:
            click = json.loads(message.text)
        except ValueError:
            assert (message.verdict, message.mess) == ("quarantined", "broken_json")
            continue
        bad = isinstance(click["price"], str)
        verdict = "quarantined" if bad else "duplicate" if click["event_id"] in seen else "valid"
        seen.add(click["event_id"])
        assert message.verdict == verdict
        assert message.key == (click["user_id"] or click["session_id"])


def test_a_buyer_clicks_before_the_order() -> None:
    clicked: dict[str, int] = {}
    followed = 0
    for event in long_run("none"):
        if isinstance(event, Message):
            user = json.loads(event.text)["user_id"]
            if user:
                clicked.setdefault(user, event.due_us)
        elif event.act is Act.COMMIT and event.transaction.name == "checkout":
            order = next(row for s in event.transaction.statements for row in s.rows if isinstance(row, Order))
            followed += clicked.get(order.user_id or "", order.created_us) < order.created_us
    assert followed > 500


def test_a_click_that_is_held_when_the_shop_closes_is_handed_out() -> None:
    shop = LiveEvents(plan(clicks=200))
    sent = [event for event in takewhile(lambda e: e.due_us < START + MINUTE // 4, shop) if isinstance(event, Message)]
    rest = [event for event in shop.rest() if isinstance(event, Message)]
    held = [message for message in rest if message.mess in ("late_clicks", "redeliveries")]
    assert held
    assert not {id(message) for message in sent} & {id(message) for message in rest}
    assert shop.rest() == []


def test_nobody_clicks_where_there_is_no_rate_of_clicks() -> None:
    quiet = tuple(events(plan(clicks=0), minutes=1))
    assert messages(quiet) == []
    assert {"checkout", "next_state"} <= {t.name for t in committed(quiet)}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"rate": 0}, "0 transactions a second"),
        ({"clicks": -1}, "-1 clicks a second"),
        ({"standing": Standing()}, "no customers"),
        ({"names": frozenset({"gremlins"})}, "gremlins"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        plan(**more)


@pytest.mark.parametrize("table", CDC_TABLES)
def test_the_tables_are_those_of_the_contracts(table: str) -> None:
    contract = load_shop(SHOP, "live", {}).contracts[table]
    expected = {column.source: (column.physical_type, column.required) for column in contract.columns if column.source}
    made = {column.name: (column.type, column.is_required) for column in COLUMNS[table]}
    if table == "orders":  # the shop's fault that the contract names
        assert made.pop("user_id") == ("uuid", False)
        assert expected.pop("user_id") == ("uuid", True)
    assert made == expected
    assert tuple(column.name for column in key_columns(table)) == tuple(
        contract.column(name).source for name in contract.key
    )
    assert f"create table if not exists public.{table} (" in table_sql()


@pytest.mark.parametrize("table", CDC_TABLES)
def test_a_row_comes_back_from_its_values(table: str) -> None:
    rows = [row for t in committed(long_run()) for s in t.statements if s.table == table for row in s.rows]
    assert len(rows) > 20
    assert all(row_of(table, values_of(table, row)) == row for row in rows)


def test_a_statement_has_a_place_for_each_value() -> None:
    for transaction in committed(long_run()):
        for statement in transaction.statements:
            if statement.verb is not Verb.COPY:
                assert sql(statement).count("%s") == len(parameters(statement))
                width = len(key_of(statement.table, statement.rows[0]))
                per_row = width if statement.verb is Verb.DELETE else len(COLUMNS[statement.table])
                assert len(parameters(statement)) == per_row * len(statement.rows)
