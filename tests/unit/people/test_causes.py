"""What is wrong with a lake is found, told once, and resolved by itself when it is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aura_lake.contracts.contract import Contract, Kind, RowRule, Severity, TableRule
from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import LakeError
from aura_lake.lake import Lake
from aura_lake.people.cause import Cause, Level, Look
from aura_lake.people.incident import State
from aura_lake.people.policy import Policy
from aura_lake.people.settings import AlertSettings
from aura_lake.settings import Settings
from aura_lake.steps import look_for_causes as looking
from aura_lake.steps.alert_sinks import PagerDutySink, SlackSink, lake_name
from aura_lake.steps.blocks import blocked_tables
from aura_lake.steps.explained import explained_by
from aura_lake.steps.heartbeats import beat, leave
from aura_lake.steps.look_for_causes import Sight, look_for_causes
from aura_lake.steps.publish import MANIFEST
from aura_lake.steps.replay import Chosen, apply, decide_discard
from aura_lake.steps.tell_people import INCIDENTS, Told, acknowledge_incident, read_incidents, tell_people
from tests import vendors
from tests.changes import column
from tests.small_lake import SmallLake
from tests.small_topics import SmallTopicLake, chunk, lane, sent

KEY = "0123456789abcdef0123456789abcdef"
NOTHING_STOPS: Mapping[str, Mapping[str, str]] = {}


def orders(**more: Any) -> Contract:
    columns = (
        column("order_id", key_position=1),
        column("email", personal=True),
        column("status", allowed_values=("created", "shipped")),
        column("amount", pl.Int64(), "integer"),
        column("note"),
    )
    rules = (RowRule("amount_is_positive", "amount > 0"),)
    given = {"table": "orders", "kind": Kind.ROWS, "feed": "orders", "columns": columns, "row_rules": rules}
    return Contract(**{**given, "owner": "team:sales", **more})


def row(n: int, amount: int = -1, **more: Any) -> dict[str, Any]:
    return {"order_id": f"o{n}", "email": f"ann{n}@example.com", "status": "created", "amount": amount, **more}


def with_environ(small: SmallLake, **environ: str) -> Lake:
    """The same lake in another environment."""
    named = {f"AURA_ALERT_{name}": value for name, value in environ.items()}
    settings = Settings(**{**vars(small.lake.settings), "project": Path.cwd(), "environ": named})
    return Lake(settings, small.lake.shop)


def causes(lake: Lake, **more: Any) -> list[Cause]:
    return list(look_for_causes(lake, stopped=NOTHING_STOPS, **more).told())


def test_rows_that_wait_are_one_cause_a_rule_with_all_a_person_needs(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, orders())
    small.arrive("1.jsonl", row(0, 5), row(1), row(2), row(3, status="Ann Lee"))
    small.arrive("2.jsonl", row(4), row(5))
    positive, allowed = sorted(causes(with_environ(small)), key=lambda cause: -cause.count)

    assert (positive.id, positive.count, positive.level) == ("amount_is_positive", 5, Level.WARNING)
    assert (positive.place, positive.owner, positive.first_bad) == ("silver.orders", "team:sales", "1.jsonl#1")
    assert positive.command == "aura quarantine replay orders --rule amount_is_positive --dry-run"
    assert "gold.fct_sales_revenue" in positive.impact
    assert "2 batches" in positive.changed
    assert [r.place for r in positive.rows] == ["1.jsonl#1", "1.jsonl#2", "1.jsonl#3"]
    assert positive.rows[0].values["amount"] == "-1"
    assert positive.rows[0].values["email_hash"].startswith("hash ")
    assert (allowed.count, allowed.rows[0].values.get("status")) == (1, "Aaa Aaa")


def test_few_rows_of_an_old_rule_are_nobodys_concern(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, orders())
    small.arrive("1.jsonl", row(1), row(2))
    lake = with_environ(small, QUARANTINE_ROWS="3")

    assert [cause.id for cause in causes(lake)] == ["amount_is_positive"], "the rule is newly broken"
    assert causes(lake, now=datetime.now(UTC) + timedelta(days=2)) == []


def test_a_blocked_table_is_one_cause_and_not_two(tmp_path: Path) -> None:
    blocks = (RowRule("amount_is_positive", "amount > 0", Severity.BLOCK),)
    small = SmallLake(tmp_path, orders(row_rules=blocks)).arrive("1.jsonl", row(0, 5), row(1))
    lake = with_environ(small)
    write_document(lake, MANIFEST, {"tables": {}, "held": blocked_tables(lake)})
    (blocked,) = causes(lake)

    assert (blocked.kind, blocked.level, blocked.count) == ("blocked", Level.CRITICAL, 1)
    assert "1 rows wait that break amount_is_positive" in blocked.says
    assert "gold.fct_orders" in blocked.impact
    write_document(lake, MANIFEST, {"tables": {}, "held": {}})
    assert [cause.kind for cause in causes(lake)] == ["quarantine"]


def test_a_stale_table_is_a_cause_until_it_is_fresh(tmp_path: Path) -> None:
    rule = TableRule("orders_are_fresh", "freshness", ("at",), Severity.BLOCK, max_age_hours=1.0)
    columns = (column("order_id", key_position=1), column("at", pl.Datetime("us", "UTC"), "timestamp"))
    small = SmallLake(tmp_path, orders(columns=columns, row_rules=(), table_rules=(rule,)))
    small.arrive("1.jsonl", {"order_id": "a", "at": "2020-01-01T00:00:00Z"})
    (stale,) = causes(with_environ(small))
    small.arrive("2.jsonl", {"order_id": "b", "at": datetime.now(UTC).isoformat()})

    assert (stale.kind, stale.id, stale.level) == ("stale", "orders_are_fresh", Level.ERROR)
    assert causes(with_environ(small)) == []


def test_lanes_that_a_stream_cannot_read_on_are_causes(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))
    look = look_for_causes(lake, stopped={"orders": {"t[0]": "offsets 5 to 9 are gone."}})

    (stopped,) = look.told()
    assert (stopped.kind, stopped.place, stopped.id) == ("lane_stopped", "bronze.orders", "t[0]")
    assert stopped.says == "t[0] is not read on: offsets 5 to 9 are gone."
    assert stopped.impact[0] == "silver.orders"
    assert "lanes/orders" in look.covers


def test_who_cannot_look_is_told_and_nothing_is_taken_for_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallLake(tmp_path, orders()).arrive("1.jsonl", row(1))
    lake = with_environ(small)
    tell_people(lake, look_for_causes(lake, stopped=NOTHING_STOPS))

    def fails(sight: Sight) -> Look:
        raise LakeError("the log is damaged.", fix="Restore it.")

    monkeypatch.setattr(looking, "quarantine", fails)
    tell_people(lake, look_for_causes(lake, stopped=NOTHING_STOPS))
    states = {i.cause.kind: i.state for i in read_incidents(lake).values()}
    assert states == {"quarantine": State.OPEN, "not_looked": State.OPEN}
    monkeypatch.undo()
    tell_people(lake, look_for_causes(lake, stopped=NOTHING_STOPS))
    assert {i.cause.kind: i.state for i in read_incidents(lake).values()}["not_looked"] is State.RESOLVED


def test_another_source_is_asked_too(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))
    found = Cause("drift", "drift", "bronze.orders", "p1", Level.ERROR, "team:x", "it drifts.", datetime.now(UTC))

    look = look_for_causes(
        lake, stopped=NOTHING_STOPS, more={"drift": lambda sight: Look((found,), frozenset({"drift"}))}
    )
    assert look.told() == (found,)
    assert "drift" in look.covers


def test_silence_is_a_cause_and_leaving_is_not(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))
    beat(lake, "stream", every_seconds=10)
    beat(lake, "sensor of/topics", every_seconds=600)
    soon, later = datetime.now(UTC) + timedelta(seconds=100), datetime.now(UTC) + timedelta(seconds=200)

    assert causes(lake, now=soon) == []
    (silent,) = causes(lake, now=later)
    assert (silent.kind, silent.place, silent.level) == ("silent", "stream", Level.CRITICAL)
    leave(lake, "stream")
    assert causes(lake, now=later) == []
    beat(lake, "stream", every_seconds=10)
    assert [cause.place for cause in causes(lake, now=later)] == ["stream"]


def pager(lake: Lake, **environ: str) -> PagerDutySink:
    named = {f"AURA_ALERT_{name}": value for name, value in environ.items()}
    return PagerDutySink(AlertSettings.from_environ(named, lake.settings.state), lake_name(lake))


def test_one_incident_for_one_cause_over_a_thousand_looks_and_restarts(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, orders()).arrive("1.jsonl", row(1))
    with vendors.pagerduty() as there:
        lake = with_environ(small)
        (found,) = causes(lake)
        sink = pager(lake, PAGERDUTY_KEY=KEY, PAGERDUTY_URL=there.url)
        for n in range(1000):
            grown = Cause(**{**vars(found), "count": n + 1})
            tell_people(with_environ(small), Look((grown,), frozenset({"quarantine"})), sinks=[sink], policy=Policy())
        (incident,) = read_incidents(lake).values()
        tell_people(lake, Look((), frozenset({"quarantine"})), sinks=[sink], policy=Policy())

    assert (incident.looks, incident.cause.count) == (1000, 1000)
    assert [document["event_action"] for document in there.documents] == ["trigger", "resolve"]
    assert there.refused == []


@pytest.mark.slow
def test_one_incident_for_a_thousand_bad_batches_resolved_by_itself(tmp_path: Path) -> None:
    small = SmallTopicLake(tmp_path, orders(kind=Kind.EVENTS))
    with vendors.pagerduty() as there, vendors.slack() as card:
        lake = with_environ(small)
        environ = {"AURA_ALERT_PAGERDUTY_KEY": KEY, "AURA_ALERT_PAGERDUTY_URL": there.url}
        settings = AlertSettings.from_environ({**environ, "AURA_ALERT_SLACK_URL": card.url}, tmp_path)
        sinks = [PagerDutySink(settings, "lake"), SlackSink(settings, "lake")]
        for n in range(1000):
            small.land(chunk(lane(), [sent(n, row(n))]))
            if n % 50 == 49:
                small.catch_up()
                tell_people(lake, look_for_causes(lake, stopped=NOTHING_STOPS), sinks=sinks, policy=Policy())
        (incident,) = read_incidents(lake).values()
        decide_discard(lake, Chosen(small.contract), who="ann", why="the producer was only trying")
        apply(lake, small.contract)
        tell_people(lake, look_for_causes(lake, stopped=NOTHING_STOPS), sinks=sinks, policy=Policy())

    assert (small.bronze.watermark(LANE) + 1, incident.cause.count, incident.looks) == (1000, 1000, 20)
    for vendor in (there, card):
        assert vendor.refused == []
        assert len(vendor.bodies) == 2
    assert [document["event_action"] for document in there.documents] == ["trigger", "resolve"]
    assert read_incidents(lake)[incident.key].state is State.RESOLVED


def test_a_sink_that_was_away_is_told_later_and_holds_nobody_up(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))
    look = Look(tuple(made(f"rule_{n}") for n in range(50)), frozenset({"quarantine"}))
    now = datetime.now(UTC)
    with vendors.pagerduty() as there:
        sink, policy = pager(lake, PAGERDUTY_KEY=KEY, PAGERDUTY_URL=there.url), Policy(per_hour=100)
        there.away = True
        told = tell_people(lake, look, now=now, sinks=[sink], policy=policy)
        assert (told.taken, there.asked) == (0, 1), "one that is away is asked once and not fifty times"
        assert told.untold == {"pagerduty": "PagerDuty is busy (503)."}
        there.away = False
        assert tell_people(lake, look, now=now, sinks=[sink], policy=policy).taken == 0
        later = now + timedelta(minutes=1)
        assert tell_people(lake, look, now=later, sinks=[sink], policy=policy).taken == 50

    assert len(there.documents) == 50


def test_a_card_that_is_refused_does_not_keep_others_from_being_told(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))
    look = Look((made("bad", owner="team:wrong"), made("good")), frozenset({"quarantine"}))
    with vendors.pagerduty() as there:
        sink = pager(lake, PAGERDUTY_KEY=KEY, PAGERDUTY_KEY__WRONG="short", PAGERDUTY_URL=there.url)
        told = tell_people(lake, look, sinks=[sink], policy=Policy())

    assert (told.taken, len(there.documents)) == (1, 1)
    assert "refuses" in told.untold["pagerduty"]


def made(rule: str, owner: str = "team:sales") -> Cause:
    return Cause("quarantine", "quarantine", "silver.orders", rule, Level.ERROR, owner, "rows wait.", datetime.now(UTC))


def test_a_process_that_dies_after_telling_tells_nobody_else_twice(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))

    class Dying(PagerDutySink):
        def send(self, action: Any, incident: Any) -> None:
            super().send(action, incident)
            if incident.cause.id == "second":
                raise KeyboardInterrupt

    look = Look((made("first"), made("second"), made("third")), frozenset({"quarantine"}))
    with vendors.pagerduty() as there:
        whole = pager(lake, PAGERDUTY_KEY=KEY, PAGERDUTY_URL=there.url)
        with pytest.raises(KeyboardInterrupt):
            tell_people(lake, look, sinks=[Dying(whole.settings, whole.lake)], policy=Policy())
        tell_people(lake, look, sinks=[whole], policy=Policy())

    times = [document["dedup_key"] for document in there.documents]
    assert len(set(times)) == 3
    assert len(times) == 4, "only the one that it was at is told again, under its own key"


def test_a_second_process_waits_for_the_first_and_an_event_is_not_lost(tmp_path: Path) -> None:
    from aura_lake.delta.lease import ApplyLease
    from aura_lake.steps.tell_people import LEASE

    lake = with_environ(SmallLake(tmp_path, orders()))
    look = Look((made("rule"),), frozenset())
    with ApplyLease(lake, name=LEASE):
        assert tell_people(lake, look, sinks=[], policy=Policy(), wait_seconds=0) == Told(is_busy=True)
    assert len(tell_people(lake, look, sinks=[], policy=Policy()).opened) == 1


def test_an_acknowledgement_is_told_with_the_next_look(tmp_path: Path) -> None:
    lake = with_environ(SmallLake(tmp_path, orders()))
    look = Look((made("rule"),), frozenset({"quarantine"}))
    with vendors.pagerduty() as there:
        sink = pager(lake, PAGERDUTY_KEY=KEY, PAGERDUTY_URL=there.url)
        (opened,) = tell_people(lake, look, sinks=[sink], policy=Policy()).opened
        acknowledge_incident(lake, opened.key[:6], "ann")
        tell_people(lake, look, sinks=[sink], policy=Policy())
        tell_people(lake, look, sinks=[sink], policy=Policy())

    assert [document["event_action"] for document in there.documents] == ["trigger", "acknowledge"]


def test_no_raw_personal_value_is_in_anything_that_people_are_told(tmp_path: Path) -> None:
    """Canaries in every column that may hold one; the sinks, their file and the documents of the lake are searched,
    and bronze, where they have to be, is searched the same way first."""
    canaries = ["zoe.canary@example.com", "Zoë Canary-Smith", "+49 170 5550123", "4929123456789012", "Canary Lane 7"]
    records = [
        {"order_id": canaries[1], "email": canaries[0], "status": canaries[4], "amount": -1, "note": canaries[2]},
        {"order_id": "o2", "email": canaries[0], "status": "created", "amount": -4929123456789012, "note": canaries[3]},
        {"order_id": "o3", "email": {"a": canaries[0]}, "status": canaries[1], "amount": canaries[3], canaries[2]: 1},
    ]
    small = SmallLake(tmp_path, orders(kind=Kind.EVENTS)).arrive("1.jsonl", *records)
    bronze = small.lake.bronze("orders").scan().collect()["value"].drop_nulls().to_list()
    raw = "\n".join(json.dumps(json.loads(value), ensure_ascii=False) for value in bronze)
    assert [canary for canary in canaries if canary not in raw] == [], "the search can see"

    with vendors.pagerduty() as there, vendors.slack() as card, vendors.mail_server() as (url, mails):
        lake = with_environ(
            small, PAGERDUTY_KEY=KEY, PAGERDUTY_URL=there.url, SLACK_URL=card.url, MAIL_SERVER=url,
            MAIL_FROM="lake@example.com", MAIL_TO="team@example.com",
        )  # fmt: skip
        told = tell_people(lake, look_for_causes(lake, stopped=NOTHING_STOPS))
    assert (len(told.opened), told.untold, told.taken) == (len(told.opened), {}, 4 * len(told.opened))
    assert len(told.opened) >= 3

    lines = (lake.settings.state / "alerts.jsonl").read_text().splitlines()
    documents = [read_document(lake, INCIDENTS), *map(json.loads, lines), *there.documents, *card.documents]
    shown = [json.dumps(document, ensure_ascii=False) for document in documents]
    shown += [(message_from_bytes(mail).get_payload(decode=True) or b"").decode() for mail in mails]  # type: ignore[union-attr]
    shown += [json.dumps(message_from_bytes(mail).items()) for mail in mails]
    assert [canary for canary in canaries if any(canary in text for text in shown)] == []
    assert [text for text in shown if KEY in text and '"routing_key"' not in text] == [], (
        "the key goes to PagerDuty alone"
    )


def test_rows_that_wait_for_a_drift_are_told_with_it(tmp_path: Path) -> None:
    small = SmallLake(tmp_path, orders()).arrive("1.jsonl", row(1, amount=5, status=7), row(2, amount="x"))  # type: ignore[arg-type]
    names = explained_by(small.lake.shop, ["orders.status", "orders.email_hash", "gone.x"])

    assert "quarantine:silver.orders:status_is_text" in names
    assert "quarantine:silver.orders:email_is_text" in names
    assert not any("amount" in name for name in names)
    found = {cause.name for cause in causes(with_environ(small))}
    assert found - set(names) == {"quarantine:silver.orders:amount_is_a_whole_number"}
