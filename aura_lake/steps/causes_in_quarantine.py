"""Rows that wait, and tables that are held back for them, as causes that people are told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from aura_lake.contracts.blocking import blocking_rules
from aura_lake.contracts.contract import Contract
from aura_lake.contracts.digest import digest_of
from aura_lake.delta.snapshot import Snapshot
from aura_lake.lake import Lake
from aura_lake.ledger.inbox import place_of
from aura_lake.people.cause import SHOWN_ROWS, Cause, Level, Look
from aura_lake.people.masking import MaskedRow, mask_row
from aura_lake.query.reader import Reader
from aura_lake.query.relations import UNIT, Relations, quote_name
from aura_lake.steps.downstream import impact_of_table

SOURCE_ROWS, SOURCE_HELD = "quarantine", "publication"

#: A rule that nothing broke until so long ago is new: people are told of its first row.
NEW = timedelta(hours=24)

#: Columns that a masked row shows at most: those of its rules first, then its key.
SHOWN_COLUMNS = 8


@dataclass(frozen=True)
class _Broken:
    """What waits by one rule. `rows`: the first of them."""

    rule: str
    count: int
    first_at: datetime
    last_at: datetime
    batches: int
    rows: tuple[Mapping[str, Any], ...]


def quarantine_causes(
    lake: Lake, models: dict[str, tuple[str, ...]], owners: Mapping[str, str], from_rows: int, now: datetime
) -> Look:
    """A cause for each rule by which at least `from_rows` rows wait, or any where the rule is newly broken; and one
    for each table that is not published."""
    reader = Reader(lake.settings, digest_of(lake.shop))
    held: Mapping[str, str] = reader.manifest.get("held", {})
    causes: list[Cause] = []
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        relations = Relations(reader, connection)
        for table, contract in lake.shop.contracts.items():
            log = reader.open("silver", f"{table}_log")
            waiting = [] if log is None else _waiting(connection, relations, log, contract)
            told = _Told(contract, owners[table], impact_of_table(models, table))
            if table in held:
                causes.append(told.held(held[table], waiting, now))
            causes += [
                told.waiting(broken) for broken in waiting if broken.count >= from_rows or now - broken.first_at < NEW
            ]
    return Look(tuple(causes), frozenset({SOURCE_ROWS, SOURCE_HELD}))


@dataclass(frozen=True)
class _Told:
    """One table's causes."""

    contract: Contract
    owner: str
    impact: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"silver.{self.contract.table}"

    def waiting(self, broken: _Broken) -> Cause:
        table = self.contract.table
        return Cause(
            kind="quarantine",
            source=SOURCE_ROWS,
            place=self.place,
            id=broken.rule,
            level=Level.WARNING,
            owner=self.owner,
            says=f"{broken.count:,} {_rows(broken.count)} of {table} in quarantine: {broken.rule}.",
            first_seen_at=broken.first_at,
            count=broken.count,
            rows=self._masked(broken),
            first_bad=_place(broken),
            changed=f"Nothing that landed before {broken.first_at:%Y-%m-%d %H:%M:%S} UTC and waits breaks the rule; "
            f"since then {broken.batches:,} batches brought such rows, the last at "
            f"{broken.last_at:%Y-%m-%d %H:%M:%S} UTC.",
            impact=self.impact,
            command=f"aura quarantine replay {table} --rule {broken.rule} --dry-run",
        )

    def held(self, reason: str, waiting: list[_Broken], now: datetime) -> Cause:
        table = self.contract.table
        blocking = set(blocking_rules(self.contract))
        stops = [broken for broken in waiting if broken.rule in blocking]
        first = min(stops, key=lambda broken: broken.first_at, default=None)
        return Cause(
            kind="blocked",
            source=SOURCE_HELD,
            place=self.place,
            id="publication",
            level=Level.CRITICAL,
            owner=self.owner,
            says=f"{table} is not published: {reason}",
            first_seen_at=first.first_at if first else now,
            count=sum(broken.count for broken in stops) or 1,
            rows=self._masked(first) if first else (),
            first_bad=_place(first) if first else "",
            changed="What people see of it, and of everything below it, stays at the last good batch.",
            impact=(f"silver.{table} as published", *self.impact),
            command=f"aura quarantine show {table}; then replay, or discard with a reason",
            explains=tuple(f"quarantine:{self.place}:{broken.rule}" for broken in stops),
        )

    def _masked(self, broken: _Broken) -> tuple[MaskedRow, ...]:
        hashed = [column.silver_name for column in self.contract.columns if column.personal]
        allowed = {c.silver_name: c.allowed_values for c in self.contract.columns if c.allowed_values}
        shown = self._columns(broken.rule)
        return tuple(
            MaskedRow(
                place_of(dict(row)),
                tuple(row["broken_rules"]),
                mask_row({name: row[name] for name in shown}, hashed=hashed, allowed=allowed),
            )
            for row in broken.rows
        )

    def _columns(self, rule: str) -> list[str]:
        """The columns a rule speaks of, then the key, then others."""
        text = next((f"{r.name} {r.expression}" for r in self.contract.row_rules if r.name == rule), rule)
        names = [column.silver_name for column in self.contract.columns]
        spoken = [column.silver_name for column in self.contract.columns if column.name in text]
        return list(dict.fromkeys([*spoken, *self.contract.key, *names]))[:SHOWN_COLUMNS]


def _waiting(
    connection: duckdb.DuckDBPyConnection, relations: Relations, log: Snapshot, contract: Contract
) -> list[_Broken]:
    """What waits, by rule; of each the first rows, in one pass over the rows that wait."""
    if all(file.partition.get("outcome") != "quarantined" for file in log.files()):
        return []
    names = [*UNIT, "broken_rules", *(column.silver_name for column in contract.columns)]
    fields = ", ".join(f"{quote_name(name)} := {quote_name(name)}" for name in dict.fromkeys(names))
    order = 'row(landed_at, feed_batch, "object", coalesce(ordinal, "offset"), part)'
    rows = f"select unnest(broken_rules) as _rule, * from ({relations.standing(log)}) where outcome = 'quarantined'"
    sql = (
        "select _rule, count(*), min(landed_at), max(landed_at), count(distinct feed_batch),"
        f" arg_min(struct_pack({fields}), {order}, {SHOWN_ROWS})"
        f" from ({rows}) where verdict = 'quarantined' group by _rule order by 2 desc, 1"
    )
    return [
        _Broken(rule, count, first, last, batches, tuple(found))
        for rule, count, first, last, batches, found in connection.execute(sql).fetchall()
    ]


def _place(broken: _Broken) -> str:
    return place_of(dict(broken.rows[0])) if broken.rows else ""


def _rows(count: int) -> str:
    return "row waits" if count == 1 else "rows wait"
