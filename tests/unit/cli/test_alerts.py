"""`aura alerts` and `aura approvals`, as a person meets them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests import vendors
from tests.unit.cli.conftest import Shell


def test_what_waits_is_told_once_and_listed(aura: Shell) -> None:
    code, out, _ = aura("alerts", "look")
    again, _, _ = aura("alerts", "look")
    listed = aura.json("alerts", "list")
    lines = (aura.folder / "lake" / "state" / "alerts.jsonl").read_text().splitlines()

    assert (code, again) == (1, 1)
    assert "2 opened, 0 resolved, 2 stand." in out
    assert {entry["cause"]["place"] for entry in listed} == {"silver.things"}
    assert "size_is_positive" in {entry["cause"]["id"] for entry in listed}
    assert all(entry["notices"]["file"]["told"] == "trigger" for entry in listed)
    assert [json.loads(line)["action"] for line in lines] == ["trigger", "trigger"]
    code, out, _ = aura("alerts", "list")
    assert code == 0
    assert "size_is_positive" in out


def test_an_incident_is_acknowledged_and_resolved_by_the_beginning_of_its_key(aura: Shell) -> None:
    aura("alerts", "look")
    first, second = (entry["key"] for entry in aura.json("alerts", "list"))

    assert aura("alerts", "acknowledge", first[:5], "--who", "ann")[0] == 0
    assert aura("alerts", "resolve", second, "--who", "bob")[0] == 0
    assert [(e["key"], e["state"], e["by"]) for e in aura.json("alerts", "list")] == [(first, "acknowledged", "ann")]
    every = aura.json("alerts", "list", "--all")
    assert sorted(entry["state"] for entry in every) == ["acknowledged", "resolved"]
    code, _, err = aura("alerts", "resolve", "zz")
    assert code == 1
    assert "0 incidents begin with 'zz'" in err


def test_a_test_goes_to_every_sink_and_says_which_does_not_take_it(
    aura: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vendors.slack() as there:
        monkeypatch.setenv("AURA_ALERT_SLACK_URL", there.url)
        assert aura("alerts", "test")[0] == 0
        there.away = True
        code, out, _ = aura("alerts", "test")

    assert code == 1
    assert "Slack is busy (503)" in " ".join(out.split())
    assert "secretpart" not in out
    assert len(there.bodies) == 2


def test_a_wrong_setting_is_named(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURA_ALERT_PER_HOUR", "many")
    code, _, err = aura("alerts", "look")

    assert code == 1
    assert "AURA_ALERT_PER_HOUR='many' is no number above 0" in " ".join(err.split())


def test_approvals_need_a_signing_secret(aura: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AURA_ALERT_SLACK_SIGNING_SECRET", raising=False)
    code, _, err = aura("approvals", "serve", "--port", "0")

    assert code == 1
    assert "AURA_ALERT_SLACK_SIGNING_SECRET is not set" in " ".join(err.split())


def test_approvals_listen_on_this_machine_and_end_with_a_signal(aura: Shell) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "AURA_ALERT_SLACK_SIGNING_SECRET": "topsecretsigning"}
    command = [sys.executable, "-c", "from aura_lake.cli.app import main; main()", "approvals", "serve"]
    serving = subprocess.Popen([*command, "--port", str(port)], env=environ, stderr=subprocess.PIPE, text=True)
    try:
        status = _forged(port, serving)
    finally:
        serving.send_signal(signal.SIGTERM)
        _, err = serving.communicate(timeout=20)

    assert (status, serving.returncode) == (401, 0), err
    assert "shop.yaml names no approvers" in err
    assert "401 nothing done: The call is not signed." in err
    assert "topsecretsigning" not in err


def _forged(port: int, serving: subprocess.Popen[str]) -> int:
    """The status of a call that nobody signed, once somebody listens; 0 where nobody ever does."""
    until = time.monotonic() + 60
    while serving.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/slack/actions", data=b"payload={}", timeout=5)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except urllib.error.URLError:
            time.sleep(0.1)
    return 0
