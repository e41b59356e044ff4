"""Quarantine in Dagster: its counts by rule over time, and replay and discard as jobs that people start in the UI."""

# No `from __future__ import annotations`: Dagster looks at the annotations of `context` and `config` themselves.

import os
from typing import Any

from dagster import AssetMaterialization, Config, JobDefinition, OpExecutionContext, in_process_executor, job, op
from pydantic import Field

from aura_lake.contracts.contract import Contract
from aura_lake.decisions import Decision
from aura_lake.lake import Lake
from aura_lake.orchestration import describe
from aura_lake.orchestration.telling import Telling, telling
from aura_lake.orchestration.workbench import BENCH, Workbench
from aura_lake.steps.blocks import waiting_by_rule
from aura_lake.steps.replay import WHY_REPLAYED, Chosen, apply, decide_discard, decide_replay

REPLAY_JOB, DISCARD_JOB = "replay_quarantine", "discard_quarantine"

_HAND_OVER = "Only decide; the stream or run that applies now carries it out. Otherwise the job waits for it."


class _Chosen(Config):
    """The rows that a person means."""

    table: str = Field(description="The silver table.")
    rule: str | None = Field(default=None, description="Only rows that broke this rule.")
    places: list[str] = Field(default=[], description="Only the records at these places, as the inbox names them.")
    who: str = Field(default_factory=lambda: os.environ.get("USER", ""), description="Who decides.")
    hand_over: bool = Field(default=False, description=_HAND_OVER)

    def of(self, lake: Lake) -> Chosen:
        """The rows, of a table of this lake."""
        return Chosen(lake.contract(self.table), self.rule, tuple(self.places))


class ReplayConfig(_Chosen):
    """What to judge again."""

    reason: str = Field(default=WHY_REPLAYED, description="Why; kept with the decision.")


class DiscardConfig(_Chosen):
    """What to give up."""

    reason: str = Field(description="Why these rows are given up; kept for ever.")


def rule_counts(lake: Lake, contract: Contract) -> dict[str, int]:
    """How many rows wait by each rule, as metadata that Dagster plots over time: `waiting: <rule>`."""
    return {f"waiting: {rule}": rows for rule, rows in waiting_by_rule(lake, contract).iter_rows()}


def quarantine_jobs() -> list[JobDefinition]:
    """The jobs `replay_quarantine` and `discard_quarantine`."""

    @op(name="replay", required_resource_keys={BENCH}, description="Judge rows that wait again, from bronze.")
    def replay(context: OpExecutionContext, config: ReplayConfig) -> None:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, f"replay {config.table}") as voice:
            _carry_out(context, bench, voice, config, is_replay=True, why=config.reason)

    @op(name="discard", required_resource_keys={BENCH}, description="Give rows that wait up; they stay counted.")
    def discard(context: OpExecutionContext, config: DiscardConfig) -> None:
        bench: Workbench = getattr(context.resources, BENCH)
        with telling(context, f"discard {config.table}") as voice:
            _carry_out(context, bench, voice, config, is_replay=False, why=config.reason)

    @job(name=REPLAY_JOB, executor_def=in_process_executor, description="Rows that wait, judged again as things stand.")
    def replay_quarantine() -> None:
        replay()

    @job(name=DISCARD_JOB, executor_def=in_process_executor, description="Rows that wait, given up with a reason.")
    def discard_quarantine() -> None:
        discard()

    return [replay_quarantine, discard_quarantine]


def _carry_out(
    context: OpExecutionContext, bench: Workbench, voice: Telling, config: _Chosen, *, is_replay: bool, why: str
) -> None:
    chosen = config.of(bench.lake)
    decide = decide_replay if is_replay else decide_discard
    if config.hand_over:
        decision = decide(bench.lake, chosen, who=config.who, why=why)
        voice.done(_says(decision), handed_over=decision is not None)
        return
    with bench.applying(voice):
        decision = decide(bench.lake, chosen, who=config.who, why=why)
        done = apply(bench.lake, chosen.contract) if decision is not None else None
    found = {} if done is None or done.rejudged is None else done.rejudged.verdicts
    facts: dict[str, Any] = {f"{was}_to_{now}": count for (was, now), count in sorted(found.items())}
    counts = rule_counts(bench.lake, chosen.contract)
    context.log_event(
        AssetMaterialization(describe.silver_key(f"{config.table}_quarantine"), metadata={**facts, **counts})
    )
    voice.done(_says(decision), **facts)


def _says(decision: Decision | None) -> str:
    return "nothing waits that this concerns" if decision is None else f"decision {decision.number}: {decision.kind}"
