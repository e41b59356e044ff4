"""Whether the publication and the signal table are as the connector needs them: findings from facts (case 47)."""

from __future__ import annotations

from collections.abc import Iterator

from aura_lake.source.facts import DatabaseFacts
from aura_lake.source.findings import Finding, ok, refuse, warn
from aura_lake.source.plan import OPERATIONS, Plan, covers, may_make, statements


def look_at_publication(plan: Plan, facts: DatabaseFacts, *, is_mended: bool = False) -> Iterator[Finding]:
    """The publication as it stands; before there is one, what making it needs (case 47). `is_mended`: what it lacks
    is about to be put right, so only whether that may be done counts."""
    name, standing = plan.names.publication, facts.publication
    if standing is None or (is_mended and any("PUBLICATION" in one.sql for one in statements(plan, facts))):
        yield from _may_publish(plan, facts)
        if standing is not None:
            yield from _whole_rows(plan, facts)
        return
    missing = [p.table for p in plan.tables if not covers(standing.tables, facts.tables.get(p.table), p.table)]
    listed = ", ".join(map(str, missing))
    if missing:
        fix = "; ".join(s.sql for s in statements(plan, facts) if "ADD TABLE" in s.sql) + ";"
        yield refuse(name, "publication", f"it does not tell of {listed}.", fix)
    else:
        yield ok(name, "publication", f"it tells of all {len(plan.tables)} tables")
    absent = [word for word in OPERATIONS.split(", ") if word not in standing.operations]
    if absent:
        yield refuse(
            name,
            "operations",
            f"it does not publish {', '.join(absent)}.",
            f"ALTER PUBLICATION \"{name}\" SET (publish = '{OPERATIONS}');",
        )
    else:
        yield ok(name, "operations", OPERATIONS)
    roots = [p.table for p in plan.tables if (known := facts.tables.get(p.table)) and known.partitions]
    if roots and not standing.via_root:
        yield refuse(
            name,
            "partition_root",
            f"the partitions of {', '.join(map(str, roots))} would be topics of their own.",
            f'ALTER PUBLICATION "{name}" SET (publish_via_partition_root = true);',
        )
    elif roots:
        yield ok(name, "partition_root", "leaves are told under their root")
    yield from _whole_rows(plan, facts)


def _whole_rows(plan: Plan, facts: DatabaseFacts) -> Iterator[Finding]:
    name, standing = plan.names.publication, facts.publication
    assert standing is not None
    for found, what in ((standing.filtered, "a row filter"), (standing.narrowed, "a column list")):
        cut = sorted(str(p.table) for p in plan.tables if p.table in found)
        if cut:
            yield refuse(
                name,
                "whole_rows",
                f"{what} stands on {', '.join(cut)}: the lake would lack what it hides.",
                f'ALTER PUBLICATION "{name}" SET TABLE … without it.',
            )


def _may_publish(plan: Plan, facts: DatabaseFacts) -> Iterator[Finding]:
    name, server, standing = plan.names.publication, facts.server, facts.publication
    published = standing.tables if standing is not None else frozenset()
    added = [p.table for p in plan.tables if not covers(published, facts.tables.get(p.table), p.table)]
    foreign = [table for table in added if not facts.tables[table].is_owned]
    if standing is not None and not standing.is_owned:
        yield refuse(
            name,
            "publication",
            f"{server.user} does not own it, and it has to be changed.",
            "Let its owner run the statement that is printed, or name another: --publication.",
        )
    elif standing is None and not server.may_create:
        yield refuse(
            name,
            "publication",
            f"{server.user} may not make one in {server.database}.",
            f'GRANT CREATE ON DATABASE "{server.database}" TO "{server.user}"; or let an owner make it.',
        )
    elif foreign:
        yield refuse(
            name,
            "publication",
            f"{server.user} does not own {', '.join(map(str, foreign))}, and only an owner may publish a table.",
            f'GRANT the owner\'s role TO "{server.user}"; or let the owner run the statement that is printed.',
        )
    else:
        yield ok(name, "publication", "will be made" if standing is None else "will be put right")


def look_at_signal(plan: Plan, facts: DatabaseFacts) -> Iterator[Finding]:
    """The table that signals are written into."""
    signal = facts.signal
    if signal is None:
        return
    if signal.exists and not signal.has_shape:
        yield refuse(
            signal.table,
            "signal_table",
            "it is not (id, type, data) of text.",
            "Rename it, or name another: --signal-table schema.table.",
        )
    elif signal.exists and not signal.may_write:
        yield warn(
            signal.table, "signal_table", "the user may not write into it.", f"GRANT INSERT ON {signal.table.sql} TO …;"
        )
    elif not signal.exists and not may_make(facts, signal.table):
        yield warn(
            signal.table,
            "signal_table",
            "there is none and the user may not make it: no table can be read again.",
            f"CREATE TABLE {signal.table.sql} (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, "
            f"data varchar(2048)); GRANT SELECT, INSERT ON it TO the user.",
        )
    else:
        yield ok(signal.table, "signal_table", "it is there" if signal.exists else "will be made")
