"""Carry out what somebody decided in Slack: verified, once, by who may, and only what they were shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aura_lake.delta.documents import read_document, write_document
from aura_lake.delta.lease import ApplyLease
from aura_lake.errors import AuraError
from aura_lake.lake import Lake
from aura_lake.people.authority import why_not
from aura_lake.people.patches import DecidePatch, FindPatch
from aura_lake.people.secret import Secret
from aura_lake.people.slack_call import WINDOW_SECONDS, Call, CallRefused, read_call, verify
from aura_lake.steps.tell_people import acknowledge_incident, read_incidents, snooze_incident

#: The calls that were answered, and the lease of whoever writes them down.
ANSWERED, LEASE = "alerts/answered.json", "alerts/answering.lease"

#: How long a call is remembered: one that is repeated later is too old to count anyway.
REMEMBERED = timedelta(seconds=10 * WINDOW_SECONDS)

#: How long `Snooze` lasts.
SNOOZE = timedelta(hours=24)


@dataclass(frozen=True)
class Answer:
    """What a call led to. `status`: the HTTP answer; `response_url`: where Slack takes what is said."""

    status: int
    is_done: bool
    says: str
    response_url: str = field(default="", repr=False)


class Approvals:
    """Answers Slack's calls for one lake. `find` and `decide` are the patches'."""

    def __init__(
        self,
        lake: Lake,
        secret: Secret,
        *,
        find: FindPatch,
        decide: DecidePatch,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lake, self._secret, self._clock = lake, secret, clock
        self._find, self._decide = find, decide

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Carry a call out. A call that is forged or old is answered 401; one that is repeated, or by somebody who may
        not, or about what has changed since, is answered with the reason. Nothing is written for any of them."""
        try:
            verify(headers, body, self._secret, self._clock())
            call = read_call(body)
        except CallRefused as refused:
            return Answer(refused.status, False, refused.says)
        try:
            self._use_once(call)
            says = self._about_patch(call) if call.patch else self._about_incident(call)
        except CallRefused as refused:
            return Answer(refused.status, False, refused.says, call.response_url)
        except AuraError as error:
            return Answer(200, False, f"Nothing was written: {error}", call.response_url)
        return Answer(200, True, says, call.response_url)

    def _use_once(self, call: Call) -> None:
        """Remember the call before it is carried out: one that died on the way is pressed again, and counts anew."""
        now = self._clock()
        with ApplyLease(self._lake, name=LEASE, work="answers calls for", wait_seconds=10.0):
            known = (read_document(self._lake, ANSWERED) or {}).get("calls", {})
            if any(id_ in known for id_ in call.ids):
                raise CallRefused(200, "This call was answered before; it counts once.")
            kept = {id_: at for id_, at in known.items() if now - datetime.fromisoformat(at) < REMEMBERED}
            calls = {**kept, **dict.fromkeys(call.ids, now.isoformat())}
            write_document(self._lake, ANSWERED, {"calls": calls})

    def _about_patch(self, call: Call) -> str:
        if call.action == "acknowledge":
            raise CallRefused(400, "A patch is approved, rejected or snoozed.")
        patch = self._find(call.patch)
        if patch is None:
            raise CallRefused(200, f"There is no patch {call.patch} any more; nothing was written.")
        self._check_authority(call, patch.feed)
        if patch.hash != call.hash:
            raise CallRefused(200, f"{call.patch} has changed since it was shown; look at it anew and decide then.")
        if not patch.is_open:
            raise CallRefused(200, f"{call.patch} is {patch.state} already; nothing was written.")
        who = f"slack:{call.user} ({call.name})"
        said = self._decide(call.action, call.patch, call.hash, who, f"{call.action} pressed in Slack")
        if call.action == "snooze" and call.incident in read_incidents(self._lake):
            snooze_incident(self._lake, call.incident, who, SNOOZE)
        return said

    def _about_incident(self, call: Call) -> str:
        incident = read_incidents(self._lake).get(call.incident)
        if incident is None:
            raise CallRefused(200, "There is no such incident any more; nothing was written.")
        if call.action not in ("acknowledge", "snooze"):
            raise CallRefused(400, "An incident is acknowledged or snoozed.")
        self._check_authority(call, incident.cause.place)
        who = f"slack:{call.user} ({call.name})"
        if call.action == "snooze":
            snooze_incident(self._lake, call.incident, who, SNOOZE)
            return f"{call.name} snoozed {incident.cause.name} for {SNOOZE.total_seconds() / 3600:.0f} h."
        acknowledge_incident(self._lake, call.incident, who)
        return f"{call.name} has {incident.cause.name} in hand."

    def _check_authority(self, call: Call, place: str) -> None:
        reason = why_not(self._lake.shop, call.user, place)
        if reason is not None:
            raise CallRefused(200, f"Nothing was written: {reason}")
