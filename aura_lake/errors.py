"""Every error Aura Lake raises, in one tree.

A message says what happened, where, the numbers, and what to do. `Transient` errors
may pass when the step is run again (Dagster may retry them); `Terminal` ones need a
person. Bad *records* are data, never exceptions: they go to quarantine.
"""

from __future__ import annotations


class AuraError(Exception):
    """Base of the tree. `what`: one sentence with place and numbers; `fix`: what to do."""

    def __init__(self, what: str, *, fix: str = "") -> None:
        self.what = what
        self.fix = fix
        super().__init__(f"{what} {fix}".strip())


class Transient(AuraError):
    """The same step may succeed when it is run again."""


class Terminal(AuraError):
    """Running again gives the same error; a person has to act."""


class SettingsError(Terminal):
    """An environment variable or a path is missing, malformed or contradicts another."""


class ContractError(Terminal):
    """A contract is wrong. Raised before anything runs; names file, line and fix."""


class FeedError(Terminal):
    """A feed's folder, bucket or key is missing or may not be read."""


class FeedUnavailable(Transient):
    """The brokers or the registry of a feed did not answer."""


class FeedGap(Terminal):
    """Records of a feed were gone before they were read, or may have been; a person has to decide."""


class SourceRewound(Terminal):
    """The log of a source seems to have begun anew: its positions fell back. A person has to say so."""


class SourceError(Terminal):
    """A database or its connector is not as capturing its changes needs it, or refuses a statement."""


class SourceUnavailable(Transient):
    """A database or Kafka Connect did not answer, or is busy with something that passes."""


class AlertUnavailable(Transient):
    """Where people are told did not answer, or is busy; what was to be told is kept and told later."""


class AlertRefused(Terminal):
    """Where people are told refuses what is sent: a key, an address or a permission is wrong."""


class StoreUnavailable(Transient):
    """The object store did not answer, or answered that it is busy."""


class WatermarkError(Terminal):
    """A write would read an upstream range twice, leave a gap, or move a watermark back."""


class CommitConflict(Transient):
    """Another writer committed first; nothing of ours was written."""


class LakeError(Terminal):
    """The lake on disk is not one that may be used: another shop's, another key's, or damaged."""


class ContractsMoved(Transient):
    """A patch was approved or taken back while a step worked under the contracts of before."""


class LeaseHeld(Transient):
    """Another process applies changes to this lake right now."""


class ServiceError(Terminal):
    """A server of this machine's own stack is missing, did not start, or stands in another's place."""


class WarehouseError(Terminal):
    """The warehouse refused a statement or holds something it should not."""


class PublicationHeld(Terminal):
    """A broken block rule, or a failing gold test, keeps a table at its last good batch."""


class QueryError(Terminal):
    """The SQL is not a read-only query on tables of this lake."""
