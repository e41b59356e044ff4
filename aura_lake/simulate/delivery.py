"""From what happens in the shop to records in the order in which they arrive.

Here the messes of the road happen: redeliveries, swaps, late clicks, cut copies. A copy
never arrives after the end of the plan, so that every record of the plan is delivered.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial
from random import Random
from typing import NamedTuple

from aura_lake.simulate.chance import below, between, stream
from aura_lake.simulate.clock import HOUR_US, iso_millis
from aura_lake.simulate.debezium import Envelope, envelope
from aura_lake.simulate.mess import MESSES, PRICE_AS_STRING
from aura_lake.simulate.plan import SimulationPlan
from aura_lake.simulate.rows import CDC_TABLES, CLICKSTREAM, Change
from aura_lake.simulate.sessions import Click
from aura_lake.simulate.shop import LivingShop
from aura_lake.simulate.truth import TruthKeeper

#: Objects of changes close at these hours of the day; a redelivery comes in a later one.
PART_HOURS = 12
_TOMBSTONE = "null"


@dataclass(frozen=True)
class Arrivals:
    """The records of one hour by table, in the order in which they stand in the objects."""

    hour: int  #: hours since 1970
    records: dict[str, list[str]]


class _Copy(NamedTuple):
    text: str
    verdict: str


class Delivery:
    """Hands out the records of the shop hour by hour; `truth`, where given, looks on."""

    def __init__(self, plan: SimulationPlan, truth: TruthKeeper) -> None:
        self._plan = plan
        self._truth = truth
        self._shop = LivingShop(plan)
        self._active = {name: mess for name, mess in MESSES.items() if plan.has(name)}
        self._roads: dict[tuple[str, str], Random] = {}
        self._number: Counter[str] = Counter()  #: streamed records so far, by table
        self._waiting: dict[tuple[int, str], list[_Copy]] = defaultdict(list)

    def snapshot(self) -> Arrivals:
        """The reads of the rows that stood before the first hour."""
        records: dict[str, list[str]] = {}
        rows = self._shop.snapshot
        last = len(rows) - 1
        for number, change in enumerate(rows):
            marker = "first" if number == 0 else "last" if number == last else "true"
            text = envelope(change, self._plan.start_us, marker).line()
            records.setdefault(change.table, []).append(text)
            self._judge(change)
        return Arrivals(self._plan.first_hour, records)

    def hour(self, hour: int) -> Arrivals:
        """The records that arrive in an hour; ask for the hours in order, each once."""
        changes, clicks = self._shop.hour(hour)
        records: dict[str, list[str]] = defaultdict(list)
        for change in changes:
            self._deliver_change(change, hour, records[change.table])
        for click in clicks:
            self._deliver_click(click, hour, records[CLICKSTREAM])
        for table in (*CDC_TABLES, CLICKSTREAM):
            for copy in self._waiting.pop((hour, table), ()):
                records[table].append(copy.text)
                self._truth.count(table, copy.verdict)
            if "swaps" in self._active:
                self._swap(table, records[table])
        return Arrivals(hour, {table: texts for table, texts in records.items() if texts})

    def _judge(self, change: Change) -> str:
        verdict = "valid" if change.breaks is None else "quarantined"
        self._truth.count(change.table, verdict)
        self._truth.change(change)
        if change.breaks is not None:
            self._truth.mess[change.breaks] += 1
        return verdict

    def _deliver_change(self, change: Change, hour: int, records: list[str]) -> None:
        table = change.table
        event = envelope(change, self._plan.start_us)
        text = event.line()
        number = self._number[table]
        self._number[table] += 1
        if self._hits("broken_json", number):
            records.append(self._cut(table, text))
        records.append(text)
        verdict = self._judge(change)
        if change.op == "d":
            records.append(_TOMBSTONE)
            self._truth.count(table, "ignored")
            if table == "orders":
                self._truth.mess["deletes"] += 1
        elif table == "users" and change.op == "u":
            self._truth.mess["address_changes"] += 1
        if self._hits("redeliveries", number):
            chance = self._road("redeliveries", table)
            due = self._due(hour, between(chance, PART_HOURS, 5 * PART_HOURS))
            if due // PART_HOURS > hour // PART_HOURS:
                self._redeliver(due, table, self._later(event, due), verdict)

    @staticmethod
    def _later(event: Envelope, hour: int) -> str:
        return event.line(hour * HOUR_US + event.at_us % HOUR_US)

    def _deliver_click(self, click: Click, hour: int, records: list[str]) -> None:
        number = self._number[CLICKSTREAM]
        self._number[CLICKSTREAM] += 1
        verdict = "valid"
        priced = click.query is None
        if priced and "amounts_as_strings" in self._active and PRICE_AS_STRING.touches(number):
            click = click._replace(goods=price_as_string(click.goods))
            verdict = "quarantined"
            self._truth.mess["amounts_as_strings"] += 1
        else:
            self._truth.touch(click)
        text = click_text(click)
        if self._hits("broken_json", number):
            records.append(self._cut(CLICKSTREAM, text))
        arrival = hour
        if self._hits("late_clicks", number):
            arrival = self._due(hour, between(self._road("late_clicks", CLICKSTREAM), 2, 60))
        if arrival > hour:
            self._truth.mess["late_clicks"] += 1
            self._waiting[arrival, CLICKSTREAM].append(_Copy(text, verdict))
        else:
            records.append(text)
            self._truth.count(CLICKSTREAM, verdict)
        if self._hits("redeliveries", number):
            due = self._due(arrival, between(self._road("redeliveries", CLICKSTREAM), 1, 30))
            if due > arrival:
                self._redeliver(due, CLICKSTREAM, text, verdict)

    def _road(self, mess: str, table: str) -> Random:
        """The chance of one mess on the way of one table."""
        if (mess, table) not in self._roads:
            self._roads[mess, table] = stream(self._plan.seed, f"road:{mess}:{table}")
        return self._roads[mess, table]

    def _hits(self, mess: str, number: int) -> bool:
        active = self._active.get(mess)
        return active is not None and active.touches(number)

    def _due(self, hour: int, hours: int) -> int:
        """`hours` later, but while the plan lasts not after its last hour."""
        last = self._plan.end_hour - 1
        return min(hour + hours, last) if hour <= last else hour + hours

    def _redeliver(self, due: int, table: str, text: str, verdict: str) -> None:
        again = "duplicate" if verdict == "valid" else verdict
        self._waiting[due, table].append(_Copy(text, again))
        self._truth.mess["redeliveries"] += 1

    def _cut(self, table: str, text: str) -> str:
        self._truth.count(table, "quarantined")
        self._truth.mess["broken_json"] += 1
        return cut_short(self._road("broken_json", table), text)

    def _swap(self, table: str, records: list[str]) -> None:
        mess = self._active["swaps"]
        first = self._number[f"arrived:{table}"]
        self._number[f"arrived:{table}"] += len(records)
        for place in range((mess.first - first) % mess.every, len(records), mess.every):
            if place > 0:
                records[place - 1], records[place] = records[place], records[place - 1]
                self._truth.mess["swaps"] += 1


_quoted = lru_cache(maxsize=1024)(partial(json.dumps, ensure_ascii=False))


def click_text(click: Click) -> str:
    """A click as the tracker writes it, one JSON object."""
    visit = click.visit
    who = visit.who if click.user_id is not None else visit.anonymous
    query = "null" if click.query is None else _quoted(click.query)
    return (
        f'{{"event_id":"{click.event_id}","event_type":"{click.event_type}",'
        f'"event_time":"{iso_millis(click.at_ms)}",{who}{click.goods},{visit.how}'
        f'"search_query":{query}}}'
    )


def cut_short(chance: Random, text: str) -> str:
    """The first part of a record; never cut after a colon, where what follows would be its value."""
    end = 20 + below(chance, len(text) - 40)
    while text[end - 1] == ":":
        end -= 1
    return text[:end]


def price_as_string(goods: str) -> str:
    """A product's JSON members with the price in quotes."""
    members, price = goods.rsplit(":", 1)
    return f'{members}:"{price}"'
