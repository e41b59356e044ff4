"""What the simulator says is what an independent reader finds in the objects."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aura_lake.simulate import MESSES, SimulationPlan, simulate

STATES = ("created", "pending", "approved", "processing", "invoiced", "shipped", "delivered")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**40),
    days=st.integers(1, 6),
    end=st.dates(date(2019, 1, 1), date(2030, 1, 1)),
    orders=st.integers(0, 90),
    clicks=st.integers(0, 600),
    mess=st.frozensets(st.sampled_from(sorted(MESSES))),
)
def test_the_truth_of_any_plan_is_what_a_reader_finds(
    reader: Any, seed: int, days: int, end: date, orders: int, clicks: int, mess: frozenset[str]
) -> None:
    plan = SimulationPlan(seed=seed, days=days, end=end, orders=orders, clicks=clicks, mess=mess)
    with tempfile.TemporaryDirectory() as folder:
        report = simulate(plan, Path(folder))
        assert reader.disagreements(report, reader.read_landing(Path(folder))) == []


def test_the_truth_of_the_messy_shop_is_what_a_reader_finds(messy_shop: Any, reader: Any) -> None:
    assert reader.disagreements(messy_shop.report, messy_shop.reading()) == []
    assert all(messy_shop.report.mess[name] > 0 for name in MESSES), messy_shop.report.mess


def test_verdicts_add_up_to_records(messy_shop: Any) -> None:
    for truth in messy_shop.report.truth.tables.values():
        assert truth.records == truth.valid + truth.quarantined + truth.duplicate + truth.ignored


def test_as_many_orders_and_clicks_happen_as_planned(clean_shop: Any) -> None:
    reading = clean_shop.reading()
    assert len(reading.live["orders"]) == clean_shop.plan.orders
    assert len(reading.clicks) == clean_shop.plan.clicks


def test_amounts_follow_from_the_lines_and_are_paid_in_full(clean_shop: Any, reader: Any) -> None:
    reading = clean_shop.reading()
    lines: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    for line in reading.live["order_items"].values():
        net = line["quantity"] * reader.cents(line["unit_price"]) - reader.cents(line["discount_amount"])
        lines[line["order_id"]] += net + reader.cents(line["shipping_amount"])
    for payment in reading.live["payments"].values():
        paid[payment["order_id"]] += reader.cents(payment["amount"])
    for (order_id,), order in reading.live["orders"].items():
        amount = reader.cents(order["order_amount"])
        assert amount == lines[order_id] - reader.cents(order["discount_amount"]) + reader.cents(order["tax_amount"])
        assert paid[order_id] == (amount if order["approved_at"] else 0)


def test_orders_move_through_their_states_and_never_back(clean_shop: Any) -> None:
    history: dict[str, list[str]] = defaultdict(list)
    for envelope in sorted(clean_shop.reading().envelopes["orders"], key=lambda e: e["source"]["lsn"]):
        history[envelope["after"]["order_id"]].append(envelope["after"]["status"])
    ends = set()
    for statuses in history.values():
        way = [status for status in statuses if status in STATES]
        places = [STATES.index(status) for status in way]
        assert places == list(range(places[0], places[0] + len(places))) if places else True
        ends.add(statuses[-1])
    assert {"delivered", "cancelled", "returned", "shipped"} <= ends


def test_every_reference_exists(clean_shop: Any) -> None:
    live = clean_shop.reading().live
    assert {order["user_id"] for order in live["orders"].values()} <= {key for (key,) in live["users"]}
    assert {line["product_id"] for line in live["order_items"].values()} <= {key for (key,) in live["products"]}
    assert {line["order_id"] for line in live["order_items"].values()} == {key for (key,) in live["orders"]}


def test_snapshot_reads_come_first_and_log_positions_ascend(clean_shop: Any) -> None:
    for table, envelopes in clean_shop.reading().envelopes.items():
        ops = "".join(envelope["op"] for envelope in envelopes)
        assert ops == "r" * ops.count("r") + ops.lstrip("r"), table
        lsns = [envelope["source"]["lsn"] for envelope in envelopes]
        assert lsns == sorted(lsns), table
        if table in ("users", "products", "orders"):
            assert ops.startswith("r"), table


def test_a_purchase_has_a_session_before_it(clean_shop: Any, reader: Any) -> None:
    reading = clean_shop.reading()
    sessions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for click in reading.clicks:
        sessions[click["session_id"]].append(click)
    purchases = [clicks for clicks in sessions.values() if any(c["event_type"] == "purchase" for c in clicks)]
    started = len(
        [o for o in reading.live["orders"].values() if reader.instant(o["created_at"]).date() >= clean_shop.plan.start]
    )
    assert len(purchases) == started
    for clicks in purchases:
        clicks.sort(key=lambda click: click["event_time"])
        assert clicks[0]["event_type"] == "view"
        assert {c["user_id"] for c in clicks} == {clicks[0]["user_id"]}
        assert len({(c["device_os"], c["channel"], c["campaign"]) for c in clicks}) == 1


def test_the_day_has_a_rhythm_and_visitors_are_of_every_kind(clean_shop: Any, reader: Any) -> None:
    clicks = clean_shop.reading().clicks
    hours = [reader.instant(click["event_time"]).hour for click in clicks]
    assert sum(hour in (22, 23, 0, 1) for hour in hours) > 4 * sum(hour in (7, 8, 9, 10) for hour in hours)
    assert {click["event_type"] for click in clicks} == {"view", "cart", "purchase", "search"}
    assert {"iOS", "Android", "Windows"} <= {click["device_os"] for click in clicks}
    assert {None, "direct", "instagram_ad", "organic_search"} <= {click["channel"] for click in clicks}
    assert 0.1 < sum(click["user_id"] is None for click in clicks) / len(clicks) < 0.6


def test_a_clean_click_lies_in_the_folder_of_its_hour(clean_shop: Any, reader: Any) -> None:
    for path in sorted((clean_shop.folder / "firehose").rglob("*.gz")):
        hour = datetime.strptime("/".join(path.parts[-5:-1]) + "+0000", "%Y/%m/%d/%H%z")
        for text in reader.clicks_in(path):
            at = reader.instant(reader.parsed(text)["event_time"])
            assert hour <= at < hour + timedelta(hours=1)
