"""What is said of a failed run: which steps, what happened, what to do. Never a row.

Our own errors hold no values and are told whole; of anybody else's only the kind is told, since engines
print the values they stumble over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster import DagsterEvent, DagsterRun

from aura_lake.settings import Settings


@dataclass(frozen=True)
class Alert:
    """One failed run."""

    at: str
    run_id: str
    job: str
    failures: dict[str, str]  #: by step

    @property
    def line(self) -> str:
        """The alert as one line."""
        steps = "; ".join(f"{step}: {says}" for step, says in self.failures.items()) or "no step says why"
        return f"Run {self.run_id[:8]} of {self.job} failed. {steps}"


def failure_alert(run: DagsterRun, events: Sequence[DagsterEvent], message: str = "") -> Alert:
    """The alert of a failed run; `message` is told where no step failed, as when its process died."""
    failures = {event.step_key or "-": failure_text(event) for event in events if event.is_step_failure}
    if not failures and message:
        failures["run"] = message.splitlines()[0]
    return Alert(datetime.now(UTC).isoformat(timespec="seconds"), run.run_id, run.job_name, failures)


def failure_text(event: DagsterEvent) -> str:
    """What a failed step says of itself."""
    data = event.step_failure_data
    told = data.user_failure_data
    if told is not None and told.description:
        return str(told.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    kind = error.cls_name if error is not None and error.cls_name else "an error"
    return f"{kind}; the run's log has the whole."


def alerts_file(settings: Settings) -> Path:
    """Where alerts are written, a JSON object a line."""
    return settings.state / "alerts.jsonl"


def write_alert(settings: Settings, alert: Alert) -> None:
    """Append an alert to the file."""
    path = alerts_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(alert)) + "\n")
