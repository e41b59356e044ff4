"""What a Kafka client is told, and which settings are refused before anybody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from aura_lake.errors import SettingsError
from aura_lake.outside.kafka_settings import kafka_options

LOGIN = {
    "AURA_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "AURA_KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
    "AURA_KAFKA_USERNAME": "ann",
    "AURA_KAFKA_PASSWORD": "secret",
}


def test_what_is_not_said_is_left_to_the_client() -> None:
    options = kafka_options("one:9092, two", {"PATH": "/bin", "AURA_KAFKA_PASSWORD": ""})
    assert options["bootstrap_servers"] == ["one:9092", "two"]
    assert not [name for name in options if name.startswith(("sasl", "ssl", "security"))]


def test_a_login_and_certificates_reach_the_client(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("…")
    options = kafka_options(
        "one", {**LOGIN, "AURA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "AURA_KAFKA_CA_FILE": str(authority)}
    )
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-256"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ann", "secret")
    assert options["ssl_cafile"] == str(authority)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"AURA_KAFKA_SECURITY_PROTOCOL": "TLS"}, "AURA_KAFKA_SECURITY_PROTOCOL='TLS' is not known"),
        ({"AURA_KAFKA_SASL_MECHANISM": "PLAINER"}, "AURA_KAFKA_SASL_MECHANISM='PLAINER' is not known"),
        ({"AURA_KAFKA_SECURITY_PROTOCOL": "SSL"}, "uses no SASL"),
        ({"AURA_KAFKA_SASL_MECHANISM": ""}, "AURA_KAFKA_SASL_MECHANISM does not say by what"),
        ({"AURA_KAFKA_USERNAME": ""}, "AURA_KAFKA_USERNAME is not set"),
        ({"AURA_KAFKA_PASSWORD": ""}, "AURA_KAFKA_PASSWORD is not set"),
        ({"AURA_KAFKA_CA_FILE": "/nowhere/ca.pem"}, "AURA_KAFKA_CA_FILE: there is no file /nowhere/ca.pem"),
        ({"AURA_KAFKA_KEY_FILE": "/nowhere/key.pem"}, "AURA_KAFKA_KEY_FILE: there is no file"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changed: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        kafka_options("one", {**LOGIN, **changed})
