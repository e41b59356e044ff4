"""Snowflake's protocol over DuckDB: fakesnow's HTTP server, with the gaps mended that we met.

    python -m tests.services.fakesnow_server PORT

Each mend below says what fakesnow 0.12 does otherwise. What it cannot show: authentication,
grants, warehouses, and that DDL commits a transaction.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.server
import fakesnow.transforms.stage
import pyarrow as pa
import uvicorn
from fakesnow import transforms
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from snowflake.connector.errors import OperationalError, ProgrammingError
from sqlglot import exp

#: Statements that mean nothing without an account.
MEANINGLESS = [
    r"^\s*(grant|revoke)\b",
    r"^\s*use\s+(role|warehouse|secondary\s+roles)\b",
    r"^\s*alter\s+session\s+(set|unset)\b",
    r"^\s*comment\s+(if\s+exists\s+)?on\b",
]


def keep_sums_exact() -> None:
    """SUM and AVG cast their argument to DOUBLE, so that money drifts."""
    transforms.numeric_agg_implicit_cast = lambda expression: expression


def keep_null_times_null() -> None:
    """A null timestamp arrives as 1970, since the struct is built without a mask."""
    build: Callable[[pa.Array], pa.StructArray] = fakesnow.arrow.timestamp_to_sf_struct

    def with_mask(times: pa.Array | pa.ChunkedArray) -> pa.StructArray:
        array = times.combine_chunks() if isinstance(times, pa.ChunkedArray) else times
        built = build(array.fill_null(pa.scalar(0, array.type)))
        fields = [built.type.field(number) for number in range(built.type.num_fields)]
        arrays = [built.field(number) for number in range(built.type.num_fields)]
        return pa.StructArray.from_arrays(arrays, fields=fields, mask=array.is_null())

    fakesnow.arrow.timestamp_to_sf_struct = with_mask


def overwrite_files_that_are_put() -> None:
    """PUT ... OVERWRITE = TRUE keeps the old file."""
    put: Callable[..., Any] = fakesnow.transforms.stage.put_stage

    def overwriting(expression: exp.Expression, *others: Any) -> exp.Expression:
        transformed = put(expression, *others)
        if (data := transformed.args.get("put_stage_data")) is not None:
            data["overwrite"] = "overwrite = true" in expression.sql(dialect="snowflake").lower()
        return transformed

    transforms.put_stage = overwriting


class NamedTransactions:
    """BEGIN ... NAME, SHOW TRANSACTIONS and SYSTEM$ABORT_TRANSACTION, which fakesnow does not know.

    A client that is killed leaves its session and its transaction behind, as it does in Snowflake.
    """

    def __init__(self) -> None:
        self._open: dict[int, tuple[Any, str]] = {}  # by number of the transaction
        self._count = 0

    def rewritten(self, connection: Any, command: str) -> str:
        """The statement as fakesnow understands it."""
        bare = _COMMENT.sub("", command)
        if begun := _BEGIN.match(bare):
            self._count += 1
            self._open[self._count] = (connection, begun["name"] or str(self._count))
            return "begin"
        if _END.match(bare):
            self._open = {number: held for number, held in self._open.items() if held[0] is not connection}
        elif _SHOW.match(bare):
            rows = [f"({number}, '{name}', 'running')" for number, (_, name) in self._open.items()]
            found = f"values {', '.join(rows)}" if rows else "values (0, '', '')"
            return f"select column1 as id, column2 as name, column3 as state from {found} where column1 > 0"
        elif aborted := _ABORT.match(bare):
            connection, name = self._open.pop(int(aborted["number"]))
            connection._duck_conn.execute("rollback")
            connection._in_transaction = False
            return f"select 'Transaction {name} was aborted.' as status"
        return command


_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_BEGIN = re.compile(r"^\s*begin(?:\s+(?:transaction|work))?(?:\s+name\s+(?P<name>\w+))?\s*;?\s*$", re.IGNORECASE)
_END = re.compile(r"^\s*(commit|rollback)\b", re.IGNORECASE)
_SHOW = re.compile(r"^\s*show\s+transactions\b", re.IGNORECASE)
_ABORT = re.compile(r"^\s*select\s+system\$abort_transaction\((?P<number>\d+)\)", re.IGNORECASE)


def mend_statements() -> None:
    """Temporary tables with a schema's name, named transactions, and md5_number_lower64."""
    transactions = NamedTransactions()
    transform = FakeSnowflakeCursor._transform
    execute = FakeSnowflakeCursor.execute

    def mended_transform(self: Any, expression: exp.Expression, params: Any) -> exp.Expression:
        for hashed in list(expression.find_all(exp.MD5NumberLower64)):
            hashed.replace(exp.func("md5_number_lower", hashed.this))
        return transform(self, expression, params)

    def mended_execute(self: Any, command: str, *others: Any, **named: Any) -> Any:
        command = _TEMPORARY.sub(r"\1\2 \3", command, count=1)
        command = transactions.rewritten(self._conn, command)
        try:
            return execute(self, command, *others, **named)
        except (ProgrammingError, OperationalError):
            _roll_back(self)
            raise
        except Exception as error:  # the protocol's edge: any failure is an answer
            # HTTP 500, which the connector would repeat for minutes.
            _roll_back(self)
            raise ProgrammingError(msg=f"{type(error).__name__}: {error}", errno=2000, sqlstate="XX000") from error

    FakeSnowflakeCursor._transform = mended_transform
    FakeSnowflakeCursor.execute = mended_execute


_TEMPORARY = re.compile(
    r"^(\s*(?:/\*.*?\*/\s*)?create\s+(?:or\s+replace\s+)?)(?:local\s+|global\s+)?temp(?:orary)?\s+(table|view)\s+"
    r"((?:if\s+not\s+exists\s+)?[\w\"]+\s*\.\s*[\w\"]+)",
    re.IGNORECASE | re.DOTALL,
)


def _roll_back(cursor: Any) -> None:
    """A statement that fails inside DuckDB spoils its transaction; Snowflake lets the client decide."""
    try:
        cursor._duck_conn.execute("rollback")
    except duckdb.TransactionException:
        return  # none was open
    cursor._conn._in_transaction = False


def serve(port: int) -> None:
    """Answer on 127.0.0.1 until killed; one database in memory for all sessions."""
    keep_sums_exact()
    keep_null_times_null()
    overwrite_files_that_are_put()
    mend_statements()
    fakesnow.server.shared_fs = FakeSnow(nop_regexes=MEANINGLESS)
    fakesnow.server.logger.setLevel("ERROR")
    uvicorn.run(fakesnow.server.app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
