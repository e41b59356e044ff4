"""What answering Slack needs to know of patches: where to look one up, and who carries a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class KnownPatch:
    """A patch as it stands now. `hash` is that of its present form; `state` says what became of it."""

    id: str
    hash: str
    feed: str
    is_open: bool
    state: str = "open"


class FindPatch(Protocol):
    """Looks a patch up."""

    def __call__(self, patch_id: str) -> KnownPatch | None:
        """The patch, None where there is none of that id."""


class DecidePatch(Protocol):
    """Writes a decision, and has it carried out."""

    def __call__(self, action: str, patch_id: str, hash: str, who: str, why: str) -> str:
        """What came of it, in a sentence. `action`: approve, reject or snooze. Raises an AuraError where the patch has
        changed since, was decided before, or contradicts itself; then nothing was written."""
