"""The shop's own tables in SQL: how they are made, and the statements that change their rows.

Text and values only; whoever holds a connection runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from aura_lake.simulate.rows import CDC_TABLES, Line, Order, Payment, Product, Row, User, key_of


class SqlColumn(NamedTuple):
    """A column of the shop's database."""

    name: str
    type: str  #: as the contract's physicalType says it
    is_required: bool = True


_AT, _MONEY = "timestamp(6)", "numeric(12,2)"

#: Columns in the order of the fields of their rows. There are no foreign keys: transactions on several connections
#: refer to customers and products that others are still committing, and a checkout would fail for that alone.
COLUMNS: dict[str, tuple[SqlColumn, ...]] = {
    "users": (
        SqlColumn("user_id", "uuid"),
        SqlColumn("email", "text"),
        SqlColumn("full_name", "text"),
        SqlColumn("city", "text"),
        SqlColumn("state", "char(2)"),
        SqlColumn("zip_code", "varchar(10)", is_required=False),
        SqlColumn("region", "text"),
        SqlColumn("country", "char(2)"),
        SqlColumn("created_at", _AT),
        SqlColumn("updated_at", _AT),
    ),
    "products": (
        SqlColumn("product_id", "bigint"),
        SqlColumn("product_name", "text"),
        SqlColumn("category", "text", is_required=False),
        SqlColumn("brand", "text", is_required=False),
        SqlColumn("list_price", _MONEY),
        SqlColumn("created_at", _AT),
        SqlColumn("updated_at", _AT),
    ),
    "orders": (
        SqlColumn("order_id", "uuid"),
        # The contract wants a user; that the shop's own table does not is how orders of nobody come about.
        SqlColumn("user_id", "uuid", is_required=False),
        SqlColumn("status", "text"),
        SqlColumn("order_amount", _MONEY),
        SqlColumn("discount_amount", _MONEY),
        SqlColumn("tax_amount", _MONEY),
        SqlColumn("currency", "char(3)"),
        SqlColumn("region", "text"),
        SqlColumn("created_at", "timestamptz(6)"),
        SqlColumn("updated_at", "timestamptz(6)"),
        SqlColumn("approved_at", _AT, is_required=False),
        SqlColumn("shipped_at", _AT, is_required=False),
        SqlColumn("delivered_at", _AT, is_required=False),
    ),
    "order_items": (
        SqlColumn("order_id", "uuid"),
        SqlColumn("line_number", "int"),
        SqlColumn("product_id", "bigint"),
        SqlColumn("quantity", "int"),
        SqlColumn("unit_price", _MONEY),
        SqlColumn("discount_amount", _MONEY),
        SqlColumn("shipping_amount", _MONEY),
    ),
    "payments": (
        SqlColumn("order_id", "uuid"),
        SqlColumn("payment_number", "int"),
        SqlColumn("payment_type", "text"),
        SqlColumn("amount", _MONEY),
        SqlColumn("installments", "int"),
        SqlColumn("paid_at", _AT),
    ),
}

_ROWS: dict[str, type[User | Product | Order | Line | Payment]] = {
    "users": User,
    "products": Product,
    "orders": Order,
    "order_items": Line,
    "payments": Payment,
}
_EPOCH = datetime(1970, 1, 1)


class Verb(StrEnum):
    """What a statement does to its rows."""

    INSERT = "inserted"
    COPY = "copied"
    UPDATE = "updated"
    DELETE = "deleted"


class Statement(NamedTuple):
    """One statement: rows of one table, as they are to stand; of a delete only the keys are used."""

    verb: Verb
    table: str
    rows: tuple[Row, ...]


def key_columns(table: str) -> tuple[SqlColumn, ...]:
    """The columns of the primary key."""
    return COLUMNS[table][:2] if table in ("order_items", "payments") else COLUMNS[table][:1]


def table_sql() -> str:
    """Statements that make every table that is absent."""
    made = []
    for table in CDC_TABLES:
        lines = [f"    {c.name} {c.type}{' not null' if c.is_required else ''}," for c in COLUMNS[table]]
        lines.append(f"    primary key ({_names(key_columns(table))})")
        made.append(f"create table if not exists public.{table} (\n" + "\n".join(lines) + "\n);")
    return "\n".join(made)


def sql(statement: Statement) -> str:
    """The text of a statement, a `%s` for each of its `parameters`; of a COPY the rows follow by themselves."""
    return _sql(statement.verb, statement.table, len(statement.rows))


@lru_cache(maxsize=256)
def _sql(verb: Verb, table: str, rows: int) -> str:
    columns, key = COLUMNS[table], key_columns(table)
    if verb is Verb.COPY:
        return f"copy public.{table} ({_names(columns)}) from stdin"
    if verb is Verb.INSERT:
        return f"insert into public.{table} ({_names(columns)}) values {_tuples(columns, rows)}"
    if verb is Verb.DELETE:
        return f"delete from public.{table} where ({_names(key)}) in ({_tuples(key, rows)})"
    news = ", ".join(f"{c.name} = new.{c.name}" for c in columns if c not in key)
    same = " and ".join(f"old.{c.name} = new.{c.name}" for c in key)
    values = f"(values {_tuples(columns, rows)}) as new ({_names(columns)})"
    return f"update public.{table} as old set {news} from {values} where {same}"


def parameters(statement: Statement) -> list[object]:
    """The values of a statement that is no COPY, in the order of its places."""
    if statement.verb is Verb.DELETE:
        return [part for row in statement.rows for part in key_of(statement.table, row)]
    return [value for row in statement.rows for value in values_of(statement.table, row)]


def values_of(table: str, row: Row) -> tuple[object, ...]:
    """The row's fields as PostgreSQL's types: money decimal, times naive or in UTC."""
    return tuple(_value(column.type, field) for column, field in zip(COLUMNS[table], row, strict=True))


def row_of(table: str, values: Sequence[object]) -> Row:
    """The row that has these `values_of`."""
    fields = [_field(column.type, value) for column, value in zip(COLUMNS[table], values, strict=True)]
    return _ROWS[table]._make(fields)


def micros_of(stamp: datetime) -> int:
    """Microseconds since 1970 of a time that is naive, and then UTC, or knows its zone."""
    naive = stamp if stamp.tzinfo is None else stamp.astimezone(UTC).replace(tzinfo=None)
    return (naive - _EPOCH) // timedelta(microseconds=1)


def _value(type_: str, field: object) -> object:
    if field is None:
        return None
    if type_ == _MONEY:
        assert isinstance(field, int), f"{field!r} is no amount in cents; no column of money takes it"
        return Decimal(field).scaleb(-2)
    if type_.startswith("timestamp"):
        assert isinstance(field, int)
        stamp = _EPOCH + timedelta(microseconds=field)
        return stamp.replace(tzinfo=UTC) if type_.startswith("timestamptz") else stamp
    return field


def _field(type_: str, value: object) -> object:
    if isinstance(value, Decimal):
        return int(value.scaleb(2))
    if isinstance(value, datetime):
        return micros_of(value)
    return str(value) if type_ == "uuid" and value is not None else value


def _names(columns: Sequence[SqlColumn]) -> str:
    return ", ".join(column.name for column in columns)


def _tuples(columns: Sequence[SqlColumn], rows: int) -> str:
    one = f"({', '.join(f'%s::{column.type}' for column in columns)})"
    return ", ".join([one] * rows)
