"""Which decision stands behind a verdict, read without Polars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import duckdb

from aura_lake.ledger.life import Row
from aura_lake.query.reader import Reader
from aura_lake.query.relations import Relations

#: What the reason of a verdict that a person gave begins with (`contracts.discards`); the decision's number follows.
_BY_DECISION = "decision "


def decisions_behind(
    rows: Iterable[Row], reader: Reader, connection: duckdb.DuckDBPyConnection
) -> Mapping[str | None, Row]:
    """The decisions that log rows name as the `reason` of their verdict, by that reason: `number`, `kind`, `who`,
    `why`, `at`. The table of decisions is opened only where there are such rows."""
    reasons = {reason for row in rows if row["verdict"] == "discarded" and (reason := row["reason"])}
    bronze = reader.open("bronze", "decisions") if reasons else None
    if bronze is None:
        return {}
    numbers = {int(reason.removeprefix(_BY_DECISION)): reason for reason in reasons}
    marks = ", ".join("?" for _ in numbers)
    records = Relations(reader, connection).scan(bronze)
    sql = f"select batch, value from ({records}) where row_kind = 'record' and batch in ({marks})"
    found: dict[str | None, Row] = {}
    for number, value in connection.execute(sql, list(numbers)).fetchall():
        told = json.loads(value)
        found[numbers[number]] = {"number": number, **{name: told[name] for name in ("kind", "who", "why", "at")}}
    return found
