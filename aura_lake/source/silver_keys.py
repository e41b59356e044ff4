"""Keys read from a database, as silver has them."""

from __future__ import annotations

import polars as pl

from aura_lake.cdc.semantics import from_contract
from aura_lake.contracts.cast import cast_field
from aura_lake.contracts.contract import Contract, Kind
from aura_lake.errors import SourceError


def keys_as_silver(keys: pl.DataFrame, contract: Contract, time_zone: str) -> pl.DataFrame:
    """The keys in the contract's types, a column for each of its key columns, by the contract's names.

    In: the columns of `aura_lake.outside.postgres_keys`, text by the database's names. Personal columns are not
    hashed yet. `time_zone`: where naive timestamps are. A value that silver could not hold is null, as it would wait
    in quarantine there.
    Raises SourceError where the contract computes its key, or has another key than the table.
    """
    columns = [column for column in contract.columns if column.key_position is not None]
    named = {next((name for name in (c.source, *c.synonyms) if name in keys.columns), None): c for c in columns}
    if None in named or any(c.transform for c in columns) or set(named) != set(keys.columns):
        told = ", ".join(f"{c.name} = {c.transform or c.source}" for c in columns)
        raise SourceError(
            f"{contract.table} has the key ({told}), and its table has ({', '.join(keys.columns)}).",
            fix="Only keys that are read from the table's own can be compared with it.",
        )
    typed = []
    for name, column in named.items():
        text = keys[str(name)]
        kind = pl.repeat("text", len(text), eager=True).cast(pl.String)
        semantic = from_contract(column, contract.decimals, is_change=contract.kind is Kind.CDC)
        typed.append(cast_field(text, kind, column, semantic, column.time_zone or time_zone).values.alias(column.name))
    return pl.DataFrame(typed)
