"""Fields of records as text and kind, exactly as the producer wrote them.

A field's *text* is its value without quotes (a number by its digits, an object or array as JSON);
its *kind* says what it was: string, integer, number, boolean, object, array, null, missing, or
`text` where the format has no types (CSV). Nothing is cast here, so nothing is lost.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import duckdb
import polars as pl

from aura_lake.contracts import strict_json

Path = tuple[str, ...]

#: DuckDB's names of JSON types as our kinds.
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
KIND = pl.Enum([*dict.fromkeys(KINDS.values()), MISSING, "text"])

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


def ambiguous_rows(records: pl.DataFrame, prefix: Path, paths: Sequence[Path]) -> list[int]:
    """Rows in which an object that a dotted path leads through names a key twice, so that the path has no one value."""
    parents = sorted({path[:depth] for path in paths for depth in range(1, len(path))})
    if not parents:
        return []
    keys = ", ".join(
        f"array_to_string(json_keys(text, {_literal(_json_path((*prefix, *parent)))}), chr(31)) as keys{number}"
        for number, parent in enumerate(parents)
    )
    frame = _run(f'select "row", {keys} from records', records.select("row", "text"))
    twice = pl.repeat(False, frame.height, eager=True)
    for number in range(len(parents)):
        twice = twice | duplicated_keys(frame[f"keys{number}"])
    return frame.filter(twice)["row"].to_list()


def extract_json(records: pl.DataFrame, prefix: Path, paths: Sequence[Path], keys_at: Path | None) -> pl.DataFrame:
    """Text and kind of each path below `prefix`, and the keys of the object at `keys_at`.

    In:  `row`, `text` (valid JSON), and `keys` of the whole record where they are known. Out: `row`, `keys`
    (unit separated, null where there is no object), and a text and a kind column for each path.

    The engine parses each record once and gives every member as JSON; its first letters tell its kind.
    """
    wanted = list(dict.fromkeys(paths))
    where = None if keys_at is None else (*prefix, *keys_at)
    keys_are_known = where == () and "keys" in records.columns
    keys = "null::varchar"
    if where is not None and not keys_are_known:
        keys = f"array_to_string(json_keys(text, {_literal(_json_path(where))}), chr(31))"
    locations = ", ".join(_literal(_json_path((*prefix, *path))) for path in wanted) or "'$'"
    sql = f'select "row", {keys} as keys, json_extract(text, [{locations}]) as members from records'
    frame = _run(sql, records.select("row", "text"))
    if keys_are_known:
        frame = frame.with_columns(records["keys"])
    members = frame.select(
        pl.col("members").list.get(number).alias(text_column(path)) for number, path in enumerate(wanted)
    )
    kinds = members.select(_kind(text_column(path)).alias(kind_column(path)) for path in wanted)
    has_escapes = bool(records["text"].str.contains("\\", literal=True).any())
    texts = _texts(members, kinds, has_escapes)
    return pl.concat([frame.select("row", "keys"), texts, kinds], how="horizontal")


def _kind(column: str) -> pl.Expr:
    """The kind of JSON values (null: missing). An integer is one by its digits, however many."""
    member = pl.col(column)
    starts = member.str.starts_with
    return (
        pl.when(member.is_null())
        .then(pl.lit(MISSING, KIND))
        .when(starts('"'))
        .then(pl.lit("string", KIND))
        .when(member == "null")
        .then(pl.lit("null", KIND))
        .when(member.str.contains("^-?[0-9]+$"))
        .then(pl.lit("integer", KIND))
        .when(starts("{"))
        .then(pl.lit("object", KIND))
        .when(starts("["))
        .then(pl.lit("array", KIND))
        .when(member.is_in(["true", "false"]))
        .then(pl.lit("boolean", KIND))
        .otherwise(pl.lit("number", KIND))
    )


def _texts(members: pl.DataFrame, kinds: pl.DataFrame, has_escapes: bool) -> pl.DataFrame:
    """JSON values as their texts: strings without quotes and escapes, everything else as it is; null is null."""
    texts: list[pl.Expr] = []
    for name, kind in zip(members.columns, kinds, strict=True):
        found, text = kind.unique().to_list(), pl.col(name)
        if "string" in found:
            text = text.str.strip_chars('"')  # inside, a quote stands behind a backslash: see `_unescaped`
        if "null" in found:
            text = pl.when(pl.col(name) != "null").then(text)
        texts.append(text.alias(name))
    plain = members.select(texts)
    if not has_escapes:
        return plain
    return pl.DataFrame([_unescaped(text, members[text.name]) for text in plain])


def _unescaped(text: pl.Series, member: pl.Series) -> pl.Series:
    """`text` with the strings that hold a backslash as they mean it."""
    is_escaped = member.str.starts_with('"') & member.str.contains("\\", literal=True)
    rows = is_escaped.fill_null(False).arg_true()
    if rows.is_empty():
        return text
    escaped = pl.DataFrame({"row": rows, "text": member.gather(rows)})
    plain = _run("""select "row", json_extract_string(text, '$') as text from records""", escaped)
    return text.scatter(plain["row"], plain["text"])


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
        parts=pl.int_ranges(pl.col("texts").list.len().cast(pl.Int64)),
    )
    return found.explode("texts", "parts", empty_as_null=True).select(
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
        missing = pl.lit("null" if ".".join(path) in index else MISSING, KIND)
        kind = pl.when(pl.Series(column, dtype=pl.String).is_null()).then(missing).otherwise(pl.lit("text", KIND))
        added.append(kind.alias(kind_column(path)))
    return Extracted(frame.with_columns(added), broken)


def _run(sql: str, records: pl.DataFrame) -> pl.DataFrame:
    connection = engine()
    connection.register("records", records.to_arrow(compat_level=pl.CompatLevel.newest()))
    try:
        return pl.DataFrame(connection.sql(sql).to_arrow_table())
    finally:
        connection.unregister("records")


def walk(value: Any, path: Path) -> Any:
    """The member of nested objects at `path`; None where the way ends."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _json_path(path: Path) -> str:
    escaped = (name.replace("\\", "\\\\").replace('"', '\\"') for name in path)
    return "$" + "".join(f'."{name}"' for name in escaped)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
