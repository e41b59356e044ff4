"""`aura run` and `aura demo` around the graph: exit codes, progress, and which shop is simulated."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from deltalake import DeltaTable

from aura_lake.cli.demo import _plan_end, at_landing
from aura_lake.errors import SettingsError
from aura_lake.settings import Settings
from tests.unit.cli.conftest import PROJECT, Shell


@dataclass(frozen=True)
class Outcome:
    """What a run of the graph returns."""

    success: bool = True
    run_id: str = "1"
    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    broken_checks: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """What a step says."""

    step: str
    state: str
    says: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Graph = Callable[[Outcome], list[str | None]]


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Graph:
    """Stands for the Dagster graph, which other tests run: ends as it is told, remembers what was selected."""

    def ends(outcome: Outcome) -> list[str | None]:
        selected: list[str | None] = []

        def run_once(settings: Settings, select: str | None = None, on_event: Any = None) -> Outcome:
            selected.append(select)
            on_event(Event("judge things", "started", "begins"))
            on_event(Event("judge things", "done", "2 valid"))
            return outcome

        module = ModuleType("aura_lake.orchestration.run")
        module.run_once = run_once  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "aura_lake.orchestration.run", module)
        return selected

    return ends


def test_a_run_tells_its_steps_and_the_ledger_and_ends_with_0(aura: Shell, graph: Graph) -> None:
    selected = graph(Outcome())
    code, out, err = aura("run", "--select", "group:silver")

    assert code == 0
    assert selected == ["group:silver"]
    assert "judge things" in err
    assert "2 valid" in err
    assert "Every row is accounted for" in out


def test_a_run_with_a_failed_step_ends_with_1_and_says_what_to_do(aura: Shell, graph: Graph) -> None:
    graph(Outcome(success=False, failed={"fold_things": "The disk is full. Make room."}))
    code, _, err = aura("run")

    assert code == 1
    assert "fold_things failed: The disk is full. Make room." in err


def test_a_run_that_holds_a_table_back_ends_with_1(aura: Shell, graph: Graph) -> None:
    graph(Outcome(blocked={"things": "3 rows break size_is_positive"}))
    code, _, err = aura("run")

    assert code == 1
    assert "things is not published: 3 rows break size_is_positive" in err


def test_a_run_whose_ledger_is_off_ends_with_1(aura: Shell, graph: Graph) -> None:
    graph(Outcome())
    DeltaTable(str(aura.folder / "lake" / "silver" / "things")).delete()
    code, out, _ = aura("run")

    assert code == 1
    assert "things: live keys of the history = current rows: 1 against 0, off by +1" in out


def test_a_run_as_json_holds_the_outcome_and_the_ledger(aura: Shell, graph: Graph) -> None:
    graph(Outcome(failed={"a": "b"}, success=False))
    document = aura.json("run")

    assert (document["success"], document["failed"], document["ledger"]["balanced"]) == (False, {"a": "b"}, True)


def some_settings(home: Path) -> Settings:
    return Settings(PROJECT, str(home), home / "state", PROJECT / "shops" / "aura_mart", environ={})


def test_the_demo_shop_lies_inside_the_lake_where_nothing_else_is_said(tmp_path: Path) -> None:
    settings = some_settings(tmp_path)
    said = replace(settings, environ={"AURA_MART_DATA": "/elsewhere"})

    assert at_landing(settings).environ["AURA_MART_DATA"] == str(tmp_path / "landing")
    assert at_landing(said).environ["AURA_MART_DATA"] == "/elsewhere"


def test_the_demo_goes_on_with_the_shop_that_is_there(tmp_path: Path) -> None:
    settings = at_landing(some_settings(tmp_path))

    assert _plan_end(settings, None) == datetime.now(UTC).date()
    assert _plan_end(settings, None) == datetime.now(UTC).date()
    with pytest.raises(SettingsError, match=r"the demo shop in this lake ends .*, and --end is 2026-01-01"):
        _plan_end(settings, date(2026, 1, 1))
