"""The functions of the rule language: their names, how they are called, what they give.

This table is what an author sees (error messages and docs/contracts.md are made from
it); `rule_check` types the calls, `rule_polars` and `rule_sql` render them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """One function as its user sees it."""

    name: str
    call: str  #: how it is written
    meaning: str


FUNCTIONS: tuple[Function, ...] = (
    Function("abs", "abs(number)", "without its sign"),
    Function("cast", "cast(value as type), value::type", "null where the value does not fit"),
    Function("ceil", "ceil(number)", "the next whole number above"),
    Function("coalesce", "coalesce(value, …)", "the first that is not null"),
    Function("contains", "contains(text, part)", "whether the part occurs"),
    Function("date_part", "date_part('unit', time)", "year … minute, isodow (Monday is 1)"),
    Function("date_trunc", "date_trunc('unit', time)", "the start of the year … minute, in UTC"),
    Function("ends_with", "ends_with(text, part)", "whether the text ends so"),
    Function("epoch_ms", "epoch_ms(integer)", "the time so many milliseconds after 1970"),
    Function("extract", "extract(unit from time)", "as date_part"),
    Function("floor", "floor(number)", "the next whole number below"),
    Function("greatest", "greatest(value, …)", "the highest; nulls are left out"),
    Function("hour", "hour(time)", "0 to 23, in UTC; so too year, month, day"),
    Function("least", "least(value, …)", "the lowest; nulls are left out"),
    Function("left", "left(text, count)", "the first characters"),
    Function("length", "length(text)", "characters"),
    Function("lower", "lower(text)", "in lower case"),
    Function("lpad", "lpad(text, length, character)", "filled or cut to the length"),
    Function("ltrim", "ltrim(text [, characters])", "without blanks at the start"),
    Function("make_timestamp", "make_timestamp(integer)", "the time so many µs after 1970"),
    Function("now", "now()", "when the record landed"),
    Function("nullif", "nullif(value, other)", "null where both are equal"),
    Function("regexp_matches", "regexp_matches(text, 'pattern')", "whether it occurs"),
    Function(
        "regexp_replace",
        "regexp_replace(text, 'pattern', 'new' [, 'g'])",
        "the first match replaced, with 'g' every one",
    ),
    Function("replace", "replace(text, 'old', 'new')", "every occurrence replaced"),
    Function("right", "right(text, count)", "the last characters"),
    Function("round", "round(number [, digits])", "halves away from zero"),
    Function("rpad", "rpad(text, length, character)", "filled or cut to the length"),
    Function("rtrim", "rtrim(text [, characters])", "without blanks at the end"),
    Function("split_part", "split_part(text, 'separator', n)", "the n-th part; '' beyond"),
    Function("starts_with", "starts_with(text, part)", "whether the text begins so"),
    Function("substring", "substring(text, start [, length])", "from the start-th character"),
    Function("to_timestamp", "to_timestamp(integer)", "the time so many seconds after 1970"),
    Function("trim", "trim(text [, characters])", "without blanks at both ends"),
    Function("upper", "upper(text)", "in upper case"),
)

#: Operators and key words, for the same list.
OPERATORS = (
    "and, or, not, =, <>, <, <=, >, >=, is [not] null, is [not] true, is [not] false, "
    "is [not] distinct from, [not] in (…), [not] between, [not] like, [not] ilike, "
    "case, +, -, *, /, %, ||, interval"
)

#: Types of a cast.
CAST_TYPES = "varchar, integer, bigint, decimal(p,s), double, boolean, date, timestamp, timestamptz"


def allowed_list() -> str:
    """What the language has, in one sentence for error messages."""
    names = ", ".join(function.name for function in FUNCTIONS)
    return f"The rule language has {OPERATORS}; and the functions {names}."
