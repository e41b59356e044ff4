"""What no contract names is found by a sensor, lands in a run, and stands in the graph until somebody decides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, Definitions, RunRequest, SkipReason, build_sensor_context

from aura_lake.orchestration.discovery import FOUND, NOTHING_WAITS, PLACES_ANSWER
from aura_lake.orchestration.instance import open_instance
from aura_lake.orchestration.jobs import DISCOVER
from aura_lake.orchestration.run import load_definitions
from aura_lake.settings import Settings
from tests.graph.tiny import CONTRACTS, TinyShop, settings_for


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> TinyShop:
    """A shop whose contracts are its own, since drafts are written beside them."""
    folder = tmp_path_factory.mktemp("discovery")
    shop = TinyShop(folder)
    shutil.copytree(CONTRACTS, folder / "shop")
    shop.settings = settings_for(folder / "shop", folder / "lake", {"TINY_DATA": str(shop.data)})
    return shop


def tick(defs: Definitions, instance: DagsterInstance) -> RunRequest | SkipReason:
    sensor = next(sensor for sensor in defs.sensors or [] if sensor.name == "unnamed_places")
    answer = sensor(build_sensor_context(instance=instance, repository_def=defs.get_repository_def()))
    assert isinstance(answer, RunRequest | SkipReason)
    return answer


def discover(defs: Definitions, settings: Settings) -> dict[str, bool]:
    """Run the job; which checks passed."""
    with open_instance(settings) as instance:
        result = defs.resolve_job_def(DISCOVER).execute_in_process(instance=instance)
        assert result.success
        assert [e.asset_key for e in result.get_asset_materialization_events()] == [FOUND]
        return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def test_a_new_folder_starts_a_run_and_waits_in_the_graph(shop: TinyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(shop.settings.state / "dagster"))
    defs = load_definitions(shop.settings)
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(defs, instance), RunRequest), "nobody has looked yet"
    assert discover(defs, shop.settings) == {NOTHING_WAITS: True, PLACES_ANSWER: True}
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(defs, instance), SkipReason)
        (shop.data / "reviews").mkdir()
        (shop.data / "reviews" / "1.jsonl").write_text(json.dumps({"review_id": "r1"}) + "\n")
        assert isinstance(tick(defs, instance), RunRequest)
        instance.create_run_for_job(defs.resolve_job_def(DISCOVER), status=DagsterRunStatus.STARTED)
        assert isinstance(tick(defs, instance), SkipReason), "one looks already"
    assert discover(defs, shop.settings) == {NOTHING_WAITS: False, PLACES_ANSWER: True}
    assert shop.bench.lake.bronze("reviews").exists
    with DagsterInstance.ephemeral() as instance:
        waits = tick(defs, instance)
        assert isinstance(waits, SkipReason)
        assert "1 wait for a person" in (waits.skip_message or "")
        (shop.data / "reviews" / "2.jsonl").write_text(json.dumps({"review_id": "r2"}) + "\n")
        assert isinstance(tick(defs, instance), RunRequest), "more came to what was found"


def test_aura_run_does_not_look(shop: TinyShop) -> None:
    defs = load_definitions(shop.settings)
    everything = defs.resolve_job_def("everything").asset_layer
    assert FOUND not in everything.selected_asset_keys


def test_a_shop_may_switch_it_off(shop: TinyShop, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shop.settings.shop, tmp_path / "quiet"))
    with (folder / "shop.yaml").open("a") as file:
        file.write("discovery: {notice: false}\n")
    settings = settings_for(folder, tmp_path / "lake", {"TINY_DATA": str(shop.data)})
    with DagsterInstance.ephemeral() as instance:
        skipped = tick(load_definitions(settings), instance)
    assert isinstance(skipped, SkipReason)
    assert "notice: false" in (skipped.skip_message or "")
