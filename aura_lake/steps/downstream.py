"""What is made from a silver table: the gold models that read it, directly or through others.

Read from the SQL of the dbt project, which costs milliseconds; nobody who tells people should have to load dbt.
"""

from __future__ import annotations

import re
from pathlib import Path

from aura_lake.contracts.contract import Contract
from aura_lake.lake import Lake
from aura_lake.warehouse.tables import LOADED, source_tables

_SOURCE = re.compile(r"""source\(\s*['"]silver['"]\s*,\s*['"](\w+)['"]\s*\)""")
_REF = re.compile(r"""ref\(\s*['"](\w+)['"]\s*\)""")

#: How models that people see begin; the views before them are dbt's own affair.
_SEEN = ("dim_", "fct_")


def models_from(project: Path) -> dict[str, tuple[str, ...]]:
    """The models that people see, by silver table of the shop. Empty where there is no dbt project."""
    texts = {path.stem: path.read_text() for path in sorted((project / "dbt" / "models").rglob("*.sql"))}
    parents = {name: set(_REF.findall(text)) for name, text in texts.items()}
    sources = {name: set(_SOURCE.findall(text)) for name, text in texts.items()}
    found: dict[str, set[str]] = {}
    for model in (name for name in texts if name.startswith(_SEEN)):
        for loaded in _sources_above(model, parents, sources):
            for table in source_tables(loaded) if loaded in LOADED else (loaded,):
                found.setdefault(table, set()).add(model)
    return {table: tuple(sorted(models)) for table, models in found.items()}


def impact_of_table(models: dict[str, tuple[str, ...]], table: str) -> tuple[str, ...]:
    """What lies downstream of a table, as people write it."""
    return tuple(f"gold.{model}" for model in models.get(table, ()))


def impact_of_tables(models: dict[str, tuple[str, ...]], contracts: tuple[Contract, ...]) -> tuple[str, ...]:
    """What lies downstream of a feed: the tables that read it, and all below them."""
    below = {name for contract in contracts for name in impact_of_table(models, contract.table)}
    return (*(f"silver.{contract.table}" for contract in contracts), *sorted(below))


def models_of(lake: Lake) -> dict[str, tuple[str, ...]]:
    """`models_from` the lake's own project."""
    return models_from(lake.settings.project)


def _sources_above(model: str, parents: dict[str, set[str]], sources: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    seen, waiting = {model}, [model]
    while waiting:
        name = waiting.pop()
        found |= sources.get(name, set())
        new = parents.get(name, set()) - seen
        seen |= new
        waiting += new
    return found
