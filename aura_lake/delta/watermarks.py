"""The names under which tables remember how far they have read: one vocabulary for all steps."""

from __future__ import annotations

#: All objects of a file feed are one lane.
FILES = "files"

#: Bronze: the number of the lane's last batch.
LANE = f"lane/{FILES}"

#: A log's own count of its commits: what state, attribution and warehouse read it by.
LOG = "log"

#: A log: the commit (as `LOG` counts) that last took the place of the whole log. Whoever has read less than
#: that reads everything anew: rows he knows may have gone without a trace in the log.
REWRITTEN = "rewritten"

#: A log: the number of the last decision that it has carried out.
DECIDED = "decisions"

#: A log: fingerprints of the contract its rows were judged by, and of the columns they have. Marks, which may fall.
CONTRACT, SHAPE = "contract", "shape"

#: The count of attributions, by which the warehouse reads `order_touchpoints`.
ATTRIBUTION = "attribution"


def of_feed(feed: str) -> str:
    """A log: the last bronze batch of its feed that it has judged."""
    return f"bronze/{feed}"


def of_log(table: str) -> str:
    """Attribution: the last commit of a table's log that it has read."""
    return f"log/{table}"
