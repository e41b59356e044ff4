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

from aura_lake.delta.documents import read_document, write_document
from aura_lake.errors import FeedError
from aura_lake.orchestration.alerts import failure_line, failures_of, look_at_run
from aura_lake.orchestration.instance import open_instance
from aura_lake.orchestration.run import load_definitions
from aura_lake.steps.heartbeats import beat
from aura_lake.steps.tell_people import read_incidents, tell_people
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


def incidents(shop: TinyShop) -> list[tuple[str, str, int]]:
    found = read_incidents(shop.bench.lake).values()
    return [(i.cause.name, i.state.value, i.cause.count) for i in found if i.cause.kind == "run_failed"]


def test_a_failed_run_is_told_once_and_is_over_when_its_step_succeeds(shop: TinyShop) -> None:
    lake = shop.bench.lake
    failures = {"gold": "no room."}
    for run in ("r1", "r2", "r2"):
        tell_people(lake, look_at_run(lake, run, "batch", failures, done=()))
    assert incidents(shop) == [("run_failed:gold:step", "open", 2)]
    tell_people(lake, look_at_run(lake, "r3", "load", {}, done=("tiny_users",)))
    assert incidents(shop) == [("run_failed:gold:step", "open", 2)], "another step says nothing of this one"
    tell_people(lake, look_at_run(lake, "r4", "everything", {}, done=("gold",)))
    assert incidents(shop) == [("run_failed:gold:step", "resolved", 2)]

    lines = [json.loads(line) for line in (shop.settings.state / "alerts.jsonl").read_text().splitlines()]
    assert [(line["action"], line["says"]) for line in lines] == [
        ("trigger", "gold failed: no room."),
        ("resolve", "Resolved: gold failed: no room."),
    ]


def test_a_run_whose_process_died_is_told_by_its_job(shop: TinyShop) -> None:
    failures = failures_of([], "The process ended without a word.\nmore")
    lake = shop.bench.lake
    tell_people(lake, look_at_run(lake, "r1", "load", failures, done=()))

    assert failure_line("abcdefghij", "load", failures) == (
        "Run abcdefgh of load failed. The process ended without a word."
    )
    assert incidents(shop) == [("run_failed:load:process", "open", 1)]


def test_the_sensor_tells_what_is_wrong_and_starts_nothing(shop: TinyShop) -> None:
    sensor = next(s for s in load_definitions(shop.settings).sensors or [] if s.name == "people_are_told")
    beat(shop.bench.lake, "stream")
    name = "alerts/beats/stream.json"
    told = read_document(shop.bench.lake, name) or {}
    write_document(shop.bench.lake, name, {**told, "at": "2026-01-01T00:00:00+00:00"})
    with DagsterInstance.ephemeral() as instance:
        first = sensor(build_sensor_context(instance=instance))
        second = sensor(build_sensor_context(instance=instance))

    assert isinstance(first, SkipReason)
    assert isinstance(second, SkipReason)
    assert first.skip_message == "1 incidents opened, 0 resolved; 1 actions told."
    assert second.skip_message == "0 incidents opened, 0 resolved; 0 actions told."
