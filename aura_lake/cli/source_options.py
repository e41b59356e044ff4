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
    """The database of a connector: as an option or the environment says, else as its configuration does."""
    from aura_lake.outside.postgres import Address, read_address

    given = url or environ.get("AURA_POSTGRES_URL")
    return read_address(given) if given else Address(kept.address)


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
