"""`aura drift`: what a person sees of a renamed field, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aura_lake.cli.app import app
from aura_lake.lake import Lake
from aura_lake.steps.drift import detect_drift
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
servers:
  - server: visits
    type: local
    path: {folder}
    format: jsonl
schema:
  - name: visits
    customProperties:
      - property: kind
        value: events
    properties:
      - name: session
        logicalType: string
        required: true
      - name: pages
        logicalType: integer
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Visits of ten sessions; in the second half of them the session is called `visit_of`."""
    shop, folder = tmp_path / "shop", tmp_path / "in"
    shop.mkdir()
    folder.mkdir()
    (shop / "shop.yaml").write_text("id: visits\n")
    (shop / "visits.odcs.yaml").write_text(CONTRACT.format(folder=folder))
    names = ["session"] * 100 + ["visit_of"] * 100
    lines = [json.dumps({name: f"s-{at % 10}", "pages": at % 7}) for at, name in enumerate(names)]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
    for name, value in (("AURA_HOME", tmp_path / "lake"), ("AURA_SHOP", shop), ("AURA_STATE", tmp_path / "state")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("AURA_PII_KEY", "a key that only tests hash with, 32 bytes or more")
    found = Lake()
    for feed in found.shop.feeds.values():
        land(found, feed)
    judge(found, found.contract("visits"))
    detect_drift(found)
    return found


def run(*arguments: str) -> str:
    """What a command prints; it has to end well."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def _fresh_consoles() -> None:
    """Consoles hold on to the output they were made with."""
    from aura_lake.cli import output

    output.console.cache_clear()
    output.complaints.cache_clear()


def test_a_renamed_field_is_listed_shown_approved_and_rolled_back(lake: Lake) -> None:
    (found,) = json.loads(run("drift", "list", "--format", "json"))
    assert (found["happened"], found["field"], found["became"]) == ("renamed", "session", "visit_of")
    assert (found["stands"], found["waiting"], found["state"]) == ("proposed", 100, "open")
    shown = json.loads(run("drift", "show", found["id"], "--format", "json"))
    assert shown["trials"]["visits"]["passing"] == 100
    assert shown["reaches"] == ["silver.visits.session"]
    assert "1 finding waits" in run("status")
    run("drift", "approve", found["id"], "--hash", found["hash"][:12], "--who", "a tester")
    assert lake.renewed().table("visits").collect()["session"].n_unique() == 10
    assert lake.renewed().table("visits").collect().height == 200
    assert json.loads(run("drift", "list", "--format", "json")) == []
    assert "finding" not in run("status")
    run("drift", "rollback", found["id"], "--reason", "to see", "--who", "a tester")
    assert lake.renewed().table("visits").collect().height == 100
    (told,) = json.loads(run("drift", "list", "--all", "--format", "json"))
    assert (told["state"], told["decided_by"], told["decided_because"]) == ("rolled_back", "a tester", "to see")


def test_an_approval_asks_where_no_hash_is_given_and_does_nothing_without_a_yes(lake: Lake) -> None:
    (found,) = json.loads(run("drift", "list", "--format", "json"))
    result = CliRunner().invoke(app, ["drift", "approve", found["id"]], input="n\n")
    assert result.exit_code == 1
    assert found["hash"] in result.output
    assert lake.renewed() is lake


def test_a_rejected_finding_is_not_listed_and_a_snoozed_one_says_so(lake: Lake) -> None:
    (found,) = json.loads(run("drift", "list", "--format", "json"))
    run("drift", "snooze", found["id"], "--who", "a tester")
    assert [each["state"] for each in json.loads(run("drift", "list", "--format", "json"))] == ["snoozed"]
    run("drift", "reject", found["id"], "--reason", "no", "--who", "a tester")
    assert json.loads(run("drift", "list", "--format", "json")) == []


def test_every_command_has_an_example() -> None:
    for command in ("list", "show", "approve", "reject", "rollback", "snooze"):
        assert f"aura drift {command}" in run("drift", command, "--help")
