"""The variables by which the rest of Aura Lake finds the services of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from aura_lake.services.stack import Stack

#: The database of the demo shop: `aura simulate --live` fills it, `aura source connect` captures it.
DATABASE = "aura_mart"


def client_environment(stack: Stack, names: Collection[str]) -> dict[str, str]:
    """Variable → value, for the services named. S3's are not among them: AWS keys in a shell would hide its own."""
    found: dict[str, str] = {}
    if "kafka" in names:
        found |= {"AURA_ENV": "live", "KAFKA_BROKERS": stack.kafka.bootstrap}
    if "postgres" in names:
        found["AURA_POSTGRES_URL"] = stack.postgres.dsn(DATABASE)
    if "connect" in names:
        found["AURA_CONNECT_URL"] = stack.connect.url
    return found


def write_environment(stack: Stack, names: Collection[str]) -> Path:
    """A file for a shell to `source`. What would take the place of other keys stands in comments."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in client_environment(stack, names).items()]
    if "s3" in names:
        lines.append("# To keep the lake in this machine's S3 server:")
        lines += [f"# export {name}={shlex.quote(value)}" for name, value in stack.s3.client_environment.items()]
    path = stack.site.root / "environment.sh"
    path.write_text("\n".join(lines) + "\n")
    return path
