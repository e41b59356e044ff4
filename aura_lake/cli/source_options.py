"""What the commands of `aura source` share: their options, and the database and worker these mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from aura_lake.cli.output import console

if TYPE_CHECKING:
    from aura_lake.outside.kafka_connect import KafkaConnect
    from aura_lake.outside.postgres import Address
    from aura_lake.source.kept import KeptConnector

UrlOption = Annotated[
    str | None, typer.Option("--url", help="The database, postgres://user@host/db. Default: AURA_POSTGRES_URL.")
]
WorkerOption = Annotated[
    str | None, typer.Option("--connect-url", help="Kafka Connect. Default: AURA_CONNECT_URL, else 127.0.0.1:18083.")
]
ConnectorOption = Annotated[str | None, typer.Option("--connector", help="Which one, where the shop has several.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def worker(url: str | None, environ: Mapping[str, str]) -> KafkaConnect:
    """The Kafka Connect that a command speaks to."""
    from aura_lake.outside.kafka_connect import DEFAULT_URL, KafkaConnect

    return KafkaConnect(url or environ.get("AURA_CONNECT_URL") or DEFAULT_URL)


def address_of(kept: KeptConnector, url: str | None, environ: Mapping[str, str]) -> Address:
    """The database of a connector: as the option says, or the environment where it names that database; else as the
    configuration does, which is as the worker sees it."""
    from aura_lake.outside.postgres import Address, read_address

    if url:
        return read_address(url)
    names = [name for name in sorted(environ) if name.startswith("AURA_POSTGRES_URL") and environ[name]]
    for address in (read_address(environ[name]) for name in names):
        if address.parameters.get("dbname") == kept.address.get("dbname"):
            return address
    return Address(kept.address)


def names_in(text: str | None) -> list[str]:
    """Names that stand between commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def confirm(question: str, yes: bool) -> None:
    """Go on after a yes; else say that nothing was done, and end with 1."""
    if not yes and not typer.confirm(question):
        console().print("Nothing was done.")
        raise typer.Exit(1)


def tell(line: str) -> None:
    """One step that was done."""
    console().print(f"[green]✓[/green] {line}", soft_wrap=True)
