"""The places where people are told, as the settings have them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from aura_lake.errors import AlertUnavailable
from aura_lake.lake import Lake
from aura_lake.outside.alert_http import post_json
from aura_lake.outside.alert_mail import send_mail
from aura_lake.people.incident import Action, Incident
from aura_lake.people.mail import message
from aura_lake.people.pagerduty import event
from aura_lake.people.router import Channel
from aura_lake.people.settings import AlertSettings, slug_of
from aura_lake.people.sink import Sink
from aura_lake.people.slack_card import card
from aura_lake.people.words import title

T = TypeVar("T")


def alert_settings(lake: Lake) -> AlertSettings:
    """The settings of the lake's environment. Raises SettingsError."""
    return AlertSettings.from_environ(lake.settings.environ, lake.settings.state, lake.shop.time_zone)


def sinks_of(lake: Lake, settings: AlertSettings) -> list[Sink]:
    """The sinks that are set, the record in the file first."""
    name = lake_name(lake)
    sinks: list[Sink] = []
    if settings.file is not None:
        sinks.append(FileSink(settings.file, name))
    if settings.pagerduty_keys:
        sinks.append(PagerDutySink(settings, name))
    if settings.slack_urls:
        sinks.append(SlackSink(settings, name))
    if settings.mail_server is not None:
        sinks.append(MailSink(settings, name))
    return sinks


def lake_name(lake: Lake) -> str:
    """The lake as people outside know it: shop, environment, and which of several homes."""
    home = hashlib.sha256(lake.settings.home.encode()).hexdigest()[:6]
    return f"{lake.shop.id}-{lake.settings.environment}-{home}"


def of_owner(known: Mapping[str, T], owner: str) -> T | None:
    """What is set for an owner, else for everybody."""
    return known.get(slug_of(owner), known.get(""))


@dataclass(frozen=True)
class FileSink:
    """A JSON object a line, for whoever follows the file. It is told everything, at any hour."""

    path: Path
    lake: str

    @property
    def channel(self) -> Channel:
        """Told of everything."""
        return Channel("file", keeps_all=True)

    def send(self, action: Action, incident: Incident) -> None:
        """Append the line."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lake": self.lake,
            "action": action.value,
            "incident": incident.key,
            "says": title(incident, action),
            "by": incident.by,
            "cause": incident.cause.to_json(),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            raise AlertUnavailable(
                f"{self.path}: alerts cannot be written: {os.strerror(error.errno or 0)}.",
                fix="Point AURA_ALERT_FILE at a file you may write to.",
            ) from error


@dataclass(frozen=True)
class PagerDutySink:
    """The service of the owner, else the common one."""

    settings: AlertSettings
    lake: str

    @property
    def channel(self) -> Channel:
        """Told from its level on."""
        return Channel("pagerduty", self.settings.pagerduty_level)

    def send(self, action: Action, incident: Incident) -> None:
        """Send the event."""
        key = of_owner(self.settings.pagerduty_keys, incident.cause.owner)
        if key is not None:
            document = event(incident, action, key, lake=self.lake, ui=self.settings.ui_url)
            post_json("PagerDuty", self.settings.pagerduty_url, document)


@dataclass(frozen=True)
class SlackSink:
    """The channel of the owner, else the common one."""

    settings: AlertSettings
    lake: str

    @property
    def channel(self) -> Channel:
        """Told from its level on."""
        return Channel("slack", self.settings.slack_level)

    def send(self, action: Action, incident: Incident) -> None:
        """Post the message."""
        url = of_owner(self.settings.slack_urls, incident.cause.owner)
        if url is not None:
            listens = bool(self.settings.slack_signing_secret)
            shown = card(incident, action, lake=self.lake, ui=self.settings.ui_url, takes_answers=listens)
            post_json("Slack", url.reveal(), shown)


@dataclass(frozen=True)
class MailSink:
    """The owner where it is an address, and the receivers that are set for it or for everybody."""

    settings: AlertSettings
    lake: str

    @property
    def channel(self) -> Channel:
        """Told from its level on."""
        return Channel("mail", self.settings.mail_level)

    def send(self, action: Action, incident: Incident) -> None:
        """Hand the mail over."""
        server, owner = self.settings.mail_server, incident.cause.owner
        to = list(of_owner(self.settings.mail_to, owner) or ())
        if "@" in owner and owner not in to:
            to.append(owner)
        if server is not None and to:
            sender = self.settings.mail_from
            send_mail(server, message(incident, action, lake=self.lake, sender=sender, to=to))
