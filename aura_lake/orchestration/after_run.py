"""After a run: what is wrong with the lake now, and with the run itself, is told to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aura_lake.lake import Lake
from aura_lake.orchestration.alerts import look_at_gold, look_at_run
from aura_lake.orchestration.jobs import EVERYTHING
from aura_lake.steps.look_for_causes import look_for_causes
from aura_lake.steps.tell_people import WAIT_SECONDS, Told, tell_people

if TYPE_CHECKING:
    from aura_lake.orchestration.run import RunOutcome

#: The step that builds and publishes gold.
GOLD = "gold"


def tell_after_run(lake: Lake, outcome: RunOutcome) -> Told:
    """Look at the lake and at the run, and tell people. Raises SettingsError where the settings are wrong, LakeError
    where the incidents cannot be written; never because nobody could be reached."""
    look = look_for_causes(lake)
    look = look.and_also(look_at_run(lake, outcome.run_id, EVERYTHING, outcome.failed, outcome.done))
    if GOLD in outcome.done or GOLD in outcome.failed:
        look = look.and_also(look_at_gold(lake, outcome.blocked.get(GOLD)))
    return tell_people(lake, look, wait_seconds=WAIT_SECONDS)
