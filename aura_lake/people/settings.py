"""How people are told, from the `AURA_ALERT_*` variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aura_lake.errors import SettingsError
from aura_lake.people.cause import Level
from aura_lake.people.pagerduty import ENQUEUE_URL
from aura_lake.people.policy import Policy, QuietHours
from aura_lake.people.secret import Secret

PREFIX = "AURA_ALERT_"

#: Every variable, and what it says; docs/alerts.md lists the same.
VARIABLES: Mapping[str, str] = {
    "FILE": "file of one JSON line an action; default alerts.jsonl in the state folder; `off` for none",
    "PAGERDUTY_KEY": "integration key of a PagerDuty service (Events API v2)",
    "PAGERDUTY_URL": "where events go; default PagerDuty's own address",
    "PAGERDUTY_LEVEL": "told from this level on; default warning",
    "SLACK_URL": "URL of a Slack incoming webhook",
    "SLACK_LEVEL": "told from this level on; default warning",
    "SLACK_SIGNING_SECRET": "signing secret of the Slack app; buttons are shown where it is set",
    "MAIL_SERVER": "smtp://user:password@host:587 (STARTTLS), smtps://…:465, or smtp://host:25 without a login",
    "MAIL_FROM": "sender of mails",
    "MAIL_TO": "receivers, separated by commas; an owner that is an address is told as well",
    "MAIL_LEVEL": "told from this level on; default warning",
    "QUIET": "quiet hours in the shop's time zone, such as 22:00-07:00",
    "QUIET_PASSES": "the level that quiet hours do not hold; default critical",
    "PER_HOUR": "incidents that one sink is told of in an hour; default 20",
    "QUARANTINE_ROWS": "rows in quarantine by one rule from which people are told; default 1",
    "UI_URL": "address of the Dagster UI, for links",
}

#: Those of an owner: AURA_ALERT_PAGERDUTY_KEY__DATA_PLATFORM is the service of team:data-platform.
BY_OWNER = ("PAGERDUTY_KEY", "SLACK_URL", "MAIL_TO")


@dataclass(frozen=True)
class MailServer:
    """Where mails are handed over. `is_tls`: from the first byte on; else by STARTTLS where there is a login."""

    host: str
    port: int
    is_tls: bool = False
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True)
class AlertSettings:
    """Who is told where. The mappings are by owner's slug, `` for everybody else's."""

    file: Path | None = None
    pagerduty_keys: Mapping[str, Secret] = field(default_factory=dict)
    pagerduty_url: str = ENQUEUE_URL
    pagerduty_level: Level = Level.WARNING
    slack_urls: Mapping[str, Secret] = field(default_factory=dict)
    slack_level: Level = Level.WARNING
    slack_signing_secret: Secret = field(default_factory=lambda: Secret(""))
    mail_server: MailServer | None = None
    mail_from: str = ""
    mail_to: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mail_level: Level = Level.WARNING
    policy: Policy = field(default_factory=Policy)
    quarantine_rows: int = 1
    ui_url: str = ""

    @staticmethod
    def from_environ(environ: Mapping[str, str], state: Path, time_zone: str = "UTC") -> AlertSettings:
        """The settings. Raises SettingsError naming the variable, and never its value where that is a secret."""
        read = _Reading(environ)
        read.refuse_unknown()
        server = read.mail_server()
        if server is not None and not read.text("MAIL_FROM"):
            raise SettingsError("AURA_ALERT_MAIL_SERVER is set, and AURA_ALERT_MAIL_FROM is not.", fix="Set both.")
        given = read.text("FILE")
        return AlertSettings(
            file=None if given == "off" else Path(given).expanduser() if given else state / "alerts.jsonl",
            pagerduty_keys={slug: Secret(text) for slug, text in read.by_owner("PAGERDUTY_KEY").items()},
            pagerduty_url=read.url("PAGERDUTY_URL", ENQUEUE_URL),
            pagerduty_level=read.level("PAGERDUTY_LEVEL", Level.WARNING),
            slack_urls={slug: Secret(text) for slug, text in read.urls_by_owner("SLACK_URL").items()},
            slack_level=read.level("SLACK_LEVEL", Level.WARNING),
            slack_signing_secret=Secret(read.text("SLACK_SIGNING_SECRET")),
            mail_server=server,
            mail_from=read.text("MAIL_FROM"),
            mail_to={slug: _addresses(text) for slug, text in read.by_owner("MAIL_TO").items()},
            mail_level=read.level("MAIL_LEVEL", Level.WARNING),
            policy=Policy(
                quiet=read.quiet(time_zone),
                passes=read.level("QUIET_PASSES", Level.CRITICAL),
                per_hour=read.number("PER_HOUR", 20),
            ),
            quarantine_rows=read.number("QUARANTINE_ROWS", 1),
            ui_url=read.url("UI_URL", ""),
        )


def slug_of(owner: str) -> str:
    """An owner as a variable's name ends: `team:data-platform` is DATA_PLATFORM."""
    return re.sub(r"[^A-Z0-9]+", "_", owner.removeprefix("team:").upper()).strip("_")


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


class _Reading:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = {n.removeprefix(PREFIX): v.strip() for n, v in environ.items() if n.startswith(PREFIX)}

    def refuse_unknown(self) -> None:
        for name in self._given:
            plain = name.partition("__")[0]
            if plain not in VARIABLES or ("__" in name and plain not in BY_OWNER):
                raise SettingsError(
                    f"{PREFIX}{name} means nothing to Aura Lake.",
                    fix=f"The variables: {', '.join(PREFIX + known for known in VARIABLES)}.",
                )

    def text(self, name: str) -> str:
        return self._given.get(name, "")

    def by_owner(self, name: str) -> dict[str, str]:
        """By owner's slug; the variable without one stands under the empty text."""
        found = {given.partition("__")[2]: text for given, text in self._given.items() if given.split("__")[0] == name}
        return {slug: text for slug, text in found.items() if text}

    def url(self, name: str, default: str) -> str:
        given = self.text(name) or default
        if given:
            self._check_url(name, given)
        return given

    def urls_by_owner(self, name: str) -> dict[str, str]:
        found = self.by_owner(name)
        for slug, given in found.items():
            self._check_url(f"{name}__{slug}" if slug else name, given)
        return found

    def _check_url(self, name: str, given: str) -> None:
        parts = urlsplit(given)
        is_here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
            raise SettingsError(
                f"{PREFIX}{name} is no https:// address.",
                fix="Write https://host/…; http:// is for this machine alone.",
            )

    def level(self, name: str, default: Level) -> Level:
        given = self.text(name)
        if given and given not in list(Level):
            raise SettingsError(f"{PREFIX}{name}={given!r} is no level.", fix=f"Use one of: {', '.join(Level)}.")
        return Level(given) if given else default

    def number(self, name: str, default: int) -> int:
        given = self.text(name)
        if given and not (given.isascii() and given.isdigit() and int(given) > 0):
            raise SettingsError(f"{PREFIX}{name}={given!r} is no number above 0.", fix=f"Write e.g. {default}.")
        return int(given) if given else default

    def quiet(self, zone: str) -> QuietHours | None:
        given = self.text("QUIET")
        if not given:
            return None
        try:
            begin, end = (time.fromisoformat(part.strip()) for part in given.split("-"))
        except ValueError:
            raise SettingsError(f"{PREFIX}QUIET={given!r} are no hours.", fix="Write e.g. 22:00-07:00.") from None
        return QuietHours(begin, end, zone)

    def mail_server(self) -> MailServer | None:
        given = self.text("MAIL_SERVER")
        if not given:
            return None
        parts = urlsplit(given)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port == -1:
            raise SettingsError(
                f"{PREFIX}MAIL_SERVER is no smtp:// or smtps:// address.", fix="Write smtp://user:password@host:587."
            )
        is_tls = parts.scheme == "smtps"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return MailServer(
            parts.hostname, port or (465 if is_tls else 587 if user else 25), is_tls, user, Secret(password)
        )
