"""From the live shop through Debezium into the lake: the demo shop's own contracts, in the environment live."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from aura_lake.contracts.contract import Kind
from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.outside.kafka_connect import KafkaConnect
from aura_lake.outside.postgres import Address, connected, read_address
from aura_lake.outside.postgres_replication import carry_out
from aura_lake.services.connect import Connect
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres
from aura_lake.settings import Settings
from aura_lake.simulate import mess_named
from aura_lake.simulate.rows import CDC_TABLES
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.live_shop import LiveCounts, LiveRequest, run_live_shop
from aura_lake.steps.source_connect import Request, prepare, wait_until_read

pytestmark = pytest.mark.services

SHOP = Path(__file__).parents[2] / "shops" / "aura_mart"

#: What befalls records at once; the other messes take longer than a test may.
MESS = mess_named("null_users,negative_amounts,amounts_as_strings,broken_json")

#: Columns of the lake beside those of the shop, whose names and units differ.
_LAKE = {
    "users": "user_id, city, state, zip_code, region, country, created_at, updated_at",
    "products": "product_id, product_name, category, brand, list_price, created_at, updated_at",
    "orders": "order_id, user_id, order_status, order_amount, discount_amount, tax_amount, currency, region, "
    "ordered_at, updated_at, approved_at, shipped_at, delivered_at",
    "order_items": "order_id, line_number, product_id, quantity, unit_price, discount_amount, shipping_amount",
    "payments": "order_id, payment_number, payment_type, amount, installments, paid_at",
}
_SHOP_NAMES = {"order_status": "status", "ordered_at": "created_at"}


@dataclass
class LiveLake:
    """A shop in a database of its own, captured into topics of its own, and a lake that reads these."""

    lake: Lake
    database: Address
    dsn: str
    brokers: str
    click_topic: str

    def run(self, transactions: int) -> LiveCounts:
        stop = threading.Event()

        def look(so_far: LiveCounts) -> None:
            if so_far.transactions >= transactions:
                stop.set()

        asked = LiveRequest(self.database, self.brokers, self.click_topic, rate=40, clicks=100, mess=MESS, seconds=90)
        return run_live_shop(asked, stop, look)

    def catch_up(self) -> None:
        """Land, judge and fold what has come by now."""
        for feed in self.lake.shop.feeds.values():
            land(self.lake, feed)
        for contract in self.lake.shop.contracts.values():
            judge(self.lake, contract)
            if contract.kind is not Kind.EVENTS:
                fold(self.lake, contract)

    def differences(self) -> dict[str, list[tuple[Any, ...]]]:
        """Rows that only the shop or only the lake has. Of an order that is bad now the lake keeps the last good
        state, if there was one."""
        found = {}
        for table in CDC_TABLES:
            wanted, held = set(self.standing(table)), set(self.held(table))
            extra = {row for row in held - wanted if table != "orders" or row[0] not in self.bad_orders()}
            found[table] = sorted([*(wanted - held), *extra], key=repr)
        return {table: rows for table, rows in found.items() if rows}

    def bad_orders(self) -> set[str]:
        """Orders that stand in the shop in a way that the lake refuses."""
        with psycopg.connect(self.dsn) as session:
            rows = session.execute("select order_id from public.orders where user_id is null or order_amount <= 0")
            return {str(row[0]) for row in rows}

    def standing(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of the database, as the lake must have them."""
        names = [_SHOP_NAMES.get(name, name) for name in _LAKE[table].split(", ")] if table == "orders" else None
        wanted = ", ".join(names) if names else _LAKE[table]
        good = "where user_id is not null and order_amount > 0" if table == "orders" else ""
        with psycopg.connect(self.dsn, options="-c timezone=UTC") as session:
            rows = session.execute(f"select {wanted} from public.{table} {good}".encode()).fetchall()
        return sorted((tuple(_plain(value) for value in row) for row in rows), key=repr)

    def held(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of the lake."""
        rows = self.lake.table(table).select(_LAKE[table].split(", ")).collect().iter_rows()
        return sorted((tuple(_plain(value) for value in row) for row in rows), key=repr)

    def size_of(self, table: str) -> int:
        rows: int = self.lake.table(table).select(pl.len()).collect().item()
        return rows


def _plain(value: Any) -> Any:
    """A value by its digits: ids are text in the lake, times know their zone, decimals have one scale."""
    if hasattr(value, "isoformat"):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    return None if value is None else str(value)


@pytest.fixture
def live(live_postgres: Postgres, live_kafka: Kafka, live_connect: Connect, tmp_path: Path) -> LiveLake:
    word = f"shop{uuid.uuid4().hex[:8]}"
    live_postgres.create_database(word)
    dsn = live_postgres.dsn(word)
    database = read_address(dsn)
    run_live_shop(LiveRequest(database, seconds=0), threading.Event())
    worker = KafkaConnect(live_connect.url)
    request = Request(tables=[f"public.{table}" for table in CDC_TABLES], prefix=word)
    prepared = prepare(database, worker, request)
    with connected(database, read_only=False) as connection:
        carry_out(connection, [statement.sql for statement in prepared.statements])
    live_connect.put_connector(prepared.plan.names.connector, dict(prepared.config))
    wait_until_read(database, worker, prepared.plan.names)
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    for file in folder.glob("*.odcs.yaml"):
        text = file.read_text().replace("aura.public.", f"{word}.public.").replace("aura.clickstream", f"{word}.clicks")
        file.write_text(text)
    environ = {"KAFKA_BROKERS": live_kafka.bootstrap}
    home = tmp_path / "lake"
    settings = Settings(
        project=tmp_path, home=str(home), state=home / "state", shop=folder, environment="live", environ=environ
    )
    lake = Lake(settings, load_shop(folder, "live", environ))
    return LiveLake(lake, database, dsn, live_kafka.bootstrap, f"{word}.clicks")


def test_the_lake_holds_to_the_cent_and_microsecond_what_the_live_shop_holds(live: LiveLake) -> None:
    counts = live.run(transactions=400)
    with psycopg.connect(live.dsn) as session:
        # One more order is purged, and then a product listed: the last thing of all.
        session.execute("create temp table gone as select order_id from public.orders limit 1")
        for table in ("payments", "order_items", "orders"):
            session.execute(f"delete from public.{table} where order_id in (select order_id from gone)".encode())
        session.execute(
            "insert into public.products values (999999, 'Last', null, null, 12.30, '2026-01-02', '2026-01-02')"
        )
    deadline = time.monotonic() + 90
    live.catch_up()
    while live.differences() and time.monotonic() < deadline:
        time.sleep(0.5)
        live.catch_up()
    assert {table: rows[:4] for table, rows in live.differences().items()} == {}
    assert live.bad_orders()
    assert live.size_of("orders") > 50
    assert live.size_of("clickstream") == counts.clicks["valid"]
    ledger = count(live.lake)
    clicks = next(line for line in ledger.tables if line.table == "clickstream")
    assert sum(batch.verdicts.get("quarantined", 0) for batch in clicks.batches) == counts.clicks["quarantined"] > 0
    assert ledger.problems() == []
