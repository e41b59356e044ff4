"""JSON text built column by column: benchmarks write millions of records."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl


def json_object(members: Mapping[str, pl.Expr]) -> pl.Expr:
    """One JSON object a row; the values are JSON already (see `quoted`)."""
    pieces: list[pl.Expr] = []
    for name, value in members.items():
        pieces.append(pl.lit(f'{"," if pieces else "{"}"{name}":'))
        pieces.append(value.cast(pl.String).fill_null("null"))
    return pl.concat_str([*pieces, pl.lit("}")])


def quoted(text: pl.Expr) -> pl.Expr:
    """Text without quotes and backslashes as a JSON string; null stays null."""
    return pl.concat_str([pl.lit('"'), text, pl.lit('"')])


def words(index: pl.Expr, choices: list[str | None]) -> pl.Expr:
    """The word at each index."""
    return index.replace_strict(dict(enumerate(choices)), return_dtype=pl.String)


def money(cents: pl.Expr) -> pl.Expr:
    """Whole cents as a number with two digits behind the point."""
    return pl.concat_str([(cents // 100).cast(pl.String), pl.lit("."), (cents % 100).cast(pl.String).str.zfill(2)])


def uuid(number: pl.Expr) -> pl.Expr:
    """A number below 10^15 in the shape of a UUID."""
    digits = number.cast(pl.String).str.zfill(15)
    parts = [digits.str.slice(0, 8), pl.lit("-"), digits.str.slice(8, 4), pl.lit("-4e00-8c23-a"), digits.str.slice(4)]
    return pl.concat_str(parts)
