"""Who may import whom: definitions → assets, sensors → orchestration → steps → the rest, never back up."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

#: Libraries that only some rooms may know, and the rooms that may.
LIBRARIES = {
    "dagster": ("aura_lake.orchestration", "assets", "sensors", "definitions"),
    "dagster_dbt": ("aura_lake.orchestration", "assets", "definitions"),
    "deltalake": ("aura_lake.delta",),
    "boto3": ("aura_lake.outside",),
    "botocore": ("aura_lake.outside",),
    "kafka": ("aura_lake.outside",),
    "psycopg": ("aura_lake.outside",),
    "dbt": ("aura_lake.warehouse",),
    "snowflake": ("aura_lake.warehouse",),
    "typer": ("aura_lake.cli",),
    "rich": ("aura_lake.cli",),
}

#: Each room may import itself and the rooms below it.
UPPER = ("aura_lake.cli", "definitions", "assets", "sensors", "aura_lake.orchestration", "aura_lake.steps")
ABOVE = {
    "aura_lake.steps": UPPER[:5],
    "aura_lake.orchestration": ("definitions", "assets", "sensors", "aura_lake.cli"),
    "assets": ("definitions", "aura_lake.cli"),
    "sensors": ("definitions", "aura_lake.cli", "assets"),
}

#: Rooms that say what happens and never do it: steps carry it out.
PURE = ("aura_lake.simulate",)
EFFECTS = ("aura_lake.outside", "aura_lake.delta", "aura_lake.warehouse", "aura_lake.services")


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(
        [
            *PROJECT.glob("*.py"),
            *(PROJECT / "aura_lake").rglob("*.py"),
            *PROJECT.glob("assets/*.py"),
            *PROJECT.glob("sensors/*.py"),
        ]
    ):
        parts = path.relative_to(PROJECT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize(
    ("module", "path"), sorted(modules()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_module_knows_only_what_its_room_may(module: str, path: Path) -> None:
    rest = is_in(module, ("aura_lake",)) and not is_in(module, UPPER)
    forbidden = UPPER if rest else next((ABOVE[room] for room in ABOVE if is_in(module, (room,))), ())
    for name, line in imports(path):
        allowed = LIBRARIES.get(name.split(".")[0])
        assert allowed is None or is_in(module, allowed), f"{path}:{line}: {module} may not import {name}"
        assert not is_in(name, forbidden), f"{path}:{line}: {module} may not import {name}, which stands above it"


@pytest.mark.parametrize(
    ("module", "path"),
    [each for each in sorted(modules()) if is_in(each[0], PURE)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pure_room_reaches_for_nothing_outside(module: str, path: Path) -> None:
    for name, line in imports(path):
        assert not is_in(name, EFFECTS), f"{path}:{line}: {module} may not import {name}"


def test_there_is_no_room_for_odds_and_ends() -> None:
    odd = [path for _, path in modules() if path.stem in ("utils", "helpers", "common", "misc")]
    assert not odd, f"give each idea its own file: {odd}"


def test_dbt_is_no_package() -> None:
    assert not (PROJECT / "dbt" / "__init__.py").exists(), "it would shadow dbt-core"
