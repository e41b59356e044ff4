"""Write small shops into a folder, and load them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Contract, Shop
from aura_lake.contracts.load import load_shop
from aura_lake.contracts.problems import ContractProblemsError

HEAD = """\
apiVersion: v3.2.0
kind: DataContract
id: shop-orders
version: 1.0.0
status: active
"""

SERVERS = """\
servers:
  - server: shop_orders
    type: local
    path: records
    format: jsonl
"""

#: Fourteen lines: all that a table of the commerce model needs.
SCHEMA = """\
schema:
  - name: orders
    properties:
      - name: order_id
      - name: order_amount
"""


def write_shop(folder: Path, *, shop: str | None = "id: my_shop\n", **contracts: str) -> Path:
    """A shop with the given texts as `<name>.odcs.yaml`."""
    if shop is not None:
        (folder / "shop.yaml").write_text(shop, encoding="utf-8")
    for name, text in contracts.items():
        (folder / f"{name}.odcs.yaml").write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, environ: Mapping[str, str] | None = None, environment: str = "local") -> Shop:
    """The shop in `folder`."""
    return load_shop(folder, environment, environ or {})


def load_table(folder: Path, schema: str, *, shop: str = "id: my_shop\n") -> Contract:
    """The one contract whose schema is `schema`."""
    loaded = load(write_shop(folder, shop=shop, table=HEAD + SERVERS + schema))
    (contract,) = loaded.contracts.values()
    return contract


def problems(folder: Path, environ: Mapping[str, str] | None = None, environment: str = "local") -> list[str]:
    """What is wrong with the shop in `folder`: `file:line: what fix`, files without their folder."""
    with pytest.raises(ContractProblemsError) as caught:
        load(folder, environ, environment)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def table_problems(folder: Path, schema: str) -> list[str]:
    """What is wrong with a contract of that schema; lines are counted from `schema:` as 1."""
    found = problems(write_shop(folder, table=HEAD + SERVERS + schema))
    offset = (HEAD + SERVERS).count("\n")
    renumbered = []
    for problem in found:
        file, line, rest = problem.split(":", 2)
        renumbered.append(f"{int(line) - offset}:{rest}" if file == "table.odcs.yaml" else problem)
    return renumbered
