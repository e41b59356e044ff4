"""Drift that heals: what waits because a producer changed its fields enters, approved, as if it had never waited."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from aura_lake.drift.finding import Happened, Stands
from aura_lake.drift.patch import PatchRefused
from aura_lake.lake import Lake
from aura_lake.simulate import SimulationPlan, mess_named, simulate
from aura_lake.steps.drift import detect_drift
from aura_lake.steps.drift_decide import apply_decision, approve, drift_named, reject, roll_back, snooze
from aura_lake.steps.drift_kept import Drift, State, drifts, open_drifts
from aura_lake.steps.pipeline import bring_up_to_date
from aura_lake.steps.rebuild import rebuild
from tests.flow.shop_run import MART, SHOPS, ShopRun, open_shop
from tests.flow.what_people_see import Seen, assert_same, look_at


@pytest.fixture(scope="module")
def drifted(rees46_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ShopRun:
    """REES46's drift set after one run, and one look."""
    environ = {"REES46_DATA": str(rees46_data / "firehose_drift_dev")}
    shop = open_shop(SHOPS / "rees46", tmp_path_factory.mktemp("heals") / "lake", environ)
    shop.run()
    detect_drift(shop.lake)
    return shop


def approve_all(lake: Lake, found: list[Drift]) -> None:
    for drift in found:
        assert drift.finding.patch is not None
        apply_decision(lake, approve(lake, drift, drift.finding.patch.hash, who="a tester", why="it is right"))


def seen_now(shop: ShopRun) -> Seen:
    """What people see once everything is brought to gold under the contracts that hold."""
    now = shop.lake.renewed()
    assert bring_up_to_date(now, shop.warehouse, shop.gold).build.failed_tests == ()
    return look_at(now)


def test_the_seeds_disaster_is_proposed_rightly(drifted: ShopRun) -> None:
    told = {(d.finding.happened, d.finding.field, d.finding.became, d.finding.stands) for d in drifts(drifted.lake)}
    assert told == {
        (Happened.RENAMED, "user_session", "session_id", Stands.PROPOSED),
        (Happened.RETYPED, "price", "string (dec)", Stands.PROPOSED),
    }
    waiting = {d.finding.field: d.trials["clickstream"].waiting for d in drifts(drifted.lake)}
    assert waiting == {"user_session": 2_962, "price": 2_962}


def test_a_second_look_without_news_looks_at_nothing(drifted: ShopRun) -> None:
    report = detect_drift(drifted.lake)
    assert report.looked_at == ()
    assert len(report.open) == 2
    assert "aura drift list" in report.says


def test_an_approval_of_a_patch_that_has_changed_is_refused(drifted: ShopRun) -> None:
    drift = open_drifts(drifted.lake)[0]
    with pytest.raises(PatchRefused, match="Nothing was decided"):
        approve(drifted.lake, drift, "0" * 64, who="a tester", why="seen yesterday")
    assert [d.state for d in drifts(drifted.lake)] == [State.OPEN, State.OPEN]


def test_rejected_and_snoozed_findings_ask_no_more_until_their_patch_is_another(drifted: ShopRun) -> None:
    lake = drifted.lake
    one, other = open_drifts(lake)
    reject(lake, one, who="a tester", why="no")
    snooze(lake, other, 0.0001, who="a tester", why="later")
    assert drift_named(lake, one.id).state is State.REJECTED
    assert one.id not in [drift.id for drift in open_drifts(lake)]


def test_approved_everything_equals_the_run_without_drift_and_rolled_back_the_run_with_it(
    drifted: ShopRun, rees46: ShopRun
) -> None:
    """Silver, history, credits and gold, row for row, and as many of each verdict; then back, and approved again."""
    lake, wanted = drifted.lake, look_at(rees46.lake)
    before, found = look_at(lake), drifts(lake)
    approve_all(lake, found)
    assert_same(seen_now(drifted), wanted)
    assert lake.renewed().shop.contracts["clickstream"].column("session_id").synonyms == ("session_id",)
    for drift in found:
        apply_decision(lake, roll_back(lake, drift.id, who="a tester", why="to see"))
    assert_same(seen_now(drifted), before)
    assert lake.renewed().shop == lake.filed
    approve_all(lake, [drift_named(lake, drift.id) for drift in found])
    assert_same(seen_now(drifted), wanted)
    now = lake.renewed()
    assert all(rebuild(now, contract).equal for contract in now.shop.contracts.values())
    assert detect_drift(now).open == ()


CLICKS = "firehose/clickstream"


def rename_device_os(feeds: Path) -> int:
    """From the middle of the clicks' objects on, `device_os` is called `platform_os`; so many clicks."""
    files = sorted((feeds / CLICKS).rglob("*.gz"))
    renamed = 0
    for file in files[len(files) // 2 :]:
        text = gzip.decompress(file.read_bytes()).decode()
        renamed += text.count('"device_os":')
        file.write_bytes(gzip.compress(text.replace('"device_os":', '"platform_os":').encode()))
    return renamed


def test_device_os_that_became_platform_os_is_healed_in_the_demo_shop(tmp_path: Path) -> None:
    simulate(SimulationPlan(seed=3, days=3, orders=60, clicks=1_500, mess=mess_named("none")), tmp_path / "clean")
    shutil.copytree(tmp_path / "clean", tmp_path / "drifted")
    assert rename_device_os(tmp_path / "drifted") > 300
    clean, shop = (
        open_shop(MART, tmp_path / f"{name}-lake", {"AURA_MART_DATA": str(tmp_path / name)})
        for name in ("clean", "drifted")
    )
    clean.run()
    shop.run()
    assert detect_drift(clean.lake).open == ()
    (found,) = detect_drift(shop.lake).open
    assert (found.finding.field, found.finding.became) == ("device_os", "platform_os")
    assert found.finding.stands is Stands.PROPOSED
    approve_all(shop.lake, [found])
    assert_same(seen_now(shop), look_at(clean.lake))


def test_what_is_kept_of_a_finding_holds_no_value_of_a_person(drifted: ShopRun, rees46_data: Path) -> None:
    kept = (Path(drifted.lake.settings.home) / "drift" / "raw_events.json").read_text()
    files = sorted((rees46_data / "firehose_drift_dev").rglob("*.gz"))
    text = gzip.decompress(files[-1].read_bytes()).decode().replace("}{", "}\n{")
    ids = {json.loads(line)[name] for line in text.splitlines() for name in ("session_id", "user_id")}
    assert len(ids) > 50
    assert [value for value in ids if str(value) in kept] == []
