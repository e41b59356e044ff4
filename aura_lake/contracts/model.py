"""The commerce model: the canonical silver tables, which ship with the library as ODCS.

Its names are the only ones that Python and dbt may name; every shop's contracts are
checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from aura_lake.contracts.columns import read_columns
from aura_lake.contracts.contract import Column
from aura_lake.contracts.custom_properties import TABLE, CustomProperties
from aura_lake.contracts.element import Element
from aura_lake.contracts.problems import Problems
from aura_lake.contracts.yaml_source import read_document

FOLDER = Path(__file__).parent.parent / "model"

#: Tables that Aura Lake computes itself; no contract may fill them.
_COMPUTED = frozenset({"order_touchpoints"})


@dataclass(frozen=True)
class ModelTable:
    """One canonical table.

    `columns` carry name, type, description, key position, privacy and allowed values;
    where they come from is a shop's affair. `key` is empty for a table of events.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    event_time: str | None = None
    computed: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Key columns in order, by silver name."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(c.silver_name for c in sorted(keyed, key=lambda c: c.key_position or 0))

    def column(self, silver_name: str) -> Column:
        """The column that stands under `silver_name`; KeyError where there is none."""
        for column in self.columns:
            if column.silver_name == silver_name:
                return column
        raise KeyError(silver_name)


@cache
def commerce_model() -> Mapping[str, ModelTable]:
    """The canonical tables by name. Raises `ContractError` where a file of it is damaged."""
    problems = Problems()
    tables = {}
    for file in sorted(FOLDER.glob("*.odcs.yaml")):
        document = read_document(file, problems)
        root = Element.root(document, problems) if document else None
        for schema in root.children("schema") if root else []:
            table = _read_table(schema)
            tables[table.name] = table
    problems.raise_if_any("the commerce model")
    return MappingProxyType(tables)


def _read_table(schema: Element) -> ModelTable:
    custom = CustomProperties(schema, TABLE)
    name = schema.text("name") or ""
    return ModelTable(
        name=name,
        description=schema.text("description") or "",
        columns=read_columns(schema, None),
        event_time=custom.text("eventTime"),
        computed=name in _COMPUTED,
    )
