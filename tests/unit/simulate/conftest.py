"""A second, small reader of what the simulator writes, which shares no code with it.

It reads the objects as a lake would, by the rules of the format alone, so that the
simulator's own word (`report.truth`) can be held against it.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aura_lake.simulate import SimulationPlan, SimulationReport, mess_named, simulate

KEYS = {
    "users": ("user_id",),
    "products": ("product_id",),
    "orders": ("order_id",),
    "order_items": ("order_id", "line_number"),
    "payments": ("order_id", "payment_number"),
}


def cents(text: str) -> int:
    """A precise decimal in cents; ValueError where it is no base64."""
    return int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def is_good_order(row: dict[str, Any]) -> bool:
    try:
        return row["user_id"] is not None and cents(row["order_amount"]) > 0
    except ValueError:
        return False


@dataclass
class Reading:
    """What stands in the objects, and what follows from it."""

    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    live: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    envelopes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    clicks: list[dict[str, Any]] = field(default_factory=list)  #: the valid ones

    def revenue(self) -> Counter[tuple[date, str | None]]:
        """Net revenue in cents of the live orders by day and credited device."""
        touches: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for click in self.clicks:
            if click["user_id"] and click["channel"] not in (None, "direct"):
                touches[click["user_id"]].append((instant(click["event_time"]), click["device_os"]))
        net: Counter[str] = Counter()
        for line in self.live["order_items"].values():
            gross = line["quantity"] * cents(line["unit_price"])
            net[line["order_id"]] += gross - cents(line["discount_amount"])
        revenue: Counter[tuple[date, str | None]] = Counter()
        for order in self.live["orders"].values():
            at = instant(order["created_at"])
            near = [t for t in touches[order["user_id"]] if at - timedelta(days=7) <= t[0] <= at]
            worth = 0 if order["status"] == "cancelled" else net[order["order_id"]]
            revenue[at.astimezone(UTC).date(), max(near)[1] if near else None] += worth
        return revenue


def changes_in(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().removesuffix("\n").split("\n")


def clicks_in(path: Path) -> list[str]:
    """The values of one Firehose object; a cut one ends where the next begins."""
    text = gzip.decompress(path.read_bytes()).decode()
    values, start, decoder = [], 0, json.JSONDecoder()
    while start < len(text):
        try:
            _, end = decoder.raw_decode(text, start)
        except ValueError:
            end = text.find('{"event_id":"', start + 1)
            end = len(text) if end < 0 else end
        values.append(text[start:end])
        start = end
    return values


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return "broken"


def read_landing(folder: Path) -> Reading:
    reading = Reading()
    for table, key in KEYS.items():
        seen = set()
        newest: dict[tuple[Any, ...], tuple[int, dict[str, Any] | None]] = {}
        for path in sorted((folder / "cdc" / f"aura.public.{table}").rglob("*.gz")):
            for text in changes_in(path):
                envelope = parsed(text)
                if envelope is None or envelope == "broken":
                    reading.verdicts[table]["ignored" if envelope is None else "quarantined"] += 1
                    continue
                reading.envelopes[table].append(envelope)
                row = envelope["after"] or envelope["before"]
                if envelope["op"] != "d" and table == "orders" and not is_good_order(row):
                    reading.verdicts[table]["quarantined"] += 1
                    continue
                identity = tuple(row[name] for name in key)
                lsn = envelope["source"]["lsn"]
                if (identity, lsn, envelope["op"]) in seen:
                    reading.verdicts[table]["duplicate"] += 1
                    continue
                seen.add((identity, lsn, envelope["op"]))
                reading.verdicts[table]["valid"] += 1
                if lsn > newest.get(identity, (-1, None))[0]:
                    newest[identity] = (lsn, envelope["after"])
        reading.live[table] = {k: row for k, (_, row) in newest.items() if row is not None}
    events = set()
    for path in sorted((folder / "firehose").rglob("*.gz")):
        for text in clicks_in(path):
            click = parsed(text)
            if click == "broken" or isinstance(click["price"], str):
                reading.verdicts["clickstream"]["quarantined"] += 1
            elif click["event_id"] in events:
                reading.verdicts["clickstream"]["duplicate"] += 1
            else:
                events.add(click["event_id"])
                reading.verdicts["clickstream"]["valid"] += 1
                reading.clicks.append(click)
    return reading


def disagreements(report: SimulationReport, reading: Reading) -> list[str]:
    """Where the simulator's word and the reading differ; empty where they agree."""
    found = []
    for table, told in report.truth.tables.items():
        for verdict in ("valid", "quarantined", "duplicate", "ignored"):
            said, seen = getattr(told, verdict), reading.verdicts[table][verdict]
            if said != seen:
                found.append(f"{table}: {verdict} {said} said, {seen} seen")
        if told.records != reading.verdicts[table].total():
            found.append(f"{table}: {told.records} records said")
        live = len(reading.clicks if table == "clickstream" else reading.live[table])
        if told.live != live:
            found.append(f"{table}: live {told.live} said, {live} seen")
    seen_revenue = {both: Decimal(net).scaleb(-2) for both, net in reading.revenue().items()}
    if seen_revenue != report.truth.revenue_by_day_and_device:
        found.append("revenue by day and device")
    truth = report.truth
    for sums in (truth.revenue_by_day, truth.revenue_by_device, truth.revenue_by_channel):
        total = sum(sums.values(), Decimal())
        if total != truth.net_revenue:
            found.append(f"revenue adds up to {total}")
    statuses = Counter(order["status"] for order in reading.live["orders"].values())
    if statuses != report.truth.orders_by_status:
        found.append("orders by status")
    return found


class Reader:
    """The reader's functions, for tests that need them one by one."""

    cents = staticmethod(cents)
    instant = staticmethod(instant)
    changes_in = staticmethod(changes_in)
    clicks_in = staticmethod(clicks_in)
    parsed = staticmethod(parsed)
    read_landing = staticmethod(read_landing)
    disagreements = staticmethod(disagreements)


@pytest.fixture(scope="session")
def reader() -> type[Reader]:
    """The independent reader."""
    return Reader


@dataclass(frozen=True)
class Shop:
    plan: SimulationPlan
    folder: Path
    report: SimulationReport

    def texts(self, table: str) -> list[str]:
        """Every value of a table, object by object, in the order in which they stand."""
        if table == "clickstream":
            paths, read = sorted((self.folder / "firehose").rglob("*.gz")), clicks_in
        else:
            paths, read = sorted((self.folder / "cdc" / f"aura.public.{table}").rglob("*.gz")), changes_in
        return [text for path in paths for text in read(path)]

    def reading(self) -> Reading:
        return read_landing(self.folder)


def small_plan(mess: str = "none", seed: int = 11) -> SimulationPlan:
    """Nine days in which every mess happens."""
    return SimulationPlan(seed=seed, days=9, end=date(2026, 5, 11), orders=400, clicks=4_000, mess=mess_named(mess))


@pytest.fixture(scope="session")
def shop_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Shop]:
    """The small shop under a mess, simulated once a session."""
    made: dict[str, Shop] = {}

    def make(mess: str) -> Shop:
        if mess not in made:
            folder = tmp_path_factory.mktemp(f"shop_{mess}")
            plan = small_plan(mess)
            made[mess] = Shop(plan, folder, simulate(plan, folder))
        return made[mess]

    return make


@pytest.fixture(scope="session")
def clean_shop(shop_with: Callable[[str], Shop]) -> Shop:
    return shop_with("none")


@pytest.fixture(scope="session")
def messy_shop(shop_with: Callable[[str], Shop]) -> Shop:
    return shop_with("all")
