"""Which silver columns each column of a gold model is made from, read from the SQL that dbt compiled.

The views between silver and gold are taken in, so that lineage goes from table to table. Reading it costs a
second or two, once for each version of the dbt project.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aura_lake.orchestration.kept import keep, read_kept
from aura_lake.warehouse.tables import LOADED, columns_of

#: column -> [(silver table, column), …]
Lineage = Mapping[str, list[tuple[str, str]]]

_VIEWS = ("stg_", "int_")
_MARTS = ("dim_", "fct_")
_SILVER = "silver__"


def gold_lineage(compiled: Path, dialect: str, kept: Path, mark: str) -> dict[str, Lineage]:
    """The lineage of every mart that was compiled under a folder; empty before the first build.

    `kept`: a file in the state folder that remembers the answer as long as `mark`, the fingerprint of the dbt
    project, stays the same.
    """
    models = _remembered(kept, mark)
    texts = {path.stem: path.read_text() for path in sorted(compiled.glob("*/models/*/*.sql"))}
    missing = {name: text for name, text in texts.items() if name.startswith(_MARTS) and name not in models}
    if missing:
        views = {name: text for name, text in texts.items() if name.startswith(_VIEWS)}
        models |= {name: _trace(text, views, dialect) for name, text in missing.items()}
        keep(kept, {"mark": mark, "models": models})
    return dict(models)


def _remembered(kept: Path, mark: str) -> dict[str, Lineage]:
    document = read_kept(kept)
    if document.get("mark") != mark:
        return {}
    return {
        m: {c: [(t, n) for t, n in deps] for c, deps in columns.items()} for m, columns in document["models"].items()
    }


def _trace(text: str, views: Mapping[str, str], dialect: str) -> dict[str, list[tuple[str, str]]]:
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer import build_scope
    from sqlglot.optimizer.qualify import qualify

    def parse(sql: str) -> Any:
        """The statement with bare table names, silver ones marked: a CTE may have the name of one."""
        tree = sqlglot.parse_one(sql, read=dialect)
        for table in list(tree.find_all(exp.Table)):
            if table.db:
                name = table.name.lower()
                table.replace(exp.to_table(name if name in views else _SILVER + name, alias=table.alias or None))
        return tree

    schema: dict[str, object] = {
        _SILVER + name: {**dict.fromkeys(columns_of(name), "text"), "_key_hash": "bigint"} for name in LOADED
    }
    whole: Any = qualify(
        exp.expand(parse(text), {name: parse(view) for name, view in views.items()}, dialect=dialect),
        dialect=dialect,
        schema=schema,
        validate_qualify_columns=False,
    )
    scope = build_scope(whole)
    found: dict[str, list[tuple[str, str]]] = {}
    for column in whole.named_selects:
        if column.startswith("_"):
            continue
        nodes = lineage(column, whole, schema, scope=scope, dialect=dialect).walk()
        leaves = {
            (node.source.name.lower().removeprefix(_SILVER), node.name.rpartition(".")[2].strip('"').lower())
            for node in nodes
            if isinstance(node.source, exp.Table)
        }
        found[column.lower()] = sorted((table, name) for table, name in leaves if table in LOADED)
    return found
