"""Signs of life of what should never rest: sensors and streams. One that falls silent is a cause of its own.

Each has a small document of its own in the lake, so that none waits for another.
"""

from __future__ import annotations

import atexit
import os
import re
import socket
import time
from datetime import UTC, datetime, timedelta

from aura_lake.delta.documents import list_documents, read_document, write_document
from aura_lake.lake import Lake
from aura_lake.people.cause import Cause, Level, Look

FOLDER, SOURCE = "alerts/beats", "beats"

#: Who misses so many beats in a row is silent; never sooner than the shortest silence.
MISSED, SHORTEST_SILENCE = 4, timedelta(seconds=120)

#: When this process last wrote, by place and name.
_written: dict[tuple[str, str], float] = {}

#: Who leaves when this process ends.
_leaving: set[tuple[str, str]] = set()


def beat(lake: Lake, who: str, *, every_seconds: float = 30.0) -> None:
    """Say that `who` is alive, and how often it says so. Cheap to call: it writes at most three times as often."""
    place, now = (lake.settings.home, who), time.monotonic()
    if place in _written and now - _written[place] < every_seconds / 3:
        return
    document = {
        "who": who,
        "at": datetime.now(UTC).isoformat(),
        "every_seconds": every_seconds,
        "process": os.getpid(),
        "host": socket.gethostname(),
        "is_over": False,
    }
    write_document(lake, _name(who), document)
    _written[place] = now


def leave(lake: Lake, who: str) -> None:
    """Say that `who` has ended as it should, or is no longer expected: its silence is no cause."""
    standing = read_document(lake, _name(who))
    _written.pop((lake.settings.home, who), None)
    if standing is not None and not standing["is_over"]:
        write_document(lake, _name(who), {**standing, "is_over": True})


def leave_at_exit(lake: Lake, who: str) -> None:
    """`leave` when this process ends in order: for what has no end of its own, such as a sensor. A process that is
    killed leaves without a word, and is missed."""
    place = (lake.settings.home, who)
    if place not in _leaving:
        _leaving.add(place)
        atexit.register(leave, lake, who)


def silent_beats(lake: Lake, owner: str, now: datetime) -> Look:
    """Who has said nothing for too long."""
    causes = []
    for name in list_documents(lake, FOLDER):
        told = read_document(lake, name)
        if told is None or told["is_over"]:
            continue
        at = datetime.fromisoformat(told["at"])
        longest = max(SHORTEST_SILENCE, timedelta(seconds=told["every_seconds"]) * MISSED)
        if now - at <= longest:
            continue
        who = str(told["who"])
        causes.append(
            Cause(
                kind="silent",
                source=SOURCE,
                place=who,
                id="heartbeat",
                level=Level.CRITICAL,
                owner=owner,
                says=f"{who} has given no sign of life since {at:%Y-%m-%d %H:%M:%S} UTC.",
                first_seen_at=at,
                changed=f"It said so every {told['every_seconds']:g} s, last as process {told['process']} on "
                f"{told['host']}.",
                impact=("everything that it brings in",),
                command="start it again; or, where it is not expected any more: aura alerts resolve KEY",
            )
        )
    return Look(tuple(causes), frozenset({SOURCE}))


def _name(who: str) -> str:
    return f"{FOLDER}/{re.sub(r'[^A-Za-z0-9_.-]+', '_', who)}.json"
