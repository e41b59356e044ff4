"""The variables are read once, wrong ones are named, and a secret is shown nowhere."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from aura_lake.errors import SettingsError
from aura_lake.people.cause import Level
from aura_lake.people.secret import Secret
from aura_lake.people.settings import VARIABLES, AlertSettings

CANARY = "c4n4ry-s3cr3t"
SECRETS = {
    "AURA_ALERT_PAGERDUTY_KEY": CANARY,
    "AURA_ALERT_PAGERDUTY_KEY__DATA_PLATFORM": CANARY,
    "AURA_ALERT_SLACK_URL": f"https://hooks.slack.com/services/{CANARY}",
    "AURA_ALERT_SLACK_SIGNING_SECRET": CANARY,
    "AURA_ALERT_MAIL_SERVER": f"smtp://ann:{CANARY}@mail.example.com",
    "AURA_ALERT_MAIL_FROM": "lake@example.com",
}


def read(**environ: str) -> AlertSettings:
    return AlertSettings.from_environ(environ, Path("state"), "Europe/Berlin")


def test_without_a_variable_there_is_a_file_and_nothing_else() -> None:
    settings = read()

    assert settings.file == Path("state/alerts.jsonl")
    assert not (settings.pagerduty_keys)
    assert not (settings.slack_urls)
    assert not (settings.mail_server)
    assert read(AURA_ALERT_FILE="off").file is None


def test_no_secret_stands_in_the_repr_of_the_settings() -> None:
    settings = read(**SECRETS)

    assert CANARY not in repr(settings)
    assert settings.pagerduty_keys["DATA_PLATFORM"].reveal() == CANARY
    assert settings.mail_server is not None
    assert (settings.mail_server.password.reveal(), settings.mail_server.port) == (CANARY, 587)


def test_a_secret_is_not_written_down() -> None:
    assert f"{Secret(CANARY)} {Secret(CANARY)!r}" == "Secret(…) Secret(…)"
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_URL", f"ftp://{CANARY}"),
        ("SLACK_URL", f"http://hooks.slack.com/{CANARY}"),
        ("SLACK_URL__SALES", CANARY),
        ("MAIL_SERVER", f"http://ann:{CANARY}@host"),
        ("MAIL_SERVER", f"smtp://ann:{CANARY}@host:port"),
        ("UI_URL", "no address"),
        ("PER_HOUR", "0"),
        ("QUIET", "all night"),
        ("SLACK_LEVEL", "loud"),
        ("SLAK_URL", "https://hooks.slack.com/x"),
        ("QUIET__SALES", "22:00-07:00"),
    ],
)
def test_a_wrong_variable_is_named_and_its_secret_is_not(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(**{f"AURA_ALERT_{name}": value})

    assert f"AURA_ALERT_{name}" in raised.value.what
    assert CANARY not in str(raised.value)


def test_quiet_hours_are_the_shops() -> None:
    policy = read(AURA_ALERT_QUIET="22:00-07:00", AURA_ALERT_QUIET_PASSES="error", AURA_ALERT_PER_HOUR="5").policy

    assert policy.quiet is not None
    assert (policy.quiet.zone, policy.passes, policy.per_hour) == ("Europe/Berlin", Level.ERROR, 5)


def test_every_variable_is_in_the_page_about_alerts() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "alerts.md").read_text()

    assert [name for name in VARIABLES if f"`AURA_ALERT_{name}`" not in page] == []
