"""Fields of records as text and kind, exactly as the producer wrote them.

A field's *text* is its value without quotes (a number by its digits, an object or array as JSON);
its *kind* says what it was: string, integer, number, boolean, object, array, null, missing, or
`text` where the format has no types (CSV). Nothing is cast here, so nothing is lost.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import duckdb
import polars as pl

from aura_lake.contracts import strict_json

Path = tuple[str, ...]

KINDS = {
    "VARCHAR": "string",
    "BIGINT": "integer",
    "UBIGINT": "integer",
    "HUGEINT": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
    "OBJECT": "object",
    "ARRAY": "array",
    "NULL": "null",
}
MISSING = "missing"

FIELD_COUNT = "record_has_as_many_fields_as_the_header"
READABLE_ROW = "record_is_a_readable_csv_row"


@dataclass
class Extracted:
    """Fields of some records. `frame` has `row` and, for each path, its text and kind columns.

    `keys` holds the names found where the row's own fields stand (unit separated); `broken` the rule
    that each unreadable row breaks.
    """

    frame: pl.DataFrame
    broken: dict[int, str] = field(default_factory=dict)


def text_column(path: Path) -> str:
    """Name of the text column of a field."""
    return "text:" + ".".join(path)


def kind_column(path: Path) -> str:
    """Name of the kind column of a field."""
    return "kind:" + ".".join(path)


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """One in-memory engine a process; it reads no files."""
    connection = duckdb.connect(":memory:")
    connection.execute("set threads = 2")
    connection.execute("set python_enable_replacements = false")
    return connection


def as_text(values: pl.Series) -> pl.Series:
    """Bytes as text; null where they are not UTF-8."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(values.name, [_decode(value) for value in values.to_list()], dtype=pl.String)


def _decode(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def triage(records: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, str], dict[int, Any]]:
    """Which records are JSON at all.

    In:  `row`, `value` (Binary; null over the size cap), `value_hash`.
    Out: (`row`, `text`, `type`, `keys` of the readable ones; the rule each other row breaks; the values of
    rows whose numbers must be taken digit by digit). `type` is DuckDB's json_type of the whole value.
    """
    frame = records.select("row", text=as_text(records["value"]), missing=pl.col("value").is_null())
    broken: dict[int, str] = dict.fromkeys(frame.filter("missing")["row"].to_list(), strict_json.WITHIN_SIZE)
    not_utf8 = frame.filter(~pl.col("missing") & pl.col("text").is_null())
    broken.update(dict.fromkeys(not_utf8["row"].to_list(), strict_json.UTF8))
    frame = frame.filter(pl.col("text").is_not_null()).select("row", "text")
    odd = frame.filter(pl.col("text").str.contains(strict_json.SUSPICIOUS))
    long = frame.filter(pl.col("text").str.len_bytes() > 2 * strict_json.MAX_DEPTH)
    deep = long.filter(pl.col("text").str.count_matches(r"[\[{]") > strict_json.MAX_DEPTH)
    suspicious = pl.concat([odd, deep]).unique("row")
    exact: dict[int, Any] = {}
    for row, text in suspicious.iter_rows():
        value, rule = strict_json.read_strictly(text)
        if rule is None:
            exact[row] = value
        else:
            broken[row] = rule
    frame = frame.filter(~pl.col("row").is_in(list(broken))) if broken else frame
    # One parse tells a readable object from everything else; the rest, which is rare, is looked at again.
    read = frame.with_columns(
        _run("""select "row", array_to_string(try(json_keys(text)), chr(31)) as keys from records""", frame)["keys"],
        type=pl.lit("OBJECT"),
    )
    other = pl.col("keys").is_null() | (pl.col("keys") == "")
    if not read.select(other.any()).item():
        return read, broken, exact
    typed = _run(
        """select "row", text, null::varchar as keys, case when json_valid(text) then json_type(text) end as type
           from records""",
        read.filter(other),
    )
    for row, text in typed.filter(pl.col("type").is_null()).select("row", "text").iter_rows():
        _, rule = strict_json.read_strictly(text)
        broken[row] = rule or strict_json.VALID
    return pl.concat([read.filter(~other), typed.filter(pl.col("type").is_not_null())]), broken, exact


def duplicated_keys(keys: pl.Series) -> pl.Series:
    """Whether a key list (unit separated) names a key twice; decided once for each distinct list."""
    distinct = keys.drop_nulls().unique()
    flags = [len(names) != len(set(names)) for names in (text.split("\x1f") for text in distinct.to_list())]
    return keys.replace_strict(distinct, pl.Series(flags, dtype=pl.Boolean), default=False, return_dtype=pl.Boolean)


def extract_json(records: pl.DataFrame, prefix: Path, paths: Sequence[Path], keys_at: Path | None) -> pl.DataFrame:
    """Text and kind of each path below `prefix`, and the keys of the object at `keys_at`.

    In:  `row`, `text` (valid JSON). Out: `row`, `keys` (unit separated, null where there is no object), and
    a text and a kind column for each path.
    """
    wanted = list(dict.fromkeys(paths))
    spec = json.dumps(_spec([(*prefix, *path) for path in wanted]))
    fields = "".join(
        f", {_struct('shaped', (*prefix, *path))} as {_quote(text_column(path))}" for path in wanted
    )
    kinds = "".join(
        f", kinds[{number}] as {_quote(kind_column(path))}" for number, path in enumerate(wanted, start=1)
    )
    keys = "null::varchar"
    if keys_at is not None:
        keys = f"array_to_string(json_keys(text, {_literal(_json_path((*prefix, *keys_at)))}), chr(31))"
    locations = ", ".join(_literal(_json_path((*prefix, *path))) for path in wanted) or "'$'"
    frame = _run(
        f"""with parsed as (
                select "row", {keys} as keys, json_type(text, [{locations}]) as kinds,
                       json_transform(text, {_literal(spec)}) as shaped
                from records)
            select "row", keys{fields}{kinds} from parsed""",
        records.select("row", "text"),
    )
    return frame.with_columns(_named_kind(kind_column(path), text_column(path)) for path in wanted)


def _named_kind(kind: str, text: str) -> pl.Expr:
    """Our names of kinds; an integer beyond 64 bits, which the engine calls DOUBLE, is an integer."""
    named = pl.col(kind).replace_strict(KINDS, default=MISSING, return_dtype=pl.String)
    digits = (named == "number") & pl.col(text).str.contains(r"^-?[0-9]+$")
    return pl.when(digits).then(pl.lit("integer")).otherwise(named).alias(kind)


def overrule(frame: pl.DataFrame, exact: Mapping[int, Any], prefix: Path, paths: Sequence[Path]) -> pl.DataFrame:
    """The frame with numbers of the rows in `exact` digit by digit, as their producer wrote them."""
    mine = [row for row in frame["row"].to_list() if row in exact] if exact else []
    if not mine:
        return frame
    for path in dict.fromkeys(paths):
        texts = {}
        for row in mine:
            value = walk(exact[row], (*prefix, *path))
            if isinstance(value, strict_json.Number):
                texts[row] = str(value)
        if texts:
            digits = pl.col("row").replace_strict(texts, default=None, return_dtype=pl.String)
            frame = frame.with_columns(pl.coalesce(digits, text_column(path)).alias(text_column(path)))
    return frame


def payloads(rows: pl.DataFrame) -> pl.DataFrame:
    """Records of a JsonConverter with schemas: `row`, `text`, and the payload's `type` and `keys`, and the
    `schema` as JSON text (null where it is null)."""
    return _run(
        """select "row", text, coalesce(json_type(text, '$.payload'), 'NULL') as type,
                  case when json_type(text, '$.payload') = 'OBJECT'
                       then array_to_string(json_keys(text, '$.payload'), chr(31)) end as keys,
                  nullif(json_extract(text, '$.schema')::varchar, 'null') as schema
           from records""",
        rows.select("row", "text"),
    )


def elements(rows: pl.DataFrame, place: Path) -> pl.DataFrame:
    """The elements of the array at `place`: `row`, `kind` of what stands there, `length`, and one line an
    element with `part` (from 0) and `text`; a record without elements has one line with null `text`."""
    path = _literal(_json_path(place))
    inside = _literal(_json_path(place) + "[*]")
    found = _run(
        f"""select "row", json_type(text, {path}) as kind, json_array_length(text, {path}) as length,
                   case when json_type(text, {path}) = 'ARRAY'
                        then json_extract(text, {inside}) end as texts
            from records""",
        rows.select("row", "text"),
    )
    found = found.with_columns(
        pl.col("kind").replace_strict(KINDS, default=MISSING, return_dtype=pl.String),
        length=pl.col("length").cast(pl.Int64),
        texts=pl.col("texts").cast(pl.List(pl.String)),
        parts=pl.int_ranges(pl.col("texts").list.len().fill_null(0).cast(pl.Int64)),
    )
    return found.explode("texts", "parts").select(
        "row", "kind", "length", part=pl.col("parts").cast(pl.Int32), text=pl.col("texts")
    )


def extract_csv(records: pl.DataFrame, header: bytes, delimiter: str, paths: Sequence[Path]) -> Extracted:
    """Text and kind of each named column of CSV records that share one header.

    An empty field is null (RFC 4180 knows no null). A row that cannot be read, or has more or fewer
    fields than the header, breaks a rule by name.
    """
    names = next(csv.reader([header.decode("utf-8-sig")], delimiter=delimiter))
    index = {name: number for number, name in enumerate(names)}
    broken: dict[int, str] = {}
    rows: list[int] = []
    columns: dict[Path, list[str | None]] = {path: [] for path in paths}
    texts = as_text(records["value"])
    for row, text, value in zip(records["row"].to_list(), texts.to_list(), records["value"].to_list(), strict=True):
        if text is None:
            broken[row] = strict_json.WITHIN_SIZE if value is None else strict_json.UTF8
            continue
        try:
            fields = next(csv.reader([text], delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            broken[row] = READABLE_ROW
            continue
        if len(fields) != len(names):
            broken[row] = FIELD_COUNT
            continue
        rows.append(row)
        for path, column in columns.items():
            number = index.get(".".join(path))
            column.append(None if number is None else (fields[number] or None))
    frame = pl.DataFrame({"row": rows}, schema={"row": pl.Int64}).with_columns(keys=pl.lit("\x1f".join(names)))
    added: list[pl.Series | pl.Expr] = []
    for path, column in columns.items():
        added.append(pl.Series(text_column(path), column, dtype=pl.String))
        missing = pl.lit("null" if ".".join(path) in index else MISSING)
        kind = pl.when(pl.Series(column, dtype=pl.String).is_null()).then(missing).otherwise(pl.lit("text"))
        added.append(kind.alias(kind_column(path)))
    return Extracted(frame.with_columns(added), broken)


def _run(sql: str, records: pl.DataFrame) -> pl.DataFrame:
    connection = engine()
    connection.register("records", records.to_arrow())
    try:
        return pl.DataFrame(connection.sql(sql).to_arrow_table())
    finally:
        connection.unregister("records")


def _spec(paths: Sequence[Path]) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for path in paths:
        node = spec
        for name in path[:-1]:
            below = node.setdefault(name, {})
            node = below if isinstance(below, dict) else node.setdefault(name, {})
        node.setdefault(path[-1], "VARCHAR")
    return spec


def walk(value: Any, path: Path) -> Any:
    """The member of nested objects at `path`; None where the way ends."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _struct(root: str, path: Path) -> str:
    return root + "".join(f"[{_literal(name)}]" for name in path)


def _json_path(path: Path) -> str:
    escaped = (name.replace("\\", "\\\\").replace('"', '\\"') for name in path)
    return "$" + "".join(f'."{name}"' for name in escaped)


def _quote(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
