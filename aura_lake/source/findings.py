"""What a look at a source found: ok, warn (it works, somebody should look), refuse (rows would be lost or wrong)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What a finding means."""

    OK = "ok"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `subject`: the table, slot, connector, …; `fix`: the command that resolves it."""

    subject: str
    check: str
    level: Level
    says: str
    fix: str = ""


def ok(subject: object, check: str, says: str) -> Finding:
    """All is well."""
    return Finding(str(subject), check, Level.OK, says)


def warn(subject: object, check: str, says: str, fix: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(str(subject), check, Level.WARN, says, fix)


def refuse(subject: object, check: str, says: str, fix: str) -> Finding:
    """It may not be run so."""
    return Finding(str(subject), check, Level.REFUSE, says, fix)
