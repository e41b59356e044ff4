"""Who is told what, and when: once, not at night, not too often, and again when it is over."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta

import pytest

from aura_lake.people.cause import Cause, Level
from aura_lake.people.incident import Action, Incident, State
from aura_lake.people.policy import LONGEST_WAIT, Policy, QuietHours, wait_after
from aura_lake.people.router import Channel, Delivery, Incidents, acknowledge, due, resolve, snooze, take_in
from tests.unit.people.examples import NOW, cause, drift, incident, seen

PAGER = Channel("pager", Level.WARNING)
RECORD = Channel("record", keeps_all=True)
ALWAYS = Policy()


def told(incidents: Incidents, deliveries: list[Delivery], now: datetime = NOW) -> dict[str, Incident]:
    after = dict(incidents)
    for delivery in deliveries:
        after[delivery.key] = after[delivery.key].told(delivery.sink, delivery.action, now)
    return after


def actions(deliveries: list[Delivery]) -> list[tuple[str, str]]:
    return [(delivery.sink, delivery.action.value) for delivery in deliveries]


def test_a_cause_that_stands_is_told_once() -> None:
    incidents: Incidents = {}
    said = []
    for minute in range(100):
        now = NOW + timedelta(minutes=minute)
        incidents = take_in(incidents, seen(cause(count=minute + 1)), now)
        new = due(incidents, [PAGER], ALWAYS, now)
        said += actions(new)
        incidents = told(incidents, new, now)

    (standing,) = incidents.values()
    assert said == [("pager", "trigger")]
    assert (standing.cause.count, standing.looks, standing.cause.first_seen_at) == (100, 100, NOW)


def test_a_cause_that_is_gone_resolves_itself_and_may_come_again() -> None:
    incidents = take_in({}, seen(cause()), NOW)
    incidents = told(incidents, due(incidents, [PAGER], ALWAYS, NOW))
    later = NOW + timedelta(hours=1)
    incidents = take_in(incidents, seen(), later)
    over = due(incidents, [PAGER], ALWAYS, later)
    incidents = told(incidents, over, later)

    assert actions(over) == [("pager", "resolve")]
    assert due(incidents, [PAGER], ALWAYS, later) == []
    incidents = take_in(incidents, seen(cause()), later + timedelta(hours=1))
    assert actions(due(incidents, [PAGER], ALWAYS, later + timedelta(hours=1))) == [("pager", "trigger")]


def test_a_source_that_did_not_look_resolves_nothing() -> None:
    incidents = take_in({}, seen(cause()), NOW)

    assert [i.state for i in take_in(incidents, seen(covers="lanes beats"), NOW).values()] == [State.OPEN]


def test_level_and_owner_make_another_incident_of_the_same_rule() -> None:
    others = [cause(), cause(level=Level.CRITICAL), cause(owner="ann@example.com"), cause(says="else", count=3)]

    assert len({given.key for given in others}) == 3
    assert len(take_in({}, seen(*others), NOW)) == 3


def test_quiet_hours_hold_all_but_the_worst_and_end() -> None:
    policy = Policy(quiet=QuietHours(time(22), time(7), "Europe/Berlin"))
    night, morning = datetime(2026, 3, 2, 23, tzinfo=UTC), datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
    incidents = take_in({}, seen(cause(), cause(id="worse", level=Level.CRITICAL)), night)

    (at_night,) = due(incidents, [PAGER], policy, night)
    assert incidents[at_night.key].cause.id == "worse"
    assert len(due(incidents, [RECORD], policy, night)) == 2, "a record is no noise"
    assert len(due(told(incidents, [at_night], night), [PAGER], policy, morning)) == 1


@pytest.mark.parametrize(("hour", "quiet"), [(21, False), (22, True), (3, True), (7, False), (12, False)])
def test_quiet_hours_reach_over_midnight(hour: int, quiet: bool) -> None:
    assert QuietHours(time(22), time(7)).holds(datetime(2026, 3, 2, hour, tzinfo=UTC)) is quiet


def test_what_is_over_before_anybody_was_told_is_not_told() -> None:
    policy = Policy(quiet=QuietHours(time(0), time(12)))
    incidents = take_in(take_in({}, seen(cause()), NOW), seen(), NOW + timedelta(hours=1))

    later = NOW + timedelta(hours=5)
    assert due(incidents, [PAGER], policy, later) == []
    assert actions(due(incidents, [RECORD], policy, later)) == [("record", "trigger")]
    incidents = told(incidents, due(incidents, [RECORD], policy, later))
    assert actions(due(incidents, [RECORD], policy, later)) == [("record", "resolve")]


def test_a_rate_that_is_spent_keeps_the_rest_the_worst_first() -> None:
    policy = Policy(per_hour=2)
    causes = [cause(id=f"rule_{n}", level=Level.ERROR if n == 4 else Level.WARNING) for n in range(5)]
    incidents = take_in({}, seen(*causes), NOW)

    first = due(incidents, [PAGER, RECORD], policy, NOW)
    assert [delivery.sink for delivery in first].count("pager") == 2
    assert incidents[first[0].key].cause.id == "rule_4"
    incidents = told(incidents, first)
    assert due(incidents, [PAGER], policy, NOW + timedelta(minutes=59)) == []
    assert len(due(incidents, [PAGER], policy, NOW + timedelta(minutes=61))) == 2


def test_a_sink_below_its_level_is_not_told() -> None:
    incidents = take_in({}, seen(cause()), NOW)

    assert due(incidents, [Channel("pager", Level.ERROR)], ALWAYS, NOW) == []


def test_a_sink_that_is_away_waits_longer_each_time_and_is_told_in_the_end() -> None:
    (standing,) = take_in({}, seen(cause()), NOW).values()
    waits = [wait_after(n) for n in range(20)]
    away = standing.failed("pager", "away", NOW + waits[0])

    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert due({away.key: away}, [PAGER], ALWAYS, NOW) == []
    assert actions(due({away.key: away}, [PAGER], ALWAYS, NOW + waits[0])) == [("pager", "trigger")]
    assert actions(due({away.key: away}, [RECORD], ALWAYS, NOW)) == [("record", "trigger")], "others do not wait"


def test_an_acknowledged_incident_is_told_to_nobody_new() -> None:
    (standing,) = take_in({}, seen(cause()), NOW).values()
    known = acknowledge(standing.told("pager", Action.TRIGGER, NOW), "ann")

    assert actions(due({known.key: known}, [PAGER, Channel("other")], ALWAYS, NOW)) == [("pager", "acknowledge")]


def test_resolved_by_hand_it_stays_quiet_until_it_is_gone() -> None:
    (standing,) = take_in({}, seen(cause()), NOW).values()
    done = resolve(standing.told("pager", Action.TRIGGER, NOW), "ann", NOW).told("pager", Action.RESOLVE, NOW)
    still = take_in({done.key: done}, seen(cause()), NOW)
    assert due(still, [PAGER], ALWAYS, NOW) == []

    gone = take_in(still, seen(), NOW)
    again = take_in(gone, seen(cause()), NOW)
    assert actions(due(again, [PAGER], ALWAYS, NOW)) == [("pager", "trigger")]


def test_a_snooze_ends_with_being_told_again_and_its_end_is_told_on_the_way() -> None:
    (standing,) = take_in({}, seen(cause()), NOW).values()
    slept = snooze(standing.told("pager", Action.TRIGGER, NOW), "ann", NOW + timedelta(hours=8))
    one, nine = NOW + timedelta(hours=1), NOW + timedelta(hours=9)

    assert due(take_in({slept.key: slept}, seen(cause()), one), [PAGER, Channel("other")], ALWAYS, one) == []
    woken = take_in({slept.key: slept}, seen(cause()), nine)
    assert actions(due(woken, [PAGER], ALWAYS, nine)) == [("pager", "trigger")]
    assert due(told(woken, due(woken, [PAGER], ALWAYS, nine), nine), [PAGER], ALWAYS, nine) == []
    gone = take_in({slept.key: slept}, seen(), one)
    assert actions(due(gone, [PAGER], ALWAYS, one)) == [("pager", "resolve")]


def test_an_event_counts_once_however_often_it_is_heard() -> None:
    failed = cause(kind="run_failed", source="steps/gold", place="gold", id="step", count=1)
    incidents: Incidents = {}
    for run in ["r1", "r1", "r2", "r1"]:
        incidents = take_in(incidents, seen(cause_of(failed, run), covers=""), NOW)

    (standing,) = incidents.values()
    assert standing.cause.count == 2
    over = take_in(incidents, seen(covers="steps/gold"), NOW)
    assert [i.state for i in take_in(over, seen(cause_of(failed, "r2"), covers=""), NOW).values()] == [State.RESOLVED]
    (again,) = take_in(over, seen(cause_of(failed, "r3"), covers=""), NOW).values()
    assert (again.state, again.cause.count) == (State.OPEN, 1)


def cause_of(given: Cause, run: str) -> Cause:
    return cause(**{**vars(given), "event": run})


def test_what_another_cause_explains_is_not_told_beside_it() -> None:
    explained = cause()
    look = seen(explained, drift(explains=(explained.name, "quarantine:silver.orders:gone"), rows=(), first_bad=""))

    (told_of,) = look.told()
    assert (told_of.kind, told_of.rows, told_of.first_bad) == ("drift", explained.rows, explained.first_bad)


def test_an_incident_is_whole_after_it_was_written_down() -> None:
    given = incident(drift(explains=("a:b:c",)), events=("r1",), snoozed_until=NOW)
    whole = given.told("pager", Action.TRIGGER, NOW).failed("mail", "away", NOW)

    assert Incident.from_json(json.loads(json.dumps(whole.to_json()))) == whole
