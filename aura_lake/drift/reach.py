"""What a patch reaches downstream: the columns it fills otherwise, and what is made from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aura_lake.contracts.contract import Contract
from aura_lake.drift.reads import readings_of

#: model -> column -> [(silver table, column)]
Lineage = Mapping[str, Mapping[str, Sequence[Sequence[str]]]]


def reaches(
    before: Sequence[Contract],
    after: Sequence[Contract],
    fields: Sequence[str],
    models: Mapping[str, Sequence[str]],
    lineage: Lineage,
) -> list[str]:
    """`silver.table.column` of every column that is read otherwise, then `gold.model.column` of those made from
    them; `gold.model` where only the table is known.

    In: the contracts of a feed without and with a patch, the fields it names; `models`: the gold models by silver
    table; `lineage`: their columns, where dbt has compiled them.
    """
    columns: set[tuple[str, str]] = set()
    known = {contract.table: contract for contract in before}
    for contract in after:
        if contract == known.get(contract.table):
            continue
        standing = known[contract.table].columns
        changed = {column.silver_name for column in contract.columns if column not in standing}
        for field in fields:
            for reading in readings_of([contract]).get(field, ()):
                changed |= {reading.column.silver_name} if reading.column is not None else set()
        columns |= {(contract.table, name) for name in changed}
    return made_from(columns, models, lineage)


def made_from(columns: Collection[tuple[str, str]], models: Mapping[str, Sequence[str]], lineage: Lineage) -> list[str]:
    """`silver.table.column` of these columns (table, column), then what is made from them, as `reaches` tells it."""
    found = [f"silver.{table}.{name}" for table, name in sorted(columns)]
    made = sorted(
        f"gold.{model}.{column}"
        for model, its in lineage.items()
        for column, sources in its.items()
        if any((table, name) in columns for table, name in sources)
    )
    traced = {text.split(".")[1] for text in made}
    tables = {table for table, _ in columns}
    rest = {model for table in tables for model in models.get(table, ()) if model not in lineage}
    return [*found, *made, *(f"gold.{model}" for model in sorted(rest - traced))]
