"""`aura query`: read-only SQL."""

from __future__ import annotations

from typing import Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, show_rows


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT, in DuckDB's dialect; - reads it from standard input.")],
    form: FormOption = Form.TABLE,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many rows; 0: all.")] = 1_000,
) -> None:
    """Ask gold, silver or bronze in read-only SQL.

    Tables: gold.<model>, silver.<table>, silver.<table>_history, silver.<table>_quarantine,
    silver.<table>_log, silver.order_touchpoints, bronze.<feed>.

    Example: [bold]aura query "select device_os, sum(net_revenue) from gold.fct_sales_revenue group by 1"[/bold]
    """
    from aura_lake.cli.opening import open_reader
    from aura_lake.query.run import answer

    if sql == "-":
        sql = typer.get_text_stream("stdin").read()
    found = answer(open_reader(), sql, limit or None)
    numbers = [n for n, t in zip(found.columns, found.types, strict=True) if t.startswith(_NUMERIC)]
    show_rows(found.columns, found.rows, form, right=numbers)
    if found.has_more:
        complaints().print(f"The first {limit:,} rows; --limit 0 gives all.")


_NUMERIC = ("DECIMAL", "BIGINT", "INTEGER", "HUGEINT", "DOUBLE", "FLOAT", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER")
