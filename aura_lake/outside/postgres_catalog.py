"""Tables as PostgreSQL's catalog has them.

Sources: PostgreSQL's documentation, chapter "System Catalogs" (pg_class, pg_attribute, pg_type, pg_index,
pg_constraint, pg_inherits).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aura_lake.source.facts import ColumnFacts, ForeignKey, TableFacts, TableName, plain_type

if TYPE_CHECKING:
    from psycopg import Connection

_RELATIONS = r"""
    SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relpersistence::text, c.relreplident::text,
           c.reltuples::bigint, coalesce(obj_description(c.oid, 'pg_class'), ''),
           has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT'),
           pg_has_role(c.relowner, 'USAGE'),
           c.relkind IN ('r', 'p') AND row_security_active(c.oid),
           coalesce(s.n_tup_upd + s.n_tup_del, 0),
           CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid END,
           ARRAY(SELECT t.relid::oid FROM pg_partition_tree(c.oid) t WHERE t.isleaf AND t.level > 0),
           ARRAY(SELECT i.inhrelid::oid FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'r')
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
    ORDER BY n.nspname, c.relname
"""

# A domain is followed to what it is made of; what it forbids holds.
_COLUMNS = """
    WITH RECURSIVE made_of AS (
        SELECT a.attrelid, a.attnum, a.attname, a.attnotnull AS is_full, a.attgenerated <> '' AS is_generated,
               a.attndims, a.atttypid AS type, a.atttypmod AS modifier
        FROM pg_attribute a
        WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT m.attrelid, m.attnum, m.attname, m.is_full OR d.typnotnull, m.is_generated,
               greatest(m.attndims, d.typndims), d.typbasetype,
               CASE WHEN d.typtypmod = -1 THEN m.modifier ELSE d.typtypmod END
        FROM made_of m
        JOIN pg_type d ON d.oid = m.type AND d.typtype = 'd'
    )
    SELECT m.attrelid, m.attname, format_type(m.type, m.modifier), t.typname, t.typtype::text,
           CASE WHEN t.typcategory = 'A'
                THEN (SELECT e.typtype::text FROM pg_type e WHERE e.oid = t.typelem) END,
           NOT m.is_full, m.is_generated, m.attndims,
           coalesce(col_description(m.attrelid, m.attnum), ''),
           ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
    FROM made_of m
    JOIN pg_type t ON t.oid = m.type AND t.typtype <> 'd'
    ORDER BY m.attrelid, m.attnum
"""

_INDEXES = """
    SELECT i.indrelid, i.indisprimary, i.indimmediate, i.indisreplident,
           ARRAY(SELECT a.attname::text
                 FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                 WHERE k.place <= i.indnkeyatts ORDER BY k.place)
    FROM pg_index i
    WHERE i.indrelid = ANY (%s::oid[]) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indrelid, i.indexrelid
"""

_FOREIGN_KEYS = """
    SELECT k.conrelid, n.nspname, c.relname,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, place)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place)
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.confrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conrelid = ANY (%s::oid[]) AND NOT c.relispartition
    ORDER BY k.conrelid, k.conname
"""

_IDENTITIES = {"d": "default", "f": "full", "n": "nothing", "i": "index"}


def read_catalog(connection: Connection[Any]) -> dict[TableName, TableFacts]:
    """Every table, view and foreign table that is not the system's or an extension's, by name."""
    relations = connection.execute(_RELATIONS).fetchall()
    names = {row[0]: TableName(row[1], row[2]) for row in relations}
    oids = list(names)
    columns: dict[int, list[ColumnFacts]] = defaultdict(list)
    for row in connection.execute(_COLUMNS, (oids,)):
        columns[row[0]].append(_column(row[1:]))
    indexes: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for row in connection.execute(_INDEXES, (oids,)):
        indexes[row[0]].append(row[1:])
    keys: dict[int, list[ForeignKey]] = defaultdict(list)
    for oid, schema, name, own, theirs in connection.execute(_FOREIGN_KEYS, (oids,)):
        keys[oid].append(ForeignKey(tuple(own), TableName(schema, name), tuple(theirs)))
    return {names[row[0]]: _table(row, names, columns[row[0]], indexes[row[0]], keys[row[0]]) for row in relations}


def _column(row: Sequence[Any]) -> ColumnFacts:
    name, written, base, family, element_family, is_nullable, is_generated, dimensions, comment, labels = row
    return ColumnFacts(
        name=name,
        type=plain_type(re.sub(r'^(?:"[^"]+"|\w+)\.', "", written)),
        base=base,
        family=family,
        element_family=element_family or "",
        is_nullable=is_nullable,
        enum_values=tuple(labels),
        dimensions=dimensions,
        is_generated=is_generated,
        comment=comment,
    )


def _table(
    row: Sequence[Any],
    names: dict[int, TableName],
    columns: list[ColumnFacts],
    indexes: list[Sequence[Any]],
    foreign_keys: list[ForeignKey],
) -> TableFacts:
    (
        oid,
        _,
        _,
        kind,
        persistence,
        identity,
        rows,
        comment,
        may_read,
        is_owned,
        hides,
        changed,
        root,
        leaves,
        children,
    ) = row
    primary = next((index for index in indexes if index[0]), None)
    identifying = next((index for index in indexes if index[2]), None)
    identity_columns = tuple(identifying[3]) if identifying is not None else ()
    if identity == "d" and primary is not None:
        identity_columns = tuple(primary[3])
    return TableFacts(
        table=names[oid],
        columns=tuple(columns),
        kind=kind,
        persistence=persistence,
        partition_of=names.get(root) if root is not None else None,
        partitions=tuple(sorted(names[leaf] for leaf in leaves if leaf in names and leaf != oid)),
        children=tuple(sorted(names[child] for child in children if child in names)),
        primary_key=tuple(primary[3]) if primary is not None else (),
        key_is_deferrable=primary is not None and not primary[1],
        identity=_IDENTITIES[identity],
        identity_columns=identity_columns,
        uniques=tuple(tuple(index[3]) for index in indexes if not index[0] and index[1]),
        foreign_keys=tuple(foreign_keys),
        comment=comment,
        estimated_rows=max(0, rows),
        changed_rows=changed,
        may_read=may_read,
        is_owned=is_owned,
        hides_rows=hides,
    )
