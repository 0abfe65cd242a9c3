"""The table of PostgreSQL that lists replace: what it hands on, and what forbids to replace it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from recsys.errors import ConfigError
from recsys.export.lists import SCHEMA

_FIND = """
SELECT c.oid, c.relkind::text AS kind, pg_get_userbyid(c.relowner)::text AS owner, c.relrowsecurity AS row_security,
  ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
  ARRAY(SELECT DISTINCT r.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) AS views,
  ARRAY(SELECT conname::text FROM pg_constraint
    WHERE contype = 'f' AND (conrelid = c.oid OR confrelid = c.oid)) AS foreign_keys,
  ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers,
  ARRAY(SELECT 'ADD ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = c.oid AND contype IN ('p', 'u', 'c')) AS constraints,
  ARRAY(SELECT CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX ON {table} ' || right(
      pg_get_indexdef(i.indexrelid), -length(format('CREATE %%sINDEX %%I ON %%I.%%I ',
        CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, c.relname)))
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)) AS indexes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""
_GRANTS = """
SELECT a.privilege_type, t.attname::text, pg_get_userbyid(nullif(a.grantee, 0))::text, a.is_grantable
FROM pg_class c CROSS JOIN LATERAL (
  SELECT NULL::name AS attname, c.relacl AS acl
  UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL
) t CROSS JOIN LATERAL aclexplode(t.acl) a
WHERE c.oid = %s::regclass AND a.grantee <> c.relowner
"""
_KINDS = {"v": "a view", "m": "a materialized view", "p": "a partitioned table", "f": "a foreign table"}


@dataclass(frozen=True)
class OldTable:
    """A table that holds lists. `indexes`: theirs, as text after CREATE, with `{table}` for the table.

    `constraints`: primary key, unique and check constraints, as text after ALTER TABLE.
    """

    identifier: sql.Identifier
    owner: str
    indexes: tuple[str, ...]
    constraints: tuple[str, ...]

    @property
    def has_index_on_users(self) -> bool:
        """Whether lists of one user are found by an index."""
        return any("(user_id" in each for each in (*self.indexes, *self.constraints))

    @classmethod
    def find(cls, connection: "psycopg.Connection[Any]", schema: str, name: str, *, shown: str) -> "OldTable | None":
        """The table of that name, None if there is none.

        Raises ConfigError, which calls it `shown`, if it holds something else than lists, or has what a fresh table
        would lose: views that read it, foreign keys, triggers, row-level security.
        """
        found = connection.cursor(row_factory=dict_row).execute(_FIND, (schema, name)).fetchone()
        if found is None:
            return None
        if reason := _why_not(found):
            raise ConfigError(f"{shown}: {reason}; it is not replaced: name another table")
        identifier = sql.Identifier(schema, name)
        return cls(identifier, found["owner"], tuple(found["indexes"]), tuple(found["constraints"]))

    def give_access(self, connection: "psycopg.Connection[Any]", fresh: sql.Identifier) -> None:
        """Give this table's owner and grants to the `fresh` one, and nothing else."""
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(fresh, sql.Identifier(self.owner)))
        for _, _, role, _ in _grants(connection, fresh):  # what the schema gives to every new table
            connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(fresh, _role(role)))
        for privilege, column, role, grantable in _grants(connection, self.identifier):
            what: sql.Composable = sql.SQL(privilege)  # a word of PostgreSQL's
            if column is not None:
                what = sql.SQL("{} ({})").format(what, sql.Identifier(column))
            more = sql.SQL(" WITH GRANT OPTION" if grantable else "")
            connection.execute(sql.SQL("GRANT {} ON {} TO {}{}").format(what, fresh, _role(role), more))

    def give_indexes(self, connection: "psycopg.Connection[Any]", fresh: sql.Identifier) -> None:
        """Make this table's indexes and constraints for the `fresh` one, under names of its own."""
        for index in self.indexes:
            before, after = index.split("{table}", 1)
            connection.execute(sql.SQL("CREATE {}{}{}").format(sql.SQL(before), fresh, sql.SQL(after)))
        for constraint in self.constraints:
            connection.execute(sql.SQL("ALTER TABLE {} {}").format(fresh, sql.SQL(constraint)))


def _why_not(found: Mapping[str, Any]) -> str | None:
    """Why a table must not be replaced."""
    if (kind := found["kind"]) != "r":
        return f"this is {_KINDS.get(kind, 'no table')}"
    if sorted(found["columns"]) != sorted(SCHEMA.names):
        columns, expected = ", ".join(found["columns"]) or "none", ", ".join(SCHEMA.names)
        return f"this table holds something else: its columns are {columns}, expected {expected}"
    lost = {what: found[key] for key, what in _LOST.items() if found[key]}
    told = [f"{what} {', '.join(names)}" for what, names in lost.items()]
    told += ["row-level security"] if found["row_security"] else []
    return f"a fresh table would not have what this one has: {'; '.join(told)}" if told else None


_LOST = {"views": "a view that reads it:", "foreign_keys": "a foreign key:", "triggers": "a trigger:"}


def _grants(
    connection: "psycopg.Connection[Any]", table: sql.Identifier
) -> Iterator[tuple[str, str | None, str | None, bool]]:
    """Privilege, column if it is of one, role (None for everybody), and whether it may be handed on."""
    yield from connection.execute(_GRANTS, (table.as_string(connection),)).fetchall()


def _role(name: str | None) -> sql.Composable:
    return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)
