"""A seam for a language model, or anything else that has an opinion on what is unclear. Off by default: nobody is
asked unless a program passes somebody in.

What it says is shown beside an unclear finding, as a candidate with its source, and counts for nothing: it is never
proposed, never approved by itself, and sees field names and figures only, never a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from aura_lake.drift.finding import Candidate, Finding, Stands

#: What is suggested is never surer than this.
AT_MOST = 0.5


class Suggester(Protocol):
    """Who may be asked."""

    name: str

    def suggest(self, finding: Mapping[str, Any], fields: Sequence[str]) -> Sequence[str]:
        """What may have happened, a sentence each; `finding` as JSON, `fields`: the names in the feed now."""


def with_suggestions(findings: Sequence[Finding], fields: Sequence[str], suggester: Suggester | None) -> list[Finding]:
    """The findings, unclear ones with what `suggester` says of them."""
    if suggester is None:
        return list(findings)
    return [_asked(finding, fields, suggester) if finding.stands is Stands.UNCLEAR else finding for finding in findings]


def _asked(finding: Finding, fields: Sequence[str], suggester: Suggester) -> Finding:
    said = suggester.suggest(finding.to_json(), fields)
    more = tuple(Candidate(text[:200], AT_MOST, source=suggester.name) for text in list(said)[:3])
    return replace(finding, candidates=(*finding.candidates, *more))
