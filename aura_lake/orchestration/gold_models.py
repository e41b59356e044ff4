"""What the dbt project says of gold: its models, what each is built from, and its tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aura_lake.orchestration.manifest import DbtProject

_SILVER = "silver"


@dataclass(frozen=True)
class ModelTest:
    """One dbt test and the mart that reports it."""

    name: str
    model: str
    is_warning: bool
    description: str


class GoldModels:
    """The marts of a project, in its manifest's order."""

    def __init__(self, project: DbtProject) -> None:
        self.code_versions = project.marts
        self._nodes: Mapping[str, Any] = project.manifest["nodes"]
        self._sources: Mapping[str, Any] = project.manifest["sources"]

    @cached_property
    def marts(self) -> dict[str, Mapping[str, Any]]:
        """Nodes of the published models by name."""
        models = (node for node in self._nodes.values() if node["resource_type"] == "model")
        return {node["name"]: node for node in models if node["name"] in self.code_versions}

    def reads(self, model: str) -> tuple[list[str], list[str]]:
        """(silver tables, other marts) that a mart is built from, through whatever views."""
        tables: set[str] = set()
        marts: set[str] = set()
        for unique_id in self._upstream(self.marts[model]):
            source = self._sources.get(unique_id)
            if source is not None:
                if source["source_name"] == _SILVER:
                    tables.add(source["name"])
            else:
                marts.add(self._nodes[unique_id]["name"])
        return sorted(tables), sorted(marts)

    def tables_below(self, model: str) -> set[str]:
        """Every silver table that a mart depends on, also through other marts."""
        tables, marts = self.reads(model)
        return set(tables).union(*(self.tables_below(mart) for mart in marts))

    def tests(self) -> list[ModelTest]:
        """The data tests; one that looks at several models is reported by the first mart it names."""
        found = []
        for node in self._nodes.values():
            if node["resource_type"] != "test":
                continue
            attached = self._nodes.get(node.get("attached_node") or "")
            model = attached["name"] if attached else self._first_mart(node)
            if model in self.marts:
                severity = str(node["config"].get("severity", "error")).lower()
                found.append(ModelTest(node["name"], model, severity == "warn", _describe(node)))
        return sorted(found, key=lambda test: (test.model, test.name))

    def _first_mart(self, node: Mapping[str, Any]) -> str:
        names = (self._nodes[i]["name"] for i in node["depends_on"]["nodes"] if i in self._nodes)
        return next((name for name in names if name in self.marts), "")

    def _upstream(self, node: Mapping[str, Any]) -> Iterator[str]:
        """What a node reads, views replaced by what they read."""
        for unique_id in node["depends_on"]["nodes"]:
            above = self._nodes.get(unique_id)
            if above is None or above["name"] in self.marts:
                yield unique_id
            else:
                yield from self._upstream(above)


def _describe(node: Mapping[str, Any]) -> str:
    """The test's own description, else what kind of test it is and of what."""
    if node.get("description"):
        return str(node["description"])
    metadata = node.get("test_metadata")
    if not metadata:
        return f"The query in dbt/{node['original_file_path']} finds no row."
    given = metadata.get("kwargs", {})
    arguments = given.get("arguments") or given
    named = {name: value for name, value in arguments.items() if name not in ("model", "column_name")}
    column = f" of {node['column_name']}" if node.get("column_name") else ""
    return f"dbt test {metadata['name']}{column}" + (f": {named}" if named else "")
