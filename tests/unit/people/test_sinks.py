"""What PagerDuty, Slack and a mail server are sent, checked by servers that refuse what the vendors would refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from aura_lake.errors import AlertRefused, AlertUnavailable
from aura_lake.people.cause import Level
from aura_lake.people.incident import Action, Incident
from aura_lake.people.masking import MaskedRow
from aura_lake.people.settings import AlertSettings
from aura_lake.people.slack_card import card
from aura_lake.steps.alert_sinks import FileSink, MailSink, PagerDutySink, SlackSink
from tests import vendors
from tests.unit.people.examples import ROWS, cause, drift, incident

KEY = "0123456789abcdef0123456789abcdef"


def settings(**environ: str) -> AlertSettings:
    named = {f"AURA_ALERT_{name}": value for name, value in environ.items()}
    return AlertSettings.from_environ(named, Path("state"))


def huge() -> Incident:
    """An incident in which everything is longer than anybody takes."""
    long = "<&>*`" * 4000
    rows = tuple(MaskedRow(long, (long,), {f"c{n}": long for n in range(40)}) for _ in range(30))
    patch = drift().proposal
    assert patch is not None
    given = drift(
        says=long, changed=long, first_bad=long, owner=long, impact=(long,) * 9, command=long, rows=rows, place=long,
        proposal=replace(patch, before={"a": long}, after={"a": long}),
    )  # fmt: skip
    return incident(given)


EXAMPLES = [incident(), incident(drift()), incident(cause(rows=(), impact=(), command="", changed="")), huge()]


@pytest.fixture
def pagerduty() -> Iterator[vendors.Vendor]:
    with vendors.pagerduty() as there:
        yield there


@pytest.fixture
def slack() -> Iterator[vendors.Vendor]:
    with vendors.slack() as there:
        yield there


def test_pagerduty_accepts_every_event(pagerduty: vendors.Vendor) -> None:
    sink = PagerDutySink(settings(PAGERDUTY_KEY=KEY, PAGERDUTY_URL=pagerduty.url, UI_URL="http://127.0.0.1:3000"), "l")
    for given in EXAMPLES:
        for action in Action:
            sink.send(action, given)

    assert pagerduty.refused == []
    assert len(pagerduty.documents) == 12
    keys = {document["dedup_key"] for document in pagerduty.documents[:3]}
    assert len(keys) == 1, "trigger, acknowledge and resolve are of one alert"
    details = pagerduty.documents[0]["payload"]["custom_details"]
    assert details["Resolve with"] == "aura quarantine replay orders --rule order_amount_is_positive --dry-run"
    assert details["First bad"] == ROWS[0].place
    assert details["Rows, masked"][1] == "  order_id=a-99, order_amount=-3.50"


def test_slack_accepts_every_card(slack: vendors.Vendor) -> None:
    sink = SlackSink(settings(SLACK_URL=slack.url, SLACK_SIGNING_SECRET="s", UI_URL="https://ui.example.com"), "lake")
    for given in EXAMPLES:
        for action in Action:
            sink.send(action, given)

    assert slack.refused == []
    assert len(slack.documents) == 12


def test_a_card_of_a_patch_can_be_approved_as_it_was_shown() -> None:
    shown = card(incident(drift()), Action.TRIGGER, lake="lake", takes_answers=True)
    (buttons,) = [block["elements"] for block in shown["blocks"] if block["type"] == "actions"]
    text = json.dumps(shown)

    assert [button["text"]["text"] for button in buttons] == ["Approve", "Reject", "Snooze"]
    for button in buttons:
        value = json.loads(button["value"])
        assert (value["patch"], value["hash"]) == ("p-7", "4b" * 32)
    for told in ("97%", "platform_os", "4,210", "gold.fct_orders", "aura drift approve p-7", "- device_os=null"):
        assert told in text, told


def test_a_card_has_buttons_only_where_somebody_listens() -> None:
    kinds = [block["type"] for block in card(incident(drift()), Action.TRIGGER, lake="lake")["blocks"]]

    assert "actions" not in kinds


def test_what_a_card_says_is_no_link_and_no_mention() -> None:
    shown = json.dumps(card(incident(cause(says="<!channel> <https://evil.example|x>")), Action.TRIGGER, lake="lake"))

    assert "<!channel>" not in shown
    assert "&lt;!channel&gt;" in shown


@pytest.mark.parametrize("body", [b'{"text": "", "blocks": []}', b'{"blocks": [{"type": "section"}]}'])
def test_the_slack_of_the_tests_refuses_what_slack_refuses(body: bytes) -> None:
    assert vendors.slack_problems(body)


def test_the_pagerduty_of_the_tests_refuses_what_pagerduty_refuses() -> None:
    short = {"routing_key": "short", "event_action": "trigger", "payload": {"summary": "x" * 1025, "severity": "bad"}}

    assert len(vendors.pagerduty_problems(json.dumps(short).encode())) == 4


def test_an_owner_has_a_service_and_a_channel_of_its_own(slack: vendors.Vendor, pagerduty: vendors.Vendor) -> None:
    own = "f" * 32
    given = settings(
        PAGERDUTY_URL=pagerduty.url, PAGERDUTY_KEY=KEY, PAGERDUTY_KEY__DATA_PLATFORM=own, SLACK_URL__SALES=slack.url
    )
    PagerDutySink(given, "lake").send(Action.TRIGGER, incident())
    PagerDutySink(given, "lake").send(Action.TRIGGER, incident(cause(owner="bob@example.com")))
    SlackSink(given, "lake").send(Action.TRIGGER, incident())
    SlackSink(given, "lake").send(Action.TRIGGER, incident(cause(owner="team:sales")))

    assert [document["routing_key"] for document in pagerduty.documents] == [own, KEY]
    assert len(slack.documents) == 1


def test_a_mail_says_everything_and_its_end_answers_it() -> None:
    with vendors.mail_server() as (url, mails):
        given = settings(MAIL_SERVER=url, MAIL_FROM="lake@example.com", MAIL_TO="a@example.com, b@example.com")
        owned = incident(cause(owner="ann@example.com", says="two\nlines\r\nBcc: evil@example.com"))
        MailSink(given, "lake").send(Action.TRIGGER, owned)
        MailSink(given, "lake").send(Action.RESOLVE, owned)

    first, last = (message_from_bytes(mail) for mail in mails)
    assert first["To"] == "a@example.com, b@example.com, ann@example.com"
    assert first["Bcc"] is None
    assert last["In-Reply-To"] == first["Message-ID"]
    assert "aura quarantine replay orders" in str(first.get_payload())


def test_a_file_has_a_line_an_action(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "deep" / "alerts.jsonl", "lake")
    for action in Action:
        sink.send(action, incident())

    lines = [json.loads(line) for line in sink.path.read_text().splitlines()]
    assert [line["action"] for line in lines] == ["trigger", "acknowledge", "resolve"]
    assert lines[0]["cause"]["rows"][0]["values"] == {"order_id": "a-99", "order_amount": "-3.50"}


@pytest.mark.parametrize("level", list(Level))
def test_every_level_is_one_of_pagerdutys(pagerduty: vendors.Vendor, level: Level) -> None:
    sink = PagerDutySink(settings(PAGERDUTY_KEY=KEY, PAGERDUTY_URL=pagerduty.url), "lake")
    sink.send(Action.TRIGGER, incident(cause(level=level)))

    assert pagerduty.refused == []


def errors_of(sink: PagerDutySink | SlackSink | MailSink) -> Any:
    with pytest.raises((AlertRefused, AlertUnavailable)) as raised:
        sink.send(Action.TRIGGER, incident())
    return raised.value


def test_a_sink_that_is_away_is_transient_and_one_that_refuses_is_not(
    pagerduty: vendors.Vendor, slack: vendors.Vendor
) -> None:
    slack.away = True
    slack_error = errors_of(SlackSink(settings(SLACK_URL=slack.url), "lake"))
    key_error = errors_of(PagerDutySink(settings(PAGERDUTY_KEY="wrong", PAGERDUTY_URL=pagerduty.url), "lake"))
    gone = errors_of(SlackSink(settings(SLACK_URL="http://127.0.0.1:9/services/secretpartofthewebhook"), "lake"))
    mail = settings(MAIL_SERVER="smtp://ann:secretpassword@127.0.0.1:9", MAIL_FROM="a@b.c", MAIL_TO="d@e.f")
    mail_error = errors_of(MailSink(mail, "lake"))

    assert isinstance(slack_error, AlertUnavailable)
    assert isinstance(gone, AlertUnavailable)
    assert isinstance(mail_error, AlertUnavailable)
    assert isinstance(key_error, AlertRefused)
    for error in (slack_error, key_error, gone, mail_error):
        shown = f"{error!r} {error.__cause__!r} {error}"
        assert "secretpart" not in shown
        assert "secretpassword" not in shown
        assert "'wrong'" not in shown


def test_a_password_is_not_given_to_a_server_without_tls() -> None:
    with vendors.mail_server() as (url, mails):
        given = url.replace("smtp://", "smtp://ann:secretpassword@")
        sink = MailSink(settings(MAIL_SERVER=given, MAIL_FROM="a@b.c", MAIL_TO="d@e.f"), "lake")
        with pytest.raises(AlertRefused, match="no TLS"):
            sink.send(Action.TRIGGER, incident())

    assert mails == []
