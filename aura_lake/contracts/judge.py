"""What becomes of each record for one table: a pure function of the record and its contract.

In: a slice of bronze. Out: the log's rows, with verdict valid, quarantined or ignored; which copy of a
redelivered change is the duplicate is decided where the log is known (`verdicts.mark_duplicates`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from aura_lake.cdc.placeholder import placeholder_texts
from aura_lake.cdc.semantics import from_contract
from aura_lake.cdc.wire_schema import SchemasOf
from aura_lake.contracts.cast import cast_field, sent_rule, type_rule
from aura_lake.contracts.contract import Column, Contract, Exchange, Feed, Kind, Severity, Shop
from aura_lake.contracts.extract import MISSING, Path, kind_column, text_column
from aura_lake.contracts.readings import read_again, respell
from aura_lake.contracts.rules import Expression, parse_expression
from aura_lake.contracts.units import Units, take_apart
from aura_lake.layouts import CHANGE, JUDGEMENT, POSITION, UTC_MICROS, table_columns

HashValues = Callable[[pl.Series], pl.Series]

#: Columns of a record that a transform or a filter may name, and where they stand in bronze.
POSITION_WORDS = {"_object": "object", "_etag": "etag", "_ordinal": "ordinal", "_offset": "offset", "_part": "part"}


@dataclass(frozen=True)
class _Transform:
    column: Column
    expression: Expression


class Judge:
    """Judges slices of bronze for one table. Building it parses the contract's expressions once.

    `schemas_of` finds the schemas of framed records, where the feed has a registry; what it raises, judging raises.
    `epochs`: when each new life of the source's log began, ascending; changes that committed after it count to it.
    """

    def __init__(
        self,
        contract: Contract,
        shop: Shop,
        hash_values: HashValues,
        schemas_of: SchemasOf | None = None,
        epochs: Sequence[datetime] = (),
    ) -> None:
        self.contract, self.shop, self._hash_values, self._schemas_of = contract, shop, hash_values, schemas_of
        self._epochs = tuple(epochs)
        self.feed: Feed = shop.feeds[contract.feed]
        self._filter = parse_expression(contract.filter) if contract.filter else None
        self._transforms = {
            c.name: _Transform(c, parse_expression(c.transform)) for c in contract.columns if c.transform
        }
        self._rules = [(rule, parse_expression(rule.expression)) for rule in contract.row_rules]
        self._placeholders = list(placeholder_texts(contract.placeholder))
        self._known = {path[0] for reader in shop.readers(contract.feed) for path in paths_of(reader)}
        self.paths = paths_of(contract)

    def __call__(self, records: pl.DataFrame, headers: pl.DataFrame) -> pl.DataFrame:
        """Log rows of a slice: all of `JUDGEMENT` but `log_batch`, then `CHANGE` and the table's columns."""
        numbered = records.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        apart = take_apart(numbered, headers, self.contract, self.feed, self.paths, self._schemas_of)
        aside: dict[int, tuple[str, str | None, list[str]]] = {}
        aside.update({row: ("ignored", reason, []) for row, reason in apart.ignored.items()})
        aside.update({row: ("quarantined", None, [rule]) for row, rule in apart.broken.items()})
        frames = [self._judge_units(units, numbered) for units in apart.units if not units.frame.is_empty()]
        if aside:
            frames.append(self._set_aside(aside, numbered))
        if not frames:
            return pl.DataFrame(schema=self._schema())
        return pl.concat(frames).select(list(self._schema()))

    def _schema(self) -> dict[str, pl.DataType]:
        columns = {**JUDGEMENT, **CHANGE, **table_columns(self.contract)}
        del columns["log_batch"]
        return columns

    def _set_aside(
        self, aside: Mapping[int, tuple[str, str | None, list[str]]], numbered: pl.DataFrame
    ) -> pl.DataFrame:
        verdicts = pl.DataFrame(
            [(row, *verdict) for row, verdict in aside.items()],
            schema={"row": pl.Int64, "verdict": pl.String, "reason": pl.String, "broken_rules": pl.List(pl.String)},
            orient="row",
        )
        frame = numbered.join(verdicts, on="row").with_columns(part=pl.lit(0, pl.Int32))
        return self._complete(frame)

    def _judge_units(self, units: Units, numbered: pl.DataFrame) -> pl.DataFrame:
        where = numbered.select("row", *POSITION, "byte_offset", "landed_at", feed_batch="batch")
        frame = in_their_places(under_old_names(units.frame, self.contract.aliases), self.contract.exchanges)
        frame = frame.join(where, on="row", how="left", maintain_order="left")
        is_change = self.contract.kind is Kind.CDC
        bare = frame["op"].is_in(["d", "t"]) if is_change else _falses(frame)
        passes = self._passes_filter(frame) | bare
        filtered = frame.filter(~passes)
        frame, bare = frame.filter(passes), bare.filter(passes)
        judged = _Judging(self, units, frame, bare, is_change).run()
        if filtered.is_empty():
            return judged
        ignored = filtered.with_columns(verdict=pl.lit("ignored"), reason=pl.lit("filtered")).select(
            *where.columns[1:], "part", "verdict", "reason"
        )
        return pl.concat([judged, self._complete(ignored)])

    def _passes_filter(self, frame: pl.DataFrame) -> pl.Series:
        if self._filter is None:
            return ~_falses(frame)
        fields = fields_for(frame, self._filter)
        passes = fields.select(self._filter.to_polars(dict(fields.schema)).alias("passes"))["passes"]
        return passes.fill_null(False)

    def _complete(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with every column of the log it lacks; outcome and period from what it has."""
        if "feed_batch" not in frame.columns:
            frame = frame.rename({"batch": "feed_batch"})
        schema = self._schema()
        lists = {"broken_rules", "warnings", "_unknown_fields", "_left_out"}
        missing = [
            (pl.lit([], dtype) if name in lists else pl.lit(None, dtype)).alias(name)
            for name, dtype in schema.items()
            if name not in frame.columns and name not in ("judgement", "outcome", "log_period")
        ]
        frame = frame.with_columns(missing).with_columns(judgement=pl.lit(0, pl.Int32), outcome=outcome())
        return frame.with_columns(log_period=self._period()).select(list(schema))

    def _period(self) -> pl.Expr:
        """The partition of a unit by its own time: a day for events, a month for changes and rows."""
        contract = self.contract
        if contract.kind is Kind.EVENTS:
            time, form = contract.event_time, "%Y-%m-%d"
        elif contract.kind is Kind.CDC:
            time, form = "_committed_at", "%Y-%m"
        else:
            time, form = contract.ordering, "%Y-%m"
        if time is None or not (time == "_committed_at" or contract.column(time).dtype.is_temporal()):
            return pl.lit("undated")
        return pl.col(time).dt.strftime(form).fill_null("undated")


class _Judging:
    """One pass over the units of one shape."""

    def __init__(self, judge: Judge, units: Units, frame: pl.DataFrame, bare: pl.Series, is_change: bool) -> None:
        self._judge, self._contract = judge, judge.contract
        self._units, self._frame, self._bare, self._is_change = units, frame, bare, is_change
        self._values: dict[str, pl.Series] = {}
        self._left: dict[str, pl.Series] = {}
        self._mistyped: dict[str, pl.Series] = {}
        self._unsent: dict[str, pl.Series] = {}
        self._broken: list[tuple[str, pl.Series]] = []
        self._warned: list[tuple[str, pl.Series]] = []

    def run(self) -> pl.DataFrame:
        for column in self._contract.columns:
            self._take_column(column)
        typed = self._frame.with_columns(s.alias(name) for name, s in self._values.items())
        for column in self._contract.columns:
            self._judge_column(column)
        self._judge_rules(typed)
        hashed = [
            self._judge._hash_values(typed[c.name].cast(pl.String)).alias(c.silver_name)
            for c in self._contract.columns
            if c.personal
        ]
        typed = typed.with_columns(hashed).with_columns(
            broken_rules=names_where(self._broken, typed.height),
            warnings=names_where(self._warned, typed.height),
            _left_out=names_where(list(self._left.items()), typed.height),
            _unknown_fields=self._unknown_fields(),
        )
        quarantined = pl.col("broken_rules").list.len() > 0
        typed = typed.with_columns(
            verdict=pl.when(quarantined).then(pl.lit("quarantined")).otherwise(pl.lit("valid")),
            reason=pl.lit(None, pl.String),
            **self._change(),
        )
        return self._judge._complete(typed)

    def _take_column(self, column: Column) -> None:
        if column.transform:
            text, kind, typed = self._transformed(column)
            if typed is not None:
                self._values[column.name], self._mistyped[column.name] = typed, _falses(typed)
                return
        else:
            text, kind = self._chosen(column)
            self._unsent[column.name] = kind == MISSING
        left = _falses(text)
        if self._is_change:
            left = text.is_in(self._judge._placeholders).fill_null(False) & ~self._bare
            self._left[column.silver_name] = left
            if left.any():
                text, kind = text.set(left, None), kind.set(left, MISSING)
        told = (self._units.semantics.get(name) for name in (column.source, *column.synonyms))
        semantic = next(filter(None, told), None) or from_contract(
            column, self._contract.decimals, is_change=self._is_change
        )
        time_zone = column.time_zone or self._judge.shop.time_zone
        text = respell(text, column.respelled)
        cast = cast_field(text, kind, column, semantic, time_zone)
        cast = read_again(cast, text, kind, column, semantic, time_zone)
        is_key = column.key_position is not None
        judged = ~_falses(text) if is_key else ~self._bare
        self._values[column.name] = cast.values if is_key else cast.values.set(self._bare, None)
        self._mistyped[column.name] = cast.broken & judged
        self._broken.append((type_rule(column), cast.broken & judged))
        for words, flag in cast.breaks.items():
            self._broken.append((f"{column.name}_{words}", flag & judged))
            self._mistyped[column.name] |= flag & judged
        self._warned.extend((f"{column.name}_{words}", flag & judged) for words, flag in cast.notes.items())

    def _chosen(self, column: Column) -> tuple[pl.Series, pl.Series]:
        """The field under the first of its names that the record carries."""
        frame = self._frame
        paths = [as_path(name) for name in (column.source or column.name, *column.synonyms)]
        text, kind = frame[text_column(paths[0])], frame[kind_column(paths[0])]
        for path in paths[1:]:
            absent = kind == MISSING
            text = frame[text_column(path)].zip_with(absent, text)
            kind = frame[kind_column(path)].zip_with(absent, kind)
        return text, kind

    def _transformed(self, column: Column) -> tuple[pl.Series, pl.Series, pl.Series | None]:
        """The computed field as text and kind, or typed already where the expression gives the column's type."""
        expression = self._judge._transforms[column.name].expression
        fields = fields_for(self._frame, expression)
        value = fields.select(expression.to_polars(dict(fields.schema)).alias(column.name))[column.name]
        if len(value) != self._frame.height:  # an expression without columns gives one value
            value = value.new_from_index(0, self._frame.height)
        if self._is_change:
            stand_in = _falses(value)
            for name in expression.columns - POSITION_WORDS.keys():
                stand_in = stand_in | self._frame[text_column(as_path(name))].is_in(self._judge._placeholders)
            stand_in = stand_in.fill_null(False)
            if stand_in.any():
                value = value.cast(pl.String).set(stand_in, self._contract.placeholder)
        if value.dtype == column.dtype and value.dtype != pl.String:
            is_key = column.key_position is not None
            return value, value, value if is_key else value.set(self._bare, None)
        text = value.cast(pl.String)
        kind = pl.select(pl.when(text.is_null()).then(pl.lit("null")).otherwise(pl.lit("text"))).to_series()
        return text, kind, None

    def _judge_column(self, column: Column) -> None:
        value = self._values[column.name]
        left = self._left.get(column.silver_name, _falses(value))
        is_key = column.key_position is not None
        judged = ~left & ~self._mistyped[column.name]
        if is_key:
            is_truncate = self._frame["op"] == "t" if self._is_change else _falses(value)
            self._broken.append((f"{column.name}_is_present", value.is_null() & judged & ~is_truncate))
        elif column.required:
            self._broken.append((f"{column.name}_is_present", value.is_null() & judged & ~self._bare))
        if self._contract.is_enforced and column.required and column.name in self._unsent:
            self._broken.append((sent_rule(column), self._unsent[column.name] & ~self._bare))
        if column.allowed_values is not None:
            known = value.cast(pl.String).is_in(list(column.allowed_values)) | value.is_null()
            self._broken.append((f"{column.name}_is_an_allowed_value", ~known & judged & ~self._bare))

    def _judge_rules(self, typed: pl.DataFrame) -> None:
        optional = {c.name for c in self._contract.columns if not c.required and c.key_position is None}
        words = typed.with_columns(pl.col(source).alias(word) for word, source in POSITION_WORDS.items())
        for rule, expression in self._judge._rules:
            result = words.select(expression.to_polars(dict(words.schema)).alias("ok"))["ok"]
            if len(result) != typed.height:
                result = result.new_from_index(0, typed.height)
            unjudged, excused = self._bare, _falses(self._bare)
            for name in expression.columns & self._values.keys():
                column = next(c for c in self._contract.columns if c.name == name)
                left = self._left.get(column.silver_name, _falses(self._bare))
                unjudged = unjudged | left | self._mistyped[name]
                if name in optional:
                    excused = excused | self._values[name].is_null()
            passes = result.fill_null(False) | (result.is_null() & excused) | unjudged
            (self._warned if rule.severity is Severity.WARN else self._broken).append((rule.name, ~passes))

    def _unknown_fields(self) -> pl.Series:
        """Names of fields that no contract of the feed mentions; looked at once for each distinct list."""
        keys = self._frame["keys"]
        distinct = keys.drop_nulls().unique()
        unknown = [sorted(set(text.split("\x1f")) - self._judge._known - {""}) for text in distinct.to_list()]
        if not any(unknown):
            return (
                pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, len(keys))
                if len(keys)
                else pl.Series([], dtype=pl.List(pl.String))
            )
        lookup = pl.DataFrame({"keys": distinct, "unknown": pl.Series(unknown, dtype=pl.List(pl.String))})
        joined = self._frame.select("keys").join(lookup, on="keys", how="left", maintain_order="left")
        return joined["unknown"].fill_null([])

    def _change(self) -> dict[str, pl.Expr]:
        if not self._is_change:
            return {name: pl.lit(None, dtype) for name, dtype in CHANGE.items() if name != "_left_out"}
        micros = pl.coalesce(
            pl.col("ts_us").cast(pl.Int64, strict=False), pl.col("ts_ms").cast(pl.Int64, strict=False) * 1_000
        )
        in_range = micros.is_between(0, 253402300799999999)
        committed_at = pl.when(in_range).then(micros).cast(UTC_MICROS)
        since = pl.coalesce(committed_at, "landed_at")
        begun = [(since > pl.lit(begin, UTC_MICROS)).cast(pl.Int64) for begin in self._judge._epochs]
        snapshot = pl.col("snapshot").is_in(["true", "first", "first_in_data_collection", "last", "incremental"])
        return {
            "_op": pl.col("op"),
            "_epoch": pl.sum_horizontal(begun).cast(pl.Int64) if begun else pl.lit(0, pl.Int64),
            "_lsn": pl.col("lsn").cast(pl.Int64, strict=False),
            "_is_snapshot": (pl.col("op") == "r") | snapshot.fill_null(False),
            "_committed_at": committed_at,
        }


def paths_of(contract: Contract) -> list[Path]:
    """Every producer's field the contract reads, each once."""
    names: list[str] = []
    for column in contract.columns:
        if column.transform:
            names.extend(sorted(parse_expression(column.transform).columns))
        else:
            names.extend([column.source or column.name, *column.synonyms])
    if contract.filter:
        names.extend(sorted(parse_expression(contract.filter).columns))
    names.extend(also for field, also in contract.aliases if field in names)
    names.extend(name for exchange in contract.exchanges for name in (exchange.one, exchange.other))
    return [as_path(name) for name in dict.fromkeys(names) if name not in POSITION_WORDS]


def under_old_names(frame: pl.DataFrame, aliases: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """The frame with what came under a new name under the old one as well, in the order of the aliases. Where a
    record carries both, the new one holds: a producer that keeps the old name keeps it empty, or twice the same."""
    for field, also in reversed(aliases):
        old, new = as_path(field), as_path(also)
        if text_column(old) not in frame.columns or text_column(new) not in frame.columns:
            continue
        is_there = pl.col(kind_column(new)) != MISSING
        frame = frame.with_columns(
            pl.when(is_there).then(name(new)).otherwise(name(old)).alias(name(old))
            for name in (text_column, kind_column)
        )
    return frame


def in_their_places(frame: pl.DataFrame, exchanges: Sequence[Exchange]) -> pl.DataFrame:
    """The frame with values that came under each other's name where they belong."""
    for exchange in exchanges:
        one, other = as_path(exchange.one), as_path(exchange.other)
        if text_column(one) not in frame.columns or text_column(other) not in frame.columns:
            continue
        left, right = pl.col(text_column(one)), pl.col(text_column(other))
        moved = _fits(left, exchange.other_pattern, exchange.one_pattern)
        moved &= _fits(right, exchange.one_pattern, exchange.other_pattern)
        moved &= left.is_not_null() | right.is_not_null()
        frame = frame.with_columns(
            pl.when(moved).then(name_of(there)).otherwise(name_of(here)).alias(name_of(here))
            for here, there in ((one, other), (other, one))
            for name_of in (text_column, kind_column)
        )
    return frame


def _fits(text: pl.Expr, pattern: str, not_pattern: str) -> pl.Expr:
    """Whether a text is of one pattern and not of another; an absent one may be of either."""
    return (text.str.contains(pattern) & ~text.str.contains(not_pattern)).fill_null(True)


def as_path(name: str) -> Path:
    """A dotted name as the steps into nested objects."""
    return tuple(name.split("."))


def fields_for(frame: pl.DataFrame, expression: Expression) -> pl.DataFrame:
    """The fields an expression names, as text, and the position words; one row a unit."""
    fields = [name for name in sorted(expression.columns) if name not in POSITION_WORDS]
    return frame.select(
        *(pl.col(text_column(as_path(name))).alias(name) for name in fields),
        *(pl.col(source).alias(word) for word, source in POSITION_WORDS.items()),
        "landed_at",
    )


def outcome() -> pl.Expr:
    """The partition of a verdict: what state reads, what waits, and what it never looks at."""
    truncates = (pl.col("verdict") == "valid") & (pl.col("_op") == "t")
    return (
        pl.when(truncates.fill_null(False))
        .then(pl.lit("truncate"))
        .when(pl.col("verdict").is_in(["valid", "quarantined"]))
        .then(pl.col("verdict"))
        .otherwise(pl.lit("set_aside"))
    )


def names_where(flags: Sequence[tuple[str, pl.Series]], height: int) -> pl.Series:
    """For each row the sorted names whose flag is true there; built only for rows that have any."""
    raised = [(name, flag) for name, flag in flags if flag.any()]
    lists: list[list[str]] = [[] for _ in range(height)] if raised else []
    if not raised:
        empty = pl.Series([[]], dtype=pl.List(pl.String))
        return empty.new_from_index(0, height) if height else empty.clear()
    for name, flag in raised:
        for row in flag.arg_true().to_list():
            if name not in lists[row]:
                lists[row].append(name)
    return pl.Series([sorted(names) for names in lists], dtype=pl.List(pl.String))


def _falses(like: pl.Series | pl.DataFrame) -> pl.Series:
    return pl.repeat(False, len(like), eager=True)
