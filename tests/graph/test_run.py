"""A tiny shop through the job `everything`: from its records to gold, again, blocked, failed, killed."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterRunStatus

from aura_lake.decisions import decisions
from aura_lake.delta.lease import ApplyLease
from aura_lake.errors import QueryError
from aura_lake.orchestration.discovery import FOUND
from aura_lake.orchestration.instance import PROCESS_TAG, open_instance
from aura_lake.orchestration.run import RunOutcome, load_definitions, run_once
from aura_lake.orchestration.telling import StepEvent
from aura_lake.steps.publish import PublishReport
from aura_lake.warehouse.dbt_runner import DbtReport, TestResult
from tests.graph.tiny import DAY, TinyShop

MODELS = ["dim_customers", "dim_date", "dim_products", "fct_order_items", "fct_orders", "fct_sales_revenue"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyShop, RunOutcome]:
    """The shop after its first day; nobody changes it."""
    shop = TinyShop(tmp_path_factory.mktemp("first"))
    shop.deliver("day-1", DAY)
    return shop, shop.run()


@pytest.fixture
def shop(first: tuple[TinyShop, RunOutcome], tmp_path: Path) -> TinyShop:
    """A copy of that shop to change."""
    shutil.copytree(first[0].data.parent, tmp_path / "shop")
    return TinyShop(tmp_path / "shop")


def materializations(instance: DagsterInstance, run_id: str) -> dict[str, dict[str, Any]]:
    logs = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    found = [entry.dagster_event.step_materialization_data.materialization for entry in logs if entry.dagster_event]
    return {event.asset_key.to_user_string(): {k: v.value for k, v in event.metadata.items()} for event in found}


def checks(instance: DagsterInstance, run_id: str) -> dict[str, tuple[bool, str]]:
    logs = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.dagster_event.asset_check_evaluation_data for entry in logs if entry.dagster_event]
    return {f"{c.asset_key.to_user_string()}:{c.check_name}": (c.passed, c.severity.value) for c in found}


def versions(shop: TinyShop) -> dict[str, int]:
    lake = shop.bench.lake
    tables = {f"gold.{name}": lake.gold(name) for name in MODELS} | {"touchpoints": lake.touchpoints()}
    for name, contract in lake.shop.contracts.items():
        tables |= {f"{name}_log": lake.log(contract), name: lake.current(contract)}
    return {name: table.version for name, table in tables.items()}


def test_one_run_materializes_every_asset_and_evaluates_every_check(first: tuple[TinyShop, RunOutcome]) -> None:
    shop, outcome = first
    assert outcome.success, outcome.failed
    graph = load_definitions(shop.settings).resolve_asset_graph()
    with open_instance(shop.settings) as instance:
        told, checked = materializations(instance, outcome.run_id), checks(instance, outcome.run_id)
    # What no contract names has a job and a sensor of its own.
    assert told.keys() == {key.to_user_string() for key in graph.get_all_asset_keys() if key != FOUND}
    of_tables = [check for check in graph.asset_check_keys if check.asset_key != FOUND]
    assert checked.keys() == {f"{c.asset_key.to_user_string()}:{c.name}" for c in of_tables}


def test_a_materialization_says_rows_verdicts_watermark_and_where_columns_come_from(
    first: tuple[TinyShop, RunOutcome],
) -> None:
    shop, outcome = first
    with open_instance(shop.settings) as instance:
        told = materializations(instance, outcome.run_id)
    log, revenue = told["silver/orders_log"], told["gold/fct_sales_revenue"]
    assert (log["dagster/row_count"], log["valid"], log["read"], log["watermark"]) == (3, 3, 3, 0)
    assert revenue["dagster/row_count"] == 3
    sources = {
        (dep.asset_key.to_user_string(), dep.column_name)
        for dep in revenue["dagster/column_lineage"].deps_by_column["gross_revenue"]
    }
    assert {("silver/order_items", "quantity"), ("silver/order_items", "unit_price")} <= sources
    of_log = log["dagster/column_lineage"].deps_by_column["order_id"]
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in of_log] == [("bronze/tiny_orders", "value")]


def test_checks_say_what_was_found_and_how_bad_it_is(first: tuple[TinyShop, RunOutcome]) -> None:
    shop, outcome = first
    with open_instance(shop.settings) as instance:
        checked = checks(instance, outcome.run_id)
    assert checked["silver/orders:order_is_not_dear"] == (False, "WARN")
    assert checked["silver/orders:user_id_is_known_in_users"] == (False, "WARN")
    assert checked["silver/orders:order_amount_is_not_negative"][0]
    assert checked["silver/orders:error_budget_is_kept"] == (True, "ERROR")
    assert outcome.broken_checks == ()


def test_a_second_run_reads_nothing_and_writes_nothing(shop: TinyShop) -> None:
    before = versions(shop)
    outcome = shop.run()
    assert outcome.success
    assert versions(shop) == before
    done = {event.step: event.says for event in outcome.steps if event.state == "done"}
    assert done["gold"] == "nothing new"
    assert {says for step, says in done.items() if step.startswith("judge")} == {"nothing new"}


def test_a_block_rule_holds_back_exactly_the_models_below_its_table(shop: TinyShop) -> None:
    before = versions(shop)
    day = {"products": [{"product_id": "p3", "list_price": 0}], "orders": [{**DAY["orders"][0], "order_id": "o4"}]}
    shop.deliver("day-2", day)
    outcome = shop.run()
    assert outcome.success
    assert list(outcome.blocked) == ["products"]
    assert outcome.blocked["products"] == "1 rows wait that break list_price_is_positive."
    held = [check.partition(":")[0] for check in outcome.broken_checks if check.endswith("publication_is_not_held")]
    assert held == ["gold/dim_products", "gold/fct_order_items", "gold/fct_sales_revenue"]
    assert "silver/products: list_price_is_positive" in outcome.broken_checks
    after = versions(shop)
    assert after["products_log"] == before["products_log"] + 1, "judging never stops"
    advanced = {name for name in MODELS if after[f"gold.{name}"] > before[f"gold.{name}"]}
    assert "fct_orders" in advanced
    assert advanced <= {"dim_customers", "dim_date", "fct_orders"}
    with open_instance(shop.settings) as instance:
        told = materializations(instance, outcome.run_id)
    assert "gold/dim_products" not in told


def test_a_failing_dbt_test_holds_back_all_of_gold(shop: TinyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = TestResult("orders_have_one_row_each", "fct_orders", "fail", 2, 0.1)
    report = PublishReport(DbtReport((), (broken,), 0.1))
    monkeypatch.setattr("aura_lake.orchestration.gold_refresh.publish", lambda *_, **__: report)
    shop.deliver("day-2", {"users": [{"user_id": "u3", "email": "cem@example.com", "city": "Ulm"}]})
    outcome = shop.run()
    assert outcome.success, "the step did its work"
    assert outcome.blocked == {"gold": "the test orders_have_one_row_each fails in 2 rows."}
    assert "gold/fct_orders: orders_have_one_row_each" in outcome.broken_checks
    assert {f"gold/{model}: publication_is_not_held" for model in MODELS} <= set(outcome.broken_checks)
    with open_instance(shop.settings) as instance:
        assert not [asset for asset in materializations(instance, outcome.run_id) if asset.startswith("gold/")]


def test_a_day_over_the_error_budget_holds_its_table_back(shop: TinyShop) -> None:
    bad = [{**DAY["orders"][0], "order_id": f"bad-{number}", "order_amount": -1} for number in range(4)]
    shop.deliver("day-2", {"orders": bad})
    outcome = shop.run()
    assert list(outcome.blocked) == ["orders"]
    assert "4 of 7 records of" in outcome.blocked["orders"]
    assert "silver/orders: error_budget_is_kept" in outcome.broken_checks


def test_choosing_one_asset_brings_its_table_up_to_date_and_tells_of_all_of_it(shop: TinyShop) -> None:
    shop.deliver("day-2", {"users": [{"user_id": "u3", "email": "cem@example.com", "city": "Ulm"}]})
    outcome = shop.run('key:"bronze/tiny_users" or key:"silver/users"')
    assert outcome.success
    with open_instance(shop.settings) as instance:
        told = materializations(instance, outcome.run_id)
    assert told["silver/users"]["dagster/row_count"] == 3
    assert told["silver/users_history"]["dagster/row_count"] == 3
    assert "silver/orders" not in told


def test_a_selection_of_nothing_says_how_to_select(shop: TinyShop) -> None:
    with pytest.raises(QueryError, match=r"--select 'group:iron' chooses none of the \d+ assets\. Name keys or groups"):
        shop.run("group:iron")


def test_a_missing_feed_fails_its_own_steps_and_says_what_to_do(shop: TinyShop) -> None:
    shutil.rmtree(shop.data / "clickstream")
    shop.deliver("day-2", {"users": [{"user_id": "u3", "email": "cem@example.com", "city": "Ulm"}]})
    heard: list[StepEvent] = []
    outcome = run_once(shop.settings, on_event=heard.append)
    assert not outcome.success
    assert list(outcome.failed) == ["bronze__tiny_clickstream"]
    assert str(shop.data / "clickstream") in outcome.failed["bronze__tiny_clickstream"]
    assert [event.step for event in heard if event.state == "failed"] == ["land tiny_clickstream"]
    assert ("judge users", "done") in [(event.step, event.state) for event in heard]


def test_a_run_whose_process_is_gone_is_marked_failed_by_the_next(shop: TinyShop) -> None:
    with open_instance(shop.settings) as instance:
        gone = f"{socket.gethostname()}:{2**22 + 1}:1"
        job = load_definitions(shop.settings).resolve_job_def("everything")
        dead = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: gone})
        there = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: "elsewhere:1:1"})
    outcome = shop.run()
    assert outcome.settled == (dead.run_id,)
    with open_instance(shop.settings) as instance:
        statuses = {run: instance.get_run_by_id(run) for run in (dead.run_id, there.run_id, outcome.run_id)}
    assert [run.status.value for run in statuses.values() if run] == ["FAILURE", "STARTED", "SUCCESS"]


def test_a_second_process_names_the_holder_of_the_lease_and_waits(shop: TinyShop) -> None:
    heard: list[StepEvent] = []
    lease = ApplyLease(shop.bench.lake, command="another aura run")
    lease.__enter__()
    release = threading.Timer(1.0, lease.__exit__, (None, None, None))
    release.start()
    outcome = run_once(shop.settings, 'key:"bronze/tiny_users"', on_event=heard.append)
    release.join()
    assert outcome.success
    assert (heard[0].step, heard[0].state) == ("run", "waiting")
    assert "(another aura run), since" in heard[0].says


def test_upkeep_changes_no_row(shop: TinyShop) -> None:
    lake = shop.bench.lake
    rows = lake.table("orders").collect()
    job = load_definitions(shop.settings).resolve_job_def("upkeep")
    with open_instance(shop.settings) as instance:
        result = job.execute_in_process(instance=instance)
        told = " ".join(entry.user_message for entry in instance.all_logs(result.run_id))
    assert result.success
    assert shop.bench.lake.table("orders").collect().equals(rows)
    for name in ("bronze.tiny_orders", "silver.orders_history", "silver.order_touchpoints", "gold.fct_orders"):
        assert f"upkeep: {name} commits=" in told


def test_the_ui_reads_what_the_run_stored(first: tuple[TinyShop, RunOutcome], monkeypatch: pytest.MonkeyPatch) -> None:
    shop, outcome = first
    monkeypatch.setenv("DAGSTER_HOME", str(shop.settings.state / "dagster"))
    with DagsterInstance.get() as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        key = AssetKey(["gold", "fct_orders"])
        newest = instance.fetch_materializations(key, limit=1).records
    assert [record.run_id for record in newest] == [outcome.run_id]


def test_no_personal_value_leaves_bronze_through_dagster(first: tuple[TinyShop, RunOutcome]) -> None:
    shop, _ = first
    stored = b"".join(path.read_bytes() for path in (shop.settings.state / "dagster").rglob("*") if path.is_file())
    assert b"order_amount_is_not_negative" in stored, "the storage was read"
    assert b"ann@example.com" not in stored
    assert json.dumps("Bonn").encode() not in stored


def test_what_waits_is_discarded_and_replayed_from_the_ui(shop: TinyShop) -> None:
    bad = [{**DAY["orders"][0], "order_id": f"bad{n}", "order_amount": -1.00} for n in range(2)]
    shop.deliver("day-2", {"orders": bad})
    outcome = shop.run('key:"bronze/tiny_orders" or key:"silver/orders"')
    chosen = {"table": "orders", "places": ["day-2.jsonl#0"], "who": "ann"}
    defs = load_definitions(shop.settings)
    with open_instance(shop.settings) as instance:
        told = materializations(instance, outcome.run_id)["silver/orders_quarantine"]
        assert told["waiting: order_amount_is_not_negative"] == 2
        for name, config, found in (
            ("discard", {**chosen, "reason": "a test"}, {"quarantined_to_discarded": 1}),
            ("replay", chosen, {"discarded_to_quarantined": 1}),
        ):
            job = defs.resolve_job_def(f"{name}_quarantine")
            result = job.execute_in_process(instance=instance, run_config={"ops": {name: {"config": config}}})
            told = materializations(instance, result.run_id)["silver/orders_quarantine"]
            assert found.items() <= told.items()
        assert told["waiting: order_amount_is_not_negative"] == 2
    made = [(decision.kind, decision.who) for decision in decisions(shop.bench.lake)]
    assert made == [("discard", "ann"), ("replay", "ann")]
