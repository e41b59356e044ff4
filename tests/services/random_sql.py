"""Random SQL from a seed: transactions of every kind that a log can show, on tables with keys of several types.

The generator knows nothing of what stands in the database: keys come from a small range, so that inserts meet rows
that are there and updates rows that are not. What the database refuses (a key that stands, a deadlock, a lock that
takes too long) is rolled back by whoever runs it; the database's own rows are the truth, not ours.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

#: Columns by table: name -> PostgreSQL's type. Long texts and bytes are stored out of line and uncompressed, so that an
#: update that leaves them alone leaves them out of the log.
TABLES: Mapping[str, Mapping[str, str]] = {
    "parcels": {
        "parcel_id": "bigint",
        "label": "text",
        "weight": "numeric(12,3)",
        "story": "text",
        "picture": "bytea",
        "state": "stage",
        "is_fragile": "boolean",
        "ratio": "double precision",
        "packed_at": "timestamp(6)",
        "seen_at": "timestamp with time zone",
        "best_before": "date",
        "facts": "jsonb",
    },
    "stops": {
        "route": "text",
        "stop_no": "integer",
        "tags": "text[]",
        "opens": "time",
        "toll": "numeric(10,2)",
        "remarks": "text",
        "counted": "smallint",
        "passed_at": "timestamp(3)",
    },
    "tokens": {
        "token": "uuid",
        "note": "varchar(40)",
        "uses": "integer",
        "essay": "text",
    },
    "beats": {
        "beat": "integer",
        "round": "integer",
    },
}

KEYS: Mapping[str, tuple[str, ...]] = {
    "parcels": ("parcel_id",),
    "stops": ("route", "stop_no"),
    "tokens": ("token",),
    "beats": ("beat",),
}

#: The table that says a round is over; nobody writes it but the oracle.
BEATS = "beats"

#: Rows that keys can name, by table.
PARCELS, STOPS, TOKENS = 60, 12, 40
ROUTES = ("north", "süd", "o'hare", "")


def schema() -> str:
    """The tables, as SQL."""
    made = ["create type stage as enum ('new', 'on its way', 'there')"]
    for table, columns in TABLES.items():
        told = [f"{name} {kind}" for name, kind in columns.items()]
        made.append(f"create table {table} ({', '.join(told)}, primary key ({', '.join(KEYS[table])}))")
    for table, column in (("parcels", "story"), ("parcels", "picture"), ("stops", "remarks"), ("tokens", "essay")):
        made.append(f"alter table {table} alter column {column} set storage external")
    return ";\n".join(made)


@dataclass(frozen=True)
class Statement:
    """One statement. `rows` are sent by COPY behind it; `pause` is how many seconds the transaction rests before it."""

    kind: str
    sql: str
    rows: tuple[tuple[str | None, ...], ...] = ()
    pause: float = 0.0


@dataclass(frozen=True)
class Transaction:
    """Statements that belong together, and whether they are committed at the end."""

    statements: tuple[Statement, ...]
    is_kept: bool


class RandomSql:
    """An endless stream of transactions; the same seed gives the same stream."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)
        self._made = 0

    def __iter__(self) -> Iterator[Transaction]:
        while True:
            yield self._transaction()

    def _transaction(self) -> Transaction:
        chance = self._chance
        is_long = chance.random() < 0.08
        pause = (lambda: round(chance.uniform(0.05, 0.4), 3)) if is_long else (lambda: 0.0)
        statements: list[Statement] = []
        for _ in range(chance.randint(3, 6) if is_long else chance.choice((1, 1, 1, 2, 3, 5))):
            if chance.random() < 0.12:
                statements += self._savepoint(pause)
            else:
                statements.append(self._statement(pause))
        return Transaction(tuple(statements), is_kept=chance.random() > 0.12)

    def _savepoint(self, pause: Callable[[], float]) -> list[Statement]:
        """Statements inside a savepoint, taken back or kept."""
        inside = [self._statement(pause) for _ in range(self._chance.randint(1, 3))]
        end = "rollback to savepoint s" if self._chance.random() < 0.6 else "release savepoint s"
        return [Statement("savepoint", "savepoint s"), *inside, Statement(end.removesuffix(" s"), end)]

    def _statement(self, pause: Callable[[], float]) -> Statement:
        kinds: list[tuple[int, str, Callable[[], tuple[str, tuple[tuple[str | None, ...], ...]]]]] = [
            (26, "upsert", self._upsert),
            (10, "insert", self._insert),
            (6, "insert many", self._insert_many),
            (26, "update", self._update),
            (5, "update many", self._update_many),
            (10, "change key", self._change_key),
            (4, "swap keys", self._swap_keys),
            (12, "delete", self._delete),
            (2, "delete many", self._delete_many),
            (3, "delete and insert", self._delete_and_insert),
            (3, "copy", self._copy),
            (1, "truncate", self._truncate),
        ]
        weights = [weight for weight, _, _ in kinds]
        _, kind, make = self._chance.choices(kinds, weights)[0]
        sql, rows = make()
        return Statement(kind, sql, rows, pause())

    # What a statement is made of.

    def _table(self) -> str:
        return self._chance.choices(("parcels", "stops", "tokens"), (5, 4, 3))[0]

    def _key(self, table: str) -> tuple[str, ...]:
        """The literals of a key."""
        chance = self._chance
        if table == "parcels":
            return (str(chance.randint(1, PARCELS) + chance.choice((0, 0, 2**53))),)
        if table == "stops":
            return (_quoted(chance.choice(ROUTES)), str(chance.randint(-2, STOPS)))
        return (_quoted(f"00000000-0000-4000-8000-{chance.randint(0, TOKENS):012x}"),)

    def _where(self, table: str, key: tuple[str, ...]) -> str:
        return " and ".join(f"{name} = {literal}" for name, literal in zip(KEYS[table], key, strict=True))

    def _value(self, column: str, kind: str) -> str | None:
        """A value as PostgreSQL reads it from text; None is null."""
        chance = self._chance
        if chance.random() < 0.08:
            return None
        self._made += 1
        if column in ("story", "remarks", "essay"):
            if chance.random() < 0.4:
                return f"short {self._made}"
            return f"long {self._made} " + chance.choice("äx'\\") * chance.randint(2_500, 5_000)
        match kind:
            case "bytea":
                return "\\x" + chance.randbytes(chance.choice((0, 3, 4_000))).hex()
            case "stage":
                return chance.choice(("new", "on its way", "there"))
            case "boolean":
                return chance.choice(("true", "false"))
            case "jsonb":
                told = {"n": self._made, "big": 2**60 + chance.randint(0, 9), "list": [1.5, None, 'é\u2028"']}
                return json.dumps(chance.choice((told, [], None, "text", {"a": {}})))
            case "text[]":
                return chance.choice(("{}", '{a,"b,c",NULL}', f'{{"quote \\" {self._made}","back\\\\slash"}}'))
            case "time":
                return f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:09.{self._made % 10**6:06}"
            case "double precision":
                return chance.choice(("0", "-0.1", "1e300", "5e-324", str(chance.random()), "123456789.125"))
            case "date":
                return f"{chance.randint(1900, 2100)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
            case "smallint":
                return str(chance.randint(-32_768, 32_767))
            case "integer":
                return str(chance.randint(-(2**31), 2**31 - 1))
        if kind.startswith("numeric"):
            scale = int(kind.split(",")[1].rstrip(")"))
            return (
                f"{chance.choice(('', '-'))}{chance.randint(0, 10**8 - 1)}.{chance.randint(0, 10**scale - 1):0{scale}}"
            )
        if kind.startswith("timestamp"):
            zone = chance.choice(("+00", "-08", "+05:45")) if kind.endswith("zone") else ""
            day = f"{chance.randint(1971, 2099)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
            minute = f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}"
            return f"{day} {minute}:07.{chance.randint(0, 10**6 - 1):06}{zone}"
        return chance.choice((f"word {self._made}", "", "it's", "tab\tnew\nline", "日本 🛒", "NULL", "null"))[:40]

    def _row(self, table: str, key: tuple[str, ...]) -> str:
        rest = [_literal(self._value(name, kind)) for name, kind in _rest(table).items()]
        return f"({', '.join([*key, *rest])})"

    def _some(self, table: str) -> dict[str, str]:
        """Some columns that are not the key, with new values."""
        rest = _rest(table)
        chosen = self._chance.sample(list(rest), self._chance.randint(1, min(3, len(rest))))
        return {name: _literal(self._value(name, rest[name])) for name in chosen}

    # Statements.

    def _upsert(self) -> tuple[str, tuple[()]]:
        table = self._table()
        key, some = self._key(table), self._some(table)
        changed = ", ".join(f"{name} = {value}" for name, value in some.items())
        names = ", ".join(KEYS[table])
        row = self._row(table, key)
        return f"insert into {table} values {row} on conflict ({names}) do update set {changed}", ()

    def _insert(self) -> tuple[str, tuple[()]]:
        table = self._table()
        return f"insert into {table} values {self._row(table, self._key(table))}", ()

    def _insert_many(self) -> tuple[str, tuple[()]]:
        table = self._table()
        rows = [self._row(table, self._key(table)) for _ in range(self._chance.randint(2, 15))]
        return f"insert into {table} values {', '.join(rows)} on conflict do nothing", ()

    def _update(self) -> tuple[str, tuple[()]]:
        table = self._table()
        changed = ", ".join(f"{name} = {value}" for name, value in self._some(table).items())
        return f"update {table} set {changed} where {self._where(table, self._key(table))}", ()

    def _update_many(self) -> tuple[str, tuple[()]]:
        changes = (
            "update parcels set weight = coalesce(weight, 0) + 0.001, label = 'many' where parcel_id % 3 = {n}",
            "update stops set counted = (coalesce(counted, 0) + 1) % 1000 where stop_no % 3 = {n}",
            "update tokens set uses = coalesce(uses, 0) % 1000 + 1 where right(token::text, 1) < '{n}'",
        )
        return self._chance.choice(changes).format(n=self._chance.randint(0, 2)), ()

    def _change_key(self) -> tuple[str, tuple[()]]:
        """A row becomes another key's, sometimes with other values: a delete and an insert in the log, whose long
        texts are left out."""
        table = self._table()
        old, new = self._key(table), self._key(table)
        some = self._some(table) if self._chance.random() < 0.5 else {}
        moved = dict(zip(KEYS[table], new, strict=True)) | some
        changed = ", ".join(f"{name} = {value}" for name, value in moved.items())
        return f"update {table} set {changed} where {self._where(table, old)}", ()

    def _swap_keys(self) -> tuple[str, tuple[()]]:
        """Many keys move at once by a statement that leaves no hole: away, and half of them back."""
        shift = self._chance.choice((1_000, 2_000))
        if self._chance.random() < 0.5:
            return f"update parcels set parcel_id = -parcel_id - {shift} where parcel_id between 1 and 9", ()
        return (
            f"update parcels set parcel_id = -parcel_id - {shift} where parcel_id between {-shift - 60} and {-shift}",
            (),
        )

    def _delete(self) -> tuple[str, tuple[()]]:
        table = self._table()
        return f"delete from {table} where {self._where(table, self._key(table))}", ()

    def _delete_many(self) -> tuple[str, tuple[()]]:
        table = self._table()
        return {
            "parcels": f"delete from parcels where parcel_id % 5 = {self._chance.randint(0, 4)}",
            "stops": f"delete from stops where route = {_quoted(self._chance.choice(ROUTES))}",
            "tokens": "delete from tokens where uses > 0",
        }[table], ()

    def _delete_and_insert(self) -> tuple[str, tuple[()]]:
        table = self._table()
        key = self._key(table)
        gone = f"delete from {table} where {self._where(table, key)}"
        return f"{gone}; insert into {table} values {self._row(table, key)}", ()

    def _copy(self) -> tuple[str, tuple[tuple[str | None, ...], ...]]:
        """Fresh rows by COPY; several share a record of the log, and so a place in it."""
        first = self._chance.randint(1, 10**9) * 100
        columns = TABLES["parcels"]
        rows = []
        for number in range(first, first + self._chance.randint(20, 80)):
            rest = tuple(self._value(name, kind) for name, kind in _rest("parcels").items())
            rows.append((str(number), *rest))
        return f"copy parcels ({', '.join(columns)}) from stdin", tuple(rows)

    def _truncate(self) -> tuple[str, tuple[()]]:
        return self._chance.choice(("truncate stops", "truncate tokens", "truncate tokens, stops")), ()


def _rest(table: str) -> dict[str, str]:
    return {name: kind for name, kind in TABLES[table].items() if name not in KEYS[table]}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(value: str | None) -> str:
    return "null" if value is None else _quoted(value)
