"""What held for each column in all the records that were looked at: never null, a range, an enumeration.

Observed is not agreed: a range or an enumeration becomes a rule that only warns, until a person makes more of it.
Personal columns, keys and names are left out, so that no value of a person enters a contract.
"""

from __future__ import annotations

import re
from datetime import date, datetime

import polars as pl

from aura_lake.contracts.profile import Guess, Observed, Profile

#: Fewer sound records than this say nothing about what always holds.
LEAST_RECORDS = 100

#: A column with at most so many values, each seen this often on average, is an enumeration.
MOST_VALUES, TIMES_EACH = 25, 10

#: Longer texts are no code words.
LONGEST_VALUE = 60

_NAMES = re.compile(r"(?:^|_)(?:id|uuid|guid|key|token|hash|name|user|customer|person|note|comment|text)(?:_|$)")


def observe(profile: Profile, judged: pl.DataFrame) -> None:
    """Note in the profile what held; `judged`: its sampled records as `Judge` gives them."""
    sound = judged.filter(pl.col("verdict") == "valid")
    if "_op" in sound.columns:
        sound = sound.filter(pl.col("_op").is_null() | ~pl.col("_op").is_in(["d", "t"]))
    if sound.height < LEAST_RECORDS:
        profile.notes.append(f"{sound.height:,} sound records are too few to say what always holds.")
        return
    for column in profile.columns:
        if column.is_key or column.is_personal or column.name not in sound.columns:
            continue
        values = sound[column.name]
        if values.null_count() == 0:
            column.required = True
            _note(column, f"never empty in {sound.height:,} records")
        _observe_values(profile, column, values.drop_nulls())


def _observe_values(profile: Profile, column: Guess, values: pl.Series) -> None:
    if values.is_empty():
        _note(column, "always empty")
        return
    if values.dtype.is_temporal():
        low, high = values.min(), values.max()
        _note(column, f"{_time(low)} to {_time(high)}")  # no rule: time goes on
    elif values.dtype.is_numeric():
        if values.dtype.is_float():
            values = values.filter(values.is_finite())
        low, high = values.min(), values.max()
        if low is not None and values.n_unique() > 1:
            expression = f"{column.name} >= {_number(low)} and {column.name} <= {_number(high)}"
            says = f"Observed in {len(values):,} records: {_number(low)} to {_number(high)}."
            profile.observed.append(Observed(f"{column.name}_is_in_its_observed_range", expression, says))
    elif values.dtype == pl.String() and column.logical_type == "string" and not _NAMES.search(column.name):
        distinct = values.unique().sort()
        is_listed = len(distinct) <= MOST_VALUES and len(distinct) * TIMES_EACH <= len(values)
        if is_listed and (distinct.str.len_chars() <= LONGEST_VALUE).all():
            listed = ", ".join("'" + text.replace("'", "''") + "'" for text in distinct)
            says = f"Observed in {len(values):,} records: {len(distinct)} different."
            expression = f"{column.name} in ({listed})"
            profile.observed.append(Observed(f"{column.name}_is_an_observed_value", expression, says))


def _note(column: Guess, text: str) -> None:
    column.note = f"{column.note}; {text}" if column.note else text


def _number(value: object) -> str:
    text = format(value, "f") if not isinstance(value, int) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else str(value)
