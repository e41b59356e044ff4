"""Changes that were lost on the way, for real: named, given up by a decision, and repaired from the table itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from aura_lake.decisions import decisions
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.services.source_shell import SourceShell

pytestmark = pytest.mark.services


@pytest.fixture
def aura(source_shell: SourceShell) -> SourceShell:
    return source_shell


def take_in(lake: Lake) -> dict[str, str]:
    """Land and judge what the topics hold; lanes of orders that stop, with the reason."""
    report = land(lake, lake.shop.feeds["orders"])
    refresh_silver(lake, lake.contract("raw_orders"))
    return report.stopped


def orders_in(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(lake.table("raw_orders").select("id", "status", "total").collect().iter_rows())


def orders_of(aura: SourceShell) -> list[tuple[Any, ...]]:
    return sorted(aura.sql("select id::text, status::text, total from orders"))


def await_changes(aura: SourceShell, count: int) -> None:
    aura.records(aura.topic("orders"), lambda values: len(values) == count)


def test_case_048_a_slot_lost_behind_the_connectors_back_is_named_and_everything_read_anew(aura: SourceShell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "orders,users", "--yes")[0] == 0
    lake = Lake()
    await_changes(aura, 2)
    take_in(lake)
    assert orders_in(lake) == orders_of(aura) == [("1", "new", Decimal("10.50")), ("2", "new", Decimal("0.10"))]
    aura.connect.stop(aura.connector)
    aura.sql(f"select pg_drop_replication_slot('{aura.slot}')")
    aura.sql("delete from orders where id = 1; update orders set total = 99 where id = 2")
    aura.sql("insert into orders (user_id, total) values (1, 3)")

    assert aura.refused()["slot"] == "aura source resnapshot --all"
    aura.sql(f"select pg_create_logical_replication_slot('{aura.slot}', 'pgoutput')")
    gap = aura.findings()[aura.slot, "gap"]
    assert (gap["level"], gap["fix"]) == ("refuse", "aura source resnapshot --all")
    assert "were never read" in gap["says"]

    code, out, err = aura("source", "resnapshot", "--all", "--yes", "--who", "ann")
    assert code == 0, out + err
    assert "silver.raw_orders: 1 rows had vanished; 2 keys at the source" in out
    assert aura.refused() == {}
    told = {(d.facts["table"], d.facts["how"]) for d in decisions(lake, "resnapshot")}
    assert told == {("raw_orders", "initial"), ("raw_users", "initial")}
    assert orders_in(lake) == orders_of(aura)
    aura.sql("insert into orders (user_id, total) values (1, 4)")
    aura.records(aura.topic("orders"), lambda values: any(v["op"] == "c" and v["after"]["id"] == 4 for v in values))
    take_in(lake)
    assert orders_in(lake) == orders_of(aura)
    assert count(lake).problems() == []


def test_case_009_changes_that_ran_out_of_the_topic_are_repaired_and_what_vanished_is_gone(aura: SourceShell) -> None:
    assert aura("source", "connect", "postgres", "--tables", "orders", "--yes")[0] == 0
    lake, topic = Lake(), aura.topic("orders")
    await_changes(aura, 2)
    take_in(lake)
    aura.sql("insert into orders (user_id, total) values (1, 3); update orders set total = 99 where id = 2")
    aura.sql("delete from orders where id = 1")
    await_changes(aura, 5)
    run_out(aura.bootstrap, topic)

    stopped = take_in(lake)
    assert stopped
    assert all("offsets are gone (retention)" in reason for reason in stopped.values())
    code, _, err = aura("source", "accept", "orders", "--reason", "ran over at night", "--who", "ann", "--yes")
    assert code == 0, err
    aura.sql("update orders set status = 'paid' where id = 2")
    code, out, err = aura("source", "resnapshot", "orders", "--reason", "ran over at night", "--yes")
    assert code == 0, out + err
    assert "silver.raw_orders: 1 rows had vanished" in out
    aura.records(topic, lambda values: sum(v["source"]["snapshot"] == "incremental" for v in values) == 2)
    take_in(lake)
    assert orders_in(lake) == orders_of(aura) == [("2", "paid", Decimal("99.00")), ("3", "new", Decimal("3.00"))]
    assert count(lake).problems() == []
    before = orders_in(lake)
    code, out, err = aura("source", "sweep", "orders")
    assert code == 0, out + err
    assert "0 rows had vanished" in out
    assert orders_in(lake) == before


def run_out(bootstrap: str, topic: str) -> None:
    """Delete everything the topic holds, as retention does."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    ends = consumer.end_offsets(parts)
    consumer.close()
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_records({part: ends[part] for part in parts})
    admin.close()
