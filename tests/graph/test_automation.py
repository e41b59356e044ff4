"""Sensors and schedules: what starts a run, what does not, and who hears of a failure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    RunRequest,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
)

from aura_lake.errors import FeedError
from aura_lake.orchestration.alerts import Alert, alerts_file, failure_alert, write_alert
from aura_lake.orchestration.instance import open_instance
from aura_lake.orchestration.run import load_definitions
from tests.graph.tiny import DAY, TinyShop


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> TinyShop:
    """A shop whose dbt project was parsed."""
    shop = TinyShop(tmp_path_factory.mktemp("automation"))
    load_definitions(shop.settings)
    return shop


@pytest.fixture
def shop(parsed: TinyShop, tmp_path: Path) -> TinyShop:
    shutil.copytree(parsed.data.parent, tmp_path / "shop")
    return TinyShop(tmp_path / "shop")


def look(shop: TinyShop, defs: Definitions, instance: DagsterInstance) -> RunRequest | SkipReason:
    sensor = next(sensor for sensor in defs.sensors or [] if sensor.name == "new_objects")
    context = build_sensor_context(instance=instance, repository_def=defs.get_repository_def())
    answer = sensor(context)
    assert isinstance(answer, RunRequest | SkipReason)
    return answer


def test_new_objects_start_a_run_of_their_feeds_and_all_below(shop: TinyShop) -> None:
    shop.deliver("day-1", {"users": DAY["users"]})
    with DagsterInstance.ephemeral() as instance:
        request = look(shop, load_definitions(shop.settings), instance)
    assert isinstance(request, RunRequest)
    assert request.run_key is None
    keys = {key.to_user_string() for key in request.asset_selection or []}
    assert {"bronze/tiny_users", "silver/users", "gold/dim_customers", "gold/fct_orders"} <= keys
    assert "silver/products" not in keys
    assert request.tags["aura/listing"] == "recent"


def test_what_bronze_has_starts_nothing_and_the_tick_says_what_waits(shop: TinyShop) -> None:
    shop.deliver("day-1", {"users": DAY["users"]})
    (shop.data / "users" / "day-2.jsonl.tmp").write_text("half")
    defs = load_definitions(shop.settings)
    assert shop.run("group:bronze").success
    with DagsterInstance.ephemeral() as instance:
        skipped = look(shop, defs, instance)
    assert isinstance(skipped, SkipReason)
    assert skipped.skip_message == "No new objects in 5 feeds; 1 wait, 0 are skipped."


def test_a_failed_run_leaves_its_objects_new(shop: TinyShop) -> None:
    shop.deliver("day-1", {"users": DAY["users"]})
    defs = load_definitions(shop.settings)
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(look(shop, defs, instance), RunRequest)
        instance.create_run_for_job(defs.resolve_job_def("everything"), status=DagsterRunStatus.FAILURE)
        assert isinstance(look(shop, defs, instance), RunRequest)


def test_a_run_in_progress_is_waited_for(shop: TinyShop) -> None:
    shop.deliver("day-1", {"users": DAY["users"]})
    defs = load_definitions(shop.settings)
    with DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(defs.resolve_job_def("load"), status=DagsterRunStatus.STARTED)
        skipped = look(shop, defs, instance)
    assert isinstance(skipped, SkipReason)
    assert "(load) is in progress" in (skipped.skip_message or "")


def test_a_feed_that_cannot_be_listed_fails_the_tick_but_not_the_other_feeds(shop: TinyShop) -> None:
    shutil.rmtree(shop.data / "orders")
    shop.deliver("day-1", {"users": DAY["users"]})
    defs = load_definitions(shop.settings)
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(look(shop, defs, instance), RunRequest)
        assert shop.run('key:"bronze/tiny_users"').success
        with pytest.raises(FeedError, match="orders"):
            look(shop, defs, instance)


def test_the_batch_runs_only_after_new_data_is_in(shop: TinyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(shop.settings.state / "dagster"))
    shop.deliver("day-1", DAY)
    defs = load_definitions(shop.settings)
    schedule = next(schedule for schedule in defs.schedules or [] if schedule.name == "three_hourly_batch")

    def tick() -> object:
        with open_instance(shop.settings) as instance, build_schedule_context(instance=instance) as context:
            return schedule(context)  # type: ignore[operator]

    assert isinstance(tick(), SkipReason), "there is nothing in silver yet"
    assert shop.run("group:bronze or group:silver").success
    assert isinstance(tick(), RunRequest)
    assert shop.run("group:gold").success
    skipped = tick()
    assert isinstance(skipped, SkipReason)
    assert "No silver table has grown" in (skipped.skip_message or "")


def test_a_failed_run_is_one_line_in_a_file(shop: TinyShop) -> None:
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(load_definitions(shop.settings).resolve_job_def("load"))
    write_alert(shop.settings, failure_alert(run, [], "The process ended without a word.\nmore"))
    write_alert(shop.settings, Alert("2026-01-01T00:00:00+00:00", "abcdefghij", "batch", {"gold": "no room."}))
    lines = [json.loads(line) for line in alerts_file(shop.settings).read_text().splitlines()]
    assert lines[0]["failures"] == {"run": "The process ended without a word."}
    assert Alert(**lines[1]).line == "Run abcdefgh of batch failed. gold: no room."
