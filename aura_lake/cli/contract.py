"""`aura contract`: the contracts, before anything runs, and what another one would do."""

from __future__ import annotations

import typer

from aura_lake.cli.contract_diff import diff
from aura_lake.cli.contract_import import import_sql
from aura_lake.cli.contract_shadow import shadow
from aura_lake.cli.contract_suggest import suggest
from aura_lake.cli.contract_try import try_contract
from aura_lake.cli.output import Form, FormOption, console, show_rows

app = typer.Typer(no_args_is_help=True, help="The contracts that say what is true.")


@app.callback()
def _contracts() -> None:
    """The contracts that say what is true."""


app.command("import")(import_sql)
app.command()(diff)
app.command("try")(try_contract)
app.command()(suggest)
app.command()(shadow)


@app.command()
def check(form: FormOption = Form.TABLE) -> None:
    """Check every contract of the shop; name file, line and fix of all that is wrong.

    Example: [bold]AURA_SHOP=shops/aura_mart aura contract check[/bold]
    """
    from aura_lake.cli.opening import open_lake

    shop = open_lake().shop
    rows = [
        (
            c.table,
            c.kind.value,
            c.feed,
            len(c.columns),
            len(c.row_rules),
            len(c.table_rules),
            ", ".join(c.key or c.event_id),
            sum(column.personal for column in c.columns),
        )
        for c in shop.contracts.values()
    ]
    columns = ("table", "kind", "feed", "columns", "row_rules", "table_rules", "key", "personal")
    show_rows(columns, rows, form, right=("columns", "row_rules", "table_rules", "personal"))
    if form is Form.TABLE:
        bare = sorted(set(shop.feeds) - {c.feed for c in shop.contracts.values()})
        also = f" Feeds that no table reads: {', '.join(bare)}." if bare else ""
        counts = f"{len(rows)} tables, {len(shop.feeds)} feeds"
        console().print(f"[green]The shop {shop.id} is right[/green]: {counts}.{also}")
