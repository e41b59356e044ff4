"""Gold, built by a warm dbt.

dbt is parsed once a process; a build then costs what its statements cost. Nothing is
written into the project: compiled SQL and logs lie in the state folder. dbt reads its
connection from environment variables, which are set for the length of a call.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aura_lake.errors import WarehouseError
from aura_lake.warehouse.snowflake_connector import connector

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@dataclass(frozen=True)
class ModelResult:
    """What became of one model: success, error or skipped (because one above it failed)."""

    name: str
    status: str
    seconds: float


@dataclass(frozen=True)
class TestResult:
    """What became of one test: pass, warn, fail, error or skipped."""

    __test__ = False  # pytest would collect it by its name

    name: str
    model: str  #: the model it looks at; empty for one that looks at several
    status: str
    failures: int  #: rows that break it
    seconds: float


@dataclass(frozen=True)
class DbtReport:
    """What one `dbt build` did, in the order in which it ended."""

    models: tuple[ModelResult, ...]
    tests: tuple[TestResult, ...]
    seconds: float

    @property
    def failed_tests(self) -> tuple[TestResult, ...]:
        """Tests whose models must not be published; warnings are not among them."""
        return tuple(test for test in self.tests if test.status in ("fail", "error"))

    @property
    def warned_tests(self) -> tuple[TestResult, ...]:
        """Tests that found rows someone should look at."""
        return tuple(test for test in self.tests if test.status == "warn")


class DbtGold:
    """The dbt project bound to one target. Release the warehouse before each call.

    `env`: variables that profiles.yml reads, AURA_DUCKDB_PATH or AURA_SNOWFLAKE_*.
    `variables`: shop_time_zone, shop_currency, shop_tables.
    """

    def __init__(
        self,
        project_dir: Path,
        state_dir: Path,
        target: str,
        env: Mapping[str, str],
        variables: Mapping[str, Any],
    ) -> None:
        self._project_dir = project_dir
        self._target_path = state_dir / "target" / target
        self._log_path = state_dir / "logs" / target
        self._target = target
        self._env = dict(env)
        self._variables = dict(variables)
        self._manifest: Manifest | None = None

    @property
    def env(self) -> dict[str, str]:
        """The variables that profiles.yml reads."""
        return dict(self._env)

    @property
    def manifest_path(self) -> Path:
        """manifest.json, which `parse` writes."""
        return self._target_path / "manifest.json"

    @property
    def compiled_path(self) -> Path:
        """Folder of the compiled SQL of the last builds."""
        return self._target_path / "compiled"

    def parse(self) -> Path:
        """Read the project, once a process; the manifest's path."""
        if self._manifest is None:
            self._manifest = self._invoke(["parse"])
        return self.manifest_path

    def build(
        self,
        select: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        *,
        full_refresh: bool = False,
        all_rows: bool = False,
    ) -> DbtReport:
        """Build models and run their tests; a failing test holds back what lies below it.

        Tests look at the rows that differ from what was published; `all_rows`: at every one.
        Failed tests are in the report. Raises WarehouseError where a statement of a model or
        test fails; models that had been built by then stay built, and may be built again.
        """
        # Unit tests ask about the project, not about rows: `unit_test`.
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        if select:
            arguments += ["--select", *select]
        if exclude:
            arguments += ["--exclude", *exclude]
        if full_refresh:
            arguments.append("--full-refresh")
        return self._report(arguments, test_scope="all" if all_rows else "changed")

    def unit_test(self) -> DbtReport:
        """Run the unit tests of the models, which must have been built once."""
        return self._report(["test", "--select", "test_type:unit"], test_scope="all")

    def _report(self, arguments: Sequence[str], test_scope: str) -> DbtReport:
        self.parse()
        started = time.perf_counter()
        outcome = self._invoke(arguments, test_scope)
        return _report(outcome.results, time.perf_counter() - started)

    def _invoke(self, arguments: Sequence[str], test_scope: str = "changed") -> Any:
        """Run a dbt command and close every connection it opened."""
        if self._target == "snowflake":
            connector()
        from dbt.cli.main import dbtRunner  # imports half of dbt: 1.5 s

        command = [
            *arguments,
            *("--project-dir", str(self._project_dir), "--profiles-dir", str(self._project_dir)),
            *("--target", self._target, "--target-path", str(self._target_path)),
            # No log file: dbt would leave one open after each call. Errors come back as results.
            *("--log-path", str(self._log_path), "--log-level", "none", "--log-level-file", "none"),
            *("--vars", json.dumps({**self._variables, "test_scope": test_scope})),
            *("--quiet", "--no-print", "--no-use-colors", "--no-version-check"),
            "--no-send-anonymous-usage-stats",
            "--write-json" if arguments[0] == "parse" else "--no-write-json",
        ]
        with _environment(self._env):
            try:
                answer = dbtRunner(manifest=self._manifest).invoke(command)
            finally:
                _close_connections(self._target)
        if answer.exception is not None:
            raise WarehouseError(
                f"dbt {arguments[0]} ({self._target}) did not run: {answer.exception}",
                fix=f"Look at {self._project_dir} and the settings of the warehouse: aura doctor.",
            ) from answer.exception
        return answer.result


def _report(results: Sequence[Any], seconds: float) -> DbtReport:
    models: list[ModelResult] = []
    tests: list[TestResult] = []
    for result in results:
        node = result.node
        status = str(result.status)
        if status == "error":
            raise WarehouseError(
                f"{node.resource_type} {node.name}: {' '.join(str(result.message).split())}",
                fix=f"The statement is in {_compiled_file(node)}.",
            )
        if node.resource_type == "model":
            models.append(ModelResult(node.name, status, result.execution_time))
        elif node.resource_type in ("test", "unit_test"):
            attached = getattr(node, "attached_node", None) or ""
            tests.append(
                TestResult(
                    name=node.name,
                    model=attached.rpartition(".")[2],
                    status=status,
                    failures=result.failures or 0,
                    seconds=result.execution_time,
                )
            )
    return DbtReport(tuple(models), tuple(tests), seconds)


def _compiled_file(node: Any) -> str:
    compiled = getattr(node, "compiled_path", None)
    return str(compiled or node.original_file_path)


def _close_connections(target: str) -> None:
    """Let go of DuckDB's file, which a warm dbt would keep locked."""
    if target != "duckdb":
        return
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
