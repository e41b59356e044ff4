"""`aura source connect`: from a sentence, or from names, to a connector that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import Form, FormOption, complaints, console, show_json
from aura_lake.cli.source_options import UrlOption, WorkerOption, YesOption, confirm, names_in, tell, worker
from aura_lake.cli.source_telling import (
    tell_files,
    tell_plan,
    tell_program,
    tell_what_is_made,
    tell_wish,
    unclear_in,
    understood_in,
)

if TYPE_CHECKING:
    from aura_lake.source.wish import Wish
    from aura_lake.source.wished import Request
    from aura_lake.steps.source_connect import Prepared
    from aura_lake.steps.source_drafts import Written

_NAMES = "Names"
ENGINE = "postgres"


def connect(
    what: Annotated[str, typer.Argument(help="postgres; or a sentence that says what to connect.")] = ENGINE,
    sentence: Annotated[str | None, typer.Argument(help="What to connect, in words.")] = None,
    url: UrlOption = None,
    tables: Annotated[str | None, typer.Option(help="Tables, a,b or schema.a,schema.b.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All tables of the database.")] = False,
    events: Annotated[str | None, typer.Option(help="Tables to append as events though they have a key.")] = None,
    snapshot: Annotated[bool, typer.Option(help="Read rows that are there already.")] = True,
    shop: Annotated[
        str | None, typer.Option(help="Its name or folder; default AURA_SHOP, else the database's.")
    ] = None,
    connect_url: WorkerOption = None,
    password: Annotated[
        str | None,
        typer.Option("--password-from", help="A reference the worker resolves, '${file:/etc/pg.properties:password}'."),
    ] = None,
    database_host: Annotated[
        str | None, typer.Option("--database-host", help="The database's host[:port] as the worker sees it.")
    ] = None,
    registry: Annotated[str | None, typer.Option("--avro", help="Write Avro, with this schema registry's URL.")] = None,
    partitions: Annotated[int | None, typer.Option(help="Of each topic; default 3.", rich_help_panel=_NAMES)] = None,
    name: Annotated[str | None, typer.Option(help="The connector.", rich_help_panel=_NAMES)] = None,
    slot: Annotated[str | None, typer.Option(help="The replication slot.", rich_help_panel=_NAMES)] = None,
    publication: Annotated[str | None, typer.Option(help="The publication.", rich_help_panel=_NAMES)] = None,
    prefix: Annotated[
        str | None, typer.Option(help="Topics begin with it; default aura.", rich_help_panel=_NAMES)
    ] = None,
    signal: Annotated[
        str | None, typer.Option("--signal-table", help="schema.table of signals.", rich_help_panel=_NAMES)
    ] = None,
    yes: YesOption = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Stream tables of a PostgreSQL database into the lake.

    Says what it understood, looks at the database, writes the connector's configuration and a contract for each
    table, and after a yes makes publication, slot and connector. Run again it adds what is missing.

    Example: [bold]aura source connect postgres --tables orders,users[/bold]
    Example: [bold]aura source connect "Connect to the production Aurora PostgreSQL. Stream every mutation of `orders`
    and `users` into our raw Bronze S3 bucket."[/bold]
    """
    from aura_lake.cli.opening import find_environment
    from aura_lake.outside.postgres import read_address
    from aura_lake.source.wished import Request, parts_of, where
    from aura_lake.steps.source_connect import create, prepare

    environ, project = find_environment()
    wish = read(what, sentence)
    if wish is not None and form is Form.TABLE:
        tell_wish(wish, environ)
    stop_where_unclear(wish, form)
    given, named_by = where(wish, url, environ)
    address = read_address(given).with_parts(**({} if url else parts_of(wish)))
    request = Request(
        tables=[*names_in(tables), *(wish.tables if wish else ())],
        everything=everything or bool(wish and wish.all_tables),
        schemas=wish.schemas if wish else (),
        left_out=wish.left_out if wish else (),
        events=names_in(events),
        connector=name or (wish.connector if wish else None),
        slot=slot or (wish.slot if wish else None),
        publication=publication or (wish.publication if wish else None),
        prefix=prefix or (wish.prefix if wish else None),
        signal=signal,
        partitions=partitions or (wish.partitions if wish else None) or 3,
        snapshot=snapshot and (wish is None or wish.snapshot),
        format="avro" if registry else "json",
        registry=registry,
        database_host=database_host,
        password=password,
    )
    client = worker(connect_url, environ)
    with complaints().status(f"Looking at {address} …"):
        prepared = prepare(address, client, request)
    folder = shop_folder(shop, environ, project, prepared.plan.names.connector.removeprefix("aura-"))
    if form is Form.TABLE:
        tell_plan(prepared, str(address), named_by)
    written = [] if prepared.is_refused else write(prepared, folder, environ, request)
    if form is Form.TABLE and written:
        tell_files(prepared, written, folder, password_is_clear=not prepared.login.is_reference)
    if prepared.is_refused:
        if form is not Form.TABLE:
            tell_program(prepared, wish, written, created=False)
        complaints().print("[red]Nothing was written or made: mend what is refused, and run it again.[/red]")
        raise typer.Exit(1)
    if not prepared.is_ready:
        if form is not Form.TABLE:
            tell_program(prepared, wish, written, created=False)
        complaints().print("[red]It is written, and nothing is made:[/red] run it again when Kafka Connect is ready.")
        raise typer.Exit(1)
    if form is not Form.TABLE and not yes:
        tell_program(prepared, wish, written, created=False)
        return
    if form is Form.TABLE:
        tell_what_is_made(prepared, client.url)
        confirm("Make it?", yes)
    create(prepared, address, client, tell if form is Form.TABLE else lambda _: None)
    if form is not Form.TABLE:
        tell_program(prepared, wish, written, created=True)
    else:
        console().print(f"Next: [bold]AURA_SHOP={folder} aura source check[/bold], then [bold]aura run[/bold]")


def read(what: str, sentence: str | None) -> Wish | None:
    """The wish, where words were given; the first argument may be the sentence itself."""
    from aura_lake.errors import SourceError
    from aura_lake.source.sentence import read_wish

    if what.lower() in (ENGINE, "postgresql"):
        return read_wish(sentence) if sentence else None
    if sentence is None and " " in what.strip():
        return read_wish(what)
    raise SourceError(f"{what!r} cannot be connected.", fix="aura source connect postgres")


def stop_where_unclear(wish: Wish | None, form: Form) -> None:
    """End where a part of the sentence would be passed over."""
    if wish is None or wish.is_clear:
        return
    if form is not Form.TABLE:
        show_json({"understood": understood_in(wish), **unclear_in(wish), "created": False})
    complaints().print("[red]Half a wish would be another one:[/red] say it otherwise, or use options.")
    raise typer.Exit(1)


def write(prepared: Prepared, folder: Path, environ: Mapping[str, str], request: Request) -> list[Written]:
    """The contracts, and the connector's configuration without its password."""
    from aura_lake.source.connector import written_config
    from aura_lake.source.kept import write_kept
    from aura_lake.steps.source_drafts import write_drafts

    plan = prepared.plan
    written = write_drafts(
        folder, plan.tables, prepared.facts, environ, format=request.format, registry=request.registry
    )
    write_kept(folder, plan.names.connector, written_config(prepared.config, prepared.login))
    return written


def shop_folder(shop: str | None, environ: Mapping[str, str], project: Path, database: str) -> Path:
    """Where the contracts are: the folder or name that is given, the environment's, else one after the database."""
    named = shop or environ.get("AURA_SHOP")
    if named is None:
        return project / "shops" / database.replace("-", "_")
    path = Path(named).expanduser()
    if path.is_absolute():
        return path
    return (project / path if "/" in named or not shop else project / "shops" / named).resolve()
