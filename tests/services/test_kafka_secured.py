"""Topics behind a login and behind certificates: landed by settings alone, and a wrong setting is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
import pytest
from kafka import KafkaProducer

from aura_lake.contracts.contract import KAFKA, Feed, Format, Shop
from aura_lake.errors import FeedError
from aura_lake.lake import Lake
from aura_lake.ledger.count import count
from aura_lake.outside import kafka_settings
from aura_lake.settings import Settings
from aura_lake.steps.fold import fold
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land
from aura_lake.steps.land_report import LandReport
from tests.changes import change, things
from tests.conftest import PROJECT
from tests.services.secured_kafka import KEY_PASSWORD, PASSWORD, USER, SecuredKafka, secured_kafka

pytestmark = pytest.mark.services

PREFIX = "AURA_KAFKA_"


@pytest.fixture(scope="module")
def broker() -> Iterator[SecuredKafka]:
    with secured_kafka() as broker:
        yield broker


@pytest.fixture(scope="module")
def topic(broker: SecuredKafka) -> str:
    """A topic with three changes, written through the plain listener."""
    name = f"things-{uuid.uuid4().hex[:8]}"
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for lsn, key in ((1, "a"), (2, "b"), (3, "c")):
        producer.send(name, json.dumps(change("c", lsn, key)).encode())
    producer.flush()
    producer.close()
    return name


def settings_of(broker: SecuredKafka, way: str) -> dict[str, str]:
    """The settings of each way in."""
    login = {"USERNAME": USER, "PASSWORD": PASSWORD}
    authority = {"CA_FILE": str(broker.certificates["ca.pem"])}
    client = {
        "CERTIFICATE_FILE": str(broker.certificates["client.pem"]),
        "KEY_FILE": str(broker.certificates["client.locked.key"]),
        "KEY_PASSWORD": KEY_PASSWORD,
    }
    return {
        "PLAIN": {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_MECHANISM": "PLAIN", **login},
        "SCRAM-SHA-256": {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_MECHANISM": "SCRAM-SHA-256", **login},
        "SCRAM-SHA-512 in TLS": {
            "SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "SCRAM-SHA-512", **login, **authority,
        },
        "TLS": {"SECURITY_PROTOCOL": "SSL", **authority},
        "mutual TLS": {"SECURITY_PROTOCOL": "SSL", **authority, **client},
    }[way]  # fmt: skip


LISTENER = {
    "PLAIN": "LOGIN",
    "SCRAM-SHA-256": "LOGIN",
    "SCRAM-SHA-512 in TLS": "LOGIN_TLS",
    "TLS": "TLS",
    "mutual TLS": "MUTUAL",
}


def lake_of(folder: Path, bootstrap: str, topic: str, told: Mapping[str, str]) -> Lake:
    environ = {PREFIX + name: value for name, value in told.items()}
    settings = Settings(project=folder, home=str(folder / "lake"), state=folder / "state", shop=folder, environ=environ)
    feed = Feed("things", KAFKA + bootstrap, Format.JSON, topics=(topic,))
    return Lake(settings, Shop("test", folder, {"things": things()}, {"things": feed}))


def landed(lake: Lake) -> LandReport:
    return land(lake, lake.shop.feeds["things"])


@pytest.mark.parametrize("way", LISTENER)
def test_a_secured_topic_is_landed_by_settings_alone(
    broker: SecuredKafka, topic: str, tmp_path: Path, way: str
) -> None:
    lake = lake_of(tmp_path, broker.bootstrap_of(LISTENER[way]), topic, settings_of(broker, way))
    report = landed(lake)
    assert (report.records, report.stopped) == (3, {})
    judge(lake, lake.contract("things"))
    fold(lake, lake.contract("things"))
    assert lake.table("things").select(pl.len()).collect().item() == 3
    assert count(lake).problems() == []


@pytest.mark.parametrize(
    ("way", "listener", "changed", "says", "fix"),
    [
        ("PLAIN", "LOGIN", {"PASSWORD": "wrong"}, "refuses the login of 'ann' by PLAIN", "AURA_KAFKA_PASSWORD"),
        ("SCRAM-SHA-256", "LOGIN", {"PASSWORD": "wrong"}, "login of 'ann' by SCRAM-SHA-256", "AURA_KAFKA_PASSWORD"),
        ("SCRAM-SHA-256", "LOGIN", {"USERNAME": "bob"}, "login of 'bob' by SCRAM-SHA-256", "AURA_KAFKA_USERNAME"),
        ("PLAIN", "LOGIN", {"SASL_MECHANISM": "GSSAPI"}, "no login by GSSAPI, but by", "AURA_KAFKA_SASL_MECHANISM"),
        ("PLAIN", "PLAINTEXT", {}, "takes no login", "AURA_KAFKA_SECURITY_PROTOCOL to PLAINTEXT"),
        ("plain", "LOGIN", {}, "hangs up on a client of PLAINTEXT", "AURA_KAFKA_SECURITY_PROTOCOL to SASL_SSL or"),
        ("plain", "TLS", {}, "TLS|hangs up on a client of PLAINTEXT", "AURA_KAFKA_SECURITY_PROTOCOL to"),
        ("TLS", "TLS", {"CA_FILE": "other-ca.pem"}, "is not trusted: ", "AURA_KAFKA_CA_FILE"),
        ("TLS", "MUTUAL", {}, "ends the connection: .*CERTIFICATE", "AURA_KAFKA_CERTIFICATE_FILE"),
        ("mutual TLS", "MUTUAL", {"KEY_PASSWORD": "wrong"}, "and its key do not open", "AURA_KAFKA_KEY_PASSWORD"),
        ("TLS", "PLAINTEXT", {}, "TLS", "AURA_KAFKA_SECURITY_PROTOCOL"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_landed(
    broker: SecuredKafka,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    listener: str,
    changed: dict[str, str],
    says: str,
    fix: str,
) -> None:
    monkeypatch.setattr(kafka_settings, "ANSWER_SECONDS", 2)
    told = {} if way == "plain" else settings_of(broker, way)
    told |= {name: str(broker.certificates[v]) if name == "CA_FILE" else v for name, v in changed.items()}
    bootstrap = broker.bootstrap if listener == "PLAINTEXT" else broker.bootstrap_of(listener)
    lake = lake_of(tmp_path, bootstrap, topic, told)
    with pytest.raises(FeedError, match=says) as refused:
        landed(lake)
    assert fix in refused.value.fix
    assert PASSWORD not in str(refused.value)
    assert not lake.bronze("things").exists


def test_aura_stream_ends_with_the_setting_that_is_wrong(broker: SecuredKafka, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AURA_", "AWS_"))}
    wrong = {**settings_of(broker, "SCRAM-SHA-256"), "PASSWORD": "wrong"}
    told = {
        "AURA_ENV": "live",
        "AURA_HOME": str(tmp_path / "lake"),
        "AURA_PII_KEY": "k" * 40,
        "KAFKA_BROKERS": broker.bootstrap_of("LOGIN"),
        **{PREFIX + name: value for name, value in wrong.items()},
    }
    command = [sys.executable, "-c", "from aura_lake.cli.app import main; main()", "stream"]
    ran = subprocess.run(command, cwd=PROJECT, env={**clean, **told}, capture_output=True, text=True, timeout=200)
    said = " ".join(ran.stderr.replace("│", " ").split())
    assert ran.returncode == 1, said[-2000:]
    assert "refuses the login of 'ann' by SCRAM-SHA-256" in said, said[-3000:]
    assert "Check AURA_KAFKA_USERNAME and AURA_KAFKA_PASSWORD" in said
