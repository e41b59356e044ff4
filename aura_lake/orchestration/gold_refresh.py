"""Silver's changes go into the warehouse, and from there into what people see; nothing where nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aura_lake.delta.documents import read_document
from aura_lake.orchestration.gold_models import GoldModels
from aura_lake.orchestration.kept import keep, read_kept
from aura_lake.orchestration.manifest import fingerprint
from aura_lake.orchestration.telling import Telling
from aura_lake.orchestration.workbench import Workbench
from aura_lake.steps.blocks import blocked_tables
from aura_lake.steps.load import load
from aura_lake.steps.publish import MANIFEST, publish, shown, silver_versions
from aura_lake.warehouse.dbt_runner import TestResult
from aura_lake.warehouse.tables import LOADED, source_tables, table_specs
from aura_lake.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class GoldRefresh:
    """What became of gold. `held`: models that stay at their last good batch, with the reason; `blocked`: the
    tables that hold them. `built` is false where nothing had changed and dbt was not asked."""

    built: bool
    held: Mapping[str, str]
    blocked: Mapping[str, str]
    tests: tuple[TestResult, ...] = ()
    written: Mapping[str, int] = field(default_factory=dict)
    seconds_of: Mapping[str, float] = field(default_factory=dict)
    published_at: str | None = None


def refresh_gold(
    bench: Workbench, models: GoldModels, voice: Telling, silver: AbstractContextManager[Any] | None = None
) -> GoldRefresh:
    """Load every table that is not held back, then build, test and publish what is not below a held one.

    `silver` is entered while silver is read, by a process that writes it meanwhile: what is shown belongs together.
    """
    lake = bench.lake
    with bench.warehouse() as warehouse:
        warehouse.prepare(table_specs())
        # A local lease is kept also by a process that stands still, so nobody can publish beside it.
        since = None if lake.settings.is_local else shown(lake, models.marts)
        with silver or nullcontext():
            blocked = blocked_tables(lake)
            free = [name for name in LOADED if not blocked.keys() & source_tables(name)]
            loaded = [_load(bench, warehouse, name, voice) for name in free]
            showing = silver_versions(lake, blocked)
        for table, reason in blocked.items():
            voice.say("held", f"{table} is not published: {reason}", table=table)
        if not any(loaded) and _is_current(bench, models, warehouse, blocked, showing):
            voice.done("nothing new")
            return GoldRefresh(False, _held_models(models, blocked), blocked, published_at=_published_at(bench))
        done = publish(lake, warehouse, bench.gold, held=blocked, showing=showing, since=since)
    held = _held_models(models, blocked)
    for test in done.build.failed_tests:
        voice.say("held", f"gold is not published: the test {test.name} fails in {test.failures} rows.", table="gold")
    if done.build.failed_tests:
        names = ", ".join(test.name for test in done.build.failed_tests)
        held = {**dict.fromkeys(models.marts, f"Nothing is published while a test fails: {names}."), **held}
    else:
        _remember_build(bench)
    voice.done(
        f"{len(models.marts) - len(held)} of {len(models.marts)} models published",
        rows=sum(done.written.values()), tests=len(done.build.tests), seconds=round(done.seconds, 2),
    )  # fmt: skip
    seconds = {model.name: round(model.seconds, 3) for model in done.build.models}
    return GoldRefresh(True, held, blocked, done.build.tests, done.written, seconds, _published_at(bench))


def _load(bench: Workbench, warehouse: Warehouse, name: str, voice: Telling) -> bool:
    report = load(bench.lake, warehouse, name)
    if report is None:
        return False
    voice.say(
        "progress", f"loaded {name}",
        batches=f"{report.from_batch}..{report.to_batch}", rows_in=report.inserted, deleted=report.deleted,
        seconds=round(report.seconds, 2),
    )  # fmt: skip
    return True


def _held_models(models: GoldModels, blocked: Mapping[str, str]) -> dict[str, str]:
    held = {}
    for name in models.marts:
        above = sorted(
            {source for table in models.tables_below(name) for source in source_tables(table)} & blocked.keys()
        )
        if above:
            held[name] = " ".join(f"{table}: {blocked[table]}" for table in above)
    return held


def _is_current(
    bench: Workbench,
    models: GoldModels,
    warehouse: Warehouse,
    blocked: Mapping[str, str],
    showing: Mapping[str, int],
) -> bool:
    """Whether what people see is what a build would give: every model has read every load, all that changed
    is published, the manifest names the tables as they are, and the dbt project is the one that built them."""
    if read_kept(_mark_file(bench)).get("fingerprint") != fingerprint(bench):
        return False
    builds, last = warehouse.builds(), warehouse.last_load_id()
    free = [name for name in models.marts if name not in _held_models(models, blocked)]
    if any(builds.get(name) != last or warehouse.changed_periods(name) for name in free):
        return False
    document = read_document(bench.lake, MANIFEST) or {}
    pinned = document.get("tables", {})
    return document.get("held") == dict(blocked) and all(pinned.get(name) == at for name, at in showing.items())


def _published_at(bench: Workbench) -> str | None:
    return (read_document(bench.lake, MANIFEST) or {}).get("published_at")


def _mark_file(bench: Workbench) -> Path:
    return bench.settings.state / "dbt" / "built.json"


def _remember_build(bench: Workbench) -> None:
    keep(_mark_file(bench), {"fingerprint": fingerprint(bench)})
